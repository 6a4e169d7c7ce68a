"""Rules that the public door cannot reach yet, or only with hundreds of versions."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from maas.errors import FieldError, RefusedError
from maas.registry import registrations, rules
from maas.registry.changes import Current, NewRoutes, Stamp
from maas.registry.records import (
    ALIASES_MAX,
    POLICY_VERSIONS,
    ROUTES_MAX,
    AliasRecord,
    Candidate,
    Route,
    VersionRecord,
)

MakeCandidate = Callable[..., Candidate]
STAMP = Stamp(at="2030-01-02T03:04:05.678Z", by="ada", reason="")


def registered(candidate: MakeCandidate, count: int) -> tuple[Current, dict[int, VersionRecord]]:
    """A model with so many versions."""
    current, versions = None, {}
    for seed in range(1, count + 1):
        new = registrations.register(current, candidate(seed), STAMP)
        current = Current(new.model, new.policy)
        versions[new.version.number] = new.version
    assert current is not None
    return current, versions


def promoted(
    current: Current, version: VersionRecord, alias: AliasRecord | None = None, weight: int = 100
) -> NewRoutes:
    name = alias.name if alias else "production"
    new = rules.promote(current, alias, version, name=name, weight=weight, stamp=STAMP)
    assert isinstance(new, NewRoutes)
    return new


@pytest.mark.parametrize("status", ["registered", "retired", "blocked"])
def test_only_a_verified_version_is_promoted(candidate: MakeCandidate, status: str) -> None:
    current, versions = registered(candidate, 1)
    version = replace(versions[1], status=status)
    with pytest.raises(RefusedError, match=f"sentiment@1 is {status}"):
        rules.promote(current, None, version, name="production", weight=100, stamp=STAMP)


def test_no_rollback_to_a_version_that_is_no_longer_verified(candidate: MakeCandidate) -> None:
    # Given production at version 2, at version 1 before
    current, versions = registered(candidate, 2)
    first = promoted(current, versions[1])
    second = promoted(Current(first.model, first.policy), versions[2], first.alias)
    now = Current(second.model, second.policy)
    # When version 1 has been blocked since
    blocked = replace(versions[1], status="blocked")
    with pytest.raises(RefusedError, match="sentiment@1 is blocked"):
        rules.rollback(now, second.alias, [blocked], stamp=STAMP)
    assert rules.rollback(now, second.alias, [versions[1]], stamp=STAMP).alias.routes


def test_the_policy_keeps_the_routed_versions_and_the_newest(candidate: MakeCandidate) -> None:
    # Given version 1 in production and more versions than a policy lists
    current, versions = registered(candidate, 2)
    new = promoted(current, versions[1])
    current = Current(new.model, new.policy)
    last = POLICY_VERSIONS + 5
    for seed in range(3, last + 1):
        made = registrations.register(current, candidate(seed), STAMP)
        current = Current(made.model, made.policy)
        versions[made.version.number] = made.version
    newest = range(last - POLICY_VERSIONS + 2, last + 1)
    assert list(current.policy.digests) == [1, *newest]
    assert current.policy.digests[1] == versions[1].digest
    # When one that has left it is promoted, it is back
    again = promoted(current, versions[2], new.alias)
    assert list(again.policy.digests) == [2, *newest]
    # And a rollback finds the other one again
    back = rules.rollback(
        Current(again.model, again.policy), again.alias, [versions[1]], stamp=STAMP
    )
    assert back.policy.digests[1] == versions[1].digest
    assert back.policy.aliases == {"production": (Route(1, 10_000),)}


def test_a_model_has_a_bounded_number_of_aliases(candidate: MakeCandidate) -> None:
    current, versions = registered(candidate, 1)
    for n in range(ALIASES_MAX):
        new = rules.promote(current, None, versions[1], name=f"a{n}", weight=100, stamp=STAMP)
        assert isinstance(new, NewRoutes)
        current = Current(new.model, new.policy)
    with pytest.raises(RefusedError, match="aliases at the most"):
        rules.promote(current, None, versions[1], name="one-more", weight=100, stamp=STAMP)


def test_an_alias_has_a_bounded_number_of_routes(candidate: MakeCandidate) -> None:
    current, versions = registered(candidate, ROUTES_MAX + 1)
    new = promoted(current, versions[1])
    for number in range(2, ROUTES_MAX + 1):
        new = promoted(Current(new.model, new.policy), versions[number], new.alias, weight=10)
    current = Current(new.model, new.policy)
    with pytest.raises(RefusedError, match="8 versions at the most"):
        promoted(current, versions[ROUTES_MAX + 1], new.alias, weight=10)
    # A full alias still changes its weights, and gives way to one version
    assert len(promoted(current, versions[3], new.alias, weight=20).alias.routes) == ROUTES_MAX
    assert promoted(current, versions[9], new.alias).alias.routes == (Route(9, 10_000),)


def test_version_numbers_end(candidate: MakeCandidate) -> None:
    current, _ = registered(candidate, 1)
    full = replace(current, model=replace(current.model, last_version=99_999_999))
    with pytest.raises(RefusedError, match="no version numbers left"):
        registrations.register(full, candidate(2), STAMP)


@pytest.mark.parametrize(
    ("by", "reason", "field"),
    [
        ("", "", "actor"),
        ("a" * 501, "", "actor"),
        ("ada\x1b[2J", "", "actor"),
        ("ada", "r" * 501, "reason"),
        ("ada", "two\nlines", "reason"),
        ("ada", "\ud800", "reason"),
    ],
)
def test_what_would_not_print_is_no_reason(by: str, reason: str, field: str) -> None:
    with pytest.raises(FieldError) as refusal:
        Stamp(at=STAMP.at, by=by, reason=reason)
    assert refusal.value.field == field
