"""Texts for comparisons: more rows out of few, and rows that a test split rarely holds.

Imports nothing but types:

    rows = tested + joined_rows(tested, 256 - len(tested))
    batches = edge_batches(rows, max_tokens=256)
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    Batches = Sequence[tuple[str, ...]]


def joined_rows(rows: "Sequence[str]", count: int) -> list[str]:
    """Make more rows out of too few: neighbours joined, so that their lengths differ, too."""
    far = len(rows)
    pairs = ((at % far, (at + 1 + at // far) % far) for at in range(max(0, count)))
    return [f"{rows[left]} {rows[right]}" for left, right in pairs]


def edge_batches(rows: "Sequence[str]", max_tokens: int) -> "Batches":
    """Rows that a test set rarely holds: nothing left, one token, the longest, all of them padded.

    Args:
        rows: Real texts; the longest row is made of them.
        max_tokens: Where the tokenizer cuts.
    """
    nothing, one = "\u200b", "good"  # a zero-width space is no word of any vocabulary
    longest = " ".join(list(rows) * (max_tokens // len(rows) + 1))[: max_tokens * 40]
    return [("",), (nothing,), (one,), (longest,), ("", one, longest, rows[0], nothing)]


def cut(rows: "Sequence[str]", size: int) -> "Batches":
    """Rows in batches."""
    return [tuple(rows[at : at + size]) for at in range(0, len(rows), size)]
