"""How much a model is given at a time, so that memory does not grow with a request.

Imports nothing.

    for rows, width in runs(encoded.tokens, cost=lambda width: width):
        session.run({"input_ids": encoded.input_ids[rows, :width], …}, deadline=deadline)

`buckets` does the same for a graph that answers each row at once: what it gives at a time is alike
in length, so that little of it is padding. A graph that writes is not cut finer than memory asks,
because every run of it is a whole loop.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

RUN_TOKENS = 2048
"""Tokens, padding included, that a model which writes is given at a time.

What a run takes of memory grows with them: with 22 million parameters 32 texts of 512 tokens at
once take 1.2 GB, which ends a function of 1 GB, and are slower than these eight runs in 0.25 GB.
"""
BUCKET_TOKENS = 1024
"""The same for a model that answers each row at once. A token costs a third more in runs of twice
as many, because what lies between the layers leaves the processor's cache."""
BUCKET_PADDING = 64
"""Padding that one run may hold. A run costs as much as ten tokens beside those that it is given,
and a recurrent network's more (0016)."""


def runs(
    tokens: "Sequence[int]", *, cost: "Callable[[int], int]" = int
) -> "Iterator[tuple[slice, int]]":
    """Cut a batch into runs of RUN_TOKENS: rows in their order, and the longest one's tokens.

    Args:
        tokens: Per text, its tokens.
        cost: What a row takes that is as wide as so many tokens; a row alone may take more.
    """
    first, width = 0, 1
    for row, count in enumerate(tokens):
        if row > first and (row + 1 - first) * cost(max(width, count)) > RUN_TOKENS:
            yield slice(first, row), width
            first, width = row, 1
        width = max(width, count)
    yield slice(first, len(tokens)), width


def buckets(tokens: "Sequence[int]") -> "Iterator[tuple[list[int], int]]":
    """Cut a batch into runs of like length: the rows of each, and the longest one's tokens.

    Args:
        tokens: Per text, its tokens; at least one text.
    """
    rows: list[int] = []
    width = padding = 0
    for row in sorted(range(len(tokens)), key=tokens.__getitem__, reverse=True):
        padding += width - tokens[row]
        if rows and (padding > BUCKET_PADDING or (len(rows) + 1) * width > BUCKET_TOKENS):
            yield rows, width
            rows = []
        if not rows:  # the longest of its run
            width, padding = max(1, tokens[row]), 0
        rows.append(row)
    yield rows, width
