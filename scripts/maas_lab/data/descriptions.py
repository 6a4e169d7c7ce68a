"""Descriptions of Debian packages: a synopsis in one line, and paragraphs.

Imports the standard library, `maas.errors` and nothing of this room. The archive writes them as
stanzas of fields; a description in another language has the checksum of the English one:

    english = parse_descriptions(decompress(found["en"].content))
    english["302b8ff8…"].synopsis
"""

import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from maas.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

_LARGEST = 512 * 1024**2  # bytes of all descriptions in one language
_CHINESE = r"\u2018-\u201d\u3000-\u303f\u3400-\u9fff\uff00-\uffef"
_BROKEN_LINE = re.compile(rf"(?<=[{_CHINESE}]) (?=[{_CHINESE}])")


@dataclass(frozen=True, slots=True)
class Description:
    """What a package is.

    Attributes:
        package: Its name; of several with this description the first.
        synopsis: One line.
        paragraphs: Each in one line.
    """

    package: str
    synopsis: str
    paragraphs: tuple[str, ...]


def decompress(content: bytes) -> str:
    """The text of a file of descriptions as the cache keeps it.

    Raises:
        RefusedError: It is damaged or too large.
    """
    machine = zlib.decompressobj(wbits=31)  # with gzip's header and checksum
    try:
        text = machine.decompress(content, _LARGEST)
    except zlib.error as error:
        raise RefusedError(f"A file of descriptions is damaged ({error}). Delete it.") from None
    if not machine.eof:
        raise RefusedError("A file of descriptions is cut or too large. Delete it.")
    return text.decode("utf-8", "surrogateescape")


def parse_descriptions(text: str) -> dict[str, Description]:
    """Every description once, by its checksum, in the order of the file."""
    found: dict[str, Description] = {}
    for stanza in text.split("\n\n"):
        package = checksum = synopsis = ""
        paragraphs: list[list[str]] = [[]]
        for line in stanza.split("\n"):
            if line.startswith(" "):
                if line == " .":
                    paragraphs.append([])
                else:
                    paragraphs[-1].append(line.strip())
                continue
            field, _, value = line.partition(": ")
            if field == "Package":
                package = value
            elif field == "Description-md5":
                checksum = value
            elif field.startswith("Description-"):
                synopsis = value.strip()
        if checksum and synopsis:
            joined = tuple(join_lines(lines) for lines in paragraphs if lines)
            found.setdefault(checksum, Description(package, synopsis, joined))
    return found


def join_lines(lines: "Sequence[str]") -> str:
    """A paragraph in one line; Chinese has no space where a line was broken."""
    return _BROKEN_LINE.sub("", " ".join(lines))
