"""PNG and JPEG files, taken apart before any library sees them: their size, and nothing but pixels.

May import `maas.errors`, `maas.limits` and msgspec. What stands in a file beside the picture (EXIF,
colour profiles, texts, thumbnails, further pictures) is left out, so that no library reads it; and
what would make one work for long is refused, because a file of a few bytes may say that it is
large:

    file = read_file(data, field="inputs")
    file.width, file.height              # 4032, 3024
"""

import struct
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from maas.errors import FieldError
from maas.limits import LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Iterator

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_KEPT_CHUNKS = frozenset((b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"))
_PARTS = 10_000  # chunks or segments: each is a turn of a loop
_SCANS = 32  # a progressive JPEG has about ten; each is a pass over all of its pixels
_START, _END, _SCAN, _EXIF = 0xD8, 0xD9, 0xDA, 0xE1
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE = frozenset((0x01, *range(0xD0, 0xD8)))  # markers without a length
# Segments that say how to read the pixels; of the others JFIF and Adobe name the kind of colours.
_KEPT_SEGMENTS = _FRAMES | {0xC4, 0xCC, 0xDB, 0xDD, 0xE0, 0xEE}


class PictureFile(Struct, frozen=True):
    """A file that holds one picture.

    Attributes:
        kind: Its format.
        width: Pixels of a row, as they are stored.
        height: Rows, as they are stored.
        turn: How the picture is to be turned, 1 to 8 as EXIF has it; 1 is not at all.
        data: The file without what is no part of the picture.
    """

    kind: Literal["png", "jpeg"]
    width: int
    height: int
    turn: int
    data: bytes

    @property
    def pixels(self) -> int:
        """How many there are."""
        return self.width * self.height


def read_file(data: bytes, *, field: str, limits: Limits = LIMITS) -> PictureFile:
    """Tell what a file holds from its parts, without decoding a pixel.

    Args:
        data: All of it.
        field: The request field that it came from, for the message.
        limits: Sides and pixels.

    Raises:
        FieldError: It is neither a PNG nor a JPEG, cut off, animated, or too large.
    """
    if data.startswith(_PNG):
        file = _read_png(data, field)
    elif data.startswith(_JPEG):
        file = _read_jpeg(data, field)
    else:
        raise FieldError("is neither a PNG nor a JPEG", field=field)
    if not 1 <= min(file.width, file.height) <= max(file.width, file.height) <= limits.image_side:
        raise FieldError(f"must be 1 to {limits.image_side} pixels wide and high", field=field)
    if file.pixels > limits.image_pixels:
        raise FieldError(f"must have at most {limits.image_pixels} pixels", field=field)
    return file


def _read_png(data: bytes, field: str) -> PictureFile:
    kept = [_PNG]
    size: tuple[int, int] | None = None
    turn = 1
    for name, start, end in _chunks(data, field):
        content = data[start:end]
        if name == b"IHDR" and len(content) == 13 and size is None:
            size = struct.unpack(">II", content[:8])
        elif size is None or name == b"IHDR":
            raise damaged(field)
        if name == b"acTL" and struct.unpack(">I", content[:4].rjust(4, b"\0"))[0] > 1:
            raise FieldError("is animated; send one picture", field=field)
        if name == b"eXIf":
            turn = _turn(content)
        if name in _KEPT_CHUNKS:
            kept.append(data[start - 8 : end + 4])
    if size is None:
        raise damaged(field)
    return PictureFile("png", *size, turn, b"".join(kept))


def _chunks(data: bytes, field: str) -> "Iterator[tuple[bytes, int, int]]":
    """Each chunk's name, and where its content starts and ends; the last one is IEND."""
    at = len(_PNG)
    for _ in range(_PARTS):
        if at + 12 > len(data):
            raise damaged(field)
        length = int.from_bytes(data[at : at + 4], "big")
        name, start = data[at + 4 : at + 8], at + 8
        at = start + length + 4
        if at > len(data):
            raise damaged(field)
        yield name, start, start + length
        if name == b"IEND":
            return
    raise damaged(field)


def _read_jpeg(data: bytes, field: str) -> PictureFile:
    kept = [data[:2]]
    size: tuple[int, int] | None = None
    turn = 1
    for marker, start, end in _segments(data, field):
        content = data[start:end]
        if marker in _FRAMES and len(content) >= 5 and size is None:
            height, width = struct.unpack(">HH", content[1:5])
            size = width, height
        elif marker in _FRAMES:
            raise damaged(field)
        if marker == _EXIF and content.startswith(b"Exif\0\0"):
            turn = _turn(content[6:])
        if marker in _KEPT_SEGMENTS:
            kept.append(data[start - 4 : end])
        if marker == _SCAN:
            last = data.find(bytes((0xFF, _END)), start)
            if last < 0 or size is None or data.count(bytes((0xFF, _SCAN)), start, last) >= _SCANS:
                raise damaged(field)
            kept.append(data[start - 4 : last + 2])
            return PictureFile("jpeg", *size, turn, b"".join(kept))
    raise damaged(field)


def _segments(data: bytes, field: str) -> "Iterator[tuple[int, int, int]]":
    """Each segment's marker, and where its content starts and ends; the last begins the pixels."""
    at = 2
    for _ in range(_PARTS):
        if at + 4 > len(data) or data[at] != 0xFF:
            raise damaged(field)
        marker = data[at + 1]
        if marker == 0xFF:  # as many as somebody likes may stand before a marker
            at += 1
            continue
        if marker in _BARE:
            at += 2
            continue
        start, at = at + 4, at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if at < start or at > len(data) or marker in (_START, _END):
            raise damaged(field)
        yield marker, start, at
        if marker == _SCAN:
            return
    raise damaged(field)


def _turn(exif: bytes) -> int:
    """EXIF's orientation; 1 where it says none, or nothing that can be read."""
    order: Literal["little", "big"] = "little" if exif.startswith(b"II") else "big"
    at = int.from_bytes(exif[4:8], order)
    count = int.from_bytes(exif[at : at + 2], order)
    for entry in range(at + 2, min(at + 2 + 12 * count, len(exif) - 11), 12):
        if int.from_bytes(exif[entry : entry + 2], order) == 0x0112:
            turn = int.from_bytes(exif[entry + 8 : entry + 10], order)
            return turn if 1 <= turn <= 8 else 1
    return 1


def damaged(field: str) -> FieldError:
    """What is told of a file that cannot be read to its end."""
    said = "is cut off or damaged, or not read here; save it as a plain PNG or JPEG"
    return FieldError(said, field=field)
