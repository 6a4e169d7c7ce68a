"""Names that can be shipped: those that the template takes."""

import re
from pathlib import Path

import pytest
from support.stack import TEMPLATE, read_template
from typer.testing import CliRunner

from maas_lab import cli
from maas_lab.packing.shippable import unshippable


@pytest.mark.parametrize(
    ("name", "ships"),
    [
        ("sentiment", True),
        ("s3", True),
        ("a" * 32, True),
        ("a" * 33, False),
        ("s", False),
        ("news-topics", False),
    ],
)
def test_a_name_ships_where_the_template_takes_it(name: str, ships: bool) -> None:
    pattern = read_template()["Parameters"]["Models"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, name)) is ships
    assert (unshippable(name) == "") is ships


def test_the_remedy_names_one_that_ships() -> None:
    said = unshippable("news-topics", again="maas train RECIPE")
    assert said.endswith("make it under another one: maas train RECIPE --name newstopics")
    assert unshippable("news-topics").endswith("train or import it again with --name newstopics")
    assert unshippable("x").endswith("--name another")


@pytest.mark.parametrize(("name", "said"), [("news-topics", True), ("topics", False)])
def test_training_says_it_before_it_begins(tmp_path: Path, name: str, said: bool) -> None:
    # Given a home that is a file, so that nothing is trained here
    home = tmp_path / "home"
    home.touch()
    recipe = str(TEMPLATE.parent / "scripts/recipes/sentiment-lstm.toml")
    result = CliRunner().invoke(
        cli.app, ["train", recipe, "--name", name], env={"MAAS_HOME": str(home)}
    )
    assert result.exit_code == 2, result.output
    assert ("note: news-topics can be served here" in result.stderr) is said
    assert "note:" not in result.stdout
