"""The state machine of the registry: what is done to releases, and what must hold all the time.

A subclass adds what else is done, and a test says where:

class VersionsMachine(ReleasesMachine): …
monkeypatch.setattr(ReleasesMachine, "open_stores", staticmethod(open_stores))
run_state_machine_as_test(VersionsMachine, settings=…)
"""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from support.registry_oracle import (
    ALIVE,
    Oracle,
    Rolling,
    Weights,
    is_shared,
    routes,
    weights,
    without,
)

from maas.errors import FieldError, NotFoundError, RefusedError
from maas.registry.addresses import ByNumber
from maas.registry.records import WEIGHT_TOTAL, Candidate, Route, Shadow, Verification
from maas.registry.registry import Registry
from maas.registry.rollout_plans import running
from maas.registry.rollout_records import RolloutRecord
from maas.registry.store import Store
from maas_lab.registry.checks import contradictions
from maas_lab.registry.copies import copy_model

MODEL = "sentiment"
ALIASES = st.sampled_from(("production", "canary"))
NUMBERS = st.sampled_from((1, 2, 3, 1, 2, 3, 4, 7))


def candidate(seed: int) -> Candidate:
    return Candidate(
        model=MODEL,
        digest=f"sha256:{seed:064x}",
        task="text-classification",
        inputs=(),
        outputs=(),
        verification=Verification(golden=1, max_difference=0.0, seconds=0.0),
    )


