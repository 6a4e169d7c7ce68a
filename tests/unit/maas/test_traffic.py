"""Which version answers: by weight, to the last hundredth of a percent, or as pinned."""

import operator
import random
from collections import Counter
from itertools import pairwise

import pytest
from msgspec.structs import replace

from maas.errors import (
    AmbiguousDigestError,
    NotReadyError,
    VersionBlockedError,
    VersionNotServedError,
)
from maas.registry.addresses import ByAlias, ByDigest, ByNumber, VersionAddress
from maas.registry.records import Policy, Route, Shadow
from maas.traffic import choose_version, followable, shadow_of

ONE = "sha256:" + "a" * 64
TWO = "sha256:" + "a" * 20 + "b" * 44
THREE = "sha256:" + "c" * 64
POLICY = Policy(
    model="sentiment",
    revision=5,
    aliases={
        "production": (Route(1, 8999), Route(2, 1000), Route(3, 1)),
        "candidate": (Route(2, 10_000),),
    },
    digests={1: ONE, 2: TWO, 3: THREE, 4: "sha256:" + "d" * 64},
)


def test_weights_are_kept_over_many_requests() -> None:
    rng = random.Random(7)
    count = 20_000
    shares = Counter(choose_version(POLICY, None, draw=rng.random) for _ in range(count))
    assert shares[1] / count == pytest.approx(0.8999, abs=0.01)
    assert shares[2] / count == pytest.approx(0.1, abs=0.01)
    assert shares[3] < count * 0.001


def test_weights_are_exact_over_evenly_spread_draws() -> None:
    draws = ((n + 0.5) / 10_000 for n in range(10_000))
    shares = Counter(choose_version(POLICY, None, draw=draws.__next__) for _ in range(10_000))
    assert shares == {1: 8999, 2: 1000, 3: 1}


@pytest.mark.parametrize(
    ("draw", "version"),
    [
        (0.0, 1),
        (0.89989, 1),
        (0.8999, 2),
        (0.99989, 2),
        (0.9999, 3),
        (1 - 2**-53, 3),
    ],
)
def test_a_boundary_belongs_to_the_next_route(draw: float, version: int) -> None:
    assert choose_version(POLICY, None, draw=lambda: draw) == version


@pytest.mark.parametrize("draw", [0.0, 0.5, 1 - 2**-53])
@pytest.mark.parametrize(
    ("address", "version"),
    [
        (ByAlias("candidate"), 2),
        (ByNumber(1), 1),
        (ByNumber(4), 4),  # carried, and routed to by nobody
        (ByDigest(ONE), 1),
        (ByDigest(TWO), 2),
        (ByDigest(TWO[:30]), 2),
        (ByDigest("sha256:" + "c" * 12), 3),
    ],
)
def test_what_is_pinned_answers_whatever_is_drawn(
    address: VersionAddress, version: int, draw: float
) -> None:
    assert choose_version(POLICY, address, draw=lambda: draw) == version


def test_an_alias_of_several_versions_shares_its_requests_too() -> None:
    address = ByAlias("production")
    draws = iter((0.1, 0.95, 0.99995))
    drawn = {choose_version(POLICY, address, draw=draws.__next__) for _ in range(3)}
    assert drawn == {1, 2, 3}


@pytest.mark.parametrize(
    "address", [ByNumber(5), ByAlias("nothing-of-this-name"), ByDigest("sha256:" + "e" * 12)]
)
def test_what_is_not_there_is_refused_and_not_repeated(address: VersionAddress) -> None:
    with pytest.raises(VersionNotServedError) as refused:
        choose_version(POLICY, address, draw=lambda: 0.0)
    assert refused.value.field == "version"
    assert str(address) not in str(refused.value)


@pytest.mark.parametrize("length", [12, 19, 20])
def test_a_prefix_of_two_digests_is_ambiguous(length: int) -> None:
    with pytest.raises(AmbiguousDigestError):
        choose_version(POLICY, ByDigest("sha256:" + "a" * length), draw=lambda: 0.0)


def test_nothing_promoted_is_not_ready_rather_than_not_found() -> None:
    policy = Policy(model="sentiment", revision=1, aliases={}, digests={1: ONE})
    with pytest.raises(NotReadyError, match="No version of sentiment is promoted yet"):
        choose_version(policy, None, draw=lambda: 0.0)
    with pytest.raises(VersionNotServedError):
        choose_version(policy, ByAlias("production"), draw=lambda: 0.0)
    assert choose_version(policy, ByNumber(1), draw=lambda: 0.0) == 1


# ---- Versions that are not here -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("here", "shares"),
    [
        ({ONE, TWO, THREE}, {1: 8999, 2: 1000, 3: 1}),
        ({ONE, TWO}, {1: 9000, 2: 1000}),
        ({TWO, THREE}, {2: 9990, 3: 10}),
        ({THREE}, {3: 10_000}),
        (set(), {1: 8999, 2: 1000, 3: 1}),
    ],
)
@pytest.mark.parametrize("address", [None, ByAlias("production")])
def test_routes_that_are_not_carried_are_left_out_in_proportion(
    address: VersionAddress | None, here: set[str], shares: dict[int, int]
) -> None:
    draws = ((n + 0.5) / 10_000 for n in range(10_000))
    found = Counter(
        choose_version(POLICY, address, draw=draws.__next__, carries=here.__contains__)
        for _ in range(10_000)
    )
    assert found.keys() == shares.keys()
    assert all(abs(found[number] - share) <= 1 for number, share in shares.items())


