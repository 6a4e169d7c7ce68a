"""The stores that must all behave alike. A store is added here, and nowhere else."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from support.dynamo import empty_table

from maas.registry.dynamo_store import DynamoStore
from maas.registry.sqlite import SqliteStore
from maas.registry.store import Store

Opener = Callable[[Path, pytest.MonkeyPatch], AbstractContextManager[Store]]


@contextmanager
def _sqlite(folder: Path, _: pytest.MonkeyPatch) -> Iterator[Store]:
    opened = SqliteStore(folder / "registry.sqlite")
    yield opened
    opened.close()


@contextmanager
def _dynamodb(_: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    yield DynamoStore(empty_table(monkeypatch))


STORES: dict[str, Opener] = {"sqlite": _sqlite, "dynamodb": _dynamodb}


@pytest.fixture(params=sorted(STORES))
def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Store]:
    with STORES[request.param](tmp_path, monkeypatch) as opened:
        yield opened
