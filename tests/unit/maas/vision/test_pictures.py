"""Pictures to numbers: every kind as documented, and nothing that a file can do to the process."""

import io
import struct
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.tiny_image import HEIGHT, WIDTH, chunk, encoded, jpeg, picture, png, png_of

from maas.bundle.manifest import ImageInput
from maas.errors import FieldError
from maas.vision.files import read_file
from maas.vision.pictures import decode

if TYPE_CHECKING:
    import numpy.typing as npt

LEVELS = picture(5)
COLOURS = ImageInput(WIDTH, HEIGHT, 3)
GREY = ImageInput(WIDTH, HEIGHT, 1)


def read(data: bytes, wanted: ImageInput = COLOURS) -> "npt.NDArray[np.float32]":
    """The levels, 0 to 255, `[height, width, channels]`."""
    pixels = decode(read_file(data, field="inputs"), wanted, field="inputs")
    assert pixels.dtype == np.float32
    assert pixels.shape == (wanted.channels, wanted.height, wanted.width)
    assert pixels.flags.c_contiguous
    assert 0 <= pixels.min() <= pixels.max() <= 1
    return pixels.transpose(1, 2, 0) * 255


def test_a_picture_of_the_models_size_is_taken_as_it_is() -> None:
    assert np.allclose(read(png(LEVELS)), LEVELS, atol=1e-4)
    assert np.allclose(read(png(LEVELS[:, :, 0]), GREY)[:, :, 0], LEVELS[:, :, 0], atol=1e-4)


def test_grey_becomes_colours_and_colours_grey() -> None:
    grey = LEVELS[:, :, 0]
    assert np.allclose(read(png(grey)), grey[:, :, None], atol=1e-4)
    wanted = np.asarray(Image.fromarray(LEVELS).convert("L"))
    assert np.allclose(read(png(LEVELS), GREY)[:, :, 0], wanted, atol=1e-4)


def test_a_palette_black_and_white_and_16_bits_of_grey() -> None:
    flat = np.where(LEVELS > 127, 255, 0).astype(np.uint8)
    palette = Image.fromarray(flat).quantize(8)
    assert palette.mode == "P"
    assert np.allclose(read(encoded(palette)), np.asarray(palette.convert("RGB")), atol=1e-4)
    bits = Image.fromarray(LEVELS[:, :, 0] > 127)
    assert bits.mode == "1"
    assert np.allclose(read(encoded(bits), GREY)[:, :, 0], (LEVELS[:, :, 0] > 127) * 255, atol=1e-4)
    deep = LEVELS[:, :, 0].astype(np.uint16) * 256 + 255
    assert np.allclose(read(png(deep), GREY)[:, :, 0], LEVELS[:, :, 0], atol=1e-4)  # type: ignore[arg-type]


def test_16_bits_of_colour() -> None:
    rows = b"".join(b"\0" + (row * np.uint16(256) + 7).astype(">u2").tobytes() for row in LEVELS)
    data = png_of(WIDTH, HEIGHT, chunk(b"IDAT", zlib.compress(rows)), depth=16, colour=2)
    assert np.allclose(read(data), LEVELS, atol=1e-4)


