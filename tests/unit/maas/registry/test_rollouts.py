"""Rollouts in the registry: a step moves weights and record at once; whoever else changes wins."""

import contextlib
import io
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.registries import STORES, opener
from support.rollouts import GATE, HOLDER, MODEL, PLAN, STEPS, candidate, shares, two_versions

from maas.errors import ConflictError, FieldError, MaasError, RefusedError
from maas.registry.addresses import ByNumber
from maas.registry.records import decode, encode
from maas.registry.registry import Registry
from maas.registry.rollout_plans import Plan
from maas.registry.rollout_records import OWED_MAX, RolloutRecord
from maas.registry.sqlite import SqliteStore
from maas.registry.store import Store
from maas_lab.registry.checks import contradictions
from maas_lab.registry.copies import copy_model
from maas_lab.registry.moves import export_lines, import_file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "registry.sqlite"


@pytest.fixture
def registry(file: Path) -> Iterator[Registry]:
    with two_versions(file) as registry:
        yield registry


def store_of(file: Path) -> Store:
    return SqliteStore(file)


def begin(registry: Registry, plan: Plan = PLAN, number: int = 2) -> None:
    registry.begin_rollout(MODEL, ByNumber(number), plan=plan, reason="better on long texts")


def test_a_rollout_from_its_first_step_to_its_end(registry: Registry, file: Path) -> None:
    begin(registry)
    seen = [shares(registry)]
    for _ in STEPS:
        registry.advance_rollout(MODEL, holder=HOLDER, reason="well")
        seen.append(shares(registry))
    assert seen == [{1: 9900, 2: 100}, {1: 9000, 2: 1000}, {2: 10_000}, {2: 10_000}]
    state = registry.rollout(MODEL)
    assert state.record is not None
    assert (state.record.status, state.running) == ("finished", False)
    assert [event.action for event in registry.history(MODEL).records][:4] == ["rollout"] * 4
    # A rollback goes back to what was before all steps
    registry.rollback(MODEL)
    assert shares(registry) == {1: 10_000}
    assert contradictions(copy_model(store_of(file), MODEL)) == []


