"""Texts to vectors: a checkpoint as it is, so there is nothing to learn.

Imports torch and the lab. The run keeps the checkpoint's weights, and its figures say how close our
network's vectors are to those of the checkpoint's own library:

    task = open_embedding(recipe, cache=settings.cache, say=say)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from maas.errors import FieldError
from maas_lab.batches import lengths_of, padded
from maas_lab.data.dataset import load_plain
from maas_lab.networks import build_network
from maas_lab.networks.reference import reference_vectors
from maas_lab.records import VectorScores
from maas_lab.runs import TextRow
from maas_lab.tasks.checkpoints import checkpoint_folder, weights_digest
from maas_lab.tasks.task import Validation
from maas_lab.vocabulary import train_vocabulary

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    from torch import Tensor, nn

    from maas_lab.batches import Ids
    from maas_lab.data.dataset import Dataset
    from maas_lab.recipes.recipe import FeatureExtraction
    from maas_lab.row_tokenizer import RowTokenizer
    from maas_lab.tasks.task import Indices

_ROWS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class PlainRows:
    """Texts as token ids.

    Attributes:
        token_ids: Per row, int32 `[tokens]`.
    """

    token_ids: "list[Ids]"

    @property
    def lengths(self) -> "npt.NDArray[np.int64]":
        """Tokens per row, int64 `[rows]`."""
        return lengths_of(self.token_ids)

    def units(self, indices: "Indices") -> float:
        """Rows."""
        return float(len(indices))

    def batch(self, indices: "Indices", *, device: str) -> "tuple[Tensor, Tensor]":
        """Ids and mask, int64 `[batch, sequence]`."""
        return padded([self.token_ids[index] for index in indices], device=device)


class EmbeddingTask:
    """One recipe of feature extraction."""

    metric = "cosine"
    trains = False

    def __init__(
        self, recipe: "FeatureExtraction", dataset: "Dataset[str]", checkpoint: "Path"
    ) -> None:
        self.recipe = recipe
        self.dataset = dataset
        self.checkpoint = checkpoint

    @property
    def digest(self) -> str:
        """What is learned from."""
        return self.dataset.card.digest + weights_digest(self.checkpoint)

    def vocabulary(self) -> bytes:
        """The checkpoint's own."""
        return train_vocabulary((), self.recipe.vocabulary, checkpoint=self.checkpoint)

    def network(self, _tokenizer: "RowTokenizer | None") -> "nn.Module":
        """The checkpoint, with pooling and normalisation."""
        return build_network(self.recipe, checkpoint=self.checkpoint)

    def rows(self, samples: Sequence[str], tokenizer: "RowTokenizer | None") -> PlainRows:
        """Encode texts by the very call that serving uses."""
        assert tokenizer is not None  # noqa: S101 - a text task's run has one
        return PlainRows(tokenizer.rows(samples))

    def loss(self, network: "nn.Module", batch: object, *, training: bool) -> "Tensor":
        """Never asked for.

        Raises:
            FieldError: Always.
        """
        del network, batch, training
        raise FieldError("feature-extraction has nothing to learn", field="task")

    def validate(self, network: "nn.Module", rows: PlainRows, *, device: str) -> Validation:
        """Nothing is measured while nothing is learned."""
        del network, rows, device
        return Validation(loss=0.0, accuracy=0.0)

    def measure(
        self,
        network: "nn.Module",
        samples: Sequence[str],
        tokenizer: "RowTokenizer | None",
        *,
        device: str,
    ) -> VectorScores:
        """Cosines to the vectors of the checkpoint's own library."""
        rows = self.rows(samples, tokenizer)
        ours = self._vectors(network, rows, device=device)
        theirs, library = reference_vectors(self.checkpoint, rows.token_ids)
        cosines = (ours * theirs).sum(axis=1) / (
            np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
        )
        return VectorScores(
            rows=len(samples),
            cosine=float(cosines.min()),
            mean_cosine=float(cosines.mean()),
            reference=library,
        )

    def baselines(self) -> dict[str, float]:
        """None: it is the checkpoint, or it is not."""
        return {}

    def transfer(
        self, _network: "nn.Module", _tokenizer: "RowTokenizer | None", *, device: str
    ) -> dict[str, float]:
        """Nothing."""
        del device
        return {}

    def test_rows(self) -> list[TextRow]:
        """All test texts."""
        return [TextRow(text) for text in self.dataset.test]

    @staticmethod
    def _vectors(
        network: "nn.Module", rows: PlainRows, *, device: str
    ) -> "npt.NDArray[np.float64]":
        network.eval()
        parts = []
        with torch.inference_mode():
            for start in range(0, len(rows.token_ids), _ROWS_AT_ONCE):
                places = np.arange(start, min(start + _ROWS_AT_ONCE, len(rows.token_ids)))
                parts.append(network(*rows.batch(places, device=device)).cpu().numpy())
        return np.concatenate(parts).astype(np.float64)


def open_embedding(
    recipe: "FeatureExtraction", *, cache: "Path", say: Callable[[str], None]
) -> EmbeddingTask:
    """Fetch the checkpoint and the texts that it is tried on.

    Raises:
        FieldError: The recipe names no checkpoint.
    """
    if not recipe.network.checkpoint:
        raise FieldError("name a checkpoint, such as all-minilm-l6-v2", field="network.checkpoint")
    checkpoint = checkpoint_folder(recipe.network.checkpoint, cache=cache, say=say)
    return EmbeddingTask(recipe, load_plain(recipe.data, cache=cache, say=say), checkpoint)
