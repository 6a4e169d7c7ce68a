"""What the training loop needs to know of a task, and nothing else of it.

Imports torch, numpy and the lab's records. One module beside this one for each task:

    task = open_task(recipe, cache=settings.cache, say=say)
    tokenizer = …                                  # of the run; None where no text is read
    rows = task.rows(task.dataset.train, tokenizer)
    batch = rows.batch(indices, device="cpu")
    loss = task.loss(network, batch, training=True)     # a sum; divided by rows.units(indices)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    from torch import Tensor, nn

    from maas_lab.data.dataset import Dataset
    from maas_lab.recipes.recipe import AnyRecipe
    from maas_lab.records import AnyScores
    from maas_lab.row_tokenizer import RowTokenizer
    from maas_lab.runs import TestRow

    Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Validation:
    """How the network does on the validation rows, after an epoch.

    Attributes:
        loss: Mean cross-entropy of a row, or of a token of the target (nats).
        accuracy: Share of the rows, or tokens, that are right (0 to 1).
    """

    loss: float
    accuracy: float


class Rows(Protocol):
    """Rows that can be batched. What a batch is, only its task knows."""

    @property
    def lengths(self) -> "npt.NDArray[np.int64]":
        """int64 `[rows]`; rows of about the same length share a batch."""

    def units(self, indices: "Indices") -> float:
        """What the loss of these rows is a sum over: rows, tokens, or their weights."""

    def batch(self, indices: "Indices", *, device: str) -> Any:  # noqa: ANN401 - the task's own
        """Put rows together.

        Args:
            indices: int64 `[batch]`, which rows.
            device: Where the tensors go.
        """


class Task(Protocol):
    """One recipe on its rows."""

    @property
    def recipe(self) -> "AnyRecipe":
        """What is computed, with the labels that the rows turned out to have."""

    @property
    def dataset(self) -> "Dataset[Any]":
        """The rows by split."""

    @property
    def metric(self) -> str:
        """The figure of the target: accuracy, bleu, rouge_l or cosine."""

    @property
    def trains(self) -> bool:
        """Whether there is anything to learn; else a checkpoint is kept as it is."""

    @property
    def checkpoint(self) -> "Path | None":
        """The folder of weights that the network begins with."""

    @property
    def digest(self) -> str:
        """What is learned from: the rows, and the weights that the network begins with."""

    def vocabulary(self) -> bytes | None:
        """The tokenizer.json that training learns or takes over; None where no text is read."""

    def network(self, tokenizer: "RowTokenizer | None") -> "nn.Module":
        """A network with fresh weights, or those of a checkpoint, on the CPU."""

    def rows(self, samples: Sequence[Any], tokenizer: "RowTokenizer | None") -> Rows:
        """Encode rows by the very call that serving uses."""

    def loss(self, network: "nn.Module", batch: Any, *, training: bool) -> "Tensor":  # noqa: ANN401
        """The loss of a batch, summed over its units; with augmentation where it trains."""

    def validate(self, network: "nn.Module", rows: Any, *, device: str) -> Validation:  # noqa: ANN401
        """Look at all validation rows; the network is left in evaluation mode."""

    def measure(
        self,
        network: "nn.Module",
        samples: Sequence[Any],
        tokenizer: "RowTokenizer | None",
        *,
        device: str,
    ) -> "AnyScores":
        """Compute every figure of a split."""

    def baselines(self) -> dict[str, float]:
        """What simple methods reach on the test rows, by name."""

    def transfer(
        self, network: "nn.Module", tokenizer: "RowTokenizer | None", *, device: str
    ) -> dict[str, float]:
        """The metric on data sets of other domains, by name."""

    def test_rows(self) -> "Sequence[TestRow]":
        """The test rows that the run keeps."""
