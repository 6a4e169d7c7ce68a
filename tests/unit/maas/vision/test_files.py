"""PNG and JPEG taken apart: what is told of them, what is left out, and what is refused."""

import struct
import time
import zlib
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from PIL import Image
from support.tiny_image import chunk, encoded, jpeg, picture, png, png_of

from maas.errors import FieldError
from maas.limits import LIMITS
from maas.vision.files import PictureFile, read_file

LEVELS = np.repeat(np.repeat(picture(3), 10, axis=0), 10, axis=1)
PROGRESSIVE = jpeg(LEVELS, progressive=True)


def read(data: bytes) -> PictureFile:
    return read_file(data, field="inputs")


def refused(data: bytes) -> str:
    started = time.thread_time()
    with pytest.raises(FieldError) as refusal:
        read(data)
    assert time.thread_time() - started < 0.5
    assert refusal.value.field == "inputs"
    return str(refusal.value)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (png(LEVELS), "png"),
        (jpeg(LEVELS), "jpeg"),
        (PROGRESSIVE, "jpeg"),
        (jpeg(LEVELS[:, :, 0]), "jpeg"),
    ],
)
def test_a_picture_is_told_by_its_parts(data: bytes, kind: str) -> None:
    file = read(data)
    assert (file.kind, file.width, file.height, file.turn) == (kind, 60, 40, 1)
    assert file.pixels == 2400
    assert read(file.data) == file  # nothing more is left out
    # And what follows the picture is none of it
    assert read(data + b"more" * 1000) == file


# ---- What is left out ---------------------------------------------------------------------------


def exif(turn: int, order: str = "<") -> bytes:
    """An EXIF block that says one orientation."""
    first = b"II*\0" if order == "<" else b"MM\0*"
    entry = struct.pack(order + "HHIHH", 0x0112, 3, 1, turn, 0)
    return first + struct.pack(order + "IH", 8, 1) + entry + b"\0\0\0\0"


def with_segments(data: bytes, *segments: tuple[int, bytes]) -> bytes:
    """A JPEG with more segments at its beginning."""
    made = (bytes((0xFF, m)) + struct.pack(">H", len(c) + 2) + c for m, c in segments)
    return data[:2] + b"".join(made) + data[2:]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_the_turn_is_read_and_exif_is_left_out(turn: int, order: str) -> None:
    block = exif(turn, order)
    for data, whole in (
        (with_segments(jpeg(LEVELS), (0xE1, b"Exif\0\0" + block)), jpeg(LEVELS)),
        (png(LEVELS)[:33] + chunk(b"eXIf", block) + png(LEVELS)[33:], png(LEVELS)),
    ):
        assert read(data) == replace(read(whole), turn=turn)


@pytest.mark.parametrize(
    "block", [b"", b"II", exif(0), exif(9), exif(6)[:20], b"II*\0\xff\xff\xff\xff", b"x" * 100]
)
def test_exif_that_says_nothing_turns_nothing(block: bytes) -> None:
    data = with_segments(jpeg(LEVELS), (0xE1, b"Exif\0\0" + block))
    assert read(data) == read(jpeg(LEVELS))


def test_what_is_no_picture_is_left_out() -> None:
    bomb = zlib.compress(bytes(50_000_000))
    more = [chunk(name, b"k\0\0" + bomb) for name in (b"zTXt", b"iCCP", b"iTXt", b"prVt")]
    whole = png(LEVELS)
    assert read(whole[:33] + b"".join(more) + whole[33:]) == read(whole)
    segments = [(marker, b"canary" * 100) for marker in (0xE1, 0xE2, 0xED, 0xFE)]
    assert read(with_segments(PROGRESSIVE, *segments)) == read(PROGRESSIVE)
    filled = PROGRESSIVE[:2] + b"\xff" * 100 + PROGRESSIVE[2:]
    assert read(filled) == read(PROGRESSIVE)


# ---- What is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"GIF89a" + bytes(100),
        b"BM" + bytes(100),
        b"RIFF\0\0\0\0WEBPVP8 ",
        b"II*\0" + bytes(100),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7",
        b"\x89PNG",
        b"\xff\xd8",
        png(LEVELS)[1:],
    ],
)
def test_another_magic_is_refused(data: bytes) -> None:
    assert refused(data) == "is neither a PNG nor a JPEG"


ANIMATED = encoded(
    Image.fromarray(LEVELS), save_all=True, append_images=[Image.fromarray(255 - LEVELS)]
)


def test_an_animation_is_refused_and_one_frame_of_it_is_not() -> None:
    assert refused(ANIMATED) == "is animated; send one picture"
    one = png(LEVELS)
    still = one[:33] + chunk(b"acTL", struct.pack(">II", 1, 0)) + one[33:]
    assert read(still) == read(one)


@pytest.mark.parametrize("whole", [png(LEVELS), jpeg(LEVELS), PROGRESSIVE])
def test_a_file_that_is_cut_off_is_refused_wherever_it_is(whole: bytes) -> None:
    for at in {*range(20, min(len(whole) - 1, 700)), len(whole) // 2, len(whole) - 1}:
        assert "cut off" in refused(whole[:at])


@pytest.mark.parametrize(
    "data",
    [
        png_of(4, 4)[:8] + chunk(b"IDAT", b"") + png_of(4, 4)[8:],
        png_of(4, 4, chunk(b"IHDR", bytes(13))),
        png_of(4, 4)[:8] + chunk(b"IHDR", b"") + chunk(b"IEND", b""),
        png_of(4, 4, b"\xff\xff\xff\xffIDAT"),
        png_of(4, 4, *[chunk(b"tEXt", b"")] * 10_001),
        png_of(4, 4, *[chunk(b"IDAT", b"")] * 300_000),
        b"\xff\xd8\xff" + bytes(4_000_000),
        b"\xff\xd8" + b"\xff" * 4_000_000,
        b"\xff\xd8" + b"\xff\xd0" * 1_000_000,
        b"\xff\xd8" + b"\xff\xfe\x00\x02" * 1_000_000,
        b"\xff\xd8\xff\xfe\x00\x01" + bytes(100),
        b"\xff\xd8\xff\xd8" + bytes(100),
        with_segments(jpeg(LEVELS), (0xC0, bytes(15))),
        PROGRESSIVE[: PROGRESSIVE.rindex(b"\xff\xda")]
        + PROGRESSIVE[PROGRESSIVE.rindex(b"\xff\xda") : -2] * 10_000
        + b"\xff\xd9",
    ],
)
def test_s7_what_would_make_a_decoder_work_for_long_is_refused_at_once(data: bytes) -> None:
    assert len(data) < LIMITS.image_bytes * 2
    assert "cut off" in refused(data)


@pytest.mark.parametrize(
    ("width", "height", "said"),
    [
        (0, 4, "wide and high"),
        (4, 0, "wide and high"),
        (LIMITS.image_side + 1, 1, "wide and high"),
        (1, 2**31 - 1, "wide and high"),
        (2**32 - 1, 2**32 - 1, "wide and high"),
        (2**13, 2**11 + 1, "pixels"),
        (10_000, 10_000, "pixels"),
    ],
)
def test_a_bomb_is_refused_by_what_it_says_of_itself(width: int, height: int, said: str) -> None:
    assert said in refused(png_of(width, height, chunk(b"IDAT", zlib.compress(bytes(100)))))


@given(st.binary(max_size=200), st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b""]))
def test_any_bytes_are_a_picture_or_refused(data: bytes, start: bytes) -> None:
    with suppress(FieldError):
        read(start + data)
