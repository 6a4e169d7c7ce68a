"""Sticky callers: shares are the weights, and nobody moves but to a version that grows."""

import math
from collections import Counter

from hypothesis import example, given
from hypothesis import strategies as st
from support.routes import shared

from maas.errors import RefusedError
from maas.registry.records import WEIGHT_TOTAL, Policy, Route
from maas.registry.weights import share
from maas.traffic import choose_version

CALLERS = 500


def never() -> float:
    """A draw that nobody may make."""
    raise AssertionError


def policy_of(routes: tuple[Route, ...]) -> Policy:
    digests = {route.version: f"sha256:{route.version:064}" for route in routes}
    return Policy("sentiment", 1, {"production": routes}, digests)


def assigned(routes: tuple[Route, ...], *, absent: frozenset[int] = frozenset()) -> dict[int, int]:
    """Who answers each caller."""
    policy = policy_of(routes)
    gone = {policy.digests[number] for number in absent}
    return {
        number: choose_version(
            policy, None, draw=never, caller=f"key-{number}", carries=lambda d: d not in gone
        )
        for number in range(CALLERS)
    }


def within(count: int, weight: int, total: int) -> bool:
    """Whether so many of all callers is a likely share: within five standard deviations."""
    part = weight / total
    return abs(count - CALLERS * part) <= 5 * math.sqrt(CALLERS * part * (1 - part)) + 1


@given(shared())
@example((Route(1, 9_999), Route(2, 1)))
def test_over_many_callers_the_shares_are_the_weights(routes: tuple[Route, ...]) -> None:
    counts = Counter(assigned(routes).values())
    assert all(within(counts[route.version], route.weight, WEIGHT_TOTAL) for route in routes)


@given(shared(), st.integers(1, 99), st.integers(1, 100))
def test_callers_move_only_to_the_version_whose_weight_grows(
    routes: tuple[Route, ...], version: int, percent: int
) -> None:
    try:
        grown = share(routes, version=version, weight=percent * WEIGHT_TOTAL // 100)
    except RefusedError:  # nobody else could take the rest
        return
    before = {route.version: route.weight for route in routes}
    after = {route.version: route.weight for route in grown}
    for one, other in zip(assigned(routes).items(), assigned(grown).items(), strict=True):
        (_, was), (_, now) = one, other
        if was == now:
            continue
        # Who moves goes to one that has gained on the one that it leaves
        assert after[now] * before[was] > after.get(was, 0) * before.get(now, 0)
        if after.get(version, 0) > before.get(version, 0):
            assert was != version


@given(shared(), st.data())
def test_without_a_version_its_callers_are_shared_and_all_others_stay(
    routes: tuple[Route, ...], data: st.DataObject
) -> None:
    gone = data.draw(st.sampled_from(routes)).version
    left = [route for route in routes if route.version != gone]
    whole, without = assigned(routes), assigned(routes, absent=frozenset({gone}))
    if not left:
        assert without == whole  # with none at all they all stay
        return
    assert gone not in without.values()
    assert all(without[caller] == number for caller, number in whole.items() if number != gone)
    counts, total = Counter(without.values()), sum(route.weight for route in left)
    assert all(within(counts[route.version], route.weight, total) for route in left)
