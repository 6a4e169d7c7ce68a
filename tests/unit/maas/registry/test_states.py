"""What a version is: verified or not, retired, blocked; on each store, through the public door."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.registries import STORES, opener

from maas.errors import FieldError, RefusedError, VersionNotServedError
from maas.registry.addresses import ByDigest, ByNumber
from maas.registry.records import BLOCKED_MAX, Candidate, Route, Shadow, Verification
from maas.registry.registry import Registry

MakeCandidate = Callable[..., Candidate]
Invariants = Callable[..., int]
FAILED = Verification(8, 0.5, 0.1, passed=False, problem="request 3 differs by 0.5")


@pytest.fixture(params=STORES)
def open_file(
    request: pytest.FixtureRequest, file: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Registry]:
    """Opens the registry as another process would; in each of the stores."""
    return opener(request.param, file, monkeypatch)


@pytest.fixture
def three(two: Registry, candidate: MakeCandidate, invariants: Invariants) -> Iterator[Registry]:
    """Versions 1 to 3; production is 1 at 60 %, 2 at 30 % and 3 at 10 %."""
    two.register(candidate(3))
    two.promote("sentiment", ByNumber(2), weight=40)
    two.promote("sentiment", ByNumber(3), weight=10)
    assert routes(two) == {1: 5_400, 2: 3_600, 3: 1_000}
    yield two
    invariants(two)


def routes(registry: Registry, alias: str = "production") -> dict[int, int]:
    return {route.version: route.weight for route in registry.policy("sentiment").aliases[alias]}


def status(registry: Registry, number: int) -> str:
    return registry.version("sentiment", ByNumber(number)).status


def test_a_blocked_version_leaves_its_share_to_the_others_in_proportion(three: Registry) -> None:
    change = three.block("sentiment", ByNumber(3), reason="wrong language")
    assert change.changed
    assert change.record.status == "blocked"
    policy = three.policy("sentiment")
    assert routes(three) == {1: 6_000, 2: 4_000}
    assert policy.blocked == (3,)
    assert policy.digests[3] == change.record.digest  # so that a pin is refused by name
    (event,) = three.history("sentiment", limit=1).records
    assert (event.action, event.subject, event.reason) == ("block", "3", "wrong language")
    assert event.before is not None
    assert (event.before["status"], event.after["status"]) == ("verified", "blocked")
    # A second time there is nothing to do
    assert not three.block("sentiment", ByNumber(3)).changed


def test_an_aliass_only_version_is_not_blocked(two: Registry, invariants: Invariants) -> None:
    two.promote("sentiment", ByNumber(1), alias="canary")
    two.promote("sentiment", ByNumber(2), alias="canary", weight=50)
    with pytest.raises(RefusedError, match=r"production routes to sentiment@1 alone.*rollback"):
        two.block("sentiment", ByNumber(1))
    assert status(two, 1) == "verified"
    # When another one answers, it is
    two.promote("sentiment", ByNumber(2))
    two.block("sentiment", ByNumber(1))
    assert routes(two, "canary") == {2: 10_000}
    # And a rollback does not bring it back
    with pytest.raises(RefusedError, match=r"sentiment@1 is blocked.*maas unblock sentiment@1"):
        two.rollback("sentiment")
    invariants(two)


def test_the_shadow_of_a_blocked_version_ends(two: Registry, invariants: Invariants) -> None:
    two.shadow("sentiment", ByNumber(2), sample=500)
    two.block("sentiment", ByNumber(2))
    assert two.policy("sentiment").shadows == {}
    assert two.alias("sentiment", "production").shadow is None
    assert routes(two) == {1: 10_000}
    invariants(two)


def test_an_unblocked_version_is_what_its_replay_says(
    two: Registry, invariants: Invariants
) -> None:
    two.block("sentiment", ByNumber(2))
    assert two.unblock("sentiment", ByNumber(2), reason="it was the client").changed
    assert status(two, 2) == "verified"
    assert two.policy("sentiment").blocked == ()
    assert 2 in two.policy("sentiment").digests
    assert not two.unblock("sentiment", ByNumber(2)).changed
    # What failed while it was blocked stays blocked, and is registered afterwards
    two.block("sentiment", ByNumber(2))
    assert two.record_verification("sentiment", ByNumber(2), FAILED).record.status == "blocked"
    two.unblock("sentiment", ByNumber(2))
    assert status(two, 2) == "registered"
    invariants(two)


def test_a_retired_version_gets_no_traffic(two: Registry, invariants: Invariants) -> None:
    with pytest.raises(RefusedError, match="in use by production"):
        two.retire("sentiment", ByNumber(1))
    two.shadow("sentiment", ByNumber(2), sample=1)
    with pytest.raises(RefusedError, match="in use by production as its shadow"):
        two.retire("sentiment", ByNumber(2))
    two.shadow("sentiment", None)
    assert two.retire("sentiment", ByNumber(2)).record.status == "retired"
    assert not two.retire("sentiment", ByNumber(2)).changed
    for force in (False, True):
        with pytest.raises(RefusedError, match="sentiment@2 is retired"):
            two.promote("sentiment", ByNumber(2), force=force, reason="I want it")
    with pytest.raises(RefusedError, match="sentiment@2 is retired"):
        two.shadow("sentiment", ByNumber(2), sample=1)
    assert two.record_verification("sentiment", ByNumber(2), FAILED).record.status == "retired"
    # It can be blocked for who pins it, and then not be retired
    two.block("sentiment", ByNumber(2))
    with pytest.raises(RefusedError, match="blocked"):
        two.retire("sentiment", ByNumber(2))
    invariants(two)


@pytest.mark.parametrize("meanwhile", [None, Verification(8, 0.0, 0.1), FAILED])
def test_a_retired_version_stays_so_through_a_block(
    two: Registry, invariants: Invariants, meanwhile: Verification | None
) -> None:
    # Given a version that was blocked once while it was verified, and then was retired
    two.block("sentiment", ByNumber(2))
    two.unblock("sentiment", ByNumber(2))
    two.retire("sentiment", ByNumber(2))
    # When it is blocked, looked at, and unblocked
    two.block("sentiment", ByNumber(2))
    two.promote("sentiment", ByNumber(1), alias="canary")
    if meanwhile is not None:
        two.record_verification("sentiment", ByNumber(2), meanwhile)
    change = two.unblock("sentiment", ByNumber(2))
    # Then it is out of use as before, and history says so
    assert (change.changed, change.record.status) == (True, "retired")
    (event,) = two.history("sentiment", limit=1).records
    assert (event.before, event.after) == ({"status": "blocked"}, {"status": "retired"})
    assert two.policy("sentiment").blocked == ()
    with pytest.raises(RefusedError, match="sentiment@2 is retired"):
        two.promote("sentiment", ByNumber(2), force=True, reason="I want it")
    invariants(two)


def test_a_failed_replay_keeps_traffic_and_allows_no_more(
    three: Registry, invariants: Invariants
) -> None:
    change = three.record_verification("sentiment", ByNumber(3), FAILED, reason="nightly")
    assert (change.record.status, change.record.verification) == ("registered", FAILED)
    assert routes(three)[3] == 1_000
    (event,) = three.history("sentiment", limit=1).records
    assert (event.action, event.reason) == ("verify", "nightly")
    assert event.after == {"status": "registered", "passed": False, "problem": FAILED.problem}
    with pytest.raises(RefusedError, match=r"sentiment@3 is registered.*maas verify sentiment@3"):
        three.promote("sentiment", ByNumber(3))
    # Once it passes, it may have more
    passed = Verification(8, 0.0, 0.1, where="function", p50_ms=3.5, cold_start_seconds=0.4)
    assert three.record_verification("sentiment", ByNumber(3), passed).record.status == "verified"
    three.promote("sentiment", ByNumber(3))
    assert three.version("sentiment", ByNumber(3)).verification == passed
    invariants(three)


def test_what_failed_is_promoted_by_force_and_history_says_so(two: Registry) -> None:
    two.record_verification("sentiment", ByNumber(2), FAILED)
    with pytest.raises(FieldError, match="say why") as refused:
        two.promote("sentiment", ByNumber(2), force=True)
    assert refused.value.field == "reason"
    two.promote("sentiment", ByNumber(2), force=True, reason="the old one is worse")
    (event,) = two.history("sentiment", limit=1).records
    assert event.after["forced"] is True
    assert (event.by, event.reason) == ("ada", "the old one is worse")
    assert routes(two) == {2: 10_000}
    # Of a verified version nothing was forced
    two.promote("sentiment", ByNumber(1), force=True, reason="back")
    assert "forced" not in two.history("sentiment", limit=1).records[0].after
    # And nobody forces what is blocked
    two.block("sentiment", ByNumber(2))
    with pytest.raises(RefusedError, match="sentiment@2 is blocked"):
        two.promote("sentiment", ByNumber(2), force=True, reason="I want it")


def test_a_version_is_named_by_its_digest_too(two: Registry, candidate: MakeCandidate) -> None:
    assert two.block("sentiment", ByDigest(candidate(2).digest)).record.number == 2
    with pytest.raises(VersionNotServedError):
        two.block("sentiment", ByNumber(9))


def test_an_alias_is_shadowed_by_one_version(two: Registry, invariants: Invariants) -> None:
    change = two.shadow("sentiment", ByNumber(2), sample=500, reason="is it faster?")
    assert change.record.shadow == Shadow(2, 500)
    assert two.policy("sentiment").shadows == {"production": Shadow(2, 500)}
    assert change.record.routes == (Route(1, 10_000),)
    assert not two.shadow("sentiment", ByNumber(2), sample=500).changed
    # A promote of another version leaves it, and a rollback leads to the routes before
    two.promote("sentiment", ByNumber(2), weight=10)
    two.shadow("sentiment", ByNumber(2), sample=600)
    back = two.rollback("sentiment")
    assert (back.record.routes, back.record.shadow) == ((Route(1, 10_000),), Shadow(2, 600))
    assert two.shadow("sentiment", None).record.shadow is None
    assert not two.shadow("sentiment", None).changed
    invariants(two)


@pytest.mark.parametrize("sample", [0, -1, 10_001])
def test_a_sample_is_a_part_of_the_requests(two: Registry, sample: int) -> None:
    with pytest.raises(FieldError, match="percent"):
        two.shadow("sentiment", ByNumber(2), sample=sample)


def test_nobody_shadows_itself(two: Registry) -> None:
    with pytest.raises(RefusedError, match="answers all of production itself"):
        two.shadow("sentiment", ByNumber(1), sample=1)


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_policy_names_a_bounded_number_of_blocked_versions(
    file: Path, monkeypatch: pytest.MonkeyPatch, candidate: MakeCandidate, kind: str
) -> None:
    # Given more blocked versions than a policy names
    with opener(kind, file, monkeypatch)() as registry:
        for seed in range(1, BLOCKED_MAX + 3):
            registry.register(candidate(seed))
        for number in range(1, BLOCKED_MAX + 2):
            registry.block("sentiment", ByNumber(number))
        # Then the oldest of them is not in it at all, and nobody is answered by it
        policy = registry.policy("sentiment")
        assert policy.blocked == tuple(range(2, BLOCKED_MAX + 2))
        assert 1 not in policy.digests
        # And whichever is unblocked is there again
        registry.unblock("sentiment", ByNumber(1))
        policy = registry.policy("sentiment")
        assert 1 not in policy.blocked
        assert 1 in policy.digests
