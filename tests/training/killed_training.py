"""A child process that kills trainings at every file operation, resumes them, and compares.

Not a test itself: test_resume.py runs it. Each training is a fork, so that torch is imported only
once, and is ended by SIGKILL from an audit hook just before its n-th change of a file. Writes how
many points there were and what differed at which, as JSON.

    python killed_training.py RECIPE FOLDER
"""

import itertools
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import torch
from rich.console import Console

from maas_lab.recipes.recipe import load_recipe
from maas_lab.runs import Run, list_runs
from maas_lab.train import train

Hook = Callable[[str, tuple[object, ...]], None]

CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir")


def train_quietly(recipe: Path, home: Path) -> None:
    console = Console(file=StringIO())
    train(load_recipe(recipe), home=home, cache=home, resume=True, console=console)


def kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def before_change(home: Path, wanted: int) -> Hook:
    """Kill before the wanted change of a file in a folder; the first is 0."""
    count = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        writes = event == "open" and arguments[1] not in ("r", None)
        if (writes or event in CHANGES) and str(arguments[0]).startswith(str(home)):
            if count == wanted:
                kill_self()
            count += 1

    return hook


def after_the_loop(event: str, arguments: tuple[object, ...]) -> None:
    """Kill when the best weights are read: only scores and plots would follow."""
    if event == "open" and str(arguments[0]).endswith("best.safetensors") and arguments[1] == "r":
        kill_self()


def forked(recipe: Path, home: Path, *hooks: Hook) -> bool:
    """Train in a fork. Gives whether it was killed; any other end but success is a fault."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            for hook in hooks:
                sys.addaudithook(hook)
            train_quietly(recipe, home)
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, -signal.SIGKILL):
        raise SystemExit(f"The training in {home.name} failed.")
    return code != 0


def run_in(home: Path) -> Run:
    (run,) = list_runs(home)
    return run


def outcome(home: Path) -> dict[str, str]:
    """All that a run keeps and no clock decides, byte by byte."""
    run = run_in(home)
    course = [json.loads(line) for line in run.metrics_file.read_text().splitlines()]
    for line in course:
        line.pop("seconds", None)
    summary = json.loads(run.summary_file.read_text()) if run.finished else {}
    summary.pop("seconds", None)
    found = {
        "names": " ".join(sorted(str(f.relative_to(run.folder)) for f in run.folder.rglob("*"))),
        "course": json.dumps(course),
        "summary": json.dumps(summary),
    }
    for path in (run.best_file, run.tokenizer_file, run.test_file, *run.plots.glob("*")):
        found[path.name] = path.read_bytes().hex()
    return found


def killed_in_the_loop(recipe: Path, folder: Path) -> dict[int, list[str]]:
    """What differs, by point, after a kill at that point and one resume."""
    forked(recipe, folder / "loop", after_the_loop)
    expected = outcome(folder / "loop")
    differences: dict[int, list[str]] = {}
    home = folder / "killed"
    for point in itertools.count():
        shutil.rmtree(home, ignore_errors=True)
        forked(recipe, home, before_change(home, point), after_the_loop)
        # The loop is over where nothing is left to do but to read the best weights.
        over = list_runs(home) and run_in(home).best_file.is_file() and outcome(home) == expected
        forked(recipe, home, after_the_loop)
        found = outcome(home)
        differences[point] = [key for key in expected if found.get(key) != expected[key]]
        if over:
            return differences
    raise AssertionError


def killed_at_the_end(recipe: Path, folder: Path, *, step: int) -> dict[int, list[str]]:
    """The same for some of the points between the loop and the summary."""
    forked(recipe, folder / "whole")
    expected = outcome(folder / "whole")
    differences: dict[int, list[str]] = {}
    for point in itertools.count(0, step):
        home = folder / f"end-{point}"
        shutil.copytree(folder / "loop", home)
        killed = forked(recipe, home, before_change(home, point))
        if not killed:
            return differences
        forked(recipe, home)
        found = outcome(home)
        differences[point] = [key for key in expected if found.get(key) != expected[key]]
    raise AssertionError


def main() -> None:
    """Kill at change 0, 1, 2 … until none is left to kill at."""
    torch.set_num_threads(1)  # a pool of threads would not survive a fork
    os.fsync = lambda fd: None  # a killed process loses nothing that it has handed over
    recipe, folder = Path(sys.argv[1]), Path(sys.argv[2])
    train_quietly(recipe, folder / "warm")  # here, so that no fork has to import anything
    loop = killed_in_the_loop(recipe, folder)
    end = killed_at_the_end(recipe, folder, step=6)
    sys.stdout.write(json.dumps({"loop": loop, "end": end}))


if __name__ == "__main__":
    main()
