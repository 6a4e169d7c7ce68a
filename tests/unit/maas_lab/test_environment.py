"""What a run says about where it was made."""

import socket
import subprocess
from pathlib import Path

import msgspec
import torch

from maas_lab.environment import describe_environment, limit_threads

FOLDER = Path(__file__).parents[3]


def test_versions_and_threads_are_those_of_this_process() -> None:
    environment = describe_environment("cpu")

    assert environment.libraries["torch"] == torch.__version__
    assert environment.threads == torch.get_num_threads()
    assert environment.device == "cpu"


def test_the_commit_is_that_of_the_checkout() -> None:
    git = subprocess.run(
        ["git", "-C", FOLDER, "rev-parse", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    commit = git.stdout.strip() or None

    assert describe_environment("cpu").commit in {commit, None}


def test_no_path_and_no_host_is_part_of_it() -> None:
    encoded = msgspec.json.encode(describe_environment("cpu")).decode()

    assert str(Path.home()) not in encoded
    assert socket.gethostname() not in encoded


def test_threads_are_limited_for_a_while() -> None:
    before = torch.get_num_threads()

    with limit_threads(before + 1):
        assert torch.get_num_threads() == before + 1

    assert torch.get_num_threads() == before
