"""Catalogues of translated messages (GNU .mo), read strictly.

Imports the standard library and `maas.errors`. The library's own reader keeps its messages to
itself, and this project looks at all of them:

    for message, translation in parse_catalog(content):
        ...
"""

import struct
from typing import TYPE_CHECKING

from maas.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAGIC = 0x950412DE
_HEADER = struct.Struct("<7I")


def parse_catalog(content: bytes) -> "Iterator[tuple[str, str]]":
    """Each message and its translation; of a plural the first form, and no context.

    Raises:
        RefusedError: It is no such catalogue, or is cut.
    """
    try:
        magic, _, count, sources, targets, _, _ = _HEADER.unpack_from(content)
        if magic != _MAGIC:
            raise RefusedError("A catalogue of messages has another format.")
        for number in range(count):
            source = _text(content, sources + 8 * number)
            target = _text(content, targets + 8 * number)
            if source:  # the empty message holds the catalogue's own header
                yield source.rpartition("\x04")[2], target
    except (struct.error, UnicodeDecodeError):
        raise RefusedError("A catalogue of messages is damaged.") from None


def _text(content: bytes, place: int) -> str:
    size, start = struct.unpack_from("<2I", content, place)
    if start + size > len(content):
        raise RefusedError("A catalogue of messages is cut.")
    return content[start : start + size].partition(b"\0")[0].decode()
