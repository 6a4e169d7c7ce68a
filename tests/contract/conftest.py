"""The stores that must all behave alike. A store is added here, and nowhere else."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from maas.registry.sqlite import SqliteStore
from maas.registry.store import Store

STORES: dict[str, Callable[[Path], Store]] = {
    "sqlite": lambda folder: SqliteStore(folder / "registry.sqlite"),
}


@pytest.fixture(params=sorted(STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened = STORES[request.param](tmp_path)
    yield opened
    opened.close()
