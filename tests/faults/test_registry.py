"""The registry's own faults through its door: F7 to F9, F34 and F35.

F6 is in tests/unit/maas/registry: writers that are killed.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.dynamo import empty_table
from support.registries import NOW, STORES, Watched, store_opener
from support.rollouts import MODEL, candidate, shares

from maas.errors import ConflictError, RefusedError, VersionNotServedError
from maas.registry import registrations
from maas.registry.addresses import ByNumber
from maas.registry.changes import Current, Stamp
from maas.registry.dynamo_store import DynamoStore
from maas.registry.historian import AtRevision, Moment, parse_moment
from maas.registry.records import Route, Verification
from maas.registry.registry import Registry
from maas.registry.sqlite import SqliteStore
from maas.registry.store import Store
from maas.registry.writes import writes_of
from maas_lab.registry.checks import contradictions
from maas_lab.registry.copies import copy_model

OpenStore = Callable[[], Store]


@pytest.fixture(params=STORES)
def open_store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> OpenStore:
    """Opens one store, each time as if it were another process."""
    return store_opener(request.param, tmp_path / "registry.sqlite", monkeypatch)


def opened(store: Store, clock: Callable[[], datetime] = lambda: NOW) -> Registry:
    return Registry(store, clock=clock, actor="ada")


def fill(store: Store, *, versions: int = 2) -> Registry:
    """Some versions, production at version 1."""
    registry = opened(store)
    for number in range(1, versions + 1):
        registry.register(candidate(f"{number:x}"))
    registry.promote(MODEL, ByNumber(1))
    return registry


# ---- F7: twice ----------------------------------------------------------------------------------


def test_f7_another_digest_under_the_same_version_is_a_conflict(open_store: OpenStore) -> None:
    # Given two who have seen the same, and would both register version 3
    store = open_store()
    registry = fill(store)
    current = Current(registry.model(MODEL), registry.policy(MODEL))
    stamp = Stamp(at="2030-01-02T03:04:05.678Z", by="ada", reason="")
    one, other = (registrations.register(current, candidate(digit), stamp) for digit in "34")
    assert one.version.number == other.version.number == 3
    store.transact(writes_of(one))
    before = copy_model(store, MODEL)
    # When the second one writes
    with pytest.raises(ConflictError, match="nothing was written") as conflict:
        store.transact(writes_of(other))
    # Then version 3 is what it was, and at the door the second one's is version 4
    assert (conflict.value.status, conflict.value.exit_code) == (409, 4)
    assert copy_model(store, MODEL) == before
    assert registry.version(MODEL, ByNumber(3)).digest == candidate("3").digest
    assert registry.register(candidate("4")).record.number == 4
    again = registry.register(candidate("3"))
    assert (again.record.number, again.created) == (3, False)
    store.close()


# ---- F8: all at once ----------------------------------------------------------------------------

WRITERS, PROCESSES = 32, 4


def test_f8_of_thirty_two_promotes_at_once_one_wins(open_store: OpenStore) -> None:
    first = open_store()
    registry = fill(first)
    revision = registry.model(MODEL).revision
    # Given that all have read the same before the first of them writes
    all_have_read = threading.Barrier(WRITERS, timeout=60)
    stores = [open_store() for _ in range(PROCESSES)]
    doors = [opened(Watched(store, all_have_read.wait)) for store in stores]

    def promote(writer: int) -> int | ConflictError:
        door = doors[writer % PROCESSES]
        try:
            door.promote(MODEL, ByNumber(2), weight=writer + 1)
        except ConflictError as error:
            return error
        return writer + 1

    with ThreadPoolExecutor(WRITERS) as pool:
        outcomes = list(pool.map(promote, range(WRITERS)))
    (weight,) = [outcome for outcome in outcomes if isinstance(outcome, int)]
    lost = [outcome for outcome in outcomes if isinstance(outcome, ConflictError)]
    assert {(error.status, error.exit_code) for error in lost} == {(409, 4)}
    assert all(f"it is at revision {revision + 1}" in str(error) for error in lost)
    # Then history has one event more, the winner's
    assert shares(registry) == {1: 10_000 - 100 * weight, 2: 100 * weight}
    assert registry.model(MODEL).revision == revision + 1
    assert len(registry.history(MODEL).records) == revision + 1
    assert contradictions(copy_model(first, MODEL)) == []
    for store in (first, *stores):
        store.close()


# ---- F9: clocks ---------------------------------------------------------------------------------

BEGAN = datetime(2030, 6, 1, 12, tzinfo=UTC)
LEAP, END = datetime(2028, 2, 29, tzinfo=UTC), datetime(2038, 1, 19, 3, 14, 7, tzinfo=UTC)
MILLISECOND, MINUTES = timedelta(milliseconds=1), timedelta(minutes=10)
CLOCKS: dict[str, list[datetime]] = {
    "ten-minutes-apart": [BEGAN + MINUTES * (-1) ** n + MILLISECOND * n for n in range(8)],
    "backwards": [BEGAN - timedelta(hours=n) for n in range(8)],
    "stands-still": [BEGAN] * 8,
    "leap-day": [
        *(LEAP - MILLISECOND, LEAP, LEAP + timedelta(days=1) - MILLISECOND),
        *(LEAP + timedelta(days=1), LEAP.replace(year=2032), LEAP),
        *(datetime(2029, 2, 28, tzinfo=UTC), datetime(2100, 3, 1, tzinfo=UTC)),
    ],
    "2038": [
        *(END - MILLISECOND, END, END + timedelta(seconds=1), END + timedelta(days=365)),
        *(datetime(1970, 1, 1, tzinfo=UTC), datetime(2106, 2, 7, 6, 28, 16, tzinfo=UTC)),
        *(datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC), END),
    ],
}
WHOLE = 10_000
ROUTED = {3: {1: WHOLE}, 4: {1: 9_000, 2: 1_000}, 6: {3: WHOLE}, 7: {1: 9_000, 2: 1_000}}
ROUTED |= {8: {2: WHOLE}}
"""Production after the model's revisions that `change` makes."""


