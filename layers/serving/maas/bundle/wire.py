"""Protobuf's wire format, read field by field within bounds, and no byte more than is asked for.

May import `maas.errors`. It is stricter than protobuf, so that both can only read the same thing:
a field that a table does not name, one that comes twice where it may come once, and one of another
wire type are refused. Bytes are views of what was given, so large weights cost nothing. Numbers
that follow each other are one field, packed or not, and are not looked at one by one:

    message = read_message(memoryview(data), MODEL, Budget(2_000_000))
    graph = message.parts("graph")[0]
"""

import re
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import TYPE_CHECKING

from maas.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HIGH_BYTES = bytes(range(0x80, 0x100))
_TEXT_BYTES = 4096


class Wire(IntEnum):
    """How a value is written; groups are not read."""

    VARINT = 0
    FIXED64 = 1
    BYTES = 2
    FIXED32 = 5


_WIDTHS = {Wire.FIXED64: 8, Wire.FIXED32: 4}
_ANY_VARINT = rb"[\x80-\xff]{0,9}+[\x00-\x7f]"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message.

    Attributes:
        name: As the schema calls it.
        wire: How one value is written; BYTES for text and messages, too.
        many: Whether it may come more than once.
    """

    name: str
    wire: Wire
    many: bool = False


@dataclass(slots=True)
class Budget:
    """How many fields may still be read, over all messages of one file."""

    left: int

    def spend(self) -> None:
        """Count one.

        Raises:
            BundleError: None is left.
        """
        self.left -= 1
        if self.left < 0:
            raise BundleError("it holds more fields than are read")


class Message:
    """The fields of one message, by name."""

    __slots__ = ("_chunks", "_numbers")

    def __init__(
        self, numbers: "dict[str, list[int]]", chunks: "dict[str, list[memoryview]]"
    ) -> None:
        self._numbers = numbers
        self._chunks = chunks

    def has(self, name: str) -> bool:
        """Whether the field is there."""
        return name in self._numbers or name in self._chunks

    def names(self) -> set[str]:
        """The fields that are there."""
        return self._numbers.keys() | self._chunks.keys()

    def number(self, name: str, default: int = 0) -> int:
        """A field of one varint, signed."""
        return _signed(self._numbers[name][0]) if name in self._numbers else default

    def text(self, name: str) -> str:
        """A field of one text, empty where it is absent.

        Raises:
            BundleError: It is not UTF-8, or too long.
        """
        return _text(self._chunks[name][0]) if name in self._chunks else ""

    def texts(self, name: str) -> list[str]:
        """A field of any number of texts.

        Raises:
            BundleError: One is not UTF-8, or too long.
        """
        return [_text(chunk) for chunk in self._chunks.get(name, ())]

    def parts(self, name: str) -> "list[memoryview]":
        """The bytes of a field of any number of messages or byte strings."""
        return self._chunks.get(name, [])

    def numbers(self, name: str, *, most: int, wire: Wire = Wire.VARINT) -> list[int]:
        """A field of numbers, packed or not; varints signed, the others as they are written.

        Raises:
            BundleError: There are more than `most`.
        """
        if self.count(name, wire) > most:
            raise BundleError(f"it holds more than {most} numbers in {name}")
        packed = (value for part in self.parts(name) for value in _packed(part, wire))
        values = [*self._numbers.get(name, ()), *packed]
        return [_signed(value) for value in values] if wire is Wire.VARINT else values

    def count(self, name: str, wire: Wire) -> int:
        """How many numbers a field has, packed or not, without reading them."""
        width = _WIDTHS.get(wire)
        packed = (
            len(chunk) // width if width else len(bytes(chunk).translate(None, _HIGH_BYTES))
            for chunk in self._chunks.get(name, ())
        )
        return len(self._numbers.get(name, ())) + sum(packed)


def read_message(data: memoryview, table: "Mapping[int, Field]", budget: Budget) -> Message:
    """Split a message into its fields; messages within it stay bytes.

    Raises:
        BundleError: It is cut, or not what the table says.
    """
    numbers: dict[str, list[int]] = {}
    chunks: dict[str, list[memoryview]] = {}
    at, end = 0, len(data)
    while at < end:
        budget.spend()
        tag, at = _varint(data, at)
        field = table.get(tag >> 3)
        if field is None:
            raise BundleError(f"it holds a field of number {tag >> 3}, which is not known")
        wire = tag & 7
        packed = field.many and wire == Wire.BYTES
        if wire != field.wire and not packed:
            raise BundleError(f"it holds a field {field.name} of another kind")
        if not field.many and (field.name in numbers or field.name in chunks):
            raise BundleError(f"it holds the field {field.name} twice")
        if wire == Wire.BYTES:
            size, at = _varint(data, at)
            chunks.setdefault(field.name, []).append(_slice(data, at, size))
            at += size
        elif field.many:
            run, at = _run(data, at, tag)
            chunks.setdefault(field.name, []).append(run)
        else:
            value, at = _number(data, at, Wire(wire))
            numbers.setdefault(field.name, []).append(value)
    return Message(numbers, chunks)


def _run(data: memoryview, at: int, tag: int) -> tuple[memoryview, int]:
    """Numbers that each have the tag before them, as they would be packed."""
    wire = Wire(tag & 7)
    found = _tagged(tag, wire).match(data[at - 1 :]) if tag < 0x80 and data[at - 1] == tag else None
    if found is None:  # a tag that is written longer than it need be
        _, end = _number(data, at, wire)
        return data[at:end], end
    run = found[0]
    if wire is Wire.VARINT:
        return memoryview(b"".join(_untagged(tag).findall(run))), at - 1 + len(run)
    width = _WIDTHS[wire]
    packed = bytearray(len(run) // (width + 1) * width)
    for byte in range(width):
        packed[byte::width] = run[byte + 1 :: width + 1]
    return memoryview(packed), at - 1 + len(run)


@cache
def _tagged(tag: int, wire: Wire) -> "re.Pattern[bytes]":
    value = _ANY_VARINT if wire is Wire.VARINT else b".{%d}" % _WIDTHS[wire]
    return re.compile(b"(?:%b%b)++" % (re.escape(bytes([tag])), value), re.DOTALL)


@cache
def _untagged(tag: int) -> "re.Pattern[bytes]":
    return re.compile(re.escape(bytes([tag])) + b"(" + _ANY_VARINT + b")")


def _number(data: memoryview, at: int, wire: Wire) -> tuple[int, int]:
    width = _WIDTHS.get(wire)
    if width is None:
        return _varint(data, at)
    return int.from_bytes(_slice(data, at, width), "little"), at + width


def _packed(chunk: memoryview, wire: Wire) -> "Iterator[int]":
    at = 0
    while at < len(chunk):
        value, at = _number(chunk, at, wire)
        yield value


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >= 2**64:
                break
            return value, at
        shift += 7
    raise BundleError("it is cut, or no protobuf")


def _slice(data: memoryview, at: int, size: int) -> memoryview:
    if size > len(data) - at:
        raise BundleError("it is cut, or no protobuf")
    return data[at : at + size]


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _text(chunk: memoryview) -> str:
    if len(chunk) > _TEXT_BYTES:
        raise BundleError(f"it holds a text of more than {_TEXT_BYTES} bytes")
    try:
        return str(chunk, "utf-8")
    except UnicodeDecodeError:
        raise BundleError("it holds a text that is not UTF-8") from None
