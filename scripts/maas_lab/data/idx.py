"""The IDX format of MNIST: arrays of bytes behind a short header, read strictly.

Imports numpy and `maas.errors`. What a file claims is compared with what it holds, so that a cut, a
swapped or a made-up file is refused by its name and never learned from:

    images = parse_images(content, "train-images-idx3-ubyte")     # uint8 [images, height, width, 1]
    labels = parse_labels(content, "train-labels-idx1-ubyte")     # uint8 [images]
"""

import gzip
import math
import zlib
from typing import TYPE_CHECKING

import numpy as np

from maas.errors import FieldError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

_IMAGES, _LABELS = 0x0803, 0x0801  # unsigned bytes, and the number of dimensions
_KINDS = {_IMAGES: "pictures", _LABELS: "labels"}
_SIDE = 4096  # pixels
LARGEST = 1024**3
"""Bytes of a file, without its compression."""


def parse_images(content: bytes, name: str) -> "npt.NDArray[np.uint8]":
    """Parse pictures.

    Args:
        content: The whole file.
        name: Its name, for messages.

    Returns:
        uint8 `[images, height, width, 1]`, read-only.

    Raises:
        FieldError: The file is not what its header says, or no such file.
    """
    images = _parse(content, name, _IMAGES)
    if not all(1 <= side <= _SIDE for side in images.shape[1:]):
        raise FieldError(
            f"{name}: its pictures are {images.shape[1]} by {images.shape[2]} pixels; allowed are "
            f"1 to {_SIDE}.",
            field="data.source",
        )
    return images[..., np.newaxis]


def parse_labels(content: bytes, name: str) -> "npt.NDArray[np.uint8]":
    """Parse labels.

    Args:
        content: The whole file.
        name: Its name, for messages.

    Returns:
        uint8 `[images]`, the number of each class, read-only.

    Raises:
        FieldError: The file is not what its header says, or no such file.
    """
    return _parse(content, name, _LABELS)


def read_bounded(path: "Path") -> bytes:
    """A file, decompressed where its name ends in .gz, up to a bound.

    Raises:
        FieldError: It cannot be read, is damaged, or is too large.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or f"it is damaged: {error}"
        raise FieldError(f"{path.name}: cannot be read ({reason}).", field="data.source") from None
    if len(content) > LARGEST:
        raise FieldError(f"{path.name}: holds more than {LARGEST} bytes.", field="data.source")
    return content


def decompress(content: bytes, name: str) -> bytes:
    """The content of a .gz file that lies in memory, up to a bound.

    Raises:
        FieldError: It is damaged or too large.
    """
    machine = zlib.decompressobj(wbits=31)  # with gzip's header and checksum
    try:
        found = machine.decompress(content, LARGEST)
    except zlib.error as error:
        raise FieldError(f"{name}: is damaged ({error}).", field="data.source") from None
    if not machine.eof:
        raise FieldError(f"{name}: is cut or too large.", field="data.source")
    return found


def _parse(content: bytes, name: str, expected: int) -> "npt.NDArray[np.uint8]":
    dimensions = expected & 0xFF
    start = 4 + 4 * dimensions
    magic = int.from_bytes(content[:4], "big")
    if len(content) < start or magic != expected:
        is_it = f"it holds {_KINDS[magic]}" if magic in _KINDS else "it is no IDX file of bytes"
        wanted = f"expected IDX {_KINDS[expected]} (magic {expected:#06x})"
        raise FieldError(
            f"{name}: {wanted}, and {'it is cut' if magic == expected else is_it}.",
            field="data.source",
        )
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", dimensions, offset=4))
    size = math.prod(shape)
    if size != len(content) - start:
        raise FieldError(
            f"{name}: its header says {' × '.join(map(str, shape))} bytes, which are {size}, and "
            f"it holds {len(content) - start}.",
            field="data.source",
        )
    if not shape[0]:
        raise FieldError(f"{name}: holds no {_KINDS[expected]}.", field="data.source")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
