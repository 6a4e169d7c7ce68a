"""One laptop with two shipped versions, shared by the tests that only read."""

import shutil
from pathlib import Path

import pytest
from support.laptop import Laptop


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Laptop:
    """A laptop on which versions 1 and 2 were trained, exported, bundled and registered."""
    laptop = Laptop(tmp_path_factory.mktemp("shipped"))
    assert laptop.ship(seed=1)["number"] == 1
    assert laptop.ship(seed=2)["number"] == 2
    laptop.ok("promote", "sentiment@1", "--why", "first")
    return laptop


@pytest.fixture
def laptop(shipped: Laptop, tmp_path: Path) -> Laptop:
    """A copy of it that a test may change."""
    copy = Laptop(tmp_path / "laptop")
    shutil.copytree(shipped.home / "state", copy.home / "state")
    return copy
