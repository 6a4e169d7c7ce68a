"""The registry through its door, on a file."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from msgspec.structs import replace

from maas.errors import (
    AmbiguousDigestError,
    ConflictError,
    FieldError,
    ModelNotFoundError,
    RefusedError,
    SettingsError,
    VersionNotServedError,
)
from maas.registry.addresses import ByAlias, ByDigest, ByNumber
from maas.registry.records import Candidate, Route, TensorSpec
from maas.registry.registry import Registry
from maas.registry.sqlite import SqliteStore
from maas.registry.store import Item, Key, Write

MakeCandidate = Callable[..., Candidate]
Invariants = Callable[..., int]
ALL_TO_1 = (Route(1, 10_000),)
TENTH_TO_2 = (Route(1, 9_000), Route(2, 1_000))


# ---- Register -----------------------------------------------------------------------------------


def test_versions_count_up_from_one(registry: Registry, candidate: MakeCandidate) -> None:
    numbers = [registry.register(candidate(seed)).record.number for seed in (7, 5, 9)]
    other = registry.register(candidate(7, model="spam")).record
    assert (numbers, other.number) == ([1, 2, 3], 1)


def test_a_version_is_what_was_registered(registry: Registry, candidate: MakeCandidate) -> None:
    given = candidate(7)
    outcome = registry.register(given)
    assert outcome.created
    record = registry.version("sentiment", ByNumber(1))
    assert record == outcome.record
    for name in ("model", "digest", "task", "inputs", "outputs", "labels", "metrics", "lineage"):
        assert getattr(record, name) == getattr(given, name)
    assert record.verification == given.verification
    assert (record.status, record.registered_by) == ("verified", "ada")
    assert record.registered_at == "2030-01-02T03:04:05.678Z"


def test_f7_the_same_digest_again_is_the_same_version(
    registry: Registry, candidate: MakeCandidate, invariants: Invariants
) -> None:
    first = registry.register(candidate(7))
    registry.register(candidate(8))
    again = registry.register(replace(candidate(7), metrics={"accuracy": 0.1}))
    assert not again.created
    assert again.record == first.record
    assert invariants(registry) == 2


def test_a_model_takes_its_description_from_its_newest_bundle_that_has_one(
    registry: Registry, candidate: MakeCandidate
) -> None:
    for seed, text in ((1, "First."), (2, "Better."), (3, "")):
        registry.register(replace(candidate(seed), description=text))
    model = registry.model("sentiment")
    assert (model.description, model.last_version, model.revision) == ("Better.", 3, 3)


def test_a_model_keeps_its_task(registry: Registry, candidate: MakeCandidate) -> None:
    registry.register(candidate(1))
    with pytest.raises(RefusedError, match="another name"):
        registry.register(replace(candidate(2), task="embedding"))
    assert registry.model("sentiment").last_version == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": "Sentiment"},
        {"digest": "sha256:12"},
        {"digest": "sha256:" + "A" * 64},
        {"labels": (1, 2)},
        {"metrics": {"accuracy": float("nan")}},
        {"metrics": {"accuracy": "high"}},
        {"inputs": (TensorSpec("x", "int64", (1.5,)),)},  # type: ignore[arg-type]
    ],
    ids=str,
)
def test_a_malformed_candidate_is_refused(
    registry: Registry, candidate: MakeCandidate, wrong: dict[str, object]
) -> None:
    with pytest.raises(FieldError):
        registry.register(replace(candidate(1), **wrong))
    assert registry.models().records == ()


# ---- Promote ------------------------------------------------------------------------------------


def test_a_first_promote_makes_the_alias(registry: Registry, candidate: MakeCandidate) -> None:
    registry.register(candidate(1))
    change = registry.promote("sentiment", ByNumber(1), reason="good enough")
    assert change.changed
    assert change.record == registry.alias("sentiment", "production")
    assert (change.record.routes, change.record.previous) == (ALL_TO_1, None)
    assert (change.record.revision, change.record.by) == (1, "ada")
    assert change.record.reason == "good enough"


def test_a_weight_leaves_the_rest_to_the_others(two: Registry, invariants: Invariants) -> None:
    change = two.promote("sentiment", ByNumber(2), weight=10)
    assert (change.record.routes, change.record.previous) == (TENTH_TO_2, ALL_TO_1)
    policy = two.policy("sentiment")
    assert policy.aliases == {"production": TENTH_TO_2}
    assert list(policy.digests) == [1, 2]
    assert invariants(two) == 4


def test_the_whole_weight_leaves_nobody_else(two: Registry) -> None:
    two.promote("sentiment", ByNumber(2), weight=10)
    assert two.promote("sentiment", ByNumber(2)).record.routes == (Route(2, 10_000),)


def test_promoting_the_same_again_changes_nothing(two: Registry, invariants: Invariants) -> None:
    first = two.promote("sentiment", ByNumber(2), weight=10)
    again = two.promote("sentiment", ByNumber(2), weight=10, reason="again")
    assert not again.changed
    assert again.record == first.record
    assert invariants(two) == 4


def test_aliases_are_changed_apart(two: Registry, invariants: Invariants) -> None:
    two.promote("sentiment", ByNumber(2), alias="canary")
    assert [alias.name for alias in two.aliases("sentiment")] == ["canary", "production"]
    assert two.policy("sentiment").aliases == {
        "canary": (Route(2, 10_000),),
        "production": ALL_TO_1,
    }
    assert invariants(two) == 4


def test_a_version_is_promoted_by_digest_or_by_another_alias(two: Registry) -> None:
    two.promote("sentiment", ByDigest("sha256:" + "0" * 63 + "2"), alias="canary")
    change = two.promote("sentiment", ByAlias("canary"))
    assert change.record.routes == (Route(2, 10_000),)


def test_a_new_alias_begins_with_the_whole_weight(two: Registry) -> None:
    with pytest.raises(RefusedError, match="without a weight first"):
        two.promote("sentiment", ByNumber(2), alias="canary", weight=10)


def test_a_lone_version_cannot_take_less(two: Registry) -> None:
    with pytest.raises(RefusedError, match="could take the rest"):
        two.promote("sentiment", ByNumber(1), weight=10)


@pytest.mark.parametrize("weight", [-1, 0, 101, 10_000])
def test_a_weight_is_a_percentage(two: Registry, weight: int) -> None:
    with pytest.raises(FieldError) as refusal:
        two.promote("sentiment", ByNumber(2), weight=weight)
    assert refusal.value.field == "weight"


def test_what_does_not_exist_is_not_promoted(two: Registry, invariants: Invariants) -> None:
    with pytest.raises(ModelNotFoundError):
        two.promote("spam", ByNumber(1))
    with pytest.raises(VersionNotServedError, match="newest is 2"):
        two.promote("sentiment", ByNumber(3))
    with pytest.raises(VersionNotServedError, match="has no alias canary"):
        two.promote("sentiment", ByAlias("canary"))
    with pytest.raises(FieldError):
        two.promote("sentiment", ByNumber(1), alias="Production")
    with pytest.raises(FieldError):
        two.promote("sentiment", ByNumber(2), reason="two\nlines")
    assert invariants(two) == 3


def test_an_expected_revision_guards_against_what_was_not_seen(two: Registry) -> None:
    with pytest.raises(ConflictError, match="at alias_revision 1, not 0") as conflict:
        two.promote("sentiment", ByNumber(2), expected_alias_revision=0)
    assert conflict.value.exit_code == 4
    two.promote("sentiment", ByNumber(2), expected_alias_revision=1)
    two.promote("sentiment", ByNumber(2), alias="canary", expected_alias_revision=0)
    with pytest.raises(ConflictError, match="at alias_revision 2, not 1"):
        two.promote("sentiment", ByNumber(2), expected_alias_revision=1)


# ---- Roll back ----------------------------------------------------------------------------------


def test_f35_a_rollback_restores_the_routes_before_and_twice_is_back_again(
    two: Registry, invariants: Invariants
) -> None:
    two.promote("sentiment", ByNumber(2), weight=10)
    first = two.rollback("sentiment", reason="slower").record
    assert (first.routes, first.previous, first.revision) == (ALL_TO_1, TENTH_TO_2, 3)
    second = two.rollback("sentiment").record
    assert (second.routes, second.previous, second.revision) == (TENTH_TO_2, ALL_TO_1, 4)
    assert invariants(two) == 6


def test_f35_the_first_revision_has_nothing_to_go_back_to(two: Registry) -> None:
    with pytest.raises(RefusedError, match="nothing to go back to"):
        two.rollback("sentiment")
    with pytest.raises(VersionNotServedError):
        two.rollback("sentiment", alias="canary")
    with pytest.raises(ModelNotFoundError):
        two.rollback("spam")


# ---- Read ---------------------------------------------------------------------------------------


def test_nothing_is_known_of_a_model_that_was_never_registered(registry: Registry) -> None:
    for read in (
        registry.model,
        registry.policy,
        registry.versions,
        registry.history,
        registry.aliases,
        lambda model: registry.alias(model, "production"),
        lambda model: registry.version(model, ByNumber(1)),
        lambda model: registry.version(model, ByAlias("production")),
        lambda model: registry.version(model, ByDigest("sha256:0123456789ab")),
    ):
        with pytest.raises(ModelNotFoundError):
            read("sentiment")
        with pytest.raises(FieldError):
            read("MODEL#x")
    assert registry.models().records == ()


def test_a_version_is_found_by_number_alias_and_digest(two: Registry) -> None:
    digest = "sha256:" + "0" * 63
    assert two.version("sentiment", ByNumber(2)).number == 2
    assert two.version("sentiment", ByAlias("production")).number == 1
    assert two.version("sentiment", ByDigest(digest + "2")).number == 2
    with pytest.raises(AmbiguousDigestError) as conflict:
        two.version("sentiment", ByDigest(digest))
    assert conflict.value.exit_code == 4
    for absent in (ByNumber(3), ByAlias("canary"), ByDigest(digest + "3")):
        with pytest.raises(VersionNotServedError):
            two.version("sentiment", absent)


def test_an_alias_that_shares_its_traffic_names_no_version(two: Registry) -> None:
    two.promote("sentiment", ByNumber(2), weight=10)
    with pytest.raises(RefusedError, match="versions 1, 2"):
        two.version("sentiment", ByAlias("production"))


def test_models_are_listed_by_name_in_pages(registry: Registry, candidate: MakeCandidate) -> None:
    for name in ("spam", "sentiment", "topics"):
        registry.register(candidate(1, model=name))
    first = registry.models(limit=2)
    assert ([model.name for model in first.records], first.more) == (["sentiment", "spam"], True)
    rest = registry.models(limit=2, after="spam")
    assert ([model.name for model in rest.records], rest.more) == (["topics"], False)


def test_versions_and_history_are_listed_newest_first_in_pages(
    registry: Registry, candidate: MakeCandidate
) -> None:
    for seed in range(1, 12):
        registry.register(candidate(seed))
    page = registry.versions("sentiment", limit=3)
    assert ([version.number for version in page.records], page.more) == ([11, 10, 9], True)
    page = registry.versions("sentiment", limit=9, after=9)
    assert ([v.number for v in page.records], page.more) == ([8, 7, 6, 5, 4, 3, 2, 1], False)
    events = registry.history("sentiment", limit=2, after=11)
    assert ([event.revision for event in events.records], events.more) == ([10, 9], True)
    assert registry.history("sentiment", after=1).records == ()


@pytest.mark.parametrize(("limit", "after"), [(0, None), (1_001, None), (5, 0), (5, 10**8)])
def test_pages_have_bounds(two: Registry, limit: int, after: int | None) -> None:
    for read in (two.versions, two.history):
        with pytest.raises(FieldError):
            read("sentiment", limit=limit, after=after)


def test_history_says_who_when_what_and_why(two: Registry) -> None:
    two.promote("sentiment", ByNumber(2), weight=10, reason="a first try")
    newest, *_, first = two.history("sentiment").records
    assert (newest.action, newest.subject, newest.revision) == ("promote", "production", 4)
    assert (newest.by, newest.at) == ("ada", "2030-01-02T03:04:05.678Z")
    assert newest.reason == "a first try"
    assert newest.before == {"routes": [{"version": 1, "weight": 10_000}]}
    assert newest.after == {
        "routes": [{"version": 1, "weight": 9_000}, {"version": 2, "weight": 1_000}]
    }
    assert (first.action, first.subject, first.before) == ("register", "1", None)
    assert first.after == {"digest": "sha256:" + "0" * 63 + "1", "status": "verified"}


def test_f9_history_is_ordered_by_revision_and_not_by_the_clock(
    file: Path, candidate: MakeCandidate
) -> None:
    # Given a clock that jumps back, in a zone that is not UTC
    zone = timezone(timedelta(hours=5, minutes=30))
    times = iter([datetime(2038, 1, 19, 9, tzinfo=zone), datetime(2024, 2, 29, 1, tzinfo=zone)])
    with Registry(SqliteStore(file), clock=lambda: next(times), actor="ada") as registry:
        registry.register(candidate(1))
        registry.register(candidate(2))
        events = registry.history("sentiment").records
    assert [(event.revision, event.at) for event in events] == [
        (2, "2024-02-28T19:30:00.000Z"),
        (1, "2038-01-19T03:30:00.000Z"),
    ]


# ---- Records of other releases ------------------------------------------------------------------


def test_a_record_of_a_newer_release_is_refused_and_named(two: Registry, file: Path) -> None:
    store = SqliteStore(file)
    key = Key("MODEL#sentiment", "POLICY")
    (item,) = store.read([key])
    assert item is not None
    body = {**item.body, "shadow": {"version": 2}}
    store.transact([Write(Item(key, item.revision + 1, body), item.revision)])
    store.close()
    with pytest.raises(SettingsError, match="POLICY"):
        two.policy("sentiment")
    assert two.model("sentiment").last_version == 2
