"""Registries that several processes share, in each of the stores.

open_one = opener("dynamodb", tmp_path / "registry.sqlite", monkeypatch)
with open_one() as registry: ...        # as another process would
store = Watched(store_opener("sqlite", file, monkeypatch)(), barrier.wait)
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.dynamo import REGION, empty_table

from maas.registry.dynamo import Table
from maas.registry.dynamo_store import DynamoStore
from maas.registry.registry import Registry
from maas.registry.sqlite import SqliteStore
from maas.registry.store import Item, Key, Page, Store, Write

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
    open_store = store_opener(kind, file, monkeypatch)
    return lambda: Registry(open_store(), clock=clock, actor="ada")


def store_opener(kind: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Store]:
    """Opens an empty store of a kind, each time as if it were another process."""
    if kind == "sqlite":
        return lambda: SqliteStore(file)
    table = empty_table(monkeypatch)
    return lambda: DynamoStore(Table(table.name, region=REGION, endpoint=table.endpoint))


class Watched:
    """A store that calls somebody before it writes.

    Args:
        store: The store itself.
        step: Called before each transaction.
    """

    def __init__(self, store: Store, step: Callable[[], object]) -> None:
        self._store = store
        self._step = step

    def read(self, keys: Sequence[Key]) -> list[Item | None]:
        return self._store.read(keys)

    def query(
        self,
        pk: str,
        prefix: str,
        *,
        limit: int,
        newest_first: bool = False,
        after: Key | None = None,
    ) -> Page:
        return self._store.query(pk, prefix, limit=limit, newest_first=newest_first, after=after)

    def list_index(self, index: str, *, limit: int, after: Key | None = None) -> Page:
        return self._store.list_index(index, limit=limit, after=after)

    def transact(self, writes: Sequence[Write]) -> None:
        self._step()
        self._store.transact(writes)

    def close(self) -> None:
        self._store.close()
