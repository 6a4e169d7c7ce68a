"""The likeliest answers in a text, from how likely each token is to begin and to end one.

Imports `maas.text` for types alone, msgspec and numpy. The rules are those of Hugging Face's
pipeline, so that its users get what they know:

    found = Spans(context, most_tokens=15, words=True)
    found.read(window, start_logits, end_logits, count=12)
    found.best(1)                           # [Span(start=11, end=17, score=0.93)]
"""

from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

if TYPE_CHECKING:
    import numpy.typing as npt

    from maas.text.windows import Window

    Floats = npt.NDArray[np.float32]

_SCORE_DIGITS = 6
_NEVER = np.float32(-10_000.0)


class Span(Struct, frozen=True):
    """A piece of a text.

    Attributes:
        start: Its first code point.
        end: The one behind its last; no more than `start` where there is no answer.
        score: How sure the model is.
    """

    start: int
    end: int
    score: float


class Spans:
    """What was found in the windows of one text.

    Args:
        text: The text.
        most_tokens: Tokens of an answer.
        words: Whether an answer begins and ends where words do.
    """

    def __init__(self, text: str, *, most_tokens: int, words: bool) -> None:
        self._text = text
        self._most_tokens = most_tokens
        self._words = words
        self._found: dict[str, Span] = {}
        self._least_null = 1.0

    def read(self, window: "Window", starts: "Floats", ends: "Floats", *, count: int) -> None:
        """Take in the likeliest answers of a window.

        Args:
            window: A part of the text.
            starts: Logits of each token to begin an answer.
            ends: Logits of each token to end one.
            count: How many answers are looked at.
        """
        own = np.array(window.own)
        asked = own.copy()
        if window.words[0] is None:
            asked[0] = True  # [CLS], by which a model says that there is no answer
        begins, finishes = _softmax(starts, asked), _softmax(ends, asked)
        self._least_null = min(self._least_null, float(begins[0] * finishes[0]))
        begins[~own] = 0
        scores = np.tril(np.triu(np.outer(begins, finishes)), self._most_tokens - 1).ravel()
        for at in _largest(scores, count):
            first, last = divmod(int(at), len(own))
            if own[first] and own[last] and first <= last < first + self._most_tokens:
                self._add(window, first, last, float(scores[at]))

    def best(self, count: int, *, or_none: bool = False) -> tuple[Span, ...]:
        """The likeliest answers, best first; there may be fewer.

        Args:
            count: How many at the most.
            or_none: Whether that there is no answer may be one: an empty span.
        """
        spans = list(self._found.values())
        if or_none:
            spans.append(Span(0, 0, self._least_null))
        spans.sort(key=lambda span: -span.score)
        return tuple(
            Span(span.start, span.end, round(span.score, _SCORE_DIGITS)) for span in spans[:count]
        )

    def _add(self, window: "Window", first: int, last: int, score: float) -> None:
        """The same words again, in another place or window, make an answer surer."""
        start, end = window.spans[first][0], window.spans[last][1]
        if self._words:
            start, end = _word(window, first)[0], _word(window, last)[1]
        said = self._text[start:end].lower()
        known = self._found.get(said)
        if known is None:
            self._found[said] = Span(start, end, score)
        else:
            self._found[said] = Span(known.start, known.end, known.score + score)


def _softmax(logits: "Floats", asked: "npt.NDArray[np.bool_]") -> "Floats":
    kept = np.where(asked, logits, _NEVER)
    powers = np.exp(kept - kept.max())
    shares: Floats = powers / powers.sum()
    return shares


def _largest(scores: "Floats", count: int) -> "npt.NDArray[np.intp]":
    """Where the largest are, largest first."""
    if count < len(scores):
        places = np.argpartition(-scores, count)[:count]
        return places[np.argsort(-scores[places], kind="stable")]
    return np.argsort(-scores, kind="stable")


def _word(window: "Window", at: int) -> tuple[int, int]:
    """The place of the whole word that a token is of, as far as this window has it."""
    number = window.words[at]
    if number is None:
        return window.spans[at]
    places = [
        span
        for span, word, own in zip(window.spans, window.words, window.own, strict=True)
        if own and word == number
    ]
    return places[0][0], places[-1][1]
