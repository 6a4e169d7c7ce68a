"""Files that are whole or absent, whatever happens while they are written.

Imports the standard library alone. A reader never sees half a file, and a file that was written
survives a power cut:

    write_file(run.summary_file, encoded)
"""

import os
from pathlib import Path


def write_file(path: Path, content: bytes) -> None:
    """Write a file in one step: beside it, to the disk, then into its place.

    Raises:
        OSError: The disk is full or the folder cannot be written to; the old file is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make a renaming durable; only some systems let a folder be opened for it."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
