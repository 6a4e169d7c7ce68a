"""Promise P9: kill a training at any time, resume it, and the result is the same."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from training.tiny import Lab

from maas.errors import RefusedError
from maas_lab.checkpoint import load_best
from maas_lab.runs import Run, list_runs

pytestmark = pytest.mark.training

SCRIPT = Path(__file__).parents[2] / "scripts" / "train.py"
DRIVER = Path(__file__).with_name("killed_training.py")


def environment(lab: Lab) -> dict[str, str]:
    return {**os.environ, "MAAS_HOME": str(lab.folder / "home")}


def test_p9_killed_before_every_change_of_a_file(lab: Lab) -> None:
    path = lab.recipe_file
    path.write_text(
        path.read_text()
        .replace("max_epochs = 3", "max_epochs = 2")
        .replace("checkpoint_steps = 5", "checkpoint_steps = 4")  # at an epoch's last step too
    )

    done = subprocess.run(
        [sys.executable, DRIVER, lab.recipe_file, lab.folder / "kills"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    differences = json.loads(done.stdout)
    assert len(differences["loop"]) > 40
    assert len(differences["end"]) > 3
    for part in differences.values():
        assert {point: keys for point, keys in part.items() if keys} == {}


def start(lab: Lab, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, SCRIPT, lab.recipe_file, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(lab),
    )


def the_run(lab: Lab) -> Run:
    (run,) = list_runs(lab.folder / "home")
    return run


def newest_step(lab: Lab) -> str:
    return max((p.name for p in (lab.folder / "home").rglob("step-*.safetensors")), default="")


def wait_for_a_later_step(child: "subprocess.Popen[str]", lab: Lab) -> None:
    before = newest_step(lab)
    deadline = time.monotonic() + 60
    while newest_step(lab) <= before:
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_p9_signals_at_random_moments(lab: Lab) -> None:
    # Given a training that takes a second or two
    path = lab.recipe_file
    path.write_text(
        path.read_text()
        .replace("max_epochs = 3", "max_epochs = 30")
        .replace("patience = 2", "patience = 30")
    )
    moments = random.Random(0)
    whole = lab.train(home="whole")

    # When it is killed, and later asked to end, each a while after another checkpoint
    for number in (signal.SIGKILL, signal.SIGTERM):
        child = start(lab, "--resume")
        wait_for_a_later_step(child, lab)
        time.sleep(moments.uniform(0, 0.05))
        child.send_signal(number)
        _, told = child.communicate(timeout=60)

        # Then a polite stop says how to go on, and shows no trace
        if number == signal.SIGKILL:
            assert child.returncode == -signal.SIGKILL
        else:
            assert child.returncode == 5, told
            assert told == (
                "maas: Stopped; everything is saved. Go on with the same command and --resume.\n"
            )
        assert not the_run(lab).finished

    # And the resumed run ends as the one that was left alone
    child = start(lab, "--resume")
    shown, told = child.communicate(timeout=60)
    assert child.returncode == 0, told
    assert "Resuming after step" in shown
    assert "test accuracy" in shown
    run = the_run(lab)
    for name, weight in load_best(whole).state_dict().items():
        assert (load_best(run).state_dict()[name] - weight).abs().max() <= 1e-3
    assert run.summary().reached == pytest.approx(whole.summary().reached, abs=1e-3)


# ---- Damaged checkpoints ------------------------------------------------------------------------


def unfinished(lab: Lab) -> tuple[Run, bytes, list[Path]]:
    run = lab.train()
    best = run.best_file.read_bytes()
    run.summary_file.unlink()
    return run, best, sorted(run.checkpoints.glob("step-*"))


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


def flip_a_counter(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(rb"\"epoch\":3", rb"\"epoch\":2"))


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [flip_a_bit, cut_short, empty, flip_a_counter])
def test_a_damaged_newest_checkpoint_gives_way_to_the_one_before(
    lab: Lab, damage: Callable[[Path], None]
) -> None:
    # Given a run whose newest checkpoint is damaged
    run, best, checkpoints = unfinished(lab)
    whole = checkpoints[-1].read_bytes()
    damage(checkpoints[-1])
    assert checkpoints[-1].read_bytes() != whole
    run.best_file.unlink()

    # When it is resumed
    lab.train(resume=True)

    # Then the lost steps are made again, and the end is the same
    assert run.finished
    assert run.best_file.read_bytes() == best


def test_with_all_checkpoints_damaged_training_begins_anew_with_the_same_end(lab: Lab) -> None:
    run, best, checkpoints = unfinished(lab)
    for path in checkpoints:
        cut_short(path)

    lab.train(resume=True)

    assert run.best_file.read_bytes() == best


def test_damaged_best_weights_are_never_loaded(lab: Lab) -> None:
    run = lab.train()
    flip_a_bit(run.best_file)

    with pytest.raises(RefusedError, match="--restart"):
        load_best(run)


def test_a_run_without_weights_says_so(lab: Lab) -> None:
    run = lab.train()
    run.best_file.unlink()

    with pytest.raises(RefusedError, match="no trained weights"):
        load_best(run)