class ReleasesMachine(RuleBasedStateMachine):
    """Two registries on one store take turns; the oracle is some plain variables."""

    @staticmethod
    def open_stores(folder: Path) -> list[Store]:
        """Two doors to one empty store; a test says of which kind."""
        raise NotImplementedError

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        now = datetime(2030, 1, 1, tzinfo=UTC)
        self.stores = self.open_stores(Path(self.folder.name))
        self.doors = [
            Registry(store, clock=lambda: now, actor=actor)
            for store, actor in zip(self.stores, ("ada", "bob"), strict=True)
        ]
        self.oracle = Oracle()

    def teardown(self) -> None:
        try:
            if self.oracle.digests:
                assert contradictions(copy_model(self.stores[0], MODEL)) == []
        finally:
            for door in self.doors:
                door.close()
            self.folder.cleanup()

    def door(self) -> Registry:
        return self.doors[self.oracle.changes % 2]

    # ---- What is done ----------------------------------------------------------------------------

    @initialize(versions=st.integers(0, 4), shared=st.booleans())
    def begin(self, versions: int, shared: bool) -> None:
        """Mostly from a model that is in use, for nothing much can be done without."""
        for seed in range(1, versions + 1):
            self.add(seed)
        if versions:
            self.promote(1, "production", 100, force=False)
        if versions > 1 and shared:
            self.promote(2, "production", 33, force=False)

    def add(self, seed: int) -> None:
        new = candidate(seed)
        outcome = self.door().register(new)
        assert outcome.created == (new.digest not in self.oracle.digests)
        if outcome.created:
            self.oracle.register(new.digest)
        assert outcome.record.number == self.oracle.digests.index(new.digest) + 1

    @precondition(lambda self: self.oracle.digests and self.oracle.decides())
    @rule(
        number=NUMBERS,
        alias=ALIASES,
        weight=st.sampled_from((50, 10, 33, 1, 100)),
        force=st.booleans(),
    )
    def promote(self, number: int, alias: str, weight: int, force: bool) -> None:
        before = self.oracle.now(alias)
        others = before.keys() - {number}
        allowed = {"verified", "registered"} if force else {"verified"}
        possible = self.oracle.status(number) in allowed and (weight == 100 or bool(others))
        try:
            change = self.door().promote(
                MODEL, ByNumber(number), alias=alias, weight=weight, force=force, reason="so"
            )
        except (RefusedError, NotFoundError):
            assert not possible
            return
        assert possible
        after = weights(change.record.routes)
        share = {number: weight * WEIGHT_TOTAL // 100}
        assert is_shared(after, share, {} if weight == 100 else without(before, number))
        assert change.changed == (after != before)
        if change.changed:
            self.oracle.decide(alias, after)

    @precondition(lambda self: self.oracle.decides())
    @rule(alias=ALIASES)
    def rollback(self, alias: str) -> None:
        wanted = self.oracle.before.get(alias)
        possible = wanted is not None and all(self.oracle.status(n) == "verified" for n in wanted)
        try:
            change = self.door().rollback(MODEL, alias=alias)
        except (RefusedError, NotFoundError):
            assert not possible
            return
        assert possible
        self.restored(alias, wanted or {}, change.record.routes)

    def restored(self, alias: str, wanted: Weights, found: tuple[Route, ...]) -> None:
        assert weights(found) == wanted
        self.oracle.decide(alias, wanted)

    @precondition(lambda self: self.oracle.digests)
    @rule(number=NUMBERS, passed=st.sampled_from((True, False, True)))
    def verify(self, number: int, passed: bool) -> None:
        proof = Verification(1, 0.0, 0.0, passed=passed, problem="" if passed else "differs")
        try:
            change = self.door().record_verification(MODEL, ByNumber(number), proof)
        except NotFoundError:
            assert self.oracle.status(number) == "absent"
            return
        if self.oracle.status(number) in {"registered", "verified"}:
            self.oracle.statuses[number - 1] = "verified" if passed else "registered"
        self.oracle.passed[number - 1] = passed
        assert change.record.status == self.oracle.status(number)
        self.oracle.changed()

    @precondition(lambda self: self.oracle.mostly_alive())
    @rule(number=NUMBERS)
    def retire(self, number: int) -> None:
        status = self.oracle.status(number)
        used = self.oracle.in_use(number) or self.oracle.needed(number)
        possible = status in ALIVE | {"retired"} and not used
        try:
            change = self.door().retire(MODEL, ByNumber(number))
        except (RefusedError, NotFoundError):
            assert not possible
            return
        assert possible
        assert change.changed == (status != "retired")
        if change.changed:
            self.oracle.statuses[number - 1] = "retired"
            self.oracle.retired.add(number)
            self.oracle.changed()

    @precondition(lambda self: self.oracle.mostly_alive())
    @rule(number=NUMBERS)
    def block(self, number: int) -> None:
        oracle, status = self.oracle, self.oracle.status(number)
        try:
            change = self.door().block(MODEL, ByNumber(number), reason="bad")
        except (RefusedError, NotFoundError):
            assert status == "absent" or oracle.last_of_an_alias(number)
            return
        assert status == "blocked" or not oracle.last_of_an_alias(number)
        assert change.changed == (status != "blocked")
        if not change.changed:
            return
        oracle.statuses[number - 1] = "blocked"
        moved = [alias for alias in oracle.aliases if self.leaves(alias, number)]
        oracle.changed(*moved)

    def leaves(self, alias: str, number: int) -> bool:
        """Take a version that was just blocked out of an alias, if it is there."""
        oracle, before = self.oracle, self.oracle.now(alias)
        rolling, shadow = oracle.running(alias), oracle.shadows.get(alias)
        shadowed = shadow is not None and shadow.version == number
        if not shadowed and number not in before and (not rolling or number not in rolling.needed):
            return False
        if shadowed:
            del oracle.shadows[alias]
        after = weights(self.door().alias(MODEL, alias).routes)
        if rolling is None:
            assert is_shared(after, {}, without(before, number))
        else:
            kept = weights(self.rollout(alias).baseline)
            assert is_shared(kept, {}, without(rolling.baseline, number))
            oracle.before[alias] = rolling.baseline = kept
            if rolling.version == number:
                rolling.status = "stopped"
                assert after == kept
            else:
                self.is_at_its_step(rolling, after)
        oracle.route(alias, after)
        return True

    @precondition(lambda self: self.oracle.aliases)
    @rule(
        number=st.sampled_from((2, 3, None, 1, 4)),
        alias=ALIASES,
        sample=st.sampled_from((500, 1, 10_000, 0)),
    )
    def shadow(self, number: int | None, alias: str, sample: int) -> None:
        possible = alias in self.oracle.aliases and (
            number is None
            or (
                sample > 0
                and self.oracle.status(number) == "verified"
                and self.oracle.now(alias).keys() != {number}
            )
        )
        address = None if number is None else ByNumber(number)
        try:
            change = self.door().shadow(MODEL, address, sample=sample, alias=alias)
        except (RefusedError, NotFoundError, FieldError):
            assert not possible
            return
        assert possible
        wanted = None if number is None else Shadow(number, sample)
        assert change.record.shadow == wanted
        assert change.changed == (wanted != self.oracle.shadows.get(alias))
        if change.changed:
            if wanted is None:
                del self.oracle.shadows[alias]
            else:
                self.oracle.shadows[alias] = wanted
            self.oracle.route(alias, self.oracle.now(alias))
            self.oracle.changed(alias)

    def rollout(self, alias: str) -> RolloutRecord:
        record = self.door().rollout(MODEL, alias=alias).record
        assert record is not None
        return record

    @staticmethod
    def is_at_its_step(rolling: Rolling, after: Weights) -> None:
        others = {} if rolling.share == WEIGHT_TOTAL else rolling.baseline
        assert is_shared(after, {rolling.version: rolling.share}, without(others, rolling.version))

    # ---- What must hold --------------------------------------------------------------------------

    @precondition(lambda self: self.oracle.digests)
    @invariant()
    def everything_is_as_the_oracle_says(self) -> None:
        door = self.doors[self.oracle.changes % 2]
        policy = door.policy(MODEL)
        assert policy.revision == self.oracle.changes
        assert policy.digests == dict(enumerate(self.oracle.digests, start=1))
        assert policy.aliases == {
            name: routes(self.oracle.now(name)) for name in self.oracle.aliases
        }
        assert policy.shadows == self.oracle.shadows
        assert [self.oracle.status(n) for n in policy.blocked] == [
            "blocked"
        ] * self.oracle.statuses.count("blocked")
        assert [(v.status, set(v.tags)) for v in door.versions(MODEL).records[::-1]] == list(
            zip(self.oracle.statuses, self.oracle.tags, strict=True)
        )
        for alias in door.aliases(MODEL):
            assert alias.revision == len(self.oracle.aliases[alias.name])
            assert alias.routes == routes(self.oracle.now(alias.name))
            assert alias.previous == maybe_routes(self.oracle.before[alias.name])

    @precondition(lambda self: self.oracle.digests)
    @invariant()
    def history_has_no_gap(self) -> None:
        events = self.door().history(MODEL, limit=1_000).records
        assert [event.revision for event in events] == list(range(self.oracle.changes, 0, -1))

    @invariant()
    def every_alias_is_answered(self) -> None:
        """P6: by versions that may answer, and of all requests."""
        for alias in self.oracle.aliases:
            shares = self.oracle.now(alias)
            assert sum(shares.values()) == WEIGHT_TOTAL
            assert self.oracle.alive(set(shares))

    @precondition(lambda self: self.oracle.rollouts)
    @invariant()
    def rollouts_are_as_the_oracle_says(self) -> None:
        """One at a time to an alias; what a running one needs is there, and it has its share."""
        oracle, door = self.oracle, self.door()
        records = door.rollouts(MODEL)
        assert [record.alias for record in records] == sorted(oracle.rollouts)
        alive = running(door.aliases(MODEL), records)
        for record in records:
            rolling = oracle.rollouts[record.alias]
            assert (record.alias in alive) == (rolling.status == "running")
            assert record.status == rolling.status.replace("overtaken", "running")
            assert (record.version, record.steps, record.step, record.holder) == (
                rolling.version,
                rolling.steps,
                rolling.step,
                rolling.holder,
            )
            assert weights(record.baseline) == rolling.baseline
            if rolling.status == "running":
                assert oracle.alive(rolling.needed)
                assert oracle.now(record.alias)[rolling.version] == rolling.share


def maybe_routes(shares: Weights | None) -> tuple[Route, ...] | None:
    return None if shares is None else routes(shares)
