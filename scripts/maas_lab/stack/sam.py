"""Running the `sam` command: its output goes on line by line, its end becomes ours.

Imports the standard library and `maas.errors`.

    sam = find_sam()                       # RefusedError where it is not on PATH
    sam.version()                          # (1, 170, 0)
    sam.run("build", root=project.root, say=print)
"""

import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from maas.errors import RefusedError, TryAgainError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OLDEST = (1, 170, 0)
"""The first release that this project's template was tried with."""
VERSION_SECONDS = 60
INSTALL = (
    "Install the AWS SAM CLI 1.170 or newer (docs.aws.amazon.com/serverless-application-model)"
)


@dataclass(frozen=True, slots=True)
class Sam:
    """The command.

    Attributes:
        program: Its path.
        stop_seconds: How long it may take to end after Ctrl-C, which reaches it too.
    """

    program: str
    stop_seconds: float = 20.0

    def version(self) -> tuple[int, ...]:
        """Its version.

        Raises:
            RefusedError: It does not say it.
        """
        said = _said([self.program, "--version"])
        match = re.search(r"version (\d+)\.(\d+)\.(\d+)", said)
        if match is None:
            raise RefusedError(f"sam --version says nothing that is a version. {INSTALL}.")
        return tuple(map(int, match.groups()))

    def run(self, *arguments: str, root: "Path", say: "Callable[[str], None]") -> None:
        """Run it in a folder, and hand on what it prints.

        Args:
            arguments: The command and its options.
            root: Where template.yaml and samconfig.toml lie.
            say: Told each line, stdout and stderr as they come.

        Raises:
            TryAgainError: It failed; what it printed last says why.
            KeyboardInterrupt: It was interrupted.
        """
        command = [self.program, *arguments]
        with subprocess.Popen(  # noqa: S603 - a list, no shell; the program is the user's own sam
            command,
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            try:
                for line in process.stdout or ():
                    say(line.rstrip("\n"))
                code = process.wait()
            except BaseException:
                _end(process, self.stop_seconds)
                raise
        if code != 0:
            raise TryAgainError(f"sam {arguments[0]} ended with exit code {code}; see above.")


def find_sam() -> Sam:
    """Look for `sam` on PATH.

    Raises:
        RefusedError: It is not there.
    """
    program = shutil.which("sam")
    if program is None:
        raise RefusedError(f"sam is not on PATH. {INSTALL}.")
    return Sam(program)


def runs(program: str) -> bool:
    """Whether a program on PATH runs at all; a version manager leaves shims that do not."""
    path = shutil.which(program)
    return path is not None and bool(_said([path, "--version"]))


def _said(command: list[str]) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - a list, no shell
            command, capture_output=True, text=True, timeout=VERSION_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _end(process: "subprocess.Popen[str]", seconds: float) -> None:
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.terminate()
