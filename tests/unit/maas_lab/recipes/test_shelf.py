"""The recipes that ship: each is found by its name, and the list says what it is."""

import re
from pathlib import Path

import pytest

from maas.errors import FieldError
from maas_lab.output import Output
from maas_lab.recipes.shelf import SHELF, find_recipe, read_shelf
from maas_lab.views.recipes import shelf_view


def test_every_file_of_the_shelf_is_found_by_its_name() -> None:
    shelf = read_shelf()

    assert [shelved.path for shelved in shelf] == sorted(SHELF.glob("*.toml"))
    assert [find_recipe(shelved.name) for shelved in shelf] == [each.path for each in shelf]


@pytest.mark.parametrize("reference", ["mine.toml", "./digits", "a/b.toml", "/a/b.toml", "A"])
def test_what_looks_like_a_path_is_one(reference: str) -> None:
    assert find_recipe(reference) == Path(reference)


def test_a_name_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(FieldError, match=r"called nope\..*sentiment-lstm.*nope\.toml") as caught:
        find_recipe("nope")
    assert caught.value.exit_code == 2


def test_the_list_says_task_architecture_data_size_minutes_and_target(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    # Given a recipe that was measured, and one that was not
    shipped = (SHELF / "sentiment-lstm.toml").read_text()
    text = re.sub(r"minutes = .*\n", "", shipped)
    (tmp_path / "measured.toml").write_text(text.replace("seed = 1\n", "seed = 1\nminutes = 2.5\n"))
    (tmp_path / "new.toml").write_text(text)

    # When they are listed
    view = shelf_view(read_shelf(tmp_path))
    Output(as_json=False).show(view)

    # Then each is one line, and one object
    lines = capsys.readouterr().out.splitlines()
    words = ["text-classification", "bilstm", "movie-reviews", "10,566", "2.5", "accuracy", "0.77"]
    assert lines[1].split() == ["measured", *words]
    assert "not measured" in lines[2]
    listed = view.data["recipes"]
    assert isinstance(listed, list)
    measured, new = listed
    assert measured["target"] == new["target"] == {"accuracy": 0.77}
    assert measured["rows"] == 10_566
    assert (measured["minutes"], new["minutes"]) == (2.5, None)
