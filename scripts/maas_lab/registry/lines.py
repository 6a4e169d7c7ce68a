"""The registry as a text: one JSON object a line, so that it can be kept, compared and moved.

Imports msgspec, `maas` and the copies. A header, every item of every model in order, and an end
with their count and digest, so that a file that was cut or changed is refused. The same registry
gives the same bytes, whichever store it comes from:

    for line in lines_of(copies, models=2): file.write(line)
    for copy in read_copies(file): ...       # RefusedError, with the line's number
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct

from maas.errors import MaasError, RefusedError
from maas.registry import layout
from maas.registry.store import ITEM_BYTES, Item, Key, Write, check_writes
from maas_lab.registry.checks import contradictions
from maas_lab.registry.copies import ModelCopy

if TYPE_CHECKING:
    from typing import BinaryIO

FORMAT = "maas-registry-1"
_LINE_BYTES = ITEM_BYTES + 2_000


class Header(Struct, frozen=True, forbid_unknown_fields=True, tag="header", tag_field="line"):
    """The first line.

    Attributes:
        models: How many models follow.
        format: What this is.
    """

    models: int
    format: Literal["maas-registry-1"] = "maas-registry-1"


class ItemLine(
    Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag="item",
    tag_field="line",
):
    """One item; fields as in `maas.registry.store.Item`."""

    pk: str
    sk: str
    revision: int
    body: dict[str, object]
    index: str | None = None


class End(Struct, frozen=True, forbid_unknown_fields=True, tag="end", tag_field="line"):
    """The last line.

    Attributes:
        items: How many items came.
        sha256: Digest of all lines before this one, as 64 hex digits.
    """

    items: int
    sha256: str


def lines_of(copies: Iterable[ModelCopy], *, models: int) -> Iterator[bytes]:
    """The lines of some models.

    Args:
        copies: The models, ascending by name.
        models: How many they are.
    """
    digest, items = hashlib.sha256(), 0
    line = _encode(Header(models))
    digest.update(line)
    yield line
    for copy in copies:
        for item in copy.items:
            line = _encode(
                ItemLine(*item.key, revision=item.revision, body=item.body, index=item.index)
            )
            digest.update(line)
            items += 1
            yield line
    yield _encode(End(items, digest.hexdigest()))


def read_copies(file: "BinaryIO") -> Iterator[ModelCopy]:
    """The models of a file, each one checked; the end is checked after the last.

    Raises:
        RefusedError: It is not a whole and unchanged export, or its records contradict each other.
    """
    lines = _Lines(file)
    header = lines.next()
    if not isinstance(header, Header):
        raise lines.refused("an export of a registry begins with its header")
    models, last = 0, ""
    for pk, group in groupby(lines.items(), key=lambda item: item.key.pk):
        copy = ModelCopy(pk.removeprefix(layout.partition("")), tuple(group))
        if copy.name <= last:
            raise lines.refused("the models are not in order")
        _check(copy)
        models, last = models + 1, copy.name
        yield copy
    if models != header.models:
        raise lines.refused(f"the header says {header.models} models, {models} came")


class _Lines:
    """Reads line by line and keeps count."""

    def __init__(self, file: "BinaryIO") -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._number = 0

    def next(self) -> Header | ItemLine | End:
        self._number += 1
        line = self._file.readline(_LINE_BYTES + 1)
        if not line:
            raise self.refused("the file was cut: its end is missing")
        try:
            decoded: Header | ItemLine | End = _DECODER.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise self.refused(self._unknown(line)) from None
        if not line.endswith(b"\n"):
            raise self.refused("the file was cut, or the line is too long")
        if not isinstance(decoded, End):
            self._digest.update(line)
        return decoded

    def items(self) -> Iterator[Item]:
        last = Key("", "")
        count = 0
        while isinstance(line := self.next(), ItemLine):
            item = Item(Key(line.pk, line.sk), line.revision, line.body, line.index)
            if item.key <= last:
                raise self.refused("the items are not in order")
            last, count = item.key, count + 1
            yield item
        if not isinstance(line, End) or self._file.read(1):
            raise self.refused("something follows the end")
        if (line.items, line.sha256) != (count, self._digest.hexdigest()):
            raise self.refused("the file was changed: its digest is another")

    def _unknown(self, line: bytes) -> str:
        """What to say of a line that is not ours; the first one may name a format to come."""
        found = re.match(rb'\{"line":"header",.*"format":"(maas-registry-[0-9]{1,9})"', line)
        if self._number == 1 and found and found[1].decode() != FORMAT:
            return f"{found[1].decode()} is newer than this release of maas. Upgrade maas"
        return "this is no line of an export"

    def refused(self, reason: str) -> RefusedError:
        return RefusedError(f"Line {self._number}: {reason}. Nothing was written.")


def _check(copy: ModelCopy) -> None:
    try:
        for item in copy.items:
            check_writes([Write(item, None)])
        wrong = contradictions(copy)
    except MaasError as error:
        raise RefusedError(f"{copy.name}: {error} Nothing was written.") from error
    if wrong:
        raise RefusedError(f"{copy.name}: {wrong[0]}. Nothing was written.")


def _encode(line: Header | ItemLine | End) -> bytes:
    # Python's JSON, as in the stores: the same text for the same body.
    return json.dumps(msgspec.to_builtins(line), separators=(",", ":")).encode() + b"\n"


_DECODER = msgspec.json.Decoder(Header | ItemLine | End)
