"""Candidates, registries and the invariants that every one of them must keep."""

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
    aliases: dict[str, list[tuple[Route, ...]]] = {}
    for event in events:
        if event.action == "register":
            assert event.before is None
            digests[int(event.subject)] = event.after["digest"]
            continue
        past = aliases.setdefault(event.subject, [])
        before = convert(event.before["routes"], tuple[Route, ...]) if event.before else None
        assert before == (past[-1] if past else None)
        past.append(convert(event.after["routes"], tuple[Route, ...]))
    record, policy = reader.model(model), reader.policy(model)
    assert policy.revision == record.revision == len(events)
    assert list(digests) == list(range(1, record.last_version + 1))
    versions = reader.versions(model, limit=1_000).records
    assert {v.number: v.digest for v in versions} == digests
    assert policy.aliases == {name: past[-1] for name, past in aliases.items()}
    for number in {route.version for routes in policy.aliases.values() for route in routes}:
        assert policy.digests[number] == digests[number]
    for alias in reader.aliases(model):
        past = aliases.pop(alias.name)
        assert (alias.revision, alias.routes) == (len(past), past[-1])
        assert alias.previous == (past[-2] if len(past) > 1 else None)
        assert sum(route.weight for route in alias.routes) == WEIGHT_TOTAL
    assert not aliases
    return len(events)


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
