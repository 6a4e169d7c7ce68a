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
    from collections.abc import Container, Sequence

_LARGEST = 512 * 1024**2  # bytes of all descriptions in one language
_CHECKSUM = re.compile(r"^Description-md5: (\w+)", re.MULTILINE)
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


def parse_descriptions(text: str, wanted: "Container[str] | None" = None) -> dict[str, Description]:
    """Every description once, by its checksum, in the order of the file.

    Args:
        text: Stanzas, parted by blank lines.
        wanted: The checksums that are parsed; None for all.
    """
    found: dict[str, Description] = {}
    for stanza in text.split("\n\n"):
        named = _CHECKSUM.search(stanza)
        if named and named[1] not in found and (wanted is None or named[1] in wanted):
            description = _parse(stanza)
            if description.synopsis:
                found[named[1]] = description
    return found


def _parse(stanza: str) -> Description:
    package = synopsis = ""
    paragraphs: list[list[str]] = [[]]
    for line in stanza.split("\n"):
        if line == " .":
            paragraphs.append([])
        elif line.startswith(" "):
            paragraphs[-1].append(line.strip())
        else:
            field, _, value = line.partition(": ")
            if field == "Package":
                package = value
            elif field.startswith("Description-") and field != "Description-md5":
                synopsis = value.strip()
    joined = tuple(join_lines(lines) for lines in paragraphs if lines)
    return Description(package, synopsis, joined)


def join_lines(lines: "Sequence[str]") -> str:
    """A paragraph in one line; Chinese has no space where a line was broken."""
    joined = " ".join(lines)
    return joined if joined.isascii() else _BROKEN_LINE.sub("", joined)
