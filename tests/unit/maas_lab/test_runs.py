"""Run folders: their names, and how a run is found."""

import os
from pathlib import Path

import msgspec
import pytest

from maas.errors import NotFoundError, RefusedError
from maas_lab.recipes.recipe import AnyRecipe, Targets, load_recipe
from maas_lab.runs import (
    PairRow,
    PictureRow,
    Run,
    TestRow,
    TextRow,
    list_runs,
    open_run,
    run_folder,
)

RECIPE_FILE = Path(__file__).parents[3] / "scripts" / "recipes" / "sentiment-lstm.toml"


@pytest.fixture
def recipe() -> AnyRecipe:
    return load_recipe(RECIPE_FILE)


def begun(run: Run, recipe: AnyRecipe, *, at: int) -> Run:
    run.folder.mkdir(parents=True)
    run.recipe_file.write_bytes(recipe.encode())
    os.utime(run.recipe_file, (at, at))
    return run


def test_the_same_recipe_on_the_same_rows_is_the_same_run(
    tmp_path: Path, recipe: AnyRecipe
) -> None:
    first = run_folder(tmp_path, recipe, "sha256:aa")

    assert run_folder(tmp_path, load_recipe(RECIPE_FILE), "sha256:aa") == first
    assert first.folder.parent == tmp_path / "runs"
    assert first.name.startswith("sentiment-s1-")


def test_other_rows_and_other_settings_are_other_runs(tmp_path: Path, recipe: AnyRecipe) -> None:
    faster = msgspec.structs.replace(recipe.training, learning_rate=0.5)
    names = {
        run_folder(tmp_path, recipe, "sha256:aa").name,
        run_folder(tmp_path, recipe, "sha256:bb").name,
        run_folder(tmp_path, load_recipe(RECIPE_FILE, seed=2), "sha256:aa").name,
        run_folder(tmp_path, msgspec.structs.replace(recipe, training=faster), "sha256:aa").name,
    }

    assert len(names) == 4


def test_what_computes_nothing_makes_no_other_run(tmp_path: Path, recipe: AnyRecipe) -> None:
    other = msgspec.structs.replace(
        recipe,
        note="Said later.",
        minutes=3.0,
        training=msgspec.structs.replace(recipe.training, threads=2, checkpoint_steps=7),
    )
    higher = msgspec.structs.replace(recipe, targets=Targets(test_accuracy=0.9))

    run = run_folder(tmp_path, recipe, "sha256:aa")
    assert run_folder(tmp_path, other, "sha256:aa") == run
    assert run_folder(tmp_path, higher, "sha256:aa") != run  # its summary says another thing


def test_a_run_is_opened_by_name_and_by_path(tmp_path: Path, recipe: AnyRecipe) -> None:
    run = begun(run_folder(tmp_path, recipe, "sha256:aa"), recipe, at=1)

    assert open_run(tmp_path, run.name).folder == run.folder
    assert open_run(tmp_path / "elsewhere", str(run.folder)).folder == run.folder
    assert open_run(tmp_path, run.name).recipe() == recipe


def test_a_run_that_is_not_there_is_told_with_those_that_are(
    tmp_path: Path, recipe: AnyRecipe
) -> None:
    with pytest.raises(NotFoundError, match="none yet"):
        open_run(tmp_path, "sentiment-s9-00000000")
    run = begun(run_folder(tmp_path, recipe, "sha256:aa"), recipe, at=1)
    with pytest.raises(NotFoundError, match=run.name):
        open_run(tmp_path, "sentiment-s9-00000000")


def test_runs_are_listed_newest_last(tmp_path: Path, recipe: AnyRecipe) -> None:
    # Given three runs of two models, begun in this order, and things that are no runs
    other = msgspec.structs.replace(recipe, name="spam")
    second = begun(run_folder(tmp_path, recipe, "sha256:bb"), recipe, at=20)
    third = begun(run_folder(tmp_path, other, "sha256:cc"), other, at=30)
    first = begun(run_folder(tmp_path, recipe, "sha256:aa"), recipe, at=10)
    (tmp_path / "runs" / "notes").mkdir()
    (tmp_path / "runs" / "sentiment-s1-ffffffff").mkdir()  # killed before its recipe was written

    assert list_runs(tmp_path) == [first, second, third]
    assert list_runs(tmp_path / "nowhere") == []


def test_an_unfinished_run_says_what_it_lacks(tmp_path: Path, recipe: AnyRecipe) -> None:
    run = begun(run_folder(tmp_path, recipe, "sha256:aa"), recipe, at=1)

    assert not run.finished
    with pytest.raises(RefusedError, match=r"summary\.json; it is not finished.*--resume"):
        run.summary()


def test_a_damaged_record_is_refused(tmp_path: Path, recipe: AnyRecipe) -> None:
    run = begun(run_folder(tmp_path, recipe, "sha256:aa"), recipe, at=1)
    run.summary_file.write_bytes(b'{"test": 1}')

    with pytest.raises(RefusedError, match="Summary"):
        run.summary()
    with pytest.raises(RefusedError, match=r"no data\.json; it is damaged"):
        run.data_card()


@pytest.mark.parametrize(
    "rows",
    [
        [TextRow("two\nlines\u2028here", "positive"), TextRow("x")],
        [PairRow("a", "甲"), PairRow("b", "乙")],
        [PictureRow((2, 1, 3), bytes(range(6)), "boot")],
    ],
)
def test_test_rows_are_read_line_by_line(
    tmp_path: Path, recipe: AnyRecipe, rows: list[TestRow]
) -> None:
    run = begun(run_folder(tmp_path, recipe, "sha256:aa"), recipe, at=1)
    run.test_file.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))

    assert run.test_rows() == rows


def test_pixels_are_those_that_were_kept(tmp_path: Path, recipe: AnyRecipe) -> None:
    run = begun(run_folder(tmp_path, recipe, "sha256:aa"), recipe, at=1)
    run.test_file.write_bytes(msgspec.json.encode(PictureRow((2, 3, 1), bytes(range(6)), "boot")))

    (row,) = run.test_rows()

    assert isinstance(row, PictureRow)
    assert row.pixels()[:, :, 0].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert run.picture_shape() == (1, 2, 3)


def test_a_run_without_pictures_has_no_shape_of_them(tmp_path: Path, recipe: AnyRecipe) -> None:
    run = begun(run_folder(tmp_path, recipe, "sha256:aa"), recipe, at=1)
    run.test_file.write_bytes(msgspec.json.encode(TextRow("x")))

    with pytest.raises(RefusedError, match="keeps no pictures"):
        run.picture_shape()
