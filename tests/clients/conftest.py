"""Environments of clients whose dependencies are not ours: made once, kept between runs."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TOOLS = HERE.parents[1] / ".ci" / ".tools" / "clients"
"""Where .ci/run keeps its tools, too; git ignores it."""


@pytest.fixture(scope="session")
def python_of() -> Callable[[str], Path]:
    """The interpreter of a client's environment: the packages of its requirements.txt, no other."""

    def made(client: str) -> Path:
        environment, requirements = TOOLS / client, HERE / client / "requirements.txt"
        python, done = environment / "bin" / "python", environment / "installed"
        wanted = f"{sys.version} {environment}\n{requirements.read_text()}"
        if not done.exists() or done.read_text() != wanted:
            run(sys.executable, "-m", "venv", "--clear", environment)
            pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
            run(*pip, "--no-deps", "--requirement", requirements)
            run(python, "-m", "pip", "--disable-pip-version-check", "check")
            done.write_text(wanted)
        return python

    return made


def run(*command: str | Path) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=900, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]