def test_what_is_pinned_is_not_replaced_by_what_is_here() -> None:
    for address in (ByNumber(2), ByDigest(TWO), ByAlias("candidate")):
        assert choose_version(POLICY, address, draw=lambda: 0.0, carries={ONE}.__contains__) == 2


def never() -> float:
    """A draw that nobody may make."""
    raise AssertionError


def test_nothing_is_drawn_where_there_is_nothing_to_decide() -> None:
    assert choose_version(POLICY, ByAlias("candidate"), draw=never) == 2
    assert choose_version(POLICY, None, draw=never, carries={TWO}.__contains__) == 2
    assert choose_version(POLICY, None, draw=never, caller="key-1") in {1, 2, 3}


# ---- Callers that say who they are --------------------------------------------------------------


def test_a_caller_is_answered_by_the_same_version_each_time() -> None:
    for name in ("key-1", "key-2", "ключ", "\ud800"):
        assert len({choose_version(POLICY, None, draw=never, caller=name) for _ in range(9)}) == 1


def test_callers_are_assigned_anew_by_each_model_and_alias() -> None:
    half: tuple[Route, ...] = (Route(1, 5_000), Route(2, 5_000))
    aliases = {"production": half, "candidate": half}
    policies = [Policy(name, 1, aliases, {1: ONE, 2: TWO}) for name in ("sentiment", "topics")]
    assigned = [
        [choose_version(policy, address, draw=never, caller=str(n)) for n in range(200)]
        for policy in policies
        for address in (None, ByAlias("candidate"))
    ]
    for one, other in pairwise(assigned):
        assert 50 < sum(map(operator.eq, one, other)) < 150


# ---- Routes that lead nowhere -------------------------------------------------------------------


def test_a_policy_that_can_be_followed_is_followed() -> None:
    before = replace(POLICY, revision=4, aliases={"production": (Route(4, 10_000),)})
    for carried in ({ONE}, {ONE, TWO, THREE}):
        here = {*carried, TWO}.__contains__
        assert followable(POLICY, before, carries=here) is POLICY


def test_an_alias_that_leads_nowhere_keeps_its_former_routes_that_are_here() -> None:
    old = "sha256:" + "0" * 64
    before = Policy(
        model="sentiment",
        revision=4,
        aliases={"production": (Route(1, 9_000), Route(9, 1_000)), "gone": (Route(9, 10_000),)},
        digests={1: ONE, 9: old},
    )
    now = replace(POLICY, aliases={"production": (Route(4, 10_000),), "new": (Route(3, 10_000),)})
    followed = followable(now, before, carries={old}.__contains__)
    # It is answered by what was followed before and is here, and an alias that is gone stays gone
    assert followed.aliases == {"production": (Route(9, 1_000),), "new": (Route(3, 10_000),)}
    assert followed.digests == now.digests | {9: old}
    assert choose_version(followed, None, draw=never) == 9
    # And where nothing of it is known, nothing is better
    for former in (None, before):
        assert followable(now, former, carries=lambda _: False) is now


# ---- Versions that are blocked, and shadows -----------------------------------------------------


@pytest.mark.parametrize("address", [ByNumber(4), ByDigest("sha256:" + "d" * 12)])
def test_a_blocked_version_is_refused_by_name_even_when_it_is_pinned(
    address: VersionAddress,
) -> None:
    policy = replace(POLICY, blocked=(4,))
    with pytest.raises(VersionBlockedError, match="is blocked") as refused:
        choose_version(policy, address, draw=never)
    assert (refused.value.status, refused.value.code) == (403, "version_blocked")
    assert str(address) not in str(refused.value)
    assert choose_version(policy, ByNumber(1), draw=never) == 1


def test_a_blocked_version_does_not_come_back_where_an_alias_leads_nowhere() -> None:
    before = replace(POLICY, aliases={"production": (Route(1, 5_000), Route(2, 5_000))})
    now = replace(POLICY, aliases={"production": (Route(4, 10_000),)}, blocked=(1,))
    followed = followable(now, before, carries={ONE, TWO}.__contains__)
    assert followed.aliases["production"] == (Route(2, 5_000),)


def test_a_sample_of_an_alias_is_seen_by_its_shadow_and_what_is_pinned_is_not() -> None:
    policy = replace(POLICY, shadows={"production": Shadow(4, 500), "candidate": Shadow(1, 1)})
    draws = ((n + 0.5) / 10_000 for n in range(10_000))
    seen = Counter(shadow_of(policy, None, 1, draw=draws.__next__) for _ in range(10_000))
    assert seen == {4: 500, None: 9_500}
    assert shadow_of(policy, ByAlias("production"), 1, draw=lambda: 0.0) == 4
    assert shadow_of(policy, ByAlias("candidate"), 2, draw=lambda: 0.0) == 1
    for address in (ByNumber(1), ByDigest(ONE)):
        assert shadow_of(policy, address, 1, draw=never) is None
    # Who answers itself is not its own shadow, and an alias without one has none
    assert shadow_of(policy, None, 4, draw=never) is None
    assert shadow_of(POLICY, None, 1, draw=never) is None
    assert shadow_of(policy, ByAlias("other"), 1, draw=never) is None
