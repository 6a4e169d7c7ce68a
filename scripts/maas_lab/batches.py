"""Rows of token ids, and the batches that training takes them in.

Imports numpy, torch, `maas.text` and `maas_lab.vocabulary`:

    rows = encode_rows(dataset.train, tokenizer, labels)
    for indices in batch_order(rows.lengths, batch_size=32, seed=1, epoch=0):
        batch = rows.batch(indices, device="cpu")

The order of the batches depends on nothing but the lengths, the seed and the epoch. That is what
makes an exact resume cheap: nothing about it has to be saved.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from maas_lab.vocabulary import PAD_ID

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from maas.text.tokenizer import Tokenizer
    from maas_lab.data.rows import Sample

_ENCODED_AT_ONCE = 1024  # rows; one long text pads only those that are encoded with it
_POOL = 16  # batches whose rows are sorted by length together


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step learns from.

    Attributes:
        input_ids: int64 `[batch, sequence]`, padded on the right.
        attention_mask: int64 `[batch, sequence]`, 1 for a token and 0 for padding.
        labels: int64 `[batch]`.
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    labels: torch.Tensor


@dataclass(frozen=True, slots=True)
class EncodedRows:
    """Rows as token ids, each of its own length.

    Attributes:
        token_ids: Per row, int32 `[tokens]`; empty where the normaliser left nothing.
        labels: int64 `[rows]`, the index of the label.
    """

    token_ids: "list[npt.NDArray[np.int32]]"
    labels: "npt.NDArray[np.int64]"

    @property
    def lengths(self) -> "npt.NDArray[np.int64]":
        """Tokens per row, int64 `[rows]`."""
        return np.array([len(ids) for ids in self.token_ids], dtype=np.int64)

    def batch(self, indices: "npt.NDArray[np.int64]", *, device: str) -> Batch:
        """Pad rows to the longest of them.

        Args:
            indices: int64 `[batch]`, which rows.
            device: Where the tensors go.
        """
        width = max(1, *(len(self.token_ids[index]) for index in indices))
        input_ids = np.full((len(indices), width), PAD_ID, dtype=np.int64)
        attention_mask = np.zeros_like(input_ids)
        for row, index in enumerate(indices):
            ids = self.token_ids[index]
            input_ids[row, : len(ids)] = ids
            attention_mask[row, : len(ids)] = 1
        arrays = (input_ids, attention_mask, self.labels[indices])
        return Batch(*(torch.from_numpy(array).to(device) for array in arrays))


def encode_rows(
    samples: "Sequence[Sample]", tokenizer: "Tokenizer", labels: "Sequence[str]"
) -> EncodedRows:
    """Encode rows by the very call that serving uses.

    Args:
        samples: The rows.
        tokenizer: Cuts at its token limit.
        labels: The names of the classes, in the order of the network's outputs.
    """
    token_ids = []
    for start in range(0, len(samples), _ENCODED_AT_ONCE):
        texts = [sample.text for sample in samples[start : start + _ENCODED_AT_ONCE]]
        encoded = tokenizer.encode(texts)
        for ids, tokens in zip(encoded.input_ids, encoded.tokens, strict=True):
            token_ids.append(ids[:tokens].astype(np.int32))
    index = {name: place for place, name in enumerate(labels)}
    return EncodedRows(token_ids, np.array([index[s.label] for s in samples], dtype=np.int64))


def batch_order(
    lengths: "npt.NDArray[np.int64]", *, batch_size: int, seed: int, epoch: int
) -> "list[npt.NDArray[np.int64]]":
    """Every row once, in shuffled batches of rows that are about equally long.

    Rows are shuffled, sorted by length within pools of a few batches, and the batches shuffled
    again: nearly as random as plain shuffling, with half the padding.

    Args:
        lengths: int64 `[rows]`.
        batch_size: Rows per batch; the last one may be smaller.
        seed: The recipe's seed.
        epoch: Each has an order of its own.
    """
    rng = np.random.default_rng([seed, epoch])
    shuffled = rng.permutation(len(lengths))
    batches = []
    for start in range(0, len(shuffled), batch_size * _POOL):
        pool = shuffled[start : start + batch_size * _POOL]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += [pool[at : at + batch_size] for at in range(0, len(pool), batch_size)]
    return [batches[place] for place in rng.permutation(len(batches))]
