"""Registries that several processes share, in each of the stores.

open_one = opener("dynamodb", tmp_path / "registry.sqlite", monkeypatch)
with open_one() as registry: ...        # as another process would
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.dynamo import REGION, empty_table

from maas.registry.dynamo import Table
from maas.registry.dynamo_store import DynamoStore
from maas.registry.registry import Registry
from maas.registry.sqlite import SqliteStore
from maas.registry.store import Store

STORES = ("dynamodb", "sqlite")
NOW = datetime(2030, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)


def opener(
    kind: str,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    clock: Callable[[], datetime] = lambda: NOW,
) -> Callable[[], Registry]:
    """Opens an empty registry of a kind, each time as if it were another process."""
    open_store = _dynamo(monkeypatch) if kind == "dynamodb" else lambda: SqliteStore(file)
    return lambda: Registry(open_store(), clock=clock, actor="ada")


def _dynamo(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Store]:
    table = empty_table(monkeypatch)
    return lambda: DynamoStore(Table(table.name, region=REGION, endpoint=table.endpoint))
