"""The rows of this model and, at toy size, every step from them to an answer over HTTP.

pytest example/test_example.py
"""
# ruff: noqa: S101, D103

from pathlib import Path

from maas.settings import read_settings
from maas_lab.recipes.recipe import load_recipe
from maas_lab.rehearsing import rehearse, shared_rows
from maas_lab.tasks import open_task

RECIPE = Path(__file__).with_name("example.toml")
CACHE = read_settings().cache  # where checkpoints are kept that were fetched


def test_every_row_can_be_used() -> None:
    card = open_task(load_recipe(RECIPE), cache=CACHE).dataset.card

    assert card.unusable == []
    assert card.rows > 0


def test_no_row_is_in_two_splits() -> None:
    dataset = open_task(load_recipe(RECIPE), cache=CACHE).dataset

    assert shared_rows(dataset) == []


def test_it_trains_exports_bundles_and_answers(tmp_path: Path) -> None:
    rehearsed = rehearse(RECIPE, tmp_path, cache=CACHE)

    assert rehearsed.built.made.bundle.digest.startswith("sha256:")
    assert rehearsed.answer
