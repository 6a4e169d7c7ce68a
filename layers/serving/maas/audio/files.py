"""WAV files, taken apart before anything of them is decoded: what they hold, and how much.

May import `maas.errors`, `maas.limits` and msgspec. WAV alone is read, because its samples are
numbers as they are: a file of a few bytes cannot say that it is an hour long, and no decoder's
library stands between a caller and the process (infra/decisions/0020):

    file = read_file(data, field="inputs")
    file.rate, file.channels, file.seconds      # 44100, 2, 3.5
"""

import struct
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from maas.errors import FieldError
from maas.limits import LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Iterator

REMEDY = "send 16-bit PCM WAV"
_OTHERS = (
    (0, b"fLaC", "FLAC"),
    (0, b"OggS", "Ogg"),
    (0, b"ID3", "MP3"),
    (0, b"\xff\xfb", "MP3"),
    (0, b"\xff\xf3", "MP3"),
    (0, b"\xff\xf2", "MP3"),
    (4, b"ftyp", "MP4"),
    (0, b"\x1aE\xdf\xa3", "WebM"),
    (0, b"FORM", "AIFF"),
    (0, b"RF64", "RF64"),
    (0, b"RIFX", "RIFX"),
)
"""What the files of other formats have, and where."""
_CHUNKS = 1_000  # each is a turn of a loop
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_KINDS = {(_PCM, 8), (_PCM, 16), (_PCM, 24), (_PCM, 32), (_FLOAT, 32)}
# The rest of a subformat's GUID, whose first two bytes are the kind of samples
_GUID = bytes.fromhex("000000001000800000aa00389b71")
_STREAMED = 0xFFFFFFFF  # the size of data that was written before anybody knew it


class ClipFile(Struct, frozen=True):
    """A file that holds one clip.

    Attributes:
        rate: Frames a second.
        channels: Samples of a frame.
        kind: `pcm` for whole numbers, or `float`.
        bits: Of a sample.
        data: The frames, one after the other; samples little end first.
    """

    rate: int
    channels: int
    kind: Literal["pcm", "float"]
    bits: int
    data: memoryview

    @property
    def frames(self) -> int:
        """How many there are."""
        return len(self.data) * 8 // (self.bits * self.channels)

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.frames / self.rate


def read_file(data: bytes, *, field: str, limits: Limits = LIMITS) -> ClipFile:
    """Tell what a file holds from its parts, without decoding a sample.

    Args:
        data: All of it.
        field: The request field that it came from, for the message.
        limits: Seconds, rate and channels.

    Raises:
        FieldError: It is no WAV, cut off, of samples that are not read, empty or too long.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise FieldError(f"is {_named(data)}; {REMEDY}", field=field)
    told: tuple[int, int, int, int, int] | None = None
    for name, start, end in _chunks(data, field):
        if name == b"fmt ":
            told = _format(data[start:end], field)
        elif name == b"data":
            if told is None:
                raise damaged(field)
            return _checked(told, memoryview(data)[start:end], field, limits)
    raise damaged(field)


def damaged(field: str) -> FieldError:
    """What is told of a file that cannot be read to its end."""
    return FieldError(f"is cut off or damaged; {REMEDY}", field=field)


def _named(data: bytes) -> str:
    for at, magic, name in _OTHERS:
        if data[at : at + len(magic)] == magic:
            return f"a file of {name}, which is not read here"
    return "no WAV file"


def _chunks(data: bytes, field: str) -> "Iterator[tuple[bytes, int, int]]":
    """Each chunk's name, and where its content starts and ends."""
    at = 12
    for _ in range(_CHUNKS):
        if at + 8 > len(data):
            return
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        start = at + 8
        if name == b"data" and size == _STREAMED:
            size = len(data) - start
        if size > len(data) - start:
            raise damaged(field)
        yield name, start, start + size
        at = start + size + size % 2  # chunks begin at even places


def _format(content: bytes, field: str) -> tuple[int, int, int, int, int]:
    """The kind of samples, channels, rate, bytes of a frame, and bits of a sample."""
    if len(content) < 16:
        raise damaged(field)
    kind, channels, rate, _, align, bits = struct.unpack("<HHIIHH", content[:16])
    if kind == _EXTENSIBLE:
        if len(content) < 40 or content[26:40] != _GUID:
            raise FieldError(f"has samples of a kind that is not read; {REMEDY}", field=field)
        kind = int.from_bytes(content[24:26], "little")
    return kind, channels, rate, align, bits


def _checked(
    told: tuple[int, int, int, int, int], data: memoryview, field: str, limits: Limits
) -> ClipFile:
    kind, channels, rate, align, bits = told
    if (kind, bits) not in _KINDS:
        raise FieldError(
            "has samples of a kind that is not read (8, 16, 24 and 32 bits of PCM are, and 32 of"
            f" floats); {REMEDY}",
            field=field,
        )
    if not 1 <= channels <= limits.clip_channels:
        raise FieldError(f"must have 1 to {limits.clip_channels} channels", field=field)
    if not 1 <= rate <= limits.clip_rate:
        raise FieldError(f"must have 1 to {limits.clip_rate} samples a second", field=field)
    if align * 8 != channels * bits or len(data) % align:
        raise damaged(field)
    file = ClipFile(rate, channels, "float" if kind == _FLOAT else "pcm", bits, data)
    if not file.frames:
        raise FieldError("holds no sample", field=field)
    if file.frames > limits.clip_seconds * rate:
        raise FieldError(
            f"must be at most {limits.clip_seconds} seconds; send it in parts", field=field
        )
    return file
