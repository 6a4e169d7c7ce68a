"""One door for every ending: the exit code, one line on stderr, no trace."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from maas.errors import ConflictError, FieldError, MaasError, RefusedError, TryAgainError
from maas_lab.endings import exit_codes

ROOT = Path(__file__).parents[3]


def ending(error: BaseException, *, as_json: bool = False) -> object:
    with pytest.raises(SystemExit) as ended, exit_codes(as_json=as_json):
        raise error
    return ended.value.code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MaasError("x"), 1),
        (FieldError("x", field="y"), 2),
        (RefusedError("x"), 3),
        (ConflictError("x"), 4),
        (TryAgainError("x"), 5),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "weights"), 5),
        (OSError(errno.EFBIG, os.strerror(errno.EFBIG), "weights"), 5),
        (PermissionError(errno.EACCES, os.strerror(errno.EACCES), "weights"), 2),
        (NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), "weights"), 2),
    ],
)
def test_an_error_is_one_line_and_its_exit_code(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ending(error) == code
    told = capsys.readouterr().err
    assert told.startswith("maas: ")
    assert told.count("\n") == 1
    if isinstance(error, OSError):
        assert "weights" in told


def test_ctrl_c_is_130_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert ending(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == "Stopped.\n"


def test_an_error_is_an_object_where_json_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert ending(FieldError("must be 1", field="weight"), as_json=True) == 2
    told = json.loads(capsys.readouterr().err)
    assert told == {"error": "must be 1", "code": "invalid_field", "field": "weight"}


def test_nothing_happens_where_nothing_goes_wrong() -> None:
    with exit_codes():
        pass


@pytest.mark.parametrize(
    "command",
    [
        ["-m", "maas_lab.cli", "train"],
        ["-m", "maas_lab.quickstart"],
        [str(ROOT / "scripts" / "train.py")],
    ],
)
def test_every_command_goes_through_it(tmp_path: Path, command: list[str]) -> None:
    # Given a home that is a file, and rows that need no network
    home, rows, recipe = tmp_path / "home", tmp_path / "rows.csv", ROOT / "scripts" / "recipes"
    home.write_text("")
    lines = [f"word{n} text,{('negative', 'positive')[n % 2]}\n" for n in range(60)]
    rows.write_text("text,label\n" + "".join(lines))
    arguments = []
    if "quickstart" not in command[-1]:
        arguments = [str(recipe / "sentiment-lstm.toml"), "--data", str(rows)]

    # When it runs, then it ends with the remedy and without a trace
    done = subprocess.run(
        [sys.executable, *command, *arguments],
        env={"MAAS_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "MAAS_HOME" in done.stderr
    assert "Traceback" not in done.stderr
