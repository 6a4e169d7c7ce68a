"""How much a model is given at a time, so that memory does not grow with a request.

Imports nothing.

    for rows, width in runs(encoded.tokens, cost=lambda width: width):
        session.run({"input_ids": encoded.input_ids[rows, :width], …}, deadline=deadline)
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

RUN_TOKENS = 2048
"""Tokens, padding included, that the model is given at a time.

What a run takes of memory grows with them: with 22 million parameters 32 texts of 512 tokens at
once take 1.2 GB, which ends a function of 1 GB, and are slower than these eight runs in 0.25 GB.
"""


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
