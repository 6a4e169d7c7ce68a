"""Decoding with caches and tensors against decoding by `forward`, one text and token at a time."""

import pytest
import torch
from unit.maas_lab.exporting.writers import (
    KINDS,
    VOCABULARY,
    beam_answer,
    greedy_answer,
    padded,
    random_texts,
    tiny_writer,
    trimmed,
)

from maas_lab.exporting.decoding import BOS, EOS, PAD, Search, write_texts

MOST = 7


def a_search(kind: str, *, penalty: float = 1.0) -> Search:
    return Search(tiny_writer(kind), vocabulary_size=VOCABULARY, length_penalty=penalty)


@pytest.mark.parametrize("kind", KINDS)
def test_one_beam_writes_the_likeliest_token_each_time(kind: str) -> None:
    search, texts = a_search(kind), random_texts(50)
    written = write_texts(search, *padded(texts), beams=1, max_new_tokens=MOST)
    for text, ids in zip(texts, written.output_ids.tolist(), strict=True):
        assert trimmed(ids) == greedy_answer(search.network, text, most=MOST)  # type: ignore[arg-type]


@pytest.mark.parametrize("penalty", [0.0, 1.0, 1.7])
@pytest.mark.parametrize("kind", KINDS)
def test_beams_find_what_a_plain_search_finds(kind: str, penalty: float) -> None:
    search, texts = a_search(kind, penalty=penalty), random_texts(17, seed=int(10 * penalty))
    written = write_texts(search, *padded(texts), beams=4, max_new_tokens=MOST)
    assert any(EOS in ids for ids in written.output_ids.tolist())
    for text, ids, score in zip(texts, written.output_ids.tolist(), written.scores, strict=True):
        expected, its_score = beam_answer(
            search.network,  # type: ignore[arg-type]
            text,
            beams=4,
            most=MOST,
            penalty=penalty,
        )
        assert trimmed(ids) == expected
        assert float(score) == pytest.approx(its_score, abs=1e-5)


def test_an_answer_is_padded_after_its_end_and_holds_no_beginning() -> None:
    written = write_texts(a_search("rnn"), *padded(random_texts(60)), beams=3, max_new_tokens=30)
    for ids in written.output_ids.tolist():
        own = trimmed(ids)
        assert PAD not in own
        assert BOS not in own
        assert set(ids[len(own) :]) <= {PAD}


def test_it_stops_when_all_have_ended() -> None:
    # Given a network that always ends at once
    search = a_search("transformer")
    with torch.no_grad():
        search.network.bias[EOS] = 1e4  # type: ignore[attr-defined]
    written = write_texts(search, *padded(random_texts(3)), beams=1, max_new_tokens=30)
    assert written.output_ids.tolist() == [[EOS]] * 3


def test_nothing_is_written_where_nothing_may_be() -> None:
    written = write_texts(a_search("rnn"), *padded(random_texts(3)), beams=2, max_new_tokens=0)
    assert written.output_ids.shape == (3, 0)
    assert written.scores.tolist() == [0.0] * 3


def test_more_beams_than_tokens_are_no_matter() -> None:
    network = tiny_writer("rnn", vocabulary=6)
    search = Search(network, vocabulary_size=6, length_penalty=1.0)
    texts = random_texts(5, vocabulary=6)
    written = write_texts(search, *padded(texts), beams=8, max_new_tokens=4)
    for text, ids in zip(texts, written.output_ids.tolist(), strict=True):
        assert trimmed(ids) == beam_answer(network, text, beams=8, most=4, penalty=1.0)[0]
