"""Batches are cut so that little is padding: every row once, alike in length, bounded."""

from hypothesis import given
from hypothesis import strategies as st

from maas.tasks.runs import BUCKET_PADDING, BUCKET_TOKENS, buckets, runs

TOKENS = st.lists(st.integers(0, 1500), min_size=1, max_size=32)


@given(TOKENS)
def test_every_row_is_in_one_run_that_is_as_wide_as_its_longest(tokens: list[int]) -> None:
    found = list(buckets(tokens))
    assert sorted(row for rows, _ in found for row in rows) == list(range(len(tokens)))
    assert all(width == max(1, *(tokens[row] for row in rows)) for rows, width in found)


@given(TOKENS)
def test_a_run_of_several_rows_is_bounded_in_tokens_and_in_padding(tokens: list[int]) -> None:
    for rows, width in buckets(tokens):
        if len(rows) > 1:
            assert len(rows) * width <= BUCKET_TOKENS
            assert sum(width - tokens[row] for row in rows) <= BUCKET_PADDING + len(rows)


@given(TOKENS)
def test_little_is_padding(tokens: list[int]) -> None:
    found = list(buckets(tokens))
    given = sum(len(rows) * width for rows, width in found)
    assert given <= sum(tokens) + len(found) * BUCKET_PADDING + len(tokens)


def test_texts_of_one_length_go_together() -> None:
    assert list(buckets([20] * 32)) == [(list(range(32)), 20)]
    assert list(buckets([0, 0])) == [([0, 1], 1)]


@given(TOKENS)
def test_what_writes_is_cut_in_order(tokens: list[int]) -> None:
    found = list(runs(tokens))
    assert [row for rows, _ in found for row in range(len(tokens))[rows]] == list(
        range(len(tokens))
    )
    assert all(width == max(1, *tokens[rows]) for rows, width in found)
