"""Environments of clients whose dependencies are not ours: made once, kept between runs."""

import subprocess
import sys
from pathlib import Path

CLIENTS = Path(__file__).parents[1] / "clients"
TOOLS = CLIENTS.parents[1] / ".ci" / ".tools" / "clients"
"""Where .ci/run keeps its tools, too; git ignores it."""


def python_of(client: str) -> Path:
    """The interpreter of a client's environment: the packages of its requirements.txt, no other."""
    environment, requirements = TOOLS / client, CLIENTS / client / "requirements.txt"
    python, done = environment / "bin" / "python", environment / "installed"
    wanted = f"{sys.version} {environment}\n{requirements.read_text()}"
    if not done.exists() or done.read_text() != wanted:
        _run(sys.executable, "-m", "venv", "--clear", environment)
        pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        _run(*pip, "--no-deps", "--requirement", requirements)
        _run(python, "-m", "pip", "--disable-pip-version-check", "check")
        done.write_text(wanted)
    return python


def _run(*command: str | Path) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=900, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]
