"""Elements of the Open Inference Protocol's tensors: as JSON, and as bytes behind it.

May import `maas.errors`, `maas.limits`, `maas.tasks.tensors` and numpy.

    array = from_json(value, "FP32", [2, 3], field="inputs[0].data")
    array = from_bytes(data, "FP32", [2, 3], field="inputs[0]")
    data = to_bytes(array)

Bytes are little-endian, the last dimension first; an element of BYTES is its length in four bytes,
then itself. The words are those of KServe's specification, version 2, and of Triton's extension for
binary data.
"""

import base64
import binascii
import itertools
import math
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from maas.errors import FieldError
from maas.limits import LIMITS
from maas.tasks.tensors import STRING, strings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from maas.http.protocols.oip_wire import Datatype
    from maas.tasks.tensors import Array

DTYPES: "dict[Datatype, str]" = {
    "BOOL": "bool",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "UINT8": "uint8",
    "UINT16": "uint16",
    "UINT32": "uint32",
    "UINT64": "uint64",
    "FP16": "float16",
    "FP32": "float32",
    "FP64": "float64",
    "BYTES": STRING,
}
"""numpy's name of each datatype's elements."""
DATATYPES = {dtype: datatype for datatype, dtype in DTYPES.items()}
"""The datatype of each dtype."""
_LARGEST = 2**40
_LENGTH = struct.Struct("<I")
_SAID = {"BOOL": "true and false", "BYTES": "texts", "FP16": "numbers"}


def datatype_of(array: "Array") -> "Datatype":
    """The datatype of an array."""
    return DATATYPES[STRING if array.dtype == np.object_ else array.dtype.name]


def from_json(
    value: object,
    datatype: "Datatype",
    shape: "Sequence[int]",
    *,
    field: str,
    encoded: bool = False,
) -> "Array":
    """Read elements that JSON says, nested as the shape or flat.

    Args:
        value: What JSON says; a scalar may come without its list.
        datatype: What the elements are.
        shape: The dimensions.
        field: Where they stand, for the message.
        encoded: Whether elements of BYTES are base64.

    Raises:
        FieldError: They are not as many, or not of this kind.
    """
    if value is None:
        raise FieldError("is required, unless it follows as bytes", field=field)
    elements = _flat(value, shape, field)
    if datatype == "BYTES":
        return strings(_as_bytes(elements, field, encoded=encoded), tuple(shape))
    kinds = set(map(type, elements))
    allowed = {bool} if datatype == "BOOL" else {int, float} if datatype[0] == "F" else {int}
    if not kinds <= allowed:
        said = _SAID.get(datatype, "numbers" if float in allowed else "whole numbers")
        raise FieldError(f"must be {said} alone for {datatype}", field=field)
    try:
        with np.errstate(over="raise"):
            array = np.array(elements, dtype=DTYPES[datatype])
    except (OverflowError, FloatingPointError):
        raise FieldError(f"a number is beyond {datatype}", field=field) from None
    if not np.isfinite(array).all():
        raise FieldError(f"a number is beyond {datatype}", field=field)
    return array.reshape(tuple(shape))


def _flat(value: object, shape: "Sequence[int]", field: str) -> list[Any]:
    elements: list[Any] = value if isinstance(value, list) else [value]
    if elements and isinstance(elements[0], list):
        for size in shape[1:]:
            if not all(isinstance(row, list) and len(row) == size for row in elements):
                raise FieldError("is not nested as the shape says", field=field)
            elements = list(itertools.chain.from_iterable(elements))
    if math.prod(size for size in shape if size) > _LARGEST:  # numpy counts beside the zeros
        raise FieldError("has a shape that is too large", field=field)
    if len(elements) != math.prod(shape):
        raise FieldError(
            f"must have {math.prod(shape)} elements as the shape says, and has {len(elements)}",
            field=field,
        )
    return elements


def _as_bytes(elements: list[Any], field: str, *, encoded: bool) -> list[bytes]:
    if not all(isinstance(element, str) for element in elements):
        raise FieldError("must be texts alone for BYTES", field=field)
    try:
        texts = [element.encode() for element in elements]
        return [base64.b64decode(text, validate=True) for text in texts] if encoded else texts
    except UnicodeEncodeError:
        raise FieldError(
            "holds half of a surrogate pair, which is not a character", field=field
        ) from None
    except binascii.Error:
        raise FieldError("is not base64, as its content_type says", field=field) from None


def from_bytes(data: bytes, datatype: "Datatype", shape: "Sequence[int]", *, field: str) -> "Array":
    """Read elements from the bytes behind the JSON.

    Raises:
        FieldError: They are not as many as the shape says.
    """
    if math.prod(size for size in shape if size) > _LARGEST:
        raise FieldError("has a shape that is too large", field=field)
    if datatype == "BYTES":
        return strings(_split(data, math.prod(shape), field), tuple(shape))
    dtype = np.dtype(DTYPES[datatype]).newbyteorder("<")
    if len(data) != math.prod(shape) * dtype.itemsize:
        raise FieldError(
            f"must be {math.prod(shape) * dtype.itemsize} bytes of {datatype} as the shape says,"
            f" and is {len(data)}",
            field=field,
        )
    if datatype == "BOOL" and data.translate(None, b"\0\1"):
        raise FieldError("a byte of BOOL is neither 0 nor 1", field=field)
    array = np.frombuffer(data, dtype=dtype).reshape(tuple(shape))
    return array.astype(dtype.newbyteorder("="), copy=False)


def _split(data: bytes, count: int, field: str) -> list[bytes]:
    if count > LIMITS.tensor_values:
        raise FieldError(f"must be at most {LIMITS.tensor_values} elements of BYTES", field=field)
    elements: list[bytes] = []
    at = 0
    with suppress(struct.error):  # where there is no length any more
        for _ in range(count):
            start = at + _LENGTH.size
            at = start + _LENGTH.unpack_from(data, at)[0]
            elements.append(data[start:at])
    if at != len(data) or len(elements) != count:
        raise FieldError(
            f"must be {count} elements of BYTES, each its length in four bytes and then itself",
            field=field,
        )
    return elements


def to_json(array: "Array") -> list[Any]:
    """The elements, flat."""
    elements = array.ravel().tolist()
    return [_text(element) for element in elements] if array.dtype == np.object_ else elements


def to_bytes(array: "Array") -> bytes:
    """The elements as bytes."""
    if array.dtype == np.object_:
        parts = [
            element if isinstance(element, bytes) else element.encode()
            for element in array.ravel().tolist()
        ]
        return b"".join(_LENGTH.pack(len(part)) + part for part in parts)
    little: Any = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return np.ascontiguousarray(little).tobytes()


def _text(element: str | bytes) -> str:
    return element if isinstance(element, str) else element.decode(errors="replace")
