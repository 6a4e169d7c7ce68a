"""What texts and pictures share: labels, what a row of each counts, and how a network is judged.

Imports torch and the lab:

    classes = Classes(recipe.data.labels, dataset.train, plan=recipe.training)
    loss = classes.loss(network(pixels), batch.labels)
    scores = classes.measure(network, rows, device="cpu")
"""

from typing import TYPE_CHECKING, Protocol

import numpy as np

from maas_lab.evaluate import predict, score, validate
from maas_lab.tasks.losses import as_weights, balanced_weights, class_loss
from maas_lab.tasks.task import Rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from torch import Tensor, nn

    from maas_lab.recipes.training import TrainingRecipe
    from maas_lab.records import Scores
    from maas_lab.tasks.task import Validation


class Labelled(Protocol):
    """A row with the name of its class."""

    @property
    def label(self) -> str:
        """One of the labels."""


class LabelledRows(Rows, Protocol):
    """Rows that can be batched, with the index of each one's label."""

    @property
    def labels(self) -> "npt.NDArray[np.int64]":
        """int64 `[rows]`."""


class Classes:
    """The classes of one recipe.

    Args:
        names: The labels, in the order of the logits.
        train: The training rows, which say how rare each class is.
        plan: The loss, its smoothing, and whether rare classes count more.

    Attributes:
        weights: float32 `[classes]`, what a row of each class counts; None for 1.
    """

    def __init__(
        self, names: "Sequence[str]", train: "Sequence[Labelled]", *, plan: "TrainingRecipe"
    ) -> None:
        self._names = names
        self._plan = plan
        self.weights = (
            balanced_weights(self.indices(train), classes=len(names))
            if plan.class_weights == "balanced"
            else None
        )

    def indices(self, rows: "Sequence[Labelled]") -> "npt.NDArray[np.int64]":
        """The place of each row's label, int64 `[rows]`."""
        places = {name: place for place, name in enumerate(self._names)}
        return np.array([places[row.label] for row in rows], dtype=np.int64)

    def loss(self, logits: "Tensor", labels: "Tensor") -> "Tensor":
        """The recipe's loss of logits, float32 `[batch, classes]`, summed over the batch."""
        return class_loss(
            logits,
            labels,
            kind=self._plan.loss,
            smoothing=self._plan.label_smoothing,
            weights=as_weights(self.weights, str(logits.device)),
        )

    def validate(self, network: "nn.Module", rows: LabelledRows, *, device: str) -> "Validation":
        """Look at all rows for the two figures that decide when to stop."""
        return validate(predict(network, rows, device=device), rows.labels)

    def measure(self, network: "nn.Module", rows: LabelledRows, *, device: str) -> "Scores":
        """Accuracy, scores per class, calibration."""
        return score(predict(network, rows, device=device), rows.labels, labels=self._names)