def change(registry: Registry) -> list[Callable[[], object]]:
    """Eight changes, one after the other."""
    return [
        lambda: registry.register(candidate("1")),
        lambda: registry.register(candidate("2")),
        lambda: registry.promote(MODEL, ByNumber(1)),
        lambda: registry.promote(MODEL, ByNumber(2), weight=10),
        lambda: registry.register(candidate("3")),
        lambda: registry.promote(MODEL, ByNumber(3)),
        lambda: registry.rollback(MODEL),
        lambda: registry.promote(MODEL, ByNumber(2)),
    ]


def weights(routes: Sequence[Route]) -> dict[int, int]:
    return {route.version: route.weight for route in routes}


def then(registry: Registry, moment: Moment) -> dict[int, int] | None:
    try:
        return weights(registry.alias_at(MODEL, "production", moment).state.routes)
    except VersionNotServedError:
        return None


def expected(revision: int) -> dict[int, int] | None:
    return next((ROUTED[n] for n in range(revision, 0, -1) if n in ROUTED), None)


@pytest.mark.parametrize(
    ("kind", "clock"),
    [*(("sqlite", clock) for clock in CLOCKS), ("dynamodb", "backwards"), ("dynamodb", "2038")],
)
def test_f9_whatever_clocks_say_the_order_is_that_of_revisions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, clock: str
) -> None:
    # Given changes of two writers, whose clocks say all kinds of things
    open_store = store_opener(kind, tmp_path / "registry.sqlite", monkeypatch)
    times, now = CLOCKS[clock], BEGAN
    stores = [open_store(), open_store()]
    doors = [opened(store, lambda: now) for store in stores]
    for number, at in enumerate(times):
        now = at
        change(doors[number % 2])[number]()
    registry = doors[0]
    # Then history has them in the order in which they were made, each with its time
    said = [at.isoformat(timespec="milliseconds").replace("+00:00", "Z") for at in times]
    events = registry.history(MODEL).records
    assert [(event.revision, event.at) for event in events] == [*enumerate(said, start=1)][::-1]
    # And what answers is the last, whatever is the latest
    assert (registry.policy(MODEL).revision, shares(registry)) == (8, ROUTED[8])
    # And no version has gone
    assert [v.number for v in registry.versions(MODEL).records] == [3, 2, 1]
    assert contradictions(copy_model(stores[0], MODEL)) == []
    # And what was is told by revision, and by time as the last change that was made until then
    for revision in range(1, 9):
        assert then(registry, AtRevision(revision)) == expected(revision)
    for moment in (*said, "0001-01-01", "9999-12-31T23:59:59.999Z"):
        made = [number for number, at in enumerate(said, start=1) if at <= parse(moment)]
        assert then(registry, parse_moment(moment)) == expected(max(made, default=0))
    # And the way back leads to the revision before
    now = datetime(1980, 1, 1, tzinfo=UTC)
    assert weights(registry.rollback(MODEL).record.routes) == ROUTED[7]
    assert weights(registry.rollback(MODEL, to=AtRevision(3)).record.routes) == ROUTED[3]
    assert registry.history(MODEL, limit=1).records[0].revision == 10
    for store in stores:
        store.close()


