"""What a graph says of each frame to a text: greedy decoding of what CTC has trained.

Imports numpy and msgspec. The likeliest token of each frame is taken, a run of the same one is
written once, and the blank not at all (A. Graves and others, Connectionist Temporal Classification,
2006, "best path"):

    spans = spans_of(logits, tokens, blank=0)
    text_of(spans)                              # "hello world"
    [*words_of(spans)]                          # [Span("hello", 3, 21), Span("world", 26, 44)]
"""

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

SPACE = " "
"""The token that parts words."""


class Span(Struct, frozen=True):
    """Something that was written, and the frames that it was heard in.

    Attributes:
        text: The token, or the word.
        start: The first frame.
        end: The frame behind the last.
    """

    text: str
    start: int
    end: int


def spans_of(
    logits: "npt.NDArray[np.float32]", tokens: "Sequence[str]", *, blank: int
) -> list[Span]:
    """The tokens that are written, each with its frames.

    Args:
        logits: float32 `[frames, tokens]`.
        tokens: What is written for each id.
        blank: The id that stands for nothing.
    """
    ids = logits.argmax(axis=1)
    edges = [0, *(np.flatnonzero(np.diff(ids)) + 1).tolist(), len(ids)]
    spans = []
    for start, end in pairwise(edges):
        number = int(ids[start])
        if number != blank and tokens[number]:
            spans.append(Span(tokens[number], start, end))
    return spans


def text_of(spans: "Sequence[Span]") -> str:
    """The whole text, without space around it."""
    return "".join(span.text for span in spans).strip()


def words_of(spans: "Sequence[Span]") -> "Iterator[Span]":
    """The words between spaces, each from its first token's first frame to its last one's end."""
    word: list[Span] = []
    for span in (*spans, Span(SPACE, 0, 0)):
        if span.text != SPACE:
            word.append(span)
        elif word:
            yield Span("".join(part.text for part in word), word[0].start, word[-1].end)
            word = []
