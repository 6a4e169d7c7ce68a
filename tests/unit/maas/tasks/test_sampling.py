"""A token is the likeliest one, or drawn from those that the options leave, by their chances."""

import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maas.tasks.sampling import Sampling, next_token

LOGITS = np.log(np.array([0.1, 0.4, 0.2, 0.3], dtype=np.float32))


def never() -> float:
    pytest.fail("nothing is to be drawn")


def drawn(how: Sampling, logits: npt.NDArray[np.float32] = LOGITS, steps: int = 1000) -> list[int]:
    """What is drawn for numbers from 0 to 1, by a step of a thousandth."""
    draws = iter([step / steps for step in range(steps)])
    return [next_token(logits, (), how, draws.__next__)[0] for _ in range(steps)]


def shares(how: Sampling) -> dict[int, float]:
    numbers = drawn(how)
    return {number: numbers.count(number) / len(numbers) for number in sorted(set(numbers))}


def test_the_likeliest_is_taken_without_a_draw() -> None:
    number, logprob = next_token(LOGITS, (), Sampling(), never)
    assert number == 1
    assert logprob == pytest.approx(math.log(0.4))


@pytest.mark.parametrize(
    ("how", "wanted"),
    [
        (Sampling(sample=True), {0: 0.1, 1: 0.4, 2: 0.2, 3: 0.3}),
        (Sampling(sample=True, top_k=2), {1: 4 / 7, 3: 3 / 7}),
        (Sampling(sample=True, top_k=1), {1: 1.0}),
        (Sampling(sample=True, top_k=99), {0: 0.1, 1: 0.4, 2: 0.2, 3: 0.3}),
        (Sampling(sample=True, top_p=0.39), {1: 1.0}),
        (Sampling(sample=True, top_p=0.41), {1: 4 / 7, 3: 3 / 7}),
        (Sampling(sample=True, top_p=0.71), {1: 4 / 9, 2: 2 / 9, 3: 3 / 9}),
        (Sampling(sample=True, top_k=3, top_p=0.5), {1: 4 / 7, 3: 3 / 7}),
        (Sampling(sample=True, temperature=0.5), {0: 1 / 30, 1: 16 / 30, 2: 4 / 30, 3: 9 / 30}),
        (Sampling(sample=True, temperature=1e-9), {1: 1.0}),
    ],
)
def test_what_is_drawn_has_the_share_of_its_chance(how: Sampling, wanted: dict[int, float]) -> None:
    found = shares(how)
    assert found.keys() == wanted.keys()
    assert all(found[number] == pytest.approx(wanted[number], abs=0.003) for number in wanted)


@pytest.mark.parametrize("how", [Sampling(), Sampling(sample=True, temperature=0.3, top_k=2)])
def test_a_logprob_is_by_all_logits_and_without_what_is_done_for_drawing(how: Sampling) -> None:
    number, logprob = next_token(LOGITS, (), how, lambda: 0.999)
    assert logprob == pytest.approx(float(LOGITS[number]), abs=1e-6)


@pytest.mark.parametrize(
    ("logits", "penalty", "number"),
    [
        ([2.0, 1.9], 1.0, 0),
        ([2.0, 1.9], 1.1, 1),  # 2 / 1.1
        ([-1.0, -1.05], 1.1, 1),  # -1 * 1.1
        ([2.0, 1.9], 0.5, 0),
    ],
)
def test_what_was_seen_is_less_likely(logits: list[float], penalty: float, number: int) -> None:
    row = np.array(logits, dtype=np.float32)
    how = Sampling(repetition_penalty=penalty)
    # However often it was seen, and whatever was seen that has no logit
    assert next_token(row, (0, 0, 0, 7), how, never)[0] == number
    assert row.tolist() == np.array(logits, dtype=np.float32).tolist()


def test_of_equals_the_lowest_is_taken_and_all_can_be_drawn() -> None:
    row = np.zeros(4, dtype=np.float32)
    assert next_token(row, (), Sampling(), never)[0] == 0
    assert sorted(set(drawn(Sampling(sample=True, top_p=0.99), row))) == [0, 1, 2, 3]
    assert len(set(drawn(Sampling(sample=True, top_k=2), row))) == 2


ROWS = st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=20)


@given(
    ROWS,
    st.floats(0, 1, exclude_max=True),
    st.floats(0, 5, exclude_min=True),
    st.one_of(st.none(), st.integers(1, 25)),
    st.floats(0.01, 1),
)
def test_a_draw_is_always_a_token_that_may_be_drawn(
    row: list[float], draw: float, temperature: float, top_k: int | None, top_p: float
) -> None:
    logits = np.array(row, dtype=np.float32)
    how = Sampling(sample=True, temperature=temperature, top_k=top_k, top_p=top_p)
    number, logprob = next_token(logits, (), how, lambda: draw)
    assert 0 <= number < len(row)
    assert logprob <= 1e-9
    better = int((logits > logits[number]).sum())
    assert better < (top_k or len(row))


@given(ROWS)
def test_higher_draws_are_less_likely_tokens_where_they_are_ordered(row: list[float]) -> None:
    logits = np.array(row, dtype=np.float32)
    numbers = drawn(Sampling(sample=True, top_p=0.95), logits, steps=50)
    assert all(logits[one] >= logits[other] for one, other in pairwise(numbers))
