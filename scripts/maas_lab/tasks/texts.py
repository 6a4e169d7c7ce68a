"""Texts to labels, as a task of training.

Imports torch, scikit-learn (through `maas_lab.baseline`) and the lab:

    task = open_texts(recipe, cache=settings.cache, say=say)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import torch

from maas_lab.baseline import measure_baselines
from maas_lab.batches import lengths_of, padded
from maas_lab.data.dataset import load_texts
from maas_lab.data.text_sets import load_transfer
from maas_lab.networks import build_network
from maas_lab.recipes.networks import BertRecipe
from maas_lab.runs import TextRow
from maas_lab.tasks.checkpoints import checkpoint_folder, weights_digest
from maas_lab.tasks.classes import Classes
from maas_lab.tasks.losses import weight_of
from maas_lab.vocabulary import UNKNOWN_ID, train_vocabulary

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    from torch import Tensor, nn

    from maas_lab.batches import Ids
    from maas_lab.data.dataset import Dataset
    from maas_lab.data.rows import Sample
    from maas_lab.recipes.recipe import TextClassification
    from maas_lab.records import Scores
    from maas_lab.row_tokenizer import RowTokenizer
    from maas_lab.tasks.task import Indices, Validation

_TRANSFER = {"movie-reviews": ("amazon-reviews", "tweets")}
"""By data set, those of other domains with the same labels."""


@dataclass(frozen=True, slots=True)
class TextBatch:
    """What one step learns from.

    Attributes:
        input_ids: int64 `[batch, sequence]`, padded on the right.
        attention_mask: int64 `[batch, sequence]`, 1 for a token and 0 for padding.
        labels: int64 `[batch]`.
    """

    input_ids: "Tensor"
    attention_mask: "Tensor"
    labels: "Tensor"

    def inputs(self) -> "tuple[Tensor, Tensor]":
        """What the network's forward takes."""
        return self.input_ids, self.attention_mask


@dataclass(frozen=True, slots=True)
class TextRows:
    """Rows as token ids, each of its own length.

    Attributes:
        token_ids: Per row, int32 `[tokens]`.
        labels: int64 `[rows]`, the index of the label.
        weights: float32 `[classes]`, what a row of each class counts; None for 1.
    """

    token_ids: "list[Ids]"
    labels: "npt.NDArray[np.int64]"
    weights: "npt.NDArray[np.float32] | None" = None

    @property
    def lengths(self) -> "npt.NDArray[np.int64]":
        """Tokens per row, int64 `[rows]`."""
        return lengths_of(self.token_ids)

    def units(self, indices: "Indices") -> float:
        """The weights of the rows, added up."""
        return weight_of(self.labels[indices], self.weights)

    def batch(self, indices: "Indices", *, device: str) -> TextBatch:
        """Pad rows to the longest of them."""
        ids, mask = padded([self.token_ids[index] for index in indices], device=device)
        return TextBatch(ids, mask, torch.from_numpy(self.labels[indices]).to(device))


class TextTask:
    """One text classification recipe on its rows."""

    metric = "accuracy"
    trains = True

    def __init__(
        self,
        recipe: "TextClassification",
        dataset: "Dataset[Sample]",
        *,
        cache: "Path",
        say: Callable[[str], None],
    ) -> None:
        self.recipe = recipe
        self.dataset = dataset
        network = recipe.network
        named = isinstance(network, BertRecipe) and network.checkpoint
        self.checkpoint = checkpoint_folder(named, cache=cache, say=say) if named else None
        self._cache = cache
        self._say = say
        self._classes = Classes(recipe.data.labels, dataset.train, plan=recipe.training)

    @property
    def digest(self) -> str:
        """What is learned from."""
        return self.dataset.card.digest + weights_digest(self.checkpoint)

    def vocabulary(self) -> bytes:
        """Learned from the training rows alone, or the checkpoint's own."""
        texts = (sample.text for sample in self.dataset.train)
        return train_vocabulary(texts, self.recipe.vocabulary, checkpoint=self.checkpoint)

    def network(self, tokenizer: "RowTokenizer | None") -> "nn.Module":
        """A network with fresh weights, or those of a checkpoint."""
        size = tokenizer.vocabulary_size if tokenizer else 0
        return build_network(self.recipe, vocabulary_size=size, checkpoint=self.checkpoint)

    def rows(self, samples: "Sequence[Sample]", tokenizer: "RowTokenizer | None") -> TextRows:
        """Encode rows by the very call that serving uses."""
        assert tokenizer is not None  # noqa: S101 - a text task's run has one
        ids = tokenizer.rows([sample.text for sample in samples])
        return TextRows(ids, self._classes.indices(samples), self._classes.weights)

    def loss(self, network: "nn.Module", batch: TextBatch, *, training: bool) -> "Tensor":
        """The recipe's loss, summed; training replaces some words by `[UNK]`."""
        plan = self.recipe.training
        ids = batch.input_ids
        if training and plan.word_dropout:
            ids = _drop_words(ids, batch.attention_mask, plan.word_dropout)
        return self._classes.loss(network(ids, batch.attention_mask), batch.labels)

    def validate(self, network: "nn.Module", rows: TextRows, *, device: str) -> "Validation":
        """Look at all validation rows."""
        return self._classes.validate(network, rows, device=device)

    def measure(
        self,
        network: "nn.Module",
        samples: "Sequence[Sample]",
        tokenizer: "RowTokenizer | None",
        *,
        device: str,
    ) -> "Scores":
        """Accuracy, scores per class, calibration."""
        return self._classes.measure(network, self.rows(samples, tokenizer), device=device)

    def baselines(self) -> dict[str, float]:
        """The majority, and TF-IDF with logistic regression."""
        return measure_baselines(self.dataset.train, self.dataset.test)

    def transfer(
        self, network: "nn.Module", tokenizer: "RowTokenizer | None", *, device: str
    ) -> dict[str, float]:
        """Accuracy on rows of other domains, where there are some with these labels."""
        found = {}
        for name in _TRANSFER.get(self.recipe.data.source, ()):
            if not self.recipe.data.train_rows:  # a smoke run has no use for it
                samples = load_transfer(
                    name, labels=self.recipe.data.labels, cache=self._cache, say=self._say
                )
                scores = self.measure(network, samples, tokenizer, device=device)
                found[name] = scores.accuracy
        return found

    def test_rows(self) -> list[TextRow]:
        """All test rows."""
        return [TextRow(sample.text, sample.label) for sample in self.dataset.test]


def open_texts(
    recipe: "TextClassification", *, cache: "Path", say: Callable[[str], None]
) -> TextTask:
    """Read the rows of a text classification recipe."""
    dataset = load_texts(recipe.data, cache=cache, say=say)
    data = msgspec.structs.replace(recipe.data, labels=tuple(dataset.card.labels))
    return TextTask(msgspec.structs.replace(recipe, data=data), dataset, cache=cache, say=say)


def _drop_words(input_ids: "Tensor", attention_mask: "Tensor", share: float) -> "Tensor":
    """Replace a share of the words by `[UNK]`: unknown words then come as no surprise.

    Args:
        input_ids: int64 `[batch, sequence]`.
        attention_mask: int64 `[batch, sequence]`.
        share: 0 to 1.
    """
    dropped = torch.rand(input_ids.shape, device=input_ids.device) < share
    return input_ids.masked_fill(dropped & (attention_mask == 1), UNKNOWN_ID)
