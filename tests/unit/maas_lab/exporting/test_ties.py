"""Where torch itself rates two answers alike, another answer is a tie, and only there."""

import math

import numpy as np
import pytest
import torch
from unit.maas_lab.exporting.writers import KINDS, VOCABULARY, padded, random_texts, tiny_writer

from maas_lab.exporting.decoding import Search, write_texts
from maas_lab.exporting.ties import TIE, write_with_margins

MOST = 8


@pytest.mark.parametrize("beams", [1, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_margins_change_nothing_about_what_is_written(kind: str, beams: int) -> None:
    search = Search(tiny_writer(kind), vocabulary_size=VOCABULARY, length_penalty=1.0)
    texts = padded(random_texts(20))
    expected = write_texts(search, *texts, beams=beams, max_new_tokens=MOST)
    written, margins = write_with_margins(search, *texts, beams=beams, max_new_tokens=MOST)
    assert written.output_ids.tolist() == expected.output_ids.tolist()
    assert written.scores.tolist() == expected.scores.tolist()
    assert not margins.isnan().any()
    assert float(margins.min()) > 0


@pytest.mark.parametrize("beams", [1, 3])
def test_two_words_that_nothing_tells_apart_are_a_tie(beams: int) -> None:
    # Given a network to which the words 7 and 8 are the same, and likelier than all others
    network = tiny_writer("rnn")
    with torch.no_grad():
        network.embedding.weight[8] = network.embedding.weight[7]
        network.output.bias[7:9] = 20.0  # type: ignore[operator, union-attr]
    search = Search(network, vocabulary_size=VOCABULARY, length_penalty=1.0)
    _, margins = write_with_margins(
        search, *padded(random_texts(5)), beams=beams, max_new_tokens=MOST
    )
    assert (margins < TIE).all()


def test_a_margin_is_that_of_the_closest_turn() -> None:
    search = Search(tiny_writer("transformer"), vocabulary_size=VOCABULARY, length_penalty=0.0)
    ids, mask = padded(random_texts(1, seed=4))
    written, margins = write_with_margins(search, ids, mask, beams=1, max_new_tokens=MOST)
    narrowest = math.inf
    row = written.output_ids[0].tolist()
    for at in range(len(row)):
        with torch.inference_mode():
            said = search.network(ids, mask, torch.tensor([[2, *row[:at]]]))[0, -1]  # type: ignore[operator]
        values = torch.log_softmax(said, dim=0)
        values[[0, 2]] = -math.inf
        best, second = np.sort(values.numpy())[::-1][:2]
        narrowest = min(narrowest, float(best - second))
    assert float(margins[0]) == pytest.approx(narrowest, abs=1e-5)
