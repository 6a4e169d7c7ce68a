"""Candidates, registries and the invariants that every one of them must keep."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec import convert

from maas.registry.addresses import ByNumber
from maas.registry.reader import Reader
from maas.registry.records import WEIGHT_TOTAL, Candidate, Route, TensorSpec, Verification
from maas.registry.registry import Registry
from maas.registry.sqlite import SqliteStore
from maas.registry.timeline import AliasState, alias_states

NOW = datetime(2030, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)


def make_candidate(seed: int, *, model: str = "sentiment") -> Candidate:
    """A candidate whose digest is made from its seed."""
    return Candidate(
        model=model,
        digest=f"sha256:{seed:064x}",
        task="text-classification",
        inputs=(TensorSpec("input_ids", "int64", ("batch", "sequence")),),
        outputs=(TensorSpec("logits", "float32", ("batch", 2)),),
        verification=Verification(golden=8, max_difference=1e-6, seconds=0.25),
        labels=("negative", "positive"),
        metrics={"accuracy": 0.77},
        lineage={"recipe": "sentiment-lstm"},
    )


def check_invariants(reader: Reader, model: str = "sentiment") -> int:
    """The policy, the versions and the aliases are what history says; answers with its length."""
    events = reader.history(model, limit=1_000).records[::-1]
    assert [event.revision for event in events] == list(range(1, len(events) + 1))
    digests: dict[int, object] = {}
    statuses: dict[int, object] = {}
    counts: Counter[int] = Counter()
    past: dict[str, list[AliasState]] = {}
    previous: dict[str, tuple[Route, ...] | None] = {}
    for event in events:
        if event.action in _VERSION_ACTIONS:
            number = int(event.subject)
            counts[number] += 1
            if event.action == "register":
                assert event.before is None
                digests[number] = event.after["digest"]
            elif event.before and "status" in event.before:
                assert event.before["status"] == statuses[number]
            statuses[number] = event.after.get("status", statuses.get(number))
        before = _aliases(event.before, event.subject)
        for name, state in alias_states(event).items():
            earlier = past.setdefault(name, [])
            assert before.get(name) == (earlier[-1] if earlier else None)
            if event.action in {"promote", "rollback"}:
                previous[name] = earlier[-1].routes if earlier else None
            earlier.append(state)
    record, policy = reader.model(model), reader.policy(model)
    assert policy.revision == record.revision == len(events)
    assert list(digests) == list(range(1, record.last_version + 1))
    versions = reader.versions(model, limit=1_000).records
    assert {v.number: (v.digest, v.status, v.revision) for v in versions} == {
        number: (digest, statuses[number], counts[number]) for number, digest in digests.items()
    }
    assert policy.aliases == {name: states[-1].routes for name, states in past.items()}
    assert policy.blocked == tuple(n for n, status in statuses.items() if status == "blocked")
    for number in {route.version for routes in policy.aliases.values() for route in routes}:
        assert policy.digests[number] == digests[number]
        assert statuses[number] in {"registered", "verified"}
    for alias in reader.aliases(model):
        states = past.pop(alias.name)
        assert (alias.revision, alias.routes) == (len(states), states[-1].routes)
        assert alias.shadow == states[-1].shadow == policy.shadows.get(alias.name)
        assert alias.previous == previous[alias.name]
        assert sum(route.weight for route in alias.routes) == WEIGHT_TOTAL
    assert not past
    return len(events)


_VERSION_ACTIONS = {"register", "verify", "tag", "retire", "block", "unblock"}


def _aliases(before: dict[str, object] | None, subject: str) -> dict[str, AliasState]:
    """What an event says that aliases were before it."""
    if before is None:
        return {}
    states = {subject: before} if "routes" in before else before.get("aliases", {})
    return convert(states, dict[str, AliasState])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "home" / "registry.sqlite"


@pytest.fixture
def open_file(file: Path) -> Callable[[], Registry]:
    """Opens the registry's file as another process would."""
    return lambda: Registry(SqliteStore(file), clock=lambda: NOW, actor="ada")


@pytest.fixture
def registry(open_file: Callable[[], Registry]) -> Iterator[Registry]:
    with open_file() as registry:
        yield registry


@pytest.fixture
def two(registry: Registry) -> Registry:
    """Versions 1 and 2, production at version 1."""
    registry.register(make_candidate(1))
    registry.register(make_candidate(2))
    registry.promote("sentiment", ByNumber(1))
    return registry


@pytest.fixture
def candidate() -> Callable[..., Candidate]:
    return make_candidate


@pytest.fixture
def invariants() -> Callable[..., int]:
    return check_invariants
