"""Tensors of a graph: their shapes, that their data is as large as their shape, and where it lies.

May import `maas.bundle`, `maas.errors` and `maas.limits`. No weight is read, only its place:

    weights = WeightFiles({"model.data": 4096})
    tensor = read_tensor(data, budget)
    check_tensor(tensor, weights, limits)
"""

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from maas.bundle.onnx_fields import DIMENSION, ENTRY, SHAPE, TENSOR, TENSOR_TYPE, TYPE
from maas.bundle.wire import Budget, Message, Wire, read_message
from maas.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from maas.limits import Limits

_BITS = {
    **{1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64},
    **{16: 16, 21: 4, 22: 4},
}
"""Bits of an element by ONNX's number of its type: floats, integers, bool, bfloat16, 4-bit ones.

Complex numbers and 8-bit floats are not here: no weights of a model of ours are such."""
_STRING = 8
"""ONNX's number of texts: they may pass through a graph, and short ones be its constants."""
_TEXTS, TEXT_BYTES = 65_536, 1_024
"""Texts of a tensor, and bytes of one of them."""
TENSOR_TYPES = frozenset(_BITS)
"""ONNX's numbers of the admitted types of elements."""
_TYPED_DATA = {
    **dict.fromkeys((1,), "float_data"),
    **dict.fromkeys((2, 3, 4, 5, 6, 9, 10, 16, 21, 22), "int32_data"),
    **dict.fromkeys((12, 13), "uint64_data"),
    **{7: "int64_data", 11: "double_data"},
}
_WIRES = {"float_data": Wire.FIXED32, "double_data": Wire.FIXED64}
_RANK = 32
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_EXTERNAL, _EXTERNAL_KEYS = 1, frozenset(("location", "offset", "length", "checksum"))
_UNUSED = frozenset(("segment", "metadata_props"))


