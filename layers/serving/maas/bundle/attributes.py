"""The attributes of a node as arrays of numbers, each asked for once, and none beside them.

May import `maas.bundle`, `maas.errors` and numpy. Lists may be long: they are read in one go.

    attributes = Attributes(messages, what="node 'trees' (TreeEnsembleRegressor)")
    ids = attributes.ints("nodes_nodeids", most=limits.tree_nodes)
    attributes.finish()                          # refuses what nobody asked for
"""

from typing import TYPE_CHECKING

import numpy as np

from maas.bundle.tensor_policy import read_tensor
from maas.bundle.wire import Budget, Message, Wire
from maas.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float64]

_TYPES = {"f": 1, "i": 2, "s": 3, "t": 4, "floats": 6, "ints": 7, "strings": 8}
_OCTET, _DOUBLE = 2, 11
_TENSORS = {1: ("float_data", "<f4"), _OCTET: ("int32_data", "u1"), _DOUBLE: ("double_data", "<f8")}
_VARINT_BYTES = 10
NAME_BYTES = 1024
"""Bytes of a label or of a category."""


class Attributes:
    """What a node says of itself.

    Attributes:
        what: How a refusal names the node.
    """

    def __init__(self, messages: "Mapping[str, Message]", what: str) -> None:
        """Bring the two together.

        Args:
            messages: By name, each of a type that is admitted.
            what: How a refusal names the node.
        """
        self.what = what
        self._messages = dict(messages)

    def refused(self, reason: str) -> BundleError:
        """A refusal of the node, to be raised."""
        return BundleError(f"{self.what} {reason}")

    def has(self, name: str) -> bool:
        """Whether it is there, and nobody asked for it yet."""
        return name in self._messages

    def ints(self, name: str, *, most: int) -> "Ints":
        """A list of whole numbers; empty where it is absent.

        Raises:
            BundleError: There are too many, or it is of another type.
        """
        message = self._taken(name, "ints")
        if message is None:
            return np.zeros(0, dtype=np.int64)
        self._check_count(name, message.count("ints", Wire.VARINT), most)
        return _varints(b"".join(message.parts("ints")))

    def floats(self, name: str, *, most: int, infinite: bool = False) -> "Floats":
        """A list of numbers, or of doubles as a tensor `{name}_as_tensor`; empty without one.

        Args:
            name: The attribute's.
            most: So many at the most.
            infinite: Whether they may be infinite; none may be no number.

        Raises:
            BundleError: There are too many, it is of another type, or a number is none.
        """
        if self.has(f"{name}_as_tensor") and self.has(name):
            raise self.refused(f"has {name} twice")
        values = self._tensor(f"{name}_as_tensor", most)
        if (message := self._taken(name, "floats")) is not None:
            self._check_count(name, message.count("floats", Wire.FIXED32), most)
            values = np.concatenate(
                [values, np.frombuffer(b"".join(message.parts("floats")), dtype="<f4")]
            )
        self._check_finite(name, values, infinite=infinite)
        return values

    def tensor(
        self, name: str, *, most: int, infinite: bool = False, gaps: bool = False
    ) -> "Floats":
        """A tensor of floats, doubles or octets as a list; empty where it is absent.

        Args:
            name: The attribute's.
            most: So many at the most.
            infinite: Whether they may be infinite.
            gaps: Whether some may be no numbers, and stand between others.

        Raises:
            BundleError: There are too many, it is of another type, or a number is none.
        """
        values = self._tensor(name, most)
        self._check_finite(name, values[~np.isnan(values)] if gaps else values, infinite=infinite)
        return values

    def texts(self, name: str) -> list[bytes]:
        """A list of texts as bytes, which were seen to be UTF-8; empty where it is absent.

        Raises:
            BundleError: It is of another type.
        """
        message = self._taken(name, "strings")
        return [] if message is None else [bytes(part) for part in message.parts("strings")]

    def names(self, name: str, *, most: int) -> list[bytes]:
        """A list of short texts, such as categories.

        Raises:
            BundleError: There are too many, one is too long, or it is of another type.
        """
        texts = self.texts(name)
        if len(texts) > most:
            raise self.refused(f"has {len(texts)} texts in {name}, {most} are admitted")
        if any(len(text) > NAME_BYTES for text in texts):
            raise self.refused(f"has a text of more than {NAME_BYTES} bytes in {name}")
        return texts

    def text(self, name: str) -> None:
        """One short text, of any characters.

        Raises:
            BundleError: It is too long, or of another type.
        """
        message = self._taken(name, "s")
        if message is not None and len(message.text("s").encode()) > NAME_BYTES:
            raise self.refused(f"has a {name} of more than {NAME_BYTES} bytes")

    def word(self, name: str, default: str, admitted: "Collection[str]") -> str:
        """One of a few words.

        Raises:
            BundleError: It is another, or no text.
        """
        message = self._taken(name, "s")
        word = default if message is None else message.text("s")
        if word not in admitted:
            raise self.refused(f"has a {name} that is not known: {word[:32]!r}")
        return word

    def integer(self, name: str, default: int, *, least: int, most: int) -> int:
        """One whole number.

        Raises:
            BundleError: It is out of range, or of another type.
        """
        message = self._taken(name, "i")
        value = default if message is None else message.number("i")
        if not least <= value <= most:
            raise self.refused(f"has a {name} of {value}, {least} to {most} are admitted")
        return value

    def number(self, name: str) -> None:
        """One number, of any value.

        Raises:
            BundleError: It is of another type.
        """
        self._taken(name, "f")

    def finish(self) -> None:
        """Refuse what nobody asked for.

        Raises:
            BundleError: With its name.
        """
        if self._messages:
            raise self.refused(f"has an attribute {min(self._messages)[:64]!a}, not admitted here")

    def _taken(self, name: str, kind: str) -> Message | None:
        message = self._messages.pop(name, None)
        if message is not None and message.number("type") != _TYPES[kind]:
            raise self.refused(f"has {name} of another type")
        return message

    def _check_count(self, name: str, count: int, most: int) -> None:
        if count > most:
            raise self.refused(f"has {count} numbers in {name}, {most} are admitted")

    def _check_finite(self, name: str, values: "Floats", *, infinite: bool) -> None:
        if np.isnan(values).any() or not (infinite or np.isfinite(values).all()):
            raise self.refused(f"has a value of {name} that is no finite number")

    def _tensor(self, name: str, most: int) -> "Floats":
        message = self._taken(name, "t")
        if message is None:
            return np.zeros(0)
        # Its data is as large as its shape: the tensor was held against the policy before.
        tensor = read_tensor(message.parts("t")[0], Budget(64))
        if tensor.kind not in _TENSORS or len(tensor.dims) != 1:
            raise self.refused(f"has {name} of another type")
        self._check_count(name, tensor.elements, most)
        field, dtype = _TENSORS[tensor.kind]
        if raw := tensor.message.parts("raw_data"):
            return np.frombuffer(raw[0], dtype=dtype).astype(np.float64)
        data = b"".join(tensor.message.parts(field))
        values = _varints(data) if tensor.kind == _OCTET else np.frombuffer(data, dtype=dtype)
        return values.astype(np.float64)


def _varints(data: bytes) -> "Ints":
    """Numbers as protobuf packs them.

    Raises:
        BundleError: They are cut, or longer than numbers are.
    """
    octets = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(octets < 0x80)
    starts = np.concatenate([np.zeros(1, dtype=np.int64), ends[:-1] + 1])[: len(ends)]
    sizes = ends - starts + 1
    longest = int(sizes.max(initial=0))
    last = starts[sizes == _VARINT_BYTES] + _VARINT_BYTES - 1
    if sizes.sum() != len(octets) or longest > _VARINT_BYTES or (octets[last] > 1).any():
        raise BundleError("it is cut, or no protobuf")
    values = np.zeros(len(ends), dtype=np.uint64)
    for byte in range(longest):
        there = np.flatnonzero(sizes > byte)
        part = (octets[starts[there] + byte] & 0x7F).astype(np.uint64)
        values[there] |= part << np.uint64(7 * byte)
    return values.view(np.int64)
