"""Every recipe that ships, at toy size: from its real data to an answer through the HTTP API.

What is not in the cache of this checkout is fetched into it. Where a step fails, the error's note
says which.
"""

import json
import math
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from support import effort
from support.laptop import Laptop, write_reviews
from typer.testing import CliRunner

from maas_lab import building
from maas_lab.data.known_sets import PAIR_SETS, PICTURE_SETS
from maas_lab.data.text_sets import TEXT_SETS
from maas_lab.recipes.shelf import ShelvedRecipe, read_shelf
from maas_lab.rehearsing import Rehearsal, rehearse
from maas_lab.scaffold import Task, make_model

pytestmark = pytest.mark.recipes
CACHE = Path(__file__).parents[2] / ".maas" / "cache"
SHELF = read_shelf()


@pytest.mark.parametrize("shelved", SHELF, ids=lambda shelved: shelved.name)
def test_a_recipe_at_toy_size_becomes_a_model_that_answers(
    shelved: ShelvedRecipe, tmp_path: Path
) -> None:
    # Given a recipe that ships, and rows where it waits for some
    data = None if shelved.complete else made_up_rows(tmp_path, shelved.recipe.task)

    # When it is shrunk in every size, trained, exported, bundled, registered, promoted and asked
    rehearsed = rehearse(shelved.path, tmp_path, data=data, cache=CACHE)

    # Then the answer has the shape of its task
    PLAUSIBLE[shelved.recipe.task](rehearsed)
    effort.count("requests")
    assert rehearsed.built.promoted
    assert rehearsed.built.summary.target_met


@pytest.mark.parametrize("task", get_args(Task)[1 : effort.examples(2, 5)])
def test_a_new_model_of_any_task_answers_at_once(task: Task, tmp_path: Path) -> None:
    made = make_model("stars", task=task, folder=tmp_path)

    PLAUSIBLE[task](rehearse(made.recipe, tmp_path / "home", cache=CACHE))


def made_up_rows(folder: Path, task: str) -> Path:
    """Rows for a recipe that takes those of its user."""
    file = folder / "mine.csv"
    if task == "text-classification":
        write_reviews(file, 120)
        return file
    rows = [f"text number {n} is a long one,number {n}" for n in range(120)]
    file.write_text("\n".join(["source,target", *rows]) + "\n")
    return file


def is_labels_of_a_text(rehearsed: Rehearsal) -> None:
    (row,) = rehearsed.answer
    _require_labels(rehearsed, row)


def is_labels_of_a_picture(rehearsed: Rehearsal) -> None:
    _require_labels(rehearsed, rehearsed.answer)


def is_a_translation(rehearsed: Rehearsal) -> None:
    (written,) = rehearsed.answer
    assert type(written.pop("translation_text")) is str
    assert written == {}


def is_a_summary(rehearsed: Rehearsal) -> None:
    (written,) = rehearsed.answer
    assert type(written.pop("summary_text")) is str
    assert written == {}


def is_a_vector(rehearsed: Rehearsal) -> None:
    (vector,) = rehearsed.answer
    assert len(vector) > 8
    assert math.hypot(*vector) == pytest.approx(1, abs=1e-3)


def _require_labels(rehearsed: Rehearsal, row: list[dict[str, Any]]) -> None:
    """All labels, best first, with scores that add up to 1."""
    scores = [entry["score"] for entry in row]
    labels = rehearsed.built.run.data_card().labels
    assert {entry["label"] for entry in row} == set(labels)
    assert len(row) == len(labels)
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) == pytest.approx(1, abs=1e-4)


PLAUSIBLE = {
    "text-classification": is_labels_of_a_text,
    "image-classification": is_labels_of_a_picture,
    "translation": is_a_translation,
    "summarization": is_a_summary,
    "feature-extraction": is_a_vector,
}


def test_the_rows_of_every_recipe_are_a_set_that_was_looked_through_for_leaks() -> None:
    """See test_data_sets, which looks for what is in two splits in each of these sets."""
    looked_through = {*TEXT_SETS, *PICTURE_SETS, *PAIR_SETS, "mixed-english"}

    assert {each.recipe.data.source for each in SHELF if each.complete} <= looked_through


def test_there_is_a_recipe_for_every_task() -> None:
    assert {shelved.recipe.task for shelved in SHELF} == PLAUSIBLE.keys()


def test_build_models_goes_on_after_a_failure_and_keeps_what_is_finished(tmp_path: Path) -> None:
    # Given one recipe without rows, and one whose target is out of reach
    laptop = Laptop(tmp_path)
    text = laptop.recipe.read_text().replace("learning_rate = 0.02", "learning_rate = 1e-6")
    laptop.recipe.write_text(text.replace("test_accuracy = 0.6", "test_accuracy = 1.0"))
    broken = tmp_path / "broken.toml"
    broken.write_text(text.replace("reviews.csv", "absent.csv"))
    app = typer.Typer()
    app.command()(building.main)
    words = [str(broken), str(laptop.recipe), "--json"]

    # When they are built, twice
    first, again = (CliRunner().invoke(app, words, env=laptop.environment) for _ in range(2))

    # Then both are told, and the second time nothing is new
    for result, promoted in ((first, True), (again, False)):
        assert result.exit_code == 3
        assert "train: data: " in result.stderr
        failed, built = json.loads(result.stdout)["models"]
        assert "absent.csv" in failed["error"]
        assert (built["version"], built["promoted"], built["target_met"]) == (1, promoted, False)
    assert "nothing to do" in again.stderr
