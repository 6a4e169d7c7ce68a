"""Members of archives that lie in memory; nothing is unpacked to the disk.

Imports the standard library and `maas.errors`. Only plain files are read, and no more than a bound
of bytes, however little the archive itself weighs:

    review = read_member(content, "package/data/review.txt")
    pages = read_members(file, lambda name: name.endswith(".html"))
"""

import io
import lzma
import tarfile
import zlib
from typing import IO, TYPE_CHECKING

from maas.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

_LARGEST = 512 * 1024**2  # bytes that are read out of one archive
_DAMAGED = (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError, ValueError)


def read_member(content: bytes, name: str) -> bytes:
    """One file of a tar archive, compressed or not.

    Raises:
        RefusedError: The archive is damaged or does not hold it.
    """
    return read_members(io.BytesIO(content), {name})[name]


def read_members(
    file: "IO[bytes]", wanted: "Collection[str] | Callable[[str], bool]"
) -> dict[str, bytes]:
    """Name to content of some files of a tar archive.

    Args:
        file: The archive; read once, from its beginning to its end.
        wanted: The names of members, without `./`, all of which must be there; or whether a member
            is read.

    Raises:
        RefusedError: The archive is damaged or lacks a member, or what was asked for is too much.
    """
    is_wanted = wanted if callable(wanted) else wanted.__contains__
    found: dict[str, bytes] = {}
    room = _LARGEST
    try:
        with tarfile.open(fileobj=file, mode="r|*") as archive:
            for member in archive:
                name = member.name.removeprefix("./")
                if not member.isfile() or not is_wanted(name):
                    continue
                room -= member.size
                opened = archive.extractfile(member) if room >= 0 else None
                if opened is None:
                    raise RefusedError(f"The archive holds more than {_LARGEST} bytes.")
                found[name] = opened.read()
    except _DAMAGED as error:
        raise RefusedError(f"The archive is damaged ({error}).") from None
    missing = set() if callable(wanted) else set(wanted) - found.keys()
    if missing:
        raise RefusedError(f"The archive does not hold {min(missing)}.")
    return found