def parse(moment: str) -> str:
    """As records write a time."""
    return str(parse_moment(moment))


def test_f9_nothing_in_the_table_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    table = empty_table(monkeypatch)
    fill(DynamoStore(table))
    told = table.ask(lambda client: client.describe_time_to_live(TableName=table.name))
    assert told["TimeToLiveDescription"]["TimeToLiveStatus"] == "DISABLED"
    found = table.ask(lambda client: client.scan(TableName=table.name))["Items"]
    assert len(found) == 10
    attributes = {"pk", "sk", "revision", "body", "listed", "place"}
    assert {name for item in found for name in item} == attributes


# ---- F34: not verified --------------------------------------------------------------------------

FAILED = Verification(8, 0.5, 0.1, passed=False, problem="request 3 differs by 0.5")
SPOILT: dict[str, Callable[[Registry], object]] = {
    "registered": lambda registry: registry.record_verification(MODEL, ByNumber(2), FAILED),
    "retired": lambda registry: registry.retire(MODEL, ByNumber(2)),
    "blocked": lambda registry: registry.block(MODEL, ByNumber(2)),
}


@pytest.mark.parametrize("status", SPOILT)
def test_f34_a_version_that_is_not_verified_is_not_promoted(tmp_path: Path, status: str) -> None:
    store = SqliteStore(tmp_path / "registry.sqlite")
    registry = fill(store)
    SPOILT[status](registry)
    before = copy_model(store, MODEL)
    for weight in (100, 10):
        with pytest.raises(RefusedError, match=f"sentiment@2 is {status}") as refusal:
            registry.promote(MODEL, ByNumber(2), weight=weight)
        assert (refusal.value.status, refusal.value.exit_code) == (409, 3)
    with pytest.raises(RefusedError, match=f"sentiment@2 is {status}"):
        registry.promote(MODEL, ByNumber(2), alias="canary")
    assert copy_model(store, MODEL) == before
    store.close()


# ---- F35: back while somebody goes forward ------------------------------------------------------


def test_f35_a_rollback_during_a_promote_leaves_one_live_version_throughout(
    open_store: OpenStore,
) -> None:
    stores = [open_store() for _ in range(3)]
    registry = fill(stores[0], versions=3)
    registry.promote(MODEL, ByNumber(2))
    both_have_read = threading.Barrier(2, timeout=60)
    back, forward = (opened(Watched(s, both_have_read.wait)) for s in stores[1:])
    over = threading.Event()
    seen: list[int] = []

    def watch() -> None:
        while not over.is_set():
            policy = registry.policy(MODEL)
            ((version, weight),) = weights(policy.aliases["production"]).items()
            assert weight == WHOLE
            assert policy.digests[version] == candidate(str(version)).digest
            seen.append(policy.revision)

    def outcome(move: Callable[[], object]) -> str:
        try:
            move()
        except ConflictError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(3) as pool:
        watching = pool.submit(watch)
        for _ in range(10):
            (live,) = shares(registry)
            other = ByNumber(live % 3 + 1)
            # When both have seen the same, and both write
            moves = (lambda: back.rollback(MODEL), lambda o=other: forward.promote(MODEL, o))
            # Then one of them wins, and the other is told
            won, lost = sorted(pool.map(outcome, moves))
            assert won == ""
            assert "it is at revision" in lost
            assert contradictions(copy_model(stores[0], MODEL)) == []
        over.set()
        watching.result()
    assert seen == sorted(seen)
    assert registry.model(MODEL).revision == 5 + 10
    for store in stores:
        store.close()
