"""Several processes by torchrun: the same script, the same updates, one writer."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from training.tiny import Lab

from maas_lab.checkpoint import load_best
from maas_lab.metrics import read_metrics
from maas_lab.runs import Run, list_runs

pytestmark = pytest.mark.training

SCRIPT = Path(__file__).parents[2] / "scripts" / "train.py"


@pytest.fixture
def certain(lab: Lab) -> Lab:
    """A recipe without dropout, whose draws each process makes for itself."""
    path = lab.recipe_file
    content = path.read_text().replace("word_dropout = 0.1", "word_dropout = 0.0")
    path.write_text(content.replace("hidden = 4", "hidden = 4\nembedding_dropout = 0\ndropout = 0"))
    return lab


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def start(lab: Lab, home: str, *launcher: str) -> "subprocess.Popen[str]":
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--master-addr", "127.0.0.1"]
    return subprocess.Popen(
        [*torchrun, *launcher, SCRIPT, lab.recipe_file, "--resume"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "MAAS_HOME": str(lab.folder / home), "CUDA_VISIBLE_DEVICES": ""},
    )


def the_run(lab: Lab, home: str) -> Run:
    (run,) = list_runs(lab.folder / home)
    return run


def assert_same(run: Run, other: Run) -> None:
    expected = load_best(other).state_dict()
    for name, weight in load_best(run).state_dict().items():
        torch.testing.assert_close(weight, expected[name], atol=1e-4, rtol=1e-3)
    mine, theirs = (read_metrics(each.metrics_file)[1] for each in (run, other))
    assert [line.step for line in mine] == [line.step for line in theirs]
    for line, wanted in zip(mine, theirs, strict=True):
        assert line.train_loss == pytest.approx(wanted.train_loss, abs=1e-4)


def test_two_processes_make_the_updates_of_one_and_resume_after_a_notice(certain: Lab) -> None:
    # Given a training by one process, and one by two that are asked to end on the way, as a Spot
    # instance is
    path = certain.recipe_file
    path.write_text(path.read_text().replace("max_epochs = 3", "max_epochs = 12"))
    alone = certain.train(home="alone")
    two = ("--nproc-per-node", "2", "--master-port")
    children = start(certain, "both", *two, str(free_port()))
    deadline = time.monotonic() + 120
    while not list((certain.folder / "both").rglob("step-*.safetensors")):
        assert children.poll() is None, children.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    children.send_signal(signal.SIGTERM)
    children.communicate(timeout=120)

    # When it goes on
    children = start(certain, "both", *two, str(free_port()))
    shown, told = children.communicate(timeout=120)

    # Then it ends as the other, and only one process has spoken and written
    assert children.returncode == 0, told
    assert shown.count("in 2 processes") == 1
    assert shown.count("test accuracy") == 1
    run = the_run(certain, "both")
    assert run.finished
    assert_same(run, alone)
    assert run.summary().reached == alone.summary().reached


def test_two_machines_that_share_no_disk_train_one_network(certain: Lab) -> None:
    # Given two machines, each with a home of its own
    alone = certain.train(home="alone")
    port = str(free_port())
    nodes = [
        start(
            certain,
            home,
            *("--nnodes", "2", "--node-rank", str(rank), "--nproc-per-node", "1"),
            *("--master-port", port),
        )
        for rank, home in enumerate(("first", "second"))
    ]

    # When both train
    ended = [node.communicate(timeout=180) for node in nodes]

    # Then the first has the run, which is that of one process, and the second has said nothing
    assert [node.returncode for node in nodes] == [0, 0], ended
    run = the_run(certain, "first")
    assert run.finished
    assert_same(run, alone)
    assert "test accuracy" in ended[0][0]
    assert ended[1][0] == ""