@pytest.mark.parametrize("kind", ["RGBA", "LA", "P", "RGB", "L"])
def test_what_shines_through_is_laid_on_white(kind: str) -> None:
    # Given a picture whose left half cannot be seen
    if kind in ("RGBA", "LA"):
        image = Image.fromarray(LEVELS).convert(kind)
        alpha = np.full((HEIGHT, WIDTH), 255, dtype=np.uint8)
        alpha[:, : WIDTH // 2] = 0
        image.putalpha(Image.fromarray(alpha))
        data = encoded(image)
    else:
        levels = LEVELS.copy()
        levels[:, : WIDTH // 2] = 7
        image = Image.fromarray(levels).convert(kind)
        hidden = image.getpixel((0, 0))
        data = encoded(image, transparency=hidden)
    # Then that half is white, and the other what it was
    seen = read(data)
    assert (seen[:, : WIDTH // 2] == 255).all()
    right = np.asarray(image.convert("RGB"))[:, WIDTH // 2 :]
    assert np.allclose(seen[:, WIDTH // 2 :], right, atol=1e-4)


def test_half_of_it_is_mixed() -> None:
    image = Image.new("RGBA", (WIDTH, HEIGHT), (0, 100, 200, 128))
    assert np.allclose(read(encoded(image)), [127, 177, 227], atol=1.01)


def test_jpegs_of_all_kinds_are_about_what_they_were() -> None:
    smooth = np.full((HEIGHT, WIDTH, 3), (200, 100, 50), dtype=np.uint8)
    for data in (
        jpeg(smooth),
        jpeg(smooth, progressive=True),
        jpeg(smooth, subsampling=0),
        encoded(Image.fromarray(smooth).convert("CMYK"), "JPEG", quality=95),
    ):
        assert np.allclose(read(data), smooth, atol=4)
    assert np.allclose(read(jpeg(smooth[:, :, 0]), GREY), 200, atol=2)


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_camera_that_was_held_otherwise(turn: int) -> None:
    big = np.zeros((80, 120, 3), dtype=np.uint8)
    big[:40, :60] = 255  # the upper left
    exif = Image.Exif()
    exif[0x0112] = turn
    data = encoded(Image.fromarray(big), "JPEG", quality=95, exif=exif.tobytes())
    corner = {1: (0, 0), 2: (0, 1), 3: (1, 1), 4: (1, 0), 5: (0, 0), 6: (0, 1), 7: (1, 1)}
    row, column = corner.get(turn, (1, 0))
    seen = read(data, ImageInput(2, 2, 1))[:, :, 0]
    assert [tuple(place) for place in np.argwhere(seen > 127)] == [(row, column)]


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (50, 3), (200, 100)])
def test_any_size_becomes_the_models(size: tuple[int, int]) -> None:
    image = Image.effect_noise(size, 80).convert("RGB")
    wanted = image.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)
    assert np.allclose(read(encoded(image)), np.asarray(wanted), atol=1e-4)


@pytest.mark.parametrize("size", [(16_384, 1_024), (1_024, 16_384), (1, 16_384)])
def test_the_largest_ones_are_read(size: tuple[int, int]) -> None:
    data = encoded(Image.new("L", size, 200), compress_level=1)
    assert np.allclose(read(data), 200, atol=1e-4)


# ---- What cannot be decoded ---------------------------------------------------------------------


def damaged() -> "list[bytes]":
    whole = png(LEVELS)
    rows = zlib.compress(bytes((WIDTH + 1) * HEIGHT))
    body = chunk(b"IDAT", rows)
    stream = jpeg(np.repeat(np.repeat(LEVELS, 20, axis=0), 20, axis=1))
    return [
        png_of(WIDTH, HEIGHT),  # no pixels at all
        png_of(WIDTH, HEIGHT, chunk(b"IDAT", b"not zlib")),
        png_of(WIDTH, HEIGHT, chunk(b"IDAT", rows[:6])),
        png_of(WIDTH * 10, HEIGHT * 10, body),  # too few pixels
        png_of(WIDTH, HEIGHT, body, depth=3),
        png_of(WIDTH, HEIGHT, body, colour=5),
        whole[:29] + b"\0\0\0\0" + whole[33:],
        stream[:400] + b"\xff\xd9",  # ends early, and says that it is whole
        stream[:2] + stream[stream.index(b"\xff\xc0") :],  # without tables
    ]


@pytest.mark.parametrize("data", damaged())
def test_a_file_that_is_damaged_is_refused(data: bytes) -> None:
    with pytest.raises(FieldError, match="cut off or damaged"):
        read(data)
    assert np.allclose(read(png(LEVELS)), LEVELS, atol=1e-4)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_change_of_a_file_is_read_or_refused(data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from([png(LEVELS), jpeg(LEVELS), jpeg(LEVELS, progressive=True)]))
    changed = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with suppress(FieldError):
        read(bytes(changed))


def test_nothing_but_pixels_reaches_the_library() -> None:
    # Given a file with a text that would be a megabyte, over and over
    more = chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1_000_000))) * 200
    whole = png(LEVELS)
    assert np.allclose(read(whole[:33] + more + whole[33:]), LEVELS, atol=1e-4)
    # And one with EXIF that is broken, of which the library would warn
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 40) + bytes(20)
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    stream = jpeg(LEVELS)
    assert np.allclose(read(stream[:2] + segment + stream[2:]), read(stream))
    assert Image.open(io.BytesIO(stream)).size == (WIDTH, HEIGHT)
