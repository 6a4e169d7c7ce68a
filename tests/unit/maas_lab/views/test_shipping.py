"""What `maas package` says in this process: the plan, what became of each model, long copies."""

from io import StringIO
from typing import TYPE_CHECKING

import pytest
from rich.console import Console
from support.shipping import add_model, make_project, package_into
from support.tiny import Home, make_home
from typer.testing import CliRunner

from maas_lab import cli
from maas_lab.packing.byte_bar import LARGE_BYTES, byte_bar

if TYPE_CHECKING:
    from pathlib import Path

    from maas_lab.packing.project import Project


@pytest.fixture
def home(tmp_path: "Path") -> Home:
    return make_home(tmp_path / "home")


@pytest.fixture
def project(tmp_path: "Path") -> "Project":
    return make_project(tmp_path / "project")


def said(home: Home, project: "Project", *arguments: str) -> tuple[int, str]:
    environment = {"MAAS_HOME": str(home.settings.home)}
    command = ["package", "--project", str(project.root), *arguments]
    result = CliRunner().invoke(cli.app, command, env=environment)
    return result.exit_code, result.stdout


def test_what_was_removed_and_left_out_is_said(home: Home, project: "Project") -> None:
    add_model(home, "stars", seed=9)
    package_into(project, home)
    (home.bundles[2].folder / "manifest.json").rename(home.settings.home / "kept")
    home.bundles[2].folder.rename(home.settings.home / "elsewhere")

    code, text = said(home, project, "sentiment")

    assert code == 0
    assert "left out: sentiment@2 (newest candidate): its bundle is not in" in text
    assert "layers/models/sentiment replaced" in text
    assert "layers/models/stars removed: it is not among the models any more" in text
    assert "samconfig.toml changed, architecture x86_64; next: maas deploy" in text


def test_what_would_help_is_said_with_its_figures(
    home: Home, project: "Project", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maas_lab.packing.size_plan.MARGIN_BYTES", 110_600_000)
    with (project.serving / "maas" / "large.bin").open("wb") as file:
        file.truncate(1_000_000)
    code, text = said(home, project)
    assert code == 3
    assert "does not fit" in text
    assert "MB too many. What would help:" in text
    assert "MB fits: a container image" in text
    assert text.endswith("nothing was written\n")


@pytest.mark.parametrize(("size", "line"), [(LARGE_BYTES, "copying a: 32 MB\n"), (1, "")])
def test_a_pipe_is_told_of_large_copies_alone(size: int, line: str) -> None:
    text = StringIO()
    with byte_bar(Console(file=text), "copying a", size) as advance:
        advance(1)
    assert text.getvalue() == line


def test_a_terminal_sees_a_bar_and_keeps_no_line() -> None:
    text = StringIO()
    console = Console(file=text, force_terminal=True, width=80)
    with byte_bar(console, "copying [a]", 100) as advance:
        advance(50)
    assert "copying [a]" in text.getvalue()
