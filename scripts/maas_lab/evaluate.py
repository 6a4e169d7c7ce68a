"""How good a network is: accuracy, scores per class, confusion, loss and calibration.

Imports numpy, torch, `maas_lab.records` and the lab's tasks:

    logits = predict(network, rows, device="cpu")              # float32 [rows, classes]
    validate(logits, rows.labels).accuracy
    scores = score(logits, rows.labels, labels=recipe.data.labels)
"""

from typing import TYPE_CHECKING

import numpy as np
import torch

from maas_lab.records import LabelScores, ReliabilityBin, Scores
from maas_lab.tasks.task import Validation

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from torch import nn

    from maas_lab.tasks.task import Rows

_ROWS_AT_ONCE = 256
_BINS = 10


def predict(network: "nn.Module", rows: "Rows", *, device: str) -> "npt.NDArray[np.float32]":
    """The logits of rows, which are batched by length: their padding changes nothing.

    Args:
        network: Takes what a batch's `inputs()` gives.
        rows: Texts or pictures.
        device: Where the network is.

    Returns:
        float32 `[rows, classes]`, in the order of the rows. The network is left in evaluation mode.
    """
    network.eval()
    order = np.argsort(rows.lengths, kind="stable")
    parts = []
    with torch.inference_mode():
        for start in range(0, len(order), _ROWS_AT_ONCE):
            batch = rows.batch(order[start : start + _ROWS_AT_ONCE], device=device)
            parts.append(network(*batch.inputs()).cpu().numpy())
    logits = np.concatenate(parts)
    back = np.empty_like(logits)
    back[order] = logits
    return back


def validate(logits: "npt.NDArray[np.float32]", truth: "npt.NDArray[np.int64]") -> Validation:
    """The two figures that decide when to stop.

    Args:
        logits: float32 `[rows, classes]`.
        truth: int64 `[rows]`, the index of the right class.
    """
    log_probabilities = _log_softmax(logits.astype(np.float64))
    return Validation(
        loss=float(-log_probabilities[np.arange(len(truth)), truth].mean()),
        accuracy=float((logits.argmax(axis=1) == truth).mean()),
    )


def score(
    logits: "npt.NDArray[np.float32]", truth: "npt.NDArray[np.int64]", *, labels: "Sequence[str]"
) -> Scores:
    """Compare logits with the truth.

    Args:
        logits: float32 `[rows, classes]`, at least one row.
        truth: int64 `[rows]`, the index of the right class.
        labels: The names of the classes.
    """
    log_probabilities = _log_softmax(logits.astype(np.float64))
    chosen = logits.argmax(axis=1)
    confusion = np.zeros((len(labels), len(labels)), dtype=np.int64)
    np.add.at(confusion, (truth, chosen), 1)
    bins = _reliability(np.exp(log_probabilities.max(axis=1)), chosen == truth)
    gaps = [abs(found.accuracy - found.confidence) * found.rows for found in bins]
    return Scores(
        rows=len(truth),
        accuracy=float((chosen == truth).mean()),
        loss=float(-log_probabilities[np.arange(len(truth)), truth].mean()),
        calibration_error=sum(gaps) / len(truth),
        labels={name: _label_scores(confusion, place) for place, name in enumerate(labels)},
        confusion=confusion.tolist(),
        reliability=bins,
    )


def _log_softmax(logits: "npt.NDArray[np.float64]") -> "npt.NDArray[np.float64]":
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def _label_scores(confusion: "npt.NDArray[np.int64]", place: int) -> LabelScores:
    """The scores of one class; a figure with nothing to divide by is 0."""
    right = int(confusion[place, place])
    chosen = int(confusion[:, place].sum())
    rows = int(confusion[place].sum())
    return LabelScores(
        precision=right / chosen if chosen else 0.0,
        recall=right / rows if rows else 0.0,
        f1=2 * right / (chosen + rows) if chosen + rows else 0.0,
        rows=rows,
    )


def _reliability(
    confidence: "npt.NDArray[np.float64]", right: "npt.NDArray[np.bool_]"
) -> list[ReliabilityBin]:
    places = np.minimum((confidence * _BINS).astype(np.int64), _BINS - 1)
    bins = []
    for place in range(_BINS):
        inside = places == place
        if inside.any():
            mean = float(confidence[inside].mean())
            share = float(right[inside].mean())
            bins.append(ReliabilityBin(confidence=mean, accuracy=share, rows=int(inside.sum())))
    return bins
