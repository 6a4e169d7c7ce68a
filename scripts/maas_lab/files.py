"""Files that are whole or absent, whatever happens while they are written.

Imports the standard library and `maas.errors`. A reader never sees half a file, a file that was
written survives a power cut, and a folder has one writer at a time:

    with lock_folder(run.folder):
        write_file(run.summary_file, encoded)
"""

import ctypes
import os
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from maas.errors import ConflictError

try:
    import fcntl
except ImportError:  # not on Windows; there nobody is kept from starting a training twice
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

CHUNK_BYTES = 1_048_576
"""So much of a file is in memory while it is copied."""
_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux's renameat2


def write_file(path: Path, content: "bytes | Iterable[bytes]") -> None:
    """Write a file in one step: beside it, to the disk, then into its place.

    Args:
        path: Its place; folders above it are made.
        content: All of it, or its parts one after the other, so that they need not fit in memory.

    Raises:
        OSError: The disk is full or the folder cannot be written to; the old file is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("wb") as file:
            file.writelines([content] if isinstance(content, bytes) else content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    _sync_folder(path.parent)


def copy_file(
    source: Path, target: Path, *, advance: "Callable[[int], None]" = lambda _: None
) -> None:
    """Copy a file's content, chunk by chunk, and bring it to the disk.

    Args:
        source: A plain file; a link is refused.
        target: A file that does not exist yet, in a folder that does.
        advance: Told the bytes of every chunk.

    Raises:
        OSError: The disk is full, or one of them cannot be opened.
    """
    opened = os.open(source, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    with os.fdopen(opened, "rb") as read, target.open("xb") as written:
        while chunk := read.read(CHUNK_BYTES):
            written.write(chunk)
            advance(len(chunk))
        written.flush()
        os.fsync(written.fileno())


def _sync_folder(folder: Path) -> None:
    """Make a renaming durable; only some systems let a folder be opened for it."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def lock_folder(folder: Path) -> "Iterator[None]":
    """Let one process at a time work on a folder; the lock ends with the process, however it ends.

    The lock is a file beside the folder, so that the folder itself may be thrown away meanwhile.

    Raises:
        ConflictError: Another process is at work on it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("wb") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ConflictError(f"Another process is at work on {folder.name}.") from None
        yield


def drop_folder(folder: Path) -> None:
    """Remove a folder with all that is in it; at no moment is half of it in its place."""
    if folder.is_dir():
        doomed = folder.with_name(f".{folder.name}.dropped")
        shutil.rmtree(doomed, ignore_errors=True)
        folder.rename(doomed)
        shutil.rmtree(doomed)


def replace_folder(folder: Path, new: Path) -> None:
    """Put a new folder into the place of one that is there or not, and remove the former.

    On Linux both are exchanged in one step, so that a whole one is in its place at every moment;
    elsewhere a kill may leave the place empty.
    """
    if folder.is_dir() and _exchange(folder, new):
        shutil.rmtree(new)
    else:
        drop_folder(folder)
        new.rename(folder)
    _sync_folder(folder.parent)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders in one step; False where the system cannot."""
    if sys.platform != "linux":
        return False
    renameat2 = getattr(ctypes.CDLL(None), "renameat2", None)  # not in every C library
    return renameat2 is not None and not renameat2(
        _HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE
    )
