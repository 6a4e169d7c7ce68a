"""The registry against a small oracle: any sequence of changes, by two who share the store."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule, run_state_machine_as_test
from support.dynamo import REGION, empty_table
from support.effort import examples
from support.registry_machine import ALIASES, MODEL, NUMBERS, ReleasesMachine
from support.registry_oracle import Rolling, weights

from maas.errors import ConflictError, FieldError, NotFoundError, RefusedError
from maas.registry.addresses import ByNumber
from maas.registry.dynamo import Table
from maas.registry.dynamo_store import DynamoStore
from maas.registry.historian import AtRevision
from maas.registry.rollout_plans import Plan
from maas.registry.rollout_records import Gate
from maas.registry.sqlite import SqliteStore
from maas.registry.store import Store

TAGS = st.sets(st.sampled_from(("good", "bad", "fast")), max_size=2)
STEPS = st.sampled_from(((1, 50, 100), (10, 100), (33, 66, 100), (100,)))
ROLLED = st.sampled_from((None, None, None, None, "production", "canary"))
"""An alias; None is one that a rollout is running to."""
MOVES = st.sampled_from(("1", "2", "stop", "1", "resume"))
"""So many steps, or something else."""
GATE = Gate(interval=600.0, max_error_rate=0.01, max_p99_ratio=1.5, min_requests=50)


class VersionsMachine(ReleasesMachine):
    """New versions, their words, and time travel."""

    @rule(seed=st.integers(1, 6))
    def register(self, seed: int) -> None:
        self.add(seed)

    @precondition(lambda self: self.oracle.past and self.oracle.decides())
    @rule(alias=ALIASES, back=st.integers(-1, 8), dry=st.booleans())
    def rollback_to(self, alias: str, back: int, dry: bool) -> None:
        revision = max(1, self.oracle.changes - back)
        then = self.oracle.then(alias, revision)
        wanted = weights(then.routes) if then else None
        possible = wanted is not None and (
            wanted == self.oracle.now(alias)
            or all(self.oracle.status(n) == "verified" for n in wanted)
        )
        try:
            change = self.door().rollback(MODEL, alias=alias, to=AtRevision(revision), dry_run=dry)
        except (RefusedError, NotFoundError):
            assert not possible
            return
        assert possible
        assert wanted is not None
        assert weights(change.record.routes) == wanted
        assert change.changed == (wanted != self.oracle.now(alias))
        if change.changed and not dry:
            self.restored(alias, wanted, change.record.routes)

    @precondition(lambda self: "blocked" in self.oracle.statuses)
    @rule(number=st.none() | NUMBERS)
    def unblock(self, number: int | None) -> None:
        number = number or self.oracle.statuses.index("blocked") + 1
        try:
            change = self.door().unblock(MODEL, ByNumber(number))
        except NotFoundError:
            assert self.oracle.status(number) == "absent"
            return
        assert change.changed == (self.oracle.status(number) == "blocked")
        if change.changed:
            earned = "verified" if self.oracle.passed[number - 1] else "registered"
            self.oracle.statuses[number - 1] = (
                "retired" if number in self.oracle.retired else earned
            )
            assert change.record.status == self.oracle.status(number)
            self.oracle.changed()

    @precondition(lambda self: self.oracle.digests)
    @rule(number=NUMBERS, add=TAGS, remove=TAGS)
    def tag(self, number: int, add: set[str], remove: set[str]) -> None:
        try:
            change = self.door().tag(MODEL, ByNumber(number), add=add, remove=remove)
        except (FieldError, NotFoundError):
            assert add & remove or self.oracle.status(number) == "absent"
            return
        wanted = (self.oracle.tags[number - 1] | add) - remove
        assert set(change.record.tags) == wanted
        assert change.changed == (wanted != self.oracle.tags[number - 1])
        if change.changed:
            self.oracle.tags[number - 1] = wanted
            self.oracle.changed()

    @precondition(lambda self: self.oracle.past)
    @rule(alias=ALIASES, back=st.integers(-1, 8))
    def what_was_is_told(self, alias: str, back: int) -> None:
        revision = max(1, self.oracle.changes - back)
        try:
            told = self.door().alias_at(MODEL, alias, AtRevision(revision)).state
        except NotFoundError:
            told = None
        assert told == self.oracle.then(alias, revision)


class RolloutsMachine(ReleasesMachine):
    """A model in use whose versions are rolled out."""

    @initialize(shared=st.booleans(), number=st.sampled_from((3, 2, None)), steps=STEPS)
    def roll(self, shared: bool, number: int | None, steps: tuple[int, ...]) -> None:
        self.begin(4, shared)
        if number:
            self.begin_rollout(number, "production", steps)

    @precondition(lambda self: self.oracle.aliases)
    @rule(number=st.sampled_from((2, 3, 1, 2, 3, 4)), alias=ALIASES, steps=STEPS)
    def begin_rollout(self, number: int, alias: str, steps: tuple[int, ...]) -> None:
        oracle, baseline = self.oracle, self.oracle.now(alias)
        possible = (
            oracle.running(alias) is None
            and bool(baseline)
            and baseline.keys() != {number}
            and oracle.status(number) == "verified"
        )
        plan = Plan(steps, GATE, f"{oracle.changes:x}")
        try:
            record = self.door().begin_rollout(MODEL, ByNumber(number), plan=plan, alias=alias)
        except (RefusedError, NotFoundError, ConflictError):
            assert not possible
            return
        assert possible
        assert weights(record.baseline) == baseline
        rolling = Rolling(number, steps, baseline, plan.holder)
        after = weights(self.door().alias(MODEL, alias).routes)
        self.is_at_its_step(rolling, after)
        oracle.roll(alias, rolling, after)

    @precondition(lambda self: self.oracle.rollouts)
    @rule(alias=ROLLED, what=MOVES, by=st.sampled_from(("driver", "driver", "person", "rival")))
    def move(self, alias: str | None, what: str, by: str) -> None:
        """What drivers do, in one rule, so that rollouts get somewhere."""
        alias = alias or self.oracle.rolled()
        match what:
            case "resume":
                self.resume(alias)
            case "stop":
                self.stop(alias, by)
            case _:
                for _ in range(int(what)):
                    self.advance(alias, by)

    def advance(self, alias: str, by: str) -> None:
        """The next step, or the end; only who holds the rollout may."""
        oracle, rolling = self.oracle, self.oracle.running(alias)
        last = rolling is not None and rolling.step + 1 == len(rolling.steps)
        possible = (
            rolling is not None
            and by != "rival"
            and (last or oracle.status(rolling.version) == "verified")
        )
        holder = rolling.holder if rolling and by != "rival" else "fff"
        try:
            self.door().advance_rollout(MODEL, holder=holder, alias=alias)
        except (RefusedError, ConflictError):
            assert not possible
            return
        assert possible
        assert rolling is not None
        if last:
            rolling.status = "finished"
            oracle.changed()
            return
        rolling.step += 1
        after = weights(self.door().alias(MODEL, alias).routes)
        self.is_at_its_step(rolling, after)
        oracle.roll(alias, rolling, after)

    def stop(self, alias: str, by: str) -> None:
        """What was before can always be restored, by the driver and by a person."""
        rolling = self.oracle.running(alias)
        possible = rolling is not None and by != "rival"
        holder = None if by == "person" else "fff"
        holder = rolling.holder if rolling and by == "driver" else holder
        try:
            self.door().stop_rollout(MODEL, alias=alias, holder=holder, reason="slow")
        except (RefusedError, ConflictError):
            assert not possible
            return
        assert possible
        assert rolling is not None
        rolling.status = "stopped"
        assert weights(self.door().alias(MODEL, alias).routes) == rolling.baseline
        self.oracle.roll(alias, rolling, rolling.baseline)

    def resume(self, alias: str) -> None:
        """Another driver goes on from the step where it is; the former one does no more."""
        rolling = self.oracle.running(alias)
        holder = f"{self.oracle.changes:x}"
        try:
            record = self.door().take_rollout(MODEL, alias=alias, holder=holder)
        except (RefusedError, ConflictError):
            assert rolling is None
            return
        assert rolling is not None
        assert record.step == rolling.step
        former, rolling.holder = rolling.holder, holder
        self.oracle.changed()
        with pytest.raises(ConflictError):
            self.door().advance_rollout(MODEL, alias=alias, holder=former)


class AllMachine(VersionsMachine, RolloutsMachine):
    """Everything at once."""


MACHINES = {"all": AllMachine, "rollouts": RolloutsMachine}


def run(machine: type[ReleasesMachine], *, examples: int, steps: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("kind", MACHINES)
def test_any_sequence_of_changes_is_as_the_oracle_says(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_stores(folder: Path) -> list[Store]:
        return [SqliteStore(folder / "registry.sqlite") for _ in range(2)]

    monkeypatch.setattr(ReleasesMachine, "open_stores", staticmethod(open_stores))
    run(MACHINES[kind], examples=examples(40, 400), steps=25)


@pytest.mark.parametrize("kind", MACHINES)
def test_any_sequence_of_changes_of_a_table_is_as_the_oracle_says(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = empty_table(monkeypatch)
    other = Table(table.name, region=REGION, endpoint=table.endpoint)

    def open_stores(_: Path) -> list[Store]:
        empty_table(monkeypatch)
        return [KeptOpen(table), KeptOpen(other)]

    monkeypatch.setattr(ReleasesMachine, "open_stores", staticmethod(open_stores))
    run(MACHINES[kind], examples=examples(9, 40), steps=15)
    other.close()


class KeptOpen(DynamoStore):
    """A table's store whose client is made once for all sequences: that takes longest."""

    def close(self) -> None:
        """Nothing: the test closes its table itself."""
