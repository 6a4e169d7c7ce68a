"""The registry against a small oracle: any sequence of changes, by two who share the store."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from support.dynamo import REGION, empty_table
from support.effort import examples

from maas.errors import FieldError, NotFoundError, RefusedError
from maas.registry.addresses import ByNumber
from maas.registry.dynamo import Table
from maas.registry.dynamo_store import DynamoStore
from maas.registry.historian import AtRevision
from maas.registry.records import WEIGHT_TOTAL, Candidate, Route, Shadow, Verification
from maas.registry.registry import Registry
from maas.registry.sqlite import SqliteStore
from maas.registry.store import Store
from maas.registry.timeline import AliasState
from maas_lab.registry.checks import contradictions
from maas_lab.registry.copies import copy_model

MODEL = "sentiment"
ALIASES = st.sampled_from(("production", "canary"))
NUMBERS = st.sampled_from((1, 2, 3, 1, 2, 3, 4, 7))
TAGS = st.sets(st.sampled_from(("good", "bad", "fast")), max_size=2)
Weights = dict[int, int]


def candidate(seed: int) -> Candidate:
    return Candidate(
        model=MODEL,
        digest=f"sha256:{seed:064x}",
        task="text-classification",
        inputs=(),
        outputs=(),
        verification=Verification(golden=1, max_difference=0.0, seconds=0.0),
    )


class RegistryMachine(RuleBasedStateMachine):
    """Two registries on one store take turns; the oracle is some plain variables."""

    @staticmethod
    def open_stores(folder: Path) -> list[Store]:
        """Two doors to one empty store."""
        raise NotImplementedError

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        now = datetime(2030, 1, 1, tzinfo=UTC)
        self.stores = type(self).open_stores(Path(self.folder.name))
        self.doors = [
            Registry(store, clock=lambda: now, actor=actor)
            for store, actor in zip(self.stores, ("ada", "bob"), strict=True)
        ]
        self.digests: list[str] = []
        self.statuses: list[str] = []
        self.passed: list[bool] = []
        self.tags: list[set[str]] = []
        self.aliases: dict[str, list[Weights]] = {}
        self.before: dict[str, Weights | None] = {}
        self.shadows: dict[str, Shadow] = {}
        self.past: dict[str, list[tuple[int, AliasState]]] = {}
        self.changes = 0

    def teardown(self) -> None:
        try:
            if self.digests:
                assert contradictions(copy_model(self.stores[0], MODEL)) == []
        finally:
            for door in self.doors:
                door.close()
            self.folder.cleanup()

    # ---- The oracle's words ----------------------------------------------------------------------

    def door(self) -> Registry:
        return self.doors[self.changes % 2]

    def status(self, number: int) -> str:
        return self.statuses[number - 1] if number <= len(self.statuses) else "absent"

    def now(self, alias: str) -> Weights:
        return self.aliases.get(alias, [{}])[-1]

    def in_use(self, number: int) -> bool:
        shadowed = {shadow.version for shadow in self.shadows.values()}
        return number in shadowed or any(number in self.now(alias) for alias in self.aliases)

    def changed(self, *aliases: str) -> None:
        self.changes += 1
        for alias in aliases:
            state = AliasState(routes(self.now(alias)), self.shadows.get(alias))
            self.past.setdefault(alias, []).append((self.changes, state))

    # ---- What is done ----------------------------------------------------------------------------

    @initialize(versions=st.integers(0, 4), shared=st.booleans())
    def begin(self, versions: int, shared: bool) -> None:
        """Mostly from a model that is in use, for nothing much can be done without."""
        for seed in range(1, versions + 1):
            self.register(seed)
        if versions:
            self.promote(1, "production", 100, force=False)
        if versions > 1 and shared:
            self.promote(2, "production", 33, force=False)

    @rule(seed=st.integers(1, 6))
    def register(self, seed: int) -> None:
        new = candidate(seed)
        outcome = self.door().register(new)
        assert outcome.created == (new.digest not in self.digests)
        if outcome.created:
            self.digests.append(new.digest)
            self.statuses.append("verified")
            self.passed.append(True)
            self.tags.append(set())
            self.changed()
        assert outcome.record.number == self.digests.index(new.digest) + 1

    @precondition(lambda self: self.digests)
    @rule(
        number=NUMBERS,
        alias=ALIASES,
        weight=st.sampled_from((50, 10, 33, 1, 100)),
        force=st.booleans(),
    )
    def promote(self, number: int, alias: str, weight: int, force: bool) -> None:
        before = self.now(alias)
        others = before.keys() - {number}
        allowed = {"verified", "registered"} if force else {"verified"}
        possible = self.status(number) in allowed and (weight == 100 or bool(others))
        try:
            change = self.door().promote(
                MODEL, ByNumber(number), alias=alias, weight=weight, force=force, reason="so"
            )
        except (RefusedError, NotFoundError):
            assert not possible
            return
        assert possible
        after = weights(change.record.routes)
        assert after[number] == weight * WEIGHT_TOTAL // 100
        assert after.keys() - {number} <= others
        assert change.changed == (after != before)
        if change.changed:
            self.before[alias] = before or None
            self.aliases.setdefault(alias, []).append(after)
            self.changed(alias)

    @rule(alias=ALIASES)
    def rollback(self, alias: str) -> None:
        wanted = self.before.get(alias)
        possible = wanted is not None and all(self.status(n) == "verified" for n in wanted)
        try:
            change = self.door().rollback(MODEL, alias=alias)
        except (RefusedError, NotFoundError):
            assert not possible
            return
        assert possible
        self.restored(alias, wanted or {}, change.record.routes)

    @precondition(lambda self: self.past)
    @rule(alias=ALIASES, back=st.integers(0, 8), dry=st.booleans())
    def rollback_to(self, alias: str, back: int, dry: bool) -> None:
        revision = max(1, self.changes - back)
        then = self.then(alias, revision)
        wanted = weights(then.routes) if then else None
        possible = wanted is not None and (
            wanted == self.now(alias) or all(self.status(n) == "verified" for n in wanted)
        )
        try:
            change = self.door().rollback(MODEL, alias=alias, to=AtRevision(revision), dry_run=dry)
        except (RefusedError, NotFoundError):
            assert not possible
            return
        assert possible
        assert wanted is not None
        assert weights(change.record.routes) == wanted
        assert change.changed == (wanted != self.now(alias))
        if change.changed and not dry:
            self.restored(alias, wanted, change.record.routes)

    def restored(self, alias: str, wanted: Weights, found: tuple[Route, ...]) -> None:
        assert weights(found) == wanted
        self.before[alias] = self.now(alias)
        self.aliases[alias].append(wanted)
        self.changed(alias)

    @precondition(lambda self: self.digests)
    @rule(number=NUMBERS, passed=st.booleans())
    def verify(self, number: int, passed: bool) -> None:
        proof = Verification(1, 0.0, 0.0, passed=passed, problem="" if passed else "differs")
        try:
            change = self.door().record_verification(MODEL, ByNumber(number), proof)
        except NotFoundError:
            assert self.status(number) == "absent"
            return
        if self.status(number) in {"registered", "verified"}:
            self.statuses[number - 1] = "verified" if passed else "registered"
        self.passed[number - 1] = passed
        assert change.record.status == self.status(number)
        self.changed()

    @precondition(lambda self: self.digests)
    @rule(number=NUMBERS)
    def retire(self, number: int) -> None:
        status = self.status(number)
        possible = status in {"registered", "verified", "retired"} and not self.in_use(number)
        try:
            change = self.door().retire(MODEL, ByNumber(number))
        except (RefusedError, NotFoundError):
            assert not possible
            return
        assert possible
        assert change.changed == (status != "retired")
        if change.changed:
            self.statuses[number - 1] = "retired"
            self.changed()

    @precondition(lambda self: self.digests)
    @rule(number=NUMBERS)
    def block(self, number: int) -> None:
        status = self.status(number)
        alone = any(self.now(alias).keys() == {number} for alias in self.aliases)
        try:
            change = self.door().block(MODEL, ByNumber(number))
        except (RefusedError, NotFoundError):
            assert status == "absent" or alone
            return
        assert not alone
        assert change.changed == (status != "blocked")
        if not change.changed:
            return
        self.statuses[number - 1] = "blocked"
        moved = []
        for alias in self.aliases:
            before, shadow = self.now(alias), self.shadows.get(alias)
            if shadow is not None and shadow.version == number:
                del self.shadows[alias]
            elif number not in before:
                continue
            after = weights(self.door().alias(MODEL, alias).routes)
            kept = {version: weight for version, weight in before.items() if version != number}
            assert after.keys() == kept.keys()
            for version, weight in kept.items():
                assert abs(after[version] - weight * WEIGHT_TOTAL / sum(kept.values())) < 1
            self.aliases[alias].append(after)
            moved.append(alias)
        self.changed(*moved)

    @precondition(lambda self: "blocked" in self.statuses)
    @rule(number=st.none() | NUMBERS)
    def unblock(self, number: int | None) -> None:
        number = number or self.statuses.index("blocked") + 1
        try:
            change = self.door().unblock(MODEL, ByNumber(number))
        except NotFoundError:
            assert self.status(number) == "absent"
            return
        assert change.changed == (self.status(number) == "blocked")
        if change.changed:
            self.statuses[number - 1] = "verified" if self.passed[number - 1] else "registered"
            self.changed()

    @precondition(lambda self: self.aliases)
    @rule(
        number=st.sampled_from((2, 3, None, 1, 4)),
        alias=ALIASES,
        sample=st.sampled_from((500, 1, 10_000, 0)),
    )
    def shadow(self, number: int | None, alias: str, sample: int) -> None:
        possible = alias in self.aliases and (
            number is None
            or (
                sample > 0
                and self.status(number) == "verified"
                and self.now(alias).keys() != {number}
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
        assert change.changed == (wanted != self.shadows.get(alias))
        if change.changed:
            if wanted is None:
                del self.shadows[alias]
            else:
                self.shadows[alias] = wanted
            self.aliases[alias].append(self.now(alias))
            self.changed(alias)

    @precondition(lambda self: self.digests)
    @rule(number=NUMBERS, add=TAGS, remove=TAGS)
    def tag(self, number: int, add: set[str], remove: set[str]) -> None:
        try:
            change = self.door().tag(MODEL, ByNumber(number), add=add, remove=remove)
        except (FieldError, NotFoundError):
            assert add & remove or self.status(number) == "absent"
            return
        wanted = (self.tags[number - 1] | add) - remove
        assert set(change.record.tags) == wanted
        assert change.changed == (wanted != self.tags[number - 1])
        if change.changed:
            self.tags[number - 1] = wanted
            self.changed()

    # ---- What must hold --------------------------------------------------------------------------

    def then(self, alias: str, revision: int) -> AliasState | None:
        states = [state for at, state in self.past.get(alias, ()) if at <= revision]
        return states[-1] if states else None

    @precondition(lambda self: self.digests)
    @invariant()
    def everything_is_as_the_oracle_says(self) -> None:
        door = self.doors[self.changes % 2]
        policy = door.policy(MODEL)
        assert policy.revision == self.changes
        assert policy.digests == dict(enumerate(self.digests, start=1))
        assert policy.aliases == {name: routes(self.now(name)) for name in self.aliases}
        assert policy.shadows == self.shadows
        assert [self.status(n) for n in policy.blocked] == ["blocked"] * self.statuses.count(
            "blocked"
        )
        assert [(v.status, set(v.tags)) for v in door.versions(MODEL).records[::-1]] == list(
            zip(self.statuses, self.tags, strict=True)
        )
        for alias in door.aliases(MODEL):
            assert alias.revision == len(self.aliases[alias.name])
            assert alias.routes == routes(self.now(alias.name))

    @precondition(lambda self: self.past)
    @rule(alias=ALIASES, back=st.integers(0, 8))
    def what_was_is_told(self, alias: str, back: int) -> None:
        revision = max(1, self.changes - back)
        try:
            told = self.door().alias_at(MODEL, alias, AtRevision(revision)).state
        except NotFoundError:
            told = None
        assert told == self.then(alias, revision)


def routes(shares: Weights) -> tuple[Route, ...]:
    return tuple(Route(version, shares[version]) for version in sorted(shares))


def weights(shares: tuple[Route, ...]) -> Weights:
    return {route.version: route.weight for route in shares}


class FileMachine(RegistryMachine):
    """On SQLite."""

    @staticmethod
    def open_stores(folder: Path) -> list[Store]:
        return [SqliteStore(folder / "registry.sqlite") for _ in range(2)]


def run(machine: type[RegistryMachine], *, examples: int, steps: int) -> None:
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


def test_any_sequence_of_changes_is_as_the_oracle_says() -> None:
    run(FileMachine, examples=examples(40, 400), steps=25)


def test_any_sequence_of_changes_of_a_table_is_as_the_oracle_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = empty_table(monkeypatch)
    other = Table(table.name, region=REGION, endpoint=table.endpoint)

    class TableMachine(RegistryMachine):
        @staticmethod
        def open_stores(_: Path) -> list[Store]:
            empty_table(monkeypatch)
            return [KeptOpen(table), KeptOpen(other)]

    run(TableMachine, examples=examples(2, 40), steps=15)
    other.close()


class KeptOpen(DynamoStore):
    """A table's store whose client is made once for all sequences: that takes longest."""

    def close(self) -> None:
        """Nothing: the test closes its table itself."""
