"""Rows of token ids, and the batches that training takes them in.

Imports numpy, torch, `maas.text` and `maas_lab.vocabulary`:

    ids = encode_texts(texts, tokenizer)                 # int32, each of its own length
    for indices in batch_order(lengths, batch_size=32, batch_tokens=0, seed=1, epoch=0):
        input_ids, attention_mask = padded([ids[index] for index in indices])

The order of the batches depends on nothing but the lengths, the seed and the epoch. That is what
makes an exact resume cheap: nothing about it has to be saved.
"""

from typing import TYPE_CHECKING

import numpy as np
import torch

from maas_lab.vocabulary import PAD_ID

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from torch import Tensor

    from maas.text.tokenizer import Tokenizer

    Ids = npt.NDArray[np.int32]

_ENCODED_AT_ONCE = 1024  # rows; one long text pads only those that are encoded with it
_POOL = 16  # batches whose rows are sorted by length together


def encode_texts(texts: "Sequence[str]", tokenizer: "Tokenizer") -> "list[Ids]":
    """Encode texts by the very call that serving uses.

    Args:
        texts: Any number of them.
        tokenizer: Cuts at its token limit.

    Returns:
        Per text, int32 `[tokens]`; empty where the normaliser left nothing.
    """
    found: list[Ids] = []
    for start in range(0, len(texts), _ENCODED_AT_ONCE):
        encoded = tokenizer.encode(texts[start : start + _ENCODED_AT_ONCE])
        for ids, tokens in zip(encoded.input_ids, encoded.tokens, strict=True):
            found.append(ids[:tokens].astype(np.int32))
    return found


def padded(rows: "Sequence[Ids]", *, device: str = "cpu") -> "tuple[Tensor, Tensor]":
    """Pad rows on the right to the longest of them.

    Args:
        rows: Per row, int32 `[tokens]`.
        device: Where the tensors go.

    Returns:
        Ids and mask, int64 `[rows, sequence]`; the sequence has at least one place.
    """
    width = max(1, *(len(ids) for ids in rows))
    input_ids = np.full((len(rows), width), PAD_ID, dtype=np.int64)
    attention_mask = np.zeros_like(input_ids)
    for row, ids in enumerate(rows):
        input_ids[row, : len(ids)] = ids
        attention_mask[row, : len(ids)] = 1
    return (
        torch.from_numpy(input_ids).to(device),
        torch.from_numpy(attention_mask).to(device),
    )


def lengths_of(rows: "Sequence[Ids]") -> "npt.NDArray[np.int64]":
    """Tokens per row, int64 `[rows]`."""
    return np.array([len(ids) for ids in rows], dtype=np.int64)


def batch_order(
    lengths: "npt.NDArray[np.int64]",
    *,
    batch_size: int,
    batch_tokens: int = 0,
    seed: int,
    epoch: int,
) -> "list[npt.NDArray[np.int64]]":
    """Every row once, in shuffled batches of rows that are about equally long.

    Rows are shuffled, sorted by length within pools of a few batches, and the batches shuffled
    again: nearly as random as plain shuffling, with half the padding.

    Args:
        lengths: int64 `[rows]`.
        batch_size: Rows per batch at the most.
        batch_tokens: Where not 0, tokens per batch at the most, padding included; a row that is
            longer has a batch of its own.
        seed: The recipe's seed.
        epoch: Each has an order of its own.
    """
    rng = np.random.default_rng([seed, epoch])
    shuffled = rng.permutation(len(lengths))
    batches: list[npt.NDArray[np.int64]] = []
    for start in range(0, len(shuffled), batch_size * _POOL):
        pool = shuffled[start : start + batch_size * _POOL]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += _cut(pool, lengths, batch_size, batch_tokens)
    return [batches[place] for place in rng.permutation(len(batches))]


def _cut(
    pool: "npt.NDArray[np.int64]", lengths: "npt.NDArray[np.int64]", rows: int, tokens: int
) -> "list[npt.NDArray[np.int64]]":
    """Batches of rows that lie side by side, the shortest first."""
    if not tokens:
        return [pool[at : at + rows] for at in range(0, len(pool), rows)]
    batches, first = [], 0
    for at, row in enumerate(pool):
        if at - first == rows or (at > first and (at - first + 1) * lengths[row] > tokens):
            batches.append(pool[first:at])
            first = at
    return [*batches, pool[first:]]
