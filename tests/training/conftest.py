"""Fixtures of the training tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from training.tiny import RECIPE, Lab, made_up_rows


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    lab = Lab(tmp_path)
    lab.recipe_file.write_text(RECIPE)
    lab.rows_file.write_text(made_up_rows(45))
    return lab


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small matrices gain nothing from threads, and the test machine has few."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
