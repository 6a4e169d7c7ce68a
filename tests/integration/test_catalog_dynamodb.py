"""The catalog on DynamoDB Local answers what it answers on SQLite, byte for byte."""

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from support.doors import Client
from support.dynamo import fresh_table

from maas.http.app import App
from maas.http.catalog import catalog_routes
from maas.observe import Observer
from maas.registry.addresses import ByNumber
from maas.registry.dynamo_store import DynamoStore
from maas.registry.reader import Reader
from maas.registry.records import Candidate, TensorSpec, Verification
from maas.registry.registry import Registry
from maas.registry.sqlite import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path

    from maas.registry.store import Store

HERE = "/catalog/models/sentiment"
START = datetime(2030, 1, 2, tzinfo=UTC)
URLS = (
    *("/health", "/catalog/models", "/catalog/models?limit=1", "/catalog/models?after=apple", HERE),
    *(f"{HERE}/versions", f"{HERE}/versions?limit=2", f"{HERE}/versions?limit=2&after=2"),
    *(f"{HERE}/versions/{v}" for v in ("3", "production", f"sha256:{2:064x}", "9", "canary")),
    *(f"{HERE}/{name}" for name in ("aliases", "history", "deployments")),
    *(f"{HERE}/history?limit=2&after=5", f"{HERE}/versions/sha256:000000000000"),
    *(
        "/catalog/models/other",
        "/catalog/models/other/deployments",
        "/catalog/models/wide/versions",
    ),
)


def candidate(model: str, seed: int, *, labels: tuple[str, ...] = ("a", "b")) -> Candidate:
    spec = (TensorSpec("x", "float32", ("batch", 2)),)
    return Candidate(
        model=model,
        digest=f"sha256:{seed:064x}",
        task="text-classification",
        inputs=spec,
        outputs=spec,
        verification=Verification(golden=1, max_difference=1e-7, seconds=0.1),
        labels=labels,
        metrics={"accuracy": 0.875, "tiny": 1.2345678901234567e-12},
    )


def fill(store: "Store") -> None:
    """Three versions, a canary, a rollback, a deployment, another model, and one that is wide."""
    moments = (START + timedelta(seconds=second) for second in range(1_000))
    registry = Registry(store, clock=lambda: next(moments), actor="ada")
    for seed in (1, 2, 3):
        registry.register(candidate("sentiment", seed))
    registry.promote("sentiment", ByNumber(1))
    registry.promote("sentiment", ByNumber(2), weight=10, reason="canary")
    registry.rollback("sentiment", reason="not yet")
    registry.record_deployment(
        "sentiment",
        "maas",
        function="maas-model-sentiment:live",
        function_version="1",
        digests={number: f"sha256:{number:064x}" for number in (1, 2)},
    )
    registry.register(candidate("apple", 4))
    labels = tuple(f"{number:0240d}" for number in range(1_000))
    for seed in range(5, 11):
        registry.register(candidate("wide", seed, labels=labels))


def answers(store: "Store") -> dict[str, tuple[int, object]]:
    routes = catalog_routes(Reader(store))
    app = App(routes, observer=Observer("INFO", metrics=False), new_id=lambda: "request-0")
    with Client(app) as client:
        got = {url: client.get(url) for url in URLS}
    return {url: (response.status_code, response.json()) for url, response in got.items()}


def test_both_registries_are_shown_alike(monkeypatch: pytest.MonkeyPatch, tmp_path: "Path") -> None:
    local = SqliteStore(tmp_path / "registry.sqlite")
    fill(local)
    with fresh_table(monkeypatch) as table:
        store = DynamoStore(table)
        fill(store)
        there = answers(store)
    here = answers(local)
    for url in URLS:
        assert there[url] == here[url], url
    assert sum(status == 200 for status, _ in here.values()) == len(URLS) - 5
    assert len(json.dumps(here["/catalog/models/wide/versions"])) > 500_000