@dataclass(slots=True)
class WeightFiles:
    """The files that a graph may point at, and how many of their bytes it has claimed.

    Attributes:
        sizes: Bytes by name, of the files beside the graph that the manifest lists with it.
        claimed: Bytes by name that tensors have pointed at so far.
    """

    sizes: "Mapping[str, int]"
    claimed: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor as the graph describes it.

    Attributes:
        name: Empty for a constant.
        dims: Its shape.
        kind: ONNX's number of its type.
        message: Where its data is.
    """

    name: str
    dims: tuple[int, ...]
    kind: int
    message: Message

    @property
    def external(self) -> bool:
        """Whether its data lies in a file of its own."""
        return self.message.number("data_location") == _EXTERNAL

    @property
    def elements(self) -> int:
        """How many there are."""
        return math.prod(self.dims)

    @property
    def bytes(self) -> int:
        """How large its data must be; 4-bit elements lie two to a byte."""
        return -(-self.elements * _BITS[self.kind] // 8)


def read_tensor(data: memoryview, budget: Budget) -> Tensor:
    """Read what a tensor says of itself.

    Raises:
        BundleError: It is cut, of a type that no model of ours has, or of no possible shape.
    """
    message = read_message(data, TENSOR, budget)
    if unused := message.names() & _UNUSED:
        raise BundleError(f"it holds a tensor with {min(unused)}")
    if message.text("doc_string"):
        raise BundleError("it holds a tensor with a doc_string")
    kind = message.number("data_type")
    if kind not in _BITS and kind != _STRING:
        raise BundleError(f"it holds a tensor of type {kind}, which is not admitted")
    if kind != _STRING and message.has("string_data"):
        raise BundleError("it holds a tensor with string_data that is none of texts")
    dims = tuple(message.numbers("dims", most=_RANK))
    return Tensor(message.text("name"), dims, kind, message)


def check_shape(dims: "Sequence[int]", limits: "Limits", what: str) -> None:
    """Refuse a negative size, and more elements than a model may hold.

    Raises:
        BundleError: With the shape.
    """
    if any(size < 0 for size in dims):
        raise BundleError(f"{what} has a negative size in its shape")
    if math.prod(size for size in dims if size) > limits.graph_elements:
        raise BundleError(f"{what} has more than {limits.graph_elements} elements")


def check_tensor(tensor: Tensor, weights: WeightFiles | None, limits: "Limits", what: str) -> None:
    """Check that a tensor's data is there and as large as its shape says.

    Args:
        tensor: The tensor.
        weights: Where its data may lie; None where it must lie in the graph itself.
        limits: Its bounds.
        what: How a refusal names it.

    Raises:
        BundleError: With the reason.
    """
    check_shape(tensor.dims, limits, what)
    message = tensor.message
    if tensor.kind == _STRING:
        _check_texts(tensor, what)
        return
    location = message.number("data_location")
    if location == _EXTERNAL and weights is not None:
        _check_external(tensor, weights, what)
        return
    if location != 0 or message.has("external_data"):
        raise BundleError(f"{what} points at a file, which only weights may")
    if message.has("raw_data"):
        size = len(message.parts("raw_data")[0])
    else:
        name = _TYPED_DATA[tensor.kind]
        count = message.count(name, _WIRES.get(name, Wire.VARINT))
        size = -(-count * _BITS[tensor.kind] // 8) if _BITS[tensor.kind] >= 8 else count
    stored = message.names() & {"raw_data", *_TYPED_DATA.values()}
    if len(stored) > 1 or size != tensor.bytes:
        raise BundleError(f"{what} has data of another size than its shape")


def _check_texts(tensor: Tensor, what: str) -> None:
    message = tensor.message
    if message.names() & {"raw_data", "external_data", "data_location", *_TYPED_DATA.values()}:
        raise BundleError(f"{what} has texts that are none")
    texts = message.texts("string_data")
    if len(texts) != tensor.elements:
        raise BundleError(f"{what} has data of another size than its shape")
    if len(texts) > _TEXTS:
        raise BundleError(f"{what} has more than {_TEXTS} texts")
    if any(len(text.encode()) > TEXT_BYTES for text in texts):
        raise BundleError(f"{what} has a text of more than {TEXT_BYTES} bytes")


def _check_external(tensor: Tensor, weights: WeightFiles, what: str) -> None:
    if tensor.message.names() & {"raw_data", *_TYPED_DATA.values()}:
        raise BundleError(f"{what} has its data twice")
    entries = _entries(tensor.message, what)
    location = entries.get("location", "")
    if not _FILE_NAME.fullmatch(location) or location not in weights.sizes:
        raise BundleError(
            f"{what} points at {location[:80]!r}, which the manifest does not list beside the graph"
        )
    offset = _integer(entries.get("offset", "0"), what)
    length = _integer(entries.get("length", str(tensor.bytes)), what)
    if length != tensor.bytes:
        raise BundleError(f"{what} has data of another size than its shape")
    size = weights.sizes[location]
    if offset + length > size:
        raise BundleError(f"{what} points beyond the end of {location}")
    weights.claimed[location] = weights.claimed.get(location, 0) + length
    if weights.claimed[location] > size:
        raise BundleError(f"{what} takes bytes of {location} that another tensor has")


def _entries(message: Message, what: str) -> dict[str, str]:
    entries: dict[str, str] = {}
    for part in message.parts("external_data"):
        entry = read_message(part, ENTRY, Budget(len(ENTRY)))
        key = entry.text("key")
        if key not in _EXTERNAL_KEYS or key in entries or len(entries) == len(_EXTERNAL_KEYS):
            raise BundleError(f"{what} has external data with {key[:80]!r}, or with it twice")
        entries[key] = entry.text("value")
    return entries


def _integer(text: str, what: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise BundleError(f"{what} has external data at {text[:80]!r}, which is no place in a file")
    return int(text)


def check_value(data: memoryview, budget: Budget, limits: "Limits", what: str) -> list[int]:
    """Check what a graph says of the type of an input, an output or a value between nodes.

    Returns:
        Its sizes, 0 for one that varies; none where it says nothing of its shape.

    Raises:
        BundleError: It is no tensor, or of no possible shape.
    """
    kind = read_message(data, TYPE, budget)
    if kind.names() - {"tensor_type"}:
        raise BundleError(f"{what} is not a tensor")
    for part in kind.parts("tensor_type"):
        described = read_message(part, TENSOR_TYPE, budget)
        if described.number("elem_type") not in {0, _STRING, *_BITS}:
            raise BundleError(f"{what} is a tensor of a type that is not admitted")
        for shape in described.parts("shape"):
            sizes = _sizes(shape, budget)
            check_shape(sizes, limits, what)
            return sizes
    return []


def _sizes(data: memoryview, budget: Budget) -> list[int]:
    dimensions = [
        read_message(part, DIMENSION, budget)
        for part in read_message(data, SHAPE, budget).parts("dim")
    ]
    if any(dimension.has("denotation") for dimension in dimensions):
        raise BundleError("it holds a dimension with a denotation")
    return [dimension.number("dim_value") for dimension in dimensions]
