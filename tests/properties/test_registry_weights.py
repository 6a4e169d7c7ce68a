"""Sharing an alias's traffic: exact, fair, and settled after one time."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.routes import shared

from maas.errors import RefusedError
from maas.registry.records import WEIGHT_TOTAL, Route
from maas.registry.weights import share

PERCENT = WEIGHT_TOTAL // 100


weights = st.integers(1, 99).map(lambda percent: percent * PERCENT)


@given(shared(), st.integers(1, 100), weights)
def test_the_sum_is_exact_and_the_proportions_are_kept(
    routes: tuple[Route, ...], version: int, weight: int
) -> None:
    others = {route.version: route.weight for route in routes if route.version != version}
    if not others:
        with pytest.raises(RefusedError):
            share(routes, version=version, weight=weight)
        return
    after = {r.version: r.weight for r in share(routes, version=version, weight=weight)}
    assert sum(after.values()) == WEIGHT_TOTAL
    assert list(after) == sorted(after)
    assert after.pop(version) == weight
    assert set(after) <= set(others)
    for other, before in others.items():
        exact = Fraction((WEIGHT_TOTAL - weight) * before, sum(others.values()))
        assert abs(after.get(other, 0) - exact) < 1
        assert after.get(other, 1) > 0


@given(shared(), st.integers(1, 100), weights)
def test_the_same_again_changes_nothing(
    routes: tuple[Route, ...], version: int, weight: int
) -> None:
    if {route.version for route in routes} <= {version}:
        return
    once = share(routes, version=version, weight=weight)
    assert share(once, version=version, weight=weight) == once


@given(shared(), st.integers(1, 100))
def test_the_whole_weight_leaves_one(routes: tuple[Route, ...], version: int) -> None:
    only = (Route(version, WEIGHT_TOTAL),)
    assert share(routes, version=version, weight=WEIGHT_TOTAL) == only
    assert share((), version=version, weight=WEIGHT_TOTAL) == only


def test_of_equal_remainders_the_lower_version_wins() -> None:
    routes = (Route(1, 3_334), Route(2, 3_333), Route(3, 3_333))
    assert share(routes, version=4, weight=5_000) == (
        Route(1, 1_667),
        Route(2, 1_667),
        Route(3, 1_666),
        Route(4, 5_000),
    )


def test_a_share_that_becomes_nothing_is_dropped() -> None:
    routes = (Route(1, 9_999), Route(2, 1))
    assert share(routes, version=3, weight=9_900) == (Route(1, 100), Route(3, 9_900))
