"""Where a run is made: versions, device, threads and commit. Imports torch and the records.

environment = describe_environment("cpu")
environment.commit, environment.dirty
"""

import platform
import shutil
import subprocess
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from maas_lab.records import Environment

if TYPE_CHECKING:
    from collections.abc import Iterator

_LIBRARIES = ("accelerate", "maas", "numpy", "safetensors", "scikit-learn", "tokenizers", "torch")
_SECONDS = 10


@contextmanager
def limit_threads(count: int) -> "Iterator[None]":
    """Let torch compute with so many threads of the CPU while the body runs."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def describe_environment(device: str) -> Environment:
    """Describe this process; no host name, user name or path is part of it."""
    # An installed copy may lie inside somebody else's checkout, whose commit says nothing.
    ours = _git("ls-files", "--error-unmatch", Path(__file__).name) is not None
    commit = _git("rev-parse", "HEAD") if ours else None
    return Environment(
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.release()} {platform.machine()}",
        libraries={name: version(name) for name in _LIBRARIES},
        device=f"cuda ({torch.cuda.get_device_name()})" if device.startswith("cuda") else device,
        threads=torch.get_num_threads(),
        commit=commit,
        dirty=commit is not None and _git("status", "--porcelain") != "",
    )


def _git(*words: str) -> str | None:
    """What git says in the folder of this file; None without git or outside a checkout."""
    git = shutil.which("git")
    if git is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - every word of the command is ours
            [git, "-C", str(Path(__file__).parent), *words],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=True,
        )
    except (subprocess.SubprocessError, OSError):
        return None
    return done.stdout.strip()
