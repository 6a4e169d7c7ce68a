"""Losses of classes by name: cross-entropy, yes or no for each class, squared error.

Imports torch. Each is a sum over rows, so that parts of a batch, on one process or several, can be
computed apart and still add up to the same step:

    loss = class_loss(logits, labels, kind="cross-entropy", smoothing=0.1, weights=None)
"""

from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch.nn import functional

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor

Kind = Literal["cross-entropy", "bce", "mse"]


def class_loss(
    logits: "Tensor",
    labels: "Tensor",
    *,
    kind: Kind,
    smoothing: float = 0.0,
    weights: "Tensor | None" = None,
) -> "Tensor":
    """The loss of rows, summed; a row counts by the weight of its class.

    Args:
        logits: float32 `[rows, classes]`.
        labels: int64 `[rows]`.
        kind: `cross-entropy` of the softmax; `bce`, the binary cross-entropy of each class's
            sigmoid, summed over the classes; `mse`, the squared error of the softmax, likewise.
        smoothing: Share of the target that all classes divide among them.
        weights: float32 `[classes]`, or None for 1.

    Returns:
        float32 scalar.
    """
    logits = logits.float()  # sums of a batch, also where the network computes in fewer bits
    if kind == "cross-entropy":
        losses = functional.cross_entropy(
            logits, labels, reduction="none", label_smoothing=smoothing
        )
    else:
        classes = logits.shape[1]
        wanted = functional.one_hot(labels, classes).to(logits.dtype)
        if kind == "bce":
            wanted = wanted * (1.0 - smoothing) + smoothing / classes
            each = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
        else:
            each = (logits.softmax(dim=1) - wanted) ** 2
        losses = each.sum(dim=1)
    return (losses if weights is None else losses * weights[labels]).sum()


def balanced_weights(labels: "npt.NDArray[np.int64]", *, classes: int) -> "npt.NDArray[np.float32]":
    """Weights that give each class the same say, on average 1 a row.

    Args:
        labels: int64 `[rows]`, the training rows.
        classes: How many there are.

    Returns:
        float32 `[classes]`: rows / (classes × rows of the class).
    """
    counts = np.bincount(labels, minlength=classes)
    return (len(labels) / (classes * np.maximum(counts, 1))).astype(np.float32)


def weight_of(labels: "npt.NDArray[np.int64]", weights: "npt.NDArray[np.float32] | None") -> float:
    """What rows count together: one each, or by the weights of their classes."""
    return float(len(labels) if weights is None else weights[labels].sum())


def as_weights(weights: "npt.NDArray[np.float32] | None", device: str) -> "Tensor | None":
    """The weights as a tensor where the logits are."""
    return None if weights is None else torch.from_numpy(weights).to(device)
