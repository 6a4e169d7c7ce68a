"""The registry against a small oracle: any sequence of changes, by two who share the file."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from maas.errors import NotFoundError, RefusedError
from maas.registry.addresses import ByNumber
from maas.registry.records import WEIGHT_TOTAL, Candidate, Route, Verification
from maas.registry.registry import Registry
from maas.registry.sqlite import SqliteStore

ALIASES = st.sampled_from(("production", "canary"))
Weights = dict[int, int]


def candidate(seed: int) -> Candidate:
    return Candidate(
        model="sentiment",
        digest=f"sha256:{seed:064x}",
        task="text-classification",
        inputs=(),
        outputs=(),
        verification=Verification(golden=1, max_difference=0.0, seconds=0.0),
    )


class RegistryMachine(RuleBasedStateMachine):
    """Two registries on one file take turns; the oracle is three plain variables."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        file = Path(self.folder.name) / "registry.sqlite"
        now = datetime(2030, 1, 1, tzinfo=UTC)
        self.doors = [
            Registry(SqliteStore(file), clock=lambda: now, actor=actor) for actor in ("ada", "bob")
        ]
        self.digests: list[str] = []
        self.aliases: dict[str, list[Weights]] = {}
        self.changes = 0

    def teardown(self) -> None:
        for door in self.doors:
            door.close()
        self.folder.cleanup()

    def door(self) -> Registry:
        return self.doors[self.changes % 2]

    @rule(seed=st.integers(1, 6))
    def register(self, seed: int) -> None:
        new = candidate(seed)
        outcome = self.door().register(new)
        assert outcome.created == (new.digest not in self.digests)
        if outcome.created:
            self.digests.append(new.digest)
            self.changes += 1
        assert outcome.record.number == self.digests.index(new.digest) + 1

    @precondition(lambda self: self.digests)
    @rule(number=st.integers(1, 7), alias=ALIASES, weight=st.sampled_from((1, 10, 33, 50, 100)))
    def promote(self, number: int, alias: str, weight: int) -> None:
        past = self.aliases.get(alias, [])
        before = past[-1] if past else {}
        others = before.keys() - {number}
        possible = number <= len(self.digests) and (weight == 100 or bool(others))
        try:
            change = self.door().promote("sentiment", ByNumber(number), alias=alias, weight=weight)
        except (RefusedError, NotFoundError):
            assert not possible
            return
        assert possible
        after = {route.version: route.weight for route in change.record.routes}
        assert after[number] == weight * WEIGHT_TOTAL // 100
        assert after.keys() - {number} <= others
        assert change.changed == (after != before)
        if change.changed:
            self.aliases.setdefault(alias, []).append(after)
            self.changes += 1

    @rule(alias=ALIASES)
    def rollback(self, alias: str) -> None:
        past = self.aliases.get(alias, [])
        try:
            change = self.door().rollback("sentiment", alias=alias)
        except (RefusedError, NotFoundError):
            assert len(past) < 2
            return
        assert {route.version: route.weight for route in change.record.routes} == past[-2]
        past.append(past[-2])
        self.changes += 1

    @precondition(lambda self: self.digests)
    @invariant()
    def everything_is_as_the_oracle_says(self) -> None:
        for door in self.doors:
            policy = door.policy("sentiment")
            events = door.history("sentiment").records
            assert policy.revision == door.model("sentiment").revision == self.changes
            assert [event.revision for event in events] == list(range(self.changes, 0, -1))
            assert policy.digests == dict(enumerate(self.digests, start=1))
            assert policy.aliases == {name: routes(past[-1]) for name, past in self.aliases.items()}
            for alias in door.aliases("sentiment"):
                past = self.aliases[alias.name]
                assert (alias.revision, alias.routes) == (len(past), routes(past[-1]))


def routes(weights: Weights) -> tuple[Route, ...]:
    return tuple(Route(version, weights[version]) for version in sorted(weights))


TestRegistryMachine = RegistryMachine.TestCase
TestRegistryMachine.settings = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
