"""Small writers with fresh weights, rows for them, and decoding that is slow and plainly right.

`greedy_answer` and `beam_answer` know a network by its `forward` alone: no cache, one text at a
time, lists and sorting.
"""

import math
import random
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from maas_lab.networks.seq2seq_rnn import Seq2SeqRnn
from maas_lab.networks.seq2seq_transformer import Seq2SeqTransformer
from maas_lab.recipes.networks import Seq2SeqRnnRecipe, Seq2SeqTransformerRecipe

if TYPE_CHECKING:
    from collections.abc import Sequence

VOCABULARY = 40
KINDS = ("transformer", "rnn", "copying transformer", "copying rnn")
_PAD, _BOS, _EOS = 0, 2, 3

Network = Seq2SeqRnn | Seq2SeqTransformer


def tiny_writer(kind: str, *, seed: int = 0, vocabulary: int = VOCABULARY) -> Network:
    """A network of random weights, loud enough that its answers differ."""
    torch.manual_seed(seed)
    copy = kind.startswith("copying ")
    network: Network
    if kind.endswith("rnn"):
        recipe = Seq2SeqRnnRecipe(embedding=12, hidden=10, layers=2, copy=copy)
        network = Seq2SeqRnn(recipe, vocabulary_size=vocabulary)
    else:
        sizes = Seq2SeqTransformerRecipe(
            width=16, heads=2, layers=2, decoder_layers=2, feedforward=24, copy=copy
        )
        network = Seq2SeqTransformer(sizes, vocabulary_size=vocabulary)
    with torch.no_grad():
        for weight in network.parameters():
            if weight.dim() > 1:
                weight.mul_(2.5)
        bias = network.output.bias if isinstance(network, Seq2SeqRnn) else network.bias
        bias[_EOS] += 2.5  # or no answer would ever end
    return network.eval()


def random_texts(count: int, *, seed: int = 0, vocabulary: int = VOCABULARY) -> list[list[int]]:
    """Rows of ids of 0 to 11 tokens, each with its end."""
    rng = random.Random(seed)
    return [
        [rng.randrange(4, vocabulary) for _ in range(rng.randint(0, 11))] + [_EOS]
        for _ in range(count)
    ]


def padded(rows: "Sequence[Sequence[int]]") -> tuple[Tensor, Tensor]:
    """input_ids and attention_mask of rows, padded on the right."""
    width = max(map(len, rows))
    ids = torch.tensor([[*row, *[_PAD] * (width - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    return ids, mask


def trimmed(ids: "Sequence[int]") -> list[int]:
    """What was written without the padding after the end."""
    ids = list(ids)
    return ids[: ids.index(_EOS) + 1] if _EOS in ids else ids


def _next_log_probabilities(network: Network, source: list[int], written: list[int]) -> list[float]:
    ids, mask = padded([source])
    with torch.inference_mode():
        said = network(ids, mask, torch.tensor([[_BOS, *written]]))[0, -1]
    values: list[float] = torch.log_softmax(said, dim=0).tolist()
    values[_PAD] = values[_BOS] = -math.inf
    return values


def greedy_answer(network: Network, source: list[int], *, most: int) -> list[int]:
    """The likeliest token, again and again."""
    written: list[int] = []
    while len(written) < most and _EOS not in written:
        values = _next_log_probabilities(network, source, written)
        written.append(max(range(len(values)), key=values.__getitem__))
    return written


def beam_answer(
    network: Network, source: list[int], *, beams: int, most: int, penalty: float
) -> tuple[list[int], float]:
    """The best of the beams, and its score."""
    held: list[tuple[list[int], float]] = [([], 0.0)]
    for _ in range(most):
        found: list[tuple[list[int], float]] = []
        for written, total in held:
            if _EOS in written:
                found.append((written, total))
                continue
            values = _next_log_probabilities(network, source, written)
            found += [([*written, token], total + value) for token, value in enumerate(values)]
        found.sort(key=lambda one: one[1] / len(one[0]) ** penalty, reverse=True)
        held = found[:beams]
        if all(_EOS in written for written, _ in held):
            break
    written, total = held[0]
    return written, total / max(1, len(written)) ** penalty
