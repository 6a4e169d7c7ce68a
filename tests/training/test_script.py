"""scripts/train.py: its exit codes and what it says; the GPU batch job reads nothing else."""

import runpy
import sys
from pathlib import Path

import pytest
from training.tiny import Lab

pytestmark = pytest.mark.training

SCRIPT = Path(__file__).parents[2] / "scripts" / "train.py"


@pytest.fixture(autouse=True)
def _home(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAAS_HOME", str(lab.folder / "home"))


def ended(monkeypatch: pytest.MonkeyPatch, *words: object) -> object:
    """Run the script in this process and give its exit code."""
    monkeypatch.setattr(sys, "argv", ["train.py", *map(str, words)])
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    return caught.value.code


def test_the_entry_stays_an_entry() -> None:
    assert len(SCRIPT.read_text().splitlines()) <= 40


def test_success_prints_our_figures_beside_the_baselines(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(monkeypatch, lab.recipe_file, "--seed", 5, "--name", "mine") == 0

    shown = capsys.readouterr().out
    for name in ("test accuracy", "target", "TF-IDF + logistic", "majority"):
        assert shown.count(name) == 1
    assert "mine-s5-" in shown


def test_the_rows_and_their_columns_can_be_named(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = lab.folder / "mine.csv"
    rows = lab.rows_file.read_text().replace("text,label", "body,stars", 1)
    mine.write_text(rows.replace(",bad\n", ",1\n").replace(",good\n", ",5\n"))
    words = ("--data", mine, "--text-column", "body", "--label-column", "stars")

    assert ended(monkeypatch, lab.recipe_file, *words) == 2
    assert "Other labels found: 1, 5. Name the right ones" in capsys.readouterr().err
    assert ended(monkeypatch, lab.recipe_file, *words, "--label", 1, "--label", 5) == 0


def test_a_mistake_is_told_in_a_line_without_a_trace(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(monkeypatch, lab.folder / "absent.toml") == 2

    told = capsys.readouterr().err
    assert told.endswith("absent.toml: cannot be read (No such file or directory).\n")
    assert told.count("\n") == 1


def test_an_unknown_setting_is_a_mistake_too(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MAAS_HOEM", "x")

    assert ended(monkeypatch, lab.recipe_file) == 2
    assert "MAAS_HOEM is not a setting" in capsys.readouterr().err


def test_an_unfinished_run_is_refused(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = lab.train()
    run.summary_file.unlink()

    assert ended(monkeypatch, lab.recipe_file) == 3
    assert "--resume" in capsys.readouterr().err
    assert ended(monkeypatch, lab.recipe_file, "--resume") == 0


def test_ctrl_c_outside_the_loop_prints_no_trace(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("maas_lab.train.train", interrupted)

    assert ended(monkeypatch, lab.recipe_file) == 5
    assert capsys.readouterr().err == "Stopped.\n"
