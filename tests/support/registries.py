"""Registries that several processes share, in each of the stores.

open_one = opener("dynamodb", tmp_path / "registry.sqlite", monkeypatch)
with open_one() as registry: ...        # as another process would
store = Watched(store_opener("sqlite", file, monkeypatch)(), barrier.wait, {"transact"})
"""

from collections.abc import Callable, Collection, Sequence
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
STEPS = frozenset({"read", "query", "list", "transact", "done"})


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
    """A store that calls somebody before each step that is asked of it, and when it is done.

    Args:
        store: The store itself.
        step: Called at each of the steps.
        at: Which of `STEPS`.
    """

    def __init__(
        self, store: Store, step: Callable[[], object], at: Collection[str] = STEPS
    ) -> None:
        self._store = store
        self._step = step
        self._at = at

    def read(self, keys: Sequence[Key]) -> list[Item | None]:
        self._reach("read")
        found = self._store.read(keys)
        self._reach("done")
        return found

    def query(
        self,
        pk: str,
        prefix: str,
        *,
        limit: int,
        newest_first: bool = False,
        after: Key | None = None,
    ) -> Page:
        self._reach("query")
        page = self._store.query(pk, prefix, limit=limit, newest_first=newest_first, after=after)
        self._reach("done")
        return page

    def list_index(self, index: str, *, limit: int, after: Key | None = None) -> Page:
        self._reach("list")
        page = self._store.list_index(index, limit=limit, after=after)
        self._reach("done")
        return page

    def transact(self, writes: Sequence[Write]) -> None:
        self._reach("transact")
        self._store.transact(writes)
        self._reach("done")

    def close(self) -> None:
        self._store.close()

    def _reach(self, step: str) -> None:
        if step in self._at:
            self._step()
