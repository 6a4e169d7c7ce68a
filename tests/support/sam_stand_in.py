"""A `sam` on PATH that records what it is told and can be made to fail; python3.13 and make too.

sam = install_sam(tmp_path / "bin", monkeypatch)
sam.fail("deploy", "Resource creation was cancelled")
sam.calls                            # ["build", "deploy --stack-name maas …"]
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

_SAM = """\
#!/bin/sh
here=$(dirname "$0")
if [ "$1" = --version ]; then cat "$here/version"; exit 0; fi
printf '%s\\n' "$*" >> "$here/calls"
echo "sam $1 begins"
if [ -f "$here/hang-$1" ]; then exec sleep 30; fi
if [ -f "$here/fail-$1" ]; then cat "$here/fail-$1" >&2; exit 1; fi
printf '%s\\n' "$*" >> "$here/done"
echo "sam $1 ends"
"""
_PROGRAM = "#!/bin/sh\necho 'version 1'\n"


@dataclass(frozen=True, slots=True)
class SamStandIn:
    """The stand-in; `folder` is the only one on PATH beside the system's."""

    folder: Path

    @property
    def calls(self) -> list[str]:
        """What it was told, but for its version; one line each."""
        return self._lines("calls")

    @property
    def done(self) -> list[str]:
        """Those that ended well."""
        return self._lines("done")

    def version(self, text: str) -> None:
        """Say another version."""
        (self.folder / "version").write_text(text + "\n")

    def fail(self, command: str, text: str) -> None:
        """Let a command print this and fail, until `mend`."""
        (self.folder / f"fail-{command}").write_text(text + "\n")

    def hang(self, command: str) -> None:
        """Let a command go on for ever, until `mend`."""
        (self.folder / f"hang-{command}").touch()

    def mend(self, command: str) -> None:
        """Let a command work again."""
        (self.folder / f"fail-{command}").unlink(missing_ok=True)
        (self.folder / f"hang-{command}").unlink(missing_ok=True)

    def lack(self, program: str) -> None:
        """Take a program away."""
        (self.folder / program).unlink()

    def _lines(self, name: str) -> list[str]:
        file = self.folder / name
        return file.read_text().splitlines() if file.exists() else []


def install_sam(folder: Path, monkeypatch: pytest.MonkeyPatch) -> SamStandIn:
    """Make the programs, and a PATH that has them and what a shell script needs."""
    folder.mkdir()
    for name in ("cat", "dirname", "sleep", "sh"):
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    for name, text in (("sam", _SAM), ("python3.13", _PROGRAM), ("make", _PROGRAM)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    stand_in = SamStandIn(folder)
    stand_in.version("SAM CLI, version 1.170.0")
    monkeypatch.setenv("PATH", os.fspath(folder))
    return stand_in
