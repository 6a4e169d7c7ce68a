"""`maas new`: a folder in which everything runs before anything is changed."""

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from maas.errors import ConflictError, FieldError
from maas_lab.data.dataset import load_pairs, load_pictures, load_plain, load_texts
from maas_lab.recipes.recipe import KINDS, load_recipe
from maas_lab.scaffold import Task, make_model

LOADERS = {
    "text-classification": load_texts,
    "image-classification": load_pictures,
    "translation": load_pairs,
    "summarization": load_pairs,
    "feature-extraction": load_plain,
}
TASKS: tuple[Task, ...] = get_args(Task)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_there_is_a_scaffold_for_every_task() -> None:
    assert set(TASKS) == KINDS.keys()


@pytest.mark.parametrize("task", TASKS)
def test_the_recipe_and_its_rows_are_right_at_once(task: Task, tmp_path: Path) -> None:
    # When a folder is made
    made = make_model("stars", task=task, folder=tmp_path)

    # Then its recipe is of this task and name, and waits for the owner's words
    recipe = load_recipe(made.recipe)
    assert (recipe.name, recipe.task) == ("stars", task)
    assert "TODO" in recipe.note

    # And every row can be read
    card = LOADERS[task](recipe.data, cache=tmp_path).card  # type: ignore[operator]
    assert card.unusable == []
    assert card.duplicates.repeated == card.duplicates.conflicting == []
    assert min(sum(rows.values()) for name, rows in card.counts.items() if name != "train") > 2
    assert all(b"example/" not in file for file in content(made.folder).values())


@pytest.mark.parametrize("task", TASKS)
def test_the_reader_is_a_script_that_makes_the_very_same_rows(task: Task, tmp_path: Path) -> None:
    made = make_model("stars", task=task, folder=tmp_path)
    before = content(made.folder)

    done = subprocess.run(
        [sys.executable, str(made.folder / "rows.py")], capture_output=True, text=True, check=True
    )

    assert done.stdout.startswith("wrote ")
    assert content(made.folder) == before


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    made = make_model("stars", task="translation", folder=tmp_path)
    before = content(made.folder)

    with pytest.raises(ConflictError, match="stays as it is"):
        make_model("stars", task="text-classification", folder=tmp_path)

    assert content(made.folder) == before


@pytest.mark.parametrize("name", ["Stars", "s", "../stars", "stars.toml", "", "a b"])
def test_a_name_that_no_model_may_have_makes_nothing(name: str, tmp_path: Path) -> None:
    with pytest.raises(FieldError):
        make_model(name, task="text-classification", folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_folders_above_it_are_made_and_names_may_have_a_hyphen(tmp_path: Path) -> None:
    made = make_model("film-stars", task="summarization", folder=tmp_path / "a" / "b")

    assert made.recipe == tmp_path / "a" / "b" / "film-stars" / "film-stars.toml"
    assert b"pytest film-stars/test_film-stars.py" in made.test.read_bytes()
