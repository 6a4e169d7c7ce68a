"""A virtual environment per peer, with pinned packages; none of them in the project's own or lock.

pythons = make_environments(Path(".maas/peers"))        # minutes when first made
pythons["kserve"]
"""

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

REQUIREMENTS = Path(__file__).parent / "requirements"


def make_environments(folder: Path) -> dict[str, Path]:
    """Make what is not there yet, or was made of other pins.

    Args:
        folder: Where they shall lie; about 1.2 GB.

    Returns:
        Each one's interpreter, by the name of its pins.
    """
    return {
        pins.stem: _made(pins, folder / pins.stem) for pins in sorted(REQUIREMENTS.glob("*.txt"))
    }


def _made(pins: Path, place: Path) -> Path:
    python, mark = place / "bin" / "python", place / "made-of"
    digest = hashlib.sha256(pins.read_bytes()).hexdigest()
    if not mark.is_file() or mark.read_text() != digest:
        sys.stderr.write(f"making {place}\n")
        venv.create(place, clear=True, with_pip=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:",
             "-r", pins], check=True, timeout=900,
        )  # fmt: skip
        mark.write_text(digest)
    return python
