"""Which token comes next: the likeliest one, or one that is drawn.

Imports msgspec and numpy. What is drawn depends on nothing but the logits, the options and `draw`:

    draw = random.Random(seed).random
    number, logprob = next_token(logits, seen, Sampling(temperature=0.7, top_p=0.9), draw)

The order is that of the library transformers: repetition_penalty, temperature, top_k, top_p.
"""

from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]


class Sampling(Struct, frozen=True):
    """How a token is chosen.

    Attributes:
        sample: Whether it is drawn; otherwise it is the likeliest one.
        temperature: What logits are divided by before one is drawn; above 0.
        top_k: One of so many likeliest ones is drawn; of all when None.
        top_p: One of the likeliest ones whose chances add up to this is drawn.
        repetition_penalty: What the logit of a token that was read or written is divided by, or
            multiplied with where it is negative; 0.01 to 100.
    """

    sample: bool = False
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    repetition_penalty: float = 1.0


def next_token(
    logits: "npt.NDArray[np.float32]",
    seen: "Sequence[int]",
    how: Sampling,
    draw: "Callable[[], float]",
) -> tuple[int, float]:
    """Choose a token.

    Args:
        logits: float32 `[vocabulary]`, none of them NaN.
        seen: The tokens that were read and written.
        how: The options.
        draw: Random numbers, 0 ≤ draw < 1; asked once where a token is drawn.

    Returns:
        Its id and its log-probability, by all logits and without what is done for drawing.
    """
    scores = _penalised(logits, seen, how.repetition_penalty)
    number = _drawn(scores, how, draw()) if how.sample else int(scores.argmax())
    return number, float(scores[number] - _log_sum(scores))


def _penalised(
    logits: "npt.NDArray[np.float32]", seen: "Sequence[int]", penalty: float
) -> "Floats":
    scores = logits.astype(np.float64)
    if penalty != 1 and seen:
        ids = np.unique(np.asarray(seen))
        ids = ids[ids < len(scores)]
        old = scores[ids]
        scores[ids] = np.where(old < 0, old * penalty, old / penalty)
    return scores


def _log_sum(scores: "Floats") -> float:
    most = float(scores.max())
    return most + float(np.log(np.exp(scores - most).sum()))


def _drawn(scores: "Floats", how: Sampling, draw: float) -> int:
    """Draw a token: of those that are kept, the one within whose share of the sum `draw` falls."""
    ids = _likeliest(scores, how)
    kept = scores[ids]
    with np.errstate(over="ignore", under="ignore"):  # by a temperature of almost nothing
        chances = np.exp((kept - kept.max()) / how.temperature)
    sums = chances.cumsum()
    count = len(ids)
    if how.top_p < 1:
        count = min(count, int(np.searchsorted(sums, how.top_p * sums[-1])) + 1)
    place = int(np.searchsorted(sums[:count], draw * sums[count - 1], side="right"))
    return int(ids[min(place, count - 1)])


def _likeliest(scores: "Floats", how: Sampling) -> "npt.NDArray[np.intp]":
    """Ids that may be drawn; in the order of their scores where some may be left out."""
    if how.top_k is None and how.top_p >= 1:
        return np.arange(len(scores))
    count = min(how.top_k or len(scores), len(scores))
    ids = np.argpartition(-scores, count - 1)[:count] if count < len(scores) else np.arange(count)
    ids.sort()  # of two that are equally likely the lower id comes first
    return ids[np.argsort(-scores[ids], kind="stable")]
