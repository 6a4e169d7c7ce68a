"""Logits to labels with scores, best first; the same for texts and images.

May import `maas.errors`, `maas.limits`, msgspec and numpy.

    rows = ranked(logits, labels, top_k=1, function="softmax")
    rows[0][0]                            # LabelScore(label="positive", score=0.94)
"""

from typing import TYPE_CHECKING, Literal

import numpy as np
from msgspec import Struct

from maas.errors import FieldError
from maas.limits import LIMITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float32] | npt.NDArray[np.float64]

ScoreFunction = Literal["softmax", "sigmoid", "none"]
_SCORE_DIGITS = 6  # fewer bits for whoever copies the model by asking it


class LabelScore(Struct, frozen=True):
    """A label and its score, rounded to six digits."""

    label: str
    score: float


def check_top_k(top_k: int | None) -> None:
    """Refuse a count of labels that no model has.

    Raises:
        FieldError: With the limit.
    """
    if top_k is not None and not 1 <= top_k <= LIMITS.labels:
        raise FieldError(f"must be 1 to {LIMITS.labels}", field="parameters.top_k")


def ranked(
    logits: "npt.NDArray[np.float32]",
    labels: "Sequence[str]",
    *,
    top_k: int | None,
    function: ScoreFunction,
) -> tuple[tuple[LabelScore, ...], ...]:
    """Name the numbers of each row, best first; equal ones in the order of the labels.

    Args:
        logits: float32 `[rows, labels]`.
        labels: By index.
        top_k: Labels per row; all when None.
        function: What turns logits into scores.
    """
    scores = _scores(logits, function)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :top_k]
    return tuple(
        tuple(LabelScore(labels[index], round(float(row[index]), _SCORE_DIGITS)) for index in best)
        for row, best in zip(scores, order, strict=True)
    )


def _scores(logits: "npt.NDArray[np.float32]", function: ScoreFunction) -> "Floats":
    if function == "none":
        return logits
    wide = logits.astype(np.float64)
    if function == "sigmoid":
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(wide, -700, 700))))
    powers = np.exp(wide - wide.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