@pytest.mark.parametrize("kind", STORES)
def test_the_same_in_each_store(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opener(kind, tmp_path / "another.sqlite", monkeypatch)() as registry:
        registry.register(candidate("1"))
        registry.register(candidate("2"))
        registry.promote(MODEL, ByNumber(1))
        begin(registry)
        registry.advance_rollout(MODEL, holder=HOLDER)
        with pytest.raises(ConflictError):
            begin(registry)
        registry.stop_rollout(MODEL, reason="too slow")
        assert shares(registry) == {1: 10_000}
        state = registry.rollout(MODEL)
        assert state.record is not None
        assert (state.record.status, state.record.revision) == ("stopped", 3)


def test_a_blocked_version_is_rolled_out_no_further_and_never_again(registry: Registry) -> None:
    begin(registry)
    registry.block(MODEL, ByNumber(2), reason="it leaks")
    assert (shares(registry), registry.rollout(MODEL).running) == ({1: 10_000}, False)
    with pytest.raises(ConflictError):
        registry.advance_rollout(MODEL, holder=HOLDER)
    with pytest.raises(MaasError, match="blocked"):
        begin(registry)


def test_a_stop_restores_all_routes_of_before(registry: Registry, file: Path) -> None:
    registry.register(candidate("3"))
    registry.promote(MODEL, ByNumber(2), weight=30)
    begin(registry, number=3)
    registry.advance_rollout(MODEL, holder=HOLDER)
    assert shares(registry) == {1: 6300, 2: 2700, 3: 1000}
    record = registry.stop_rollout(MODEL, reason="too slow", holder=HOLDER)
    assert shares(registry) == {1: 7000, 2: 3000}
    assert (record.status, record.reason) == ("stopped", "too slow")
    assert registry.policy(MODEL).aliases["production"] == record.baseline
    # A person's rollback afterwards does not bring the bad version back
    registry.rollback(MODEL)
    assert 3 not in shares(registry)
    assert contradictions(copy_model(store_of(file), MODEL)) == []


def test_one_at_a_time_and_the_refusal_says_what_to_do(registry: Registry) -> None:
    begin(registry)
    before = registry.model(MODEL).revision
    with pytest.raises(ConflictError, match=r"maas rollout resume sentiment.*maas rollout stop"):
        begin(registry)
    assert registry.model(MODEL).revision == before
    # Where it is over, the next one may begin, and counts on
    registry.stop_rollout(MODEL)
    begin(registry)
    assert registry.rollout(MODEL).running


@pytest.mark.parametrize("change", ["promote", "rollback"])
def test_a_person_who_changes_the_alias_wins(registry: Registry, change: str, file: Path) -> None:
    begin(registry)
    if change == "promote":
        registry.promote(MODEL, ByNumber(2), weight=50)
    else:
        registry.rollback(MODEL)
    won = shares(registry)
    assert not registry.rollout(MODEL).running
    for write in (registry.advance_rollout, registry.stop_rollout, registry.take_rollout):
        with pytest.raises(ConflictError, match="ada changed production"):
            write(MODEL, holder=HOLDER)
    assert shares(registry) == won
    begin(registry)  # and nobody is kept from another rollout
    assert contradictions(copy_model(store_of(file), MODEL)) == []


def test_who_takes_over_fences_the_former_driver_off(registry: Registry) -> None:
    begin(registry)
    registry.take_rollout(MODEL, holder="b2")
    for write in (registry.advance_rollout, registry.stop_rollout):
        with pytest.raises(ConflictError, match="taken over"):
            write(MODEL, holder=HOLDER)
    registry.advance_rollout(MODEL, holder="b2")
    assert shares(registry) == {1: 9000, 2: 1000}


def test_a_change_of_something_else_ends_no_rollout(registry: Registry) -> None:
    begin(registry)
    registry.register(candidate("3"))
    registry.promote(MODEL, ByNumber(1), alias="staging")
    assert registry.rollout(MODEL).running
    registry.advance_rollout(MODEL, holder=HOLDER)
    assert shares(registry) == {1: 9000, 2: 1000}


def test_what_is_refused(registry: Registry) -> None:
    with pytest.raises(RefusedError, match="never was a rollout"):
        registry.stop_rollout(MODEL)
    with pytest.raises(RefusedError, match="Promote one first"):
        registry.begin_rollout(MODEL, ByNumber(2), plan=PLAN, alias="staging")
    with pytest.raises(RefusedError, match="answers all of production already"):
        begin(registry, number=1)
    begin(registry)
    registry.stop_rollout(MODEL)
    with pytest.raises(ConflictError, match="stopped already"):
        registry.stop_rollout(MODEL)


@pytest.mark.parametrize(
    "steps", [(), (0, 100), (10, 5, 100), (10, 10, 100), (1, 10), (1, 101), tuple(range(68, 101))]
)
def test_steps_ascend_to_a_hundred(steps: tuple[int, ...]) -> None:
    Plan(tuple(range(69, 101)), GATE, HOLDER)
    with pytest.raises(FieldError, match="must be"):
        Plan(steps, GATE, HOLDER)


def test_what_was_before_and_may_answer_no_more_cannot_be_restored(registry: Registry) -> None:
    begin(registry, Plan((100,), GATE, HOLDER))
    digests = {number: registry.version(MODEL, ByNumber(number)).digest for number in (1, 2)}
    registry.record_deployment(
        MODEL, "maas", function="maas-sentiment:live", function_version="1", digests=digests
    )
    registry.leave_deployment(MODEL, "maas")
    with pytest.raises(RefusedError, match="maas destroy"):
        registry.stop_rollout(MODEL)
    assert shares(registry) == {2: 10_000}


def test_of_many_drivers_one_moves_each_step(file: Path) -> None:
    with two_versions(file) as registry:
        begin(registry)
    won: list[int] = []

    def drive() -> None:
        with two_versions(file) as mine, contextlib.suppress(MaasError):
            won.append(mine.advance_rollout(MODEL, holder=HOLDER).revision)

    threads = [threading.Thread(target=drive) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with two_versions(file) as registry:
        record = registry.rollout(MODEL).record
        assert record is not None
        assert sorted(won) == list(range(2, record.revision + 1))
        assert contradictions(copy_model(store_of(file), MODEL)) == []


def test_a_running_rollout_moves_to_another_store(
    registry: Registry, file: Path, tmp_path: Path
) -> None:
    begin(registry)
    target = store_of(tmp_path / "other.sqlite")
    with io.BytesIO(b"".join(export_lines(store_of(file), []))) as lines:
        import_file(target, lines)
    with Registry(target, clock=lambda: datetime.now(UTC), actor="bea") as other:
        assert other.rollout(MODEL) == registry.rollout(MODEL)
        other.advance_rollout(MODEL, holder=HOLDER)
        assert shares(other) == {1: 9000, 2: 1000}


@pytest.mark.parametrize("status", ["finished", "stopped"])
def test_who_is_owed_the_news_of_an_end_is_written_with_the_end(
    registry: Registry, file: Path, status: str
) -> None:
    begin(registry, Plan((100,), GATE, HOLDER))
    if status == "finished":
        record = registry.advance_rollout(MODEL, holder=HOLDER, reason="well", owes=True)
    else:
        record = registry.stop_rollout(MODEL, reason="slow", owes=True)
    (owed,) = record.owed
    assert (owed.version, owed.event, owed.revision) == (2, status, record.revision)
    assert (owed.reason, owed.weight) == (("well", 10_000) if status == "finished" else ("slow", 0))
    events = registry.history(MODEL).records
    # When it has been delivered it is owed no more, and history says so
    settled = registry.settle_rollout(MODEL, record.owed, reason="told a friend")
    assert (settled.owed, settled.status, settled.holder) == ((), status, HOLDER)
    assert registry.history(MODEL).records[1:] == events
    assert registry.history(MODEL).records[0].reason == "told a friend"
    assert shares(registry) == ({2: 10_000} if status == "finished" else {1: 10_000})
    # and who says it again changes nothing
    assert registry.settle_rollout(MODEL, record.owed) == settled
    assert contradictions(copy_model(store_of(file), MODEL)) == []


def test_what_is_owed_outlives_the_next_rollouts(registry: Registry) -> None:
    for _ in range(OWED_MAX + 1):
        begin(registry)
        record = registry.stop_rollout(MODEL, reason="slow", owes=True)
    begin(registry)
    running = registry.rollout(MODEL).record
    assert running is not None
    assert running.owed == record.owed
    revisions = [owed.revision for owed in running.owed]
    assert revisions == [2 * number for number in range(2, OWED_MAX + 2)]  # the newest
    # Some of it may be delivered while one is running
    left = registry.settle_rollout(MODEL, running.owed[:3]).owed
    assert left == running.owed[3:]
    assert registry.rollout(MODEL).running
    registry.advance_rollout(MODEL, holder=HOLDER)


def test_records_of_older_releases_owe_nothing_and_read_what_owes_nothing(
    registry: Registry,
) -> None:
    begin(registry)
    record = registry.stop_rollout(MODEL, reason="slow")
    assert record.owed == ()
    body = encode(record)
    assert "owed" not in body
    assert decode(body, RolloutRecord) == record
