"""What two versions answered to one request, compared: whatever their task is.

Imports msgspec, numpy and `maas.tasks`' answers.

    comparison = compare(outcome_of(answer), outcome_of(shadows_answer))
    comparison.agreed, comparison.rows       # 3 of 4 texts got the same label
    comparison.drift                         # the mean difference of their scores
"""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from msgspec import Meta, Struct

if TYPE_CHECKING:
    from maas.tasks.task import Response

OUTCOME_NUMBERS = 20_000
"""Numbers of an answer that are compared; what lies behind them is not."""


class Outcome(Struct, frozen=True):
    """An answer as far as it can be compared.

    Attributes:
        labels: Per row what was said: the label with the highest score, the text that was written,
            the entities that were found. None where an answer is numbers alone.
        scores: The numbers that belong to it, in order.
    """

    labels: tuple[str, ...] = ()
    scores: Annotated[tuple[float, ...], Meta(max_length=OUTCOME_NUMBERS)] = ()


class Comparison(Struct, frozen=True):
    """How far two answers are apart.

    Attributes:
        rows: Labels that were compared.
        agreed: How many of them are the same.
        scores: Numbers that were compared.
        drift: The mean of their absolute differences; 0 where there are none.
        worst: The largest of them.
    """

    rows: int
    agreed: int
    scores: int
    drift: float
    worst: float


def outcome_of(answer: "Response") -> Outcome:
    """What an answer says.

    Args:
        answer: Of any task, or tensors.
    """
    found: Any = answer
    if hasattr(found, "outputs"):
        return _of_tensors(found.outputs)
    if hasattr(found, "vectors"):
        compared = (*found.similarities, *(number for row in found.vectors for number in row))
        return Outcome(scores=compared[:OUTCOME_NUMBERS])
    if hasattr(found, "texts"):
        return Outcome(labels=tuple(found.texts))
    if hasattr(found, "answers"):
        best = found.answers[:1]
        labels = tuple(found.context[span.start : span.end] for span in best)
        return Outcome(labels, tuple(span.score for span in best))
    said = [_of_row(row) for row in found.rows]
    numbers = tuple(number for _, scores in said for number in scores)
    return Outcome(tuple(label for label, _ in said), numbers[:OUTCOME_NUMBERS])


def compare(answered: Outcome, shadows: Outcome) -> Comparison:
    """Compare an answer with the shadow's.

    Where one has more rows or numbers than the other, the surplus rows do not agree, and none of
    the numbers is compared: nobody knows which belong together.
    """
    rows = max(len(answered.labels), len(shadows.labels))
    agreed = sum(one == other for one, other in zip(answered.labels, shadows.labels, strict=False))
    if len(answered.scores) != len(shadows.scores):
        return Comparison(rows, agreed, 0, 0.0, 0.0)
    pairs = zip(answered.scores, shadows.scores, strict=True)
    apart = [abs(one - other) for one, other in pairs]
    apart = [difference for difference in apart if math.isfinite(difference)]
    drift = math.fsum(apart) / len(apart) if apart else 0.0
    return Comparison(rows, agreed, len(apart), drift, max(apart, default=0.0))


def _of_row(row: Any) -> tuple[str, tuple[float, ...]]:  # noqa: ANN401 - a task's own
    """What was said of one text, image, clip or table row."""
    if hasattr(row, "text"):  # that was written, or heard
        return row.text, ()
    if row and hasattr(row[0], "start"):  # entities
        return " ".join(f"{e.start}-{e.end}:{e.label}" for e in row), tuple(e.score for e in row)
    # Labels come with the highest score first; one that was asked for fewer has fewer
    return (row[0].label, (row[0].score,)) if row else ("", ())


def _of_tensors(outputs: "dict[str, Any]") -> Outcome:
    """Numbers as they are; where each row has several, also which of them is the largest."""
    labels: list[str] = []
    numbers: list[float] = []
    for array in outputs.values():
        if array.dtype.kind not in "biuf":
            labels += _texts(array.reshape(-1).tolist())
            continue
        if array.ndim == 2 and array.shape[1] > 1:
            labels += [str(place) for place in np.argmax(array, axis=1).tolist()]
        left = OUTCOME_NUMBERS - len(numbers)
        numbers += array.reshape(-1)[:left].astype(np.float64).tolist()
    return Outcome(tuple(labels), tuple(numbers))


def _texts(values: Iterable[object]) -> list[str]:
    return [v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in values]
