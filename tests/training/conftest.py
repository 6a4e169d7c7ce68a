"""Fixtures of the training tests."""

from pathlib import Path

import pytest
from training.tiny import RECIPE, Lab, made_up_rows


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A tiny recipe and its rows in a folder of their own."""
    lab = Lab(tmp_path)
    lab.recipe_file.write_text(RECIPE)
    lab.rows_file.write_text(made_up_rows(45))
    return lab
