"""One file out of the bucket: whole and checked, or not there at all (promise F29).

Imports the standard library and the lab. It is written beside its place and moved there when every
byte has been checked; what is cut or wrong is fetched again, three times in all:

    fetch_file(bucket, "runs/…/3f2a…", file, folder / file.path, sleep=time.sleep)
"""

import hashlib
from typing import TYPE_CHECKING

from maas.errors import RefusedError, TryAgainError
from maas_lab.files import write_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from maas_lab.batch.bucket import Bucket
    from maas_lab.batch.manifest import StoredFile

TRIES = 3
PAUSE_SECONDS = 1.0
"""Before the second try; twice as long before the third."""


class WrongContentError(RefusedError):
    """An object is not what was stored under its name."""

    code = "wrong_content"


def fetch_file(
    bucket: "Bucket",
    key: str,
    file: "StoredFile",
    target: "Path",
    *,
    sleep: "Callable[[float], None]",
    advance: "Callable[[int], None]" = lambda _: None,
) -> None:
    """Fetch an object into a file.

    Args:
        bucket: Where it is.
        key: The object's name.
        file: What it must be.
        target: Where to put it; what is there stays until the new one is whole.
        sleep: Waits so many seconds.
        advance: Told the bytes that came; a negative number takes those of a failed try back.

    Raises:
        WrongContentError: It is another content, three times.
        TryAgainError: It did not come as a whole, three times.
        NotFoundError: There is no such object.
        OSError: The disk is full.
    """
    for attempt in range(1, TRIES + 1):
        came = 0

        def count(size: int) -> None:
            nonlocal came
            came += size
            advance(size)

        try:
            write_file(target, _checked(bucket.read(key), file, count))
        except (TryAgainError, WrongContentError):
            advance(-came)
            if attempt == TRIES:
                raise
            sleep(PAUSE_SECONDS * attempt)
        else:
            return


def digest_of(path: "Path") -> str:
    """The sha256 of a file's content, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def holds(path: "Path", file: "StoredFile") -> bool:
    """Whether a file of this machine is the one that is stored."""
    return path.is_file() and path.stat().st_size == file.size and digest_of(path) == file.sha256


def _checked(
    chunks: "Iterable[bytes]", file: "StoredFile", count: "Callable[[int], None]"
) -> "Iterator[bytes]":
    """Hand chunks on; raise at the end, before the file is moved, where they are the wrong ones."""
    found, size = hashlib.sha256(), 0
    for chunk in chunks:
        size += len(chunk)
        found.update(chunk)
        if size > file.size:
            break
        count(len(chunk))
        yield chunk
    if (size, found.hexdigest()) != (file.size, file.sha256):
        raise WrongContentError(
            f"{file.path} in the bucket is not what was stored there: its digest or size differs."
        )
