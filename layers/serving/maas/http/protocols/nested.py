"""Tensors as nested JSON without a shape beside them: what TensorFlow Serving and MLflow send.

May import `maas.errors`, `maas.tasks.tensors`, `oip_data` beside it, and numpy.

    array = array_of([[1, 2], [3, 4]], spec, field="instances")
    nested_of(array)                                  # [[1.0, 2.0], [3.0, 4.0]]

An element of a string tensor is a text, or `{"b64": "…"}` for bytes that are none.
"""

import base64
import binascii
from typing import TYPE_CHECKING, Any

import numpy as np

from maas.errors import FieldError
from maas.http.protocols.oip_data import DATATYPES, from_json
from maas.tasks.tensors import STRING, strings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from maas.bundle.composites import Composite
    from maas.registry.records import TensorSpec
    from maas.tasks.tensors import Array

BASE64 = "b64"
"""The one key of an object that stands for bytes."""


def is_bytes(value: object) -> bool:
    """Whether a value stands for bytes, and not for tensors by name."""
    return isinstance(value, dict) and value.keys() == {BASE64}


def array_of(value: object, spec: "TensorSpec", *, field: str) -> "Array":
    """Read a tensor.

    Args:
        value: Lists of lists, or one element.
        spec: What the tensor is to be; its shape is checked by who answers it.
        field: Where it stands, for the message.

    Raises:
        FieldError: Lists are of different lengths, or elements are not of this kind.
    """
    shape = _shape(value)
    elements = _elements(value, shape, field)
    if spec.dtype == STRING:
        return strings([_as_bytes(each, field) for each in elements], shape)
    return from_json(elements, DATATYPES[spec.dtype], shape, field=field)


def _shape(value: object) -> tuple[int, ...]:
    """As far as the first element of each list tells."""
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        value = value[0] if value else None
    return tuple(shape)


def _elements(value: Any, shape: tuple[int, ...], field: str) -> list[Any]:  # noqa: ANN401
    rows = [value]
    for size in shape:
        if not all(isinstance(row, list) and len(row) == size for row in rows):
            raise FieldError("must be nested evenly, in lists of one length", field=field)
        rows = [each for row in rows for each in row]
    return rows


def _as_bytes(value: object, field: str) -> bytes:
    try:
        if isinstance(value, str):
            return value.encode()
        if isinstance(value, dict) and is_bytes(value) and isinstance(value[BASE64], str):
            return base64.b64decode(value[BASE64], validate=True)
    except UnicodeEncodeError:
        raise FieldError(
            "holds half of a surrogate pair, which is not a character", field=field
        ) from None
    except (binascii.Error, ValueError):
        raise FieldError("b64 must be base64, in one line", field=field) from None
    raise FieldError(f'must be texts, or objects such as {{"{BASE64}": "…"}}', field=field)


def sole_input(value: object, inputs: "Sequence[TensorSpec]", *, field: str) -> "TensorSpec":
    """The input that elements without a name are of: the only one for texts, or for numbers.

    Raises:
        FieldError: There is none, or more than one.
    """
    while isinstance(value, list):
        value = value[0] if value else None
    texts = isinstance(value, str) or is_bytes(value)
    fitting = [spec for spec in inputs if (spec.dtype == STRING) == texts]
    if len(fitting) != 1:
        raise FieldError(f"must be given by name: {_names(inputs)}", field=field)
    return fitting[0]


def feeds_of(
    values: "Mapping[str, object]", inputs: "Sequence[TensorSpec]", *, field: str
) -> "dict[str, Array]":
    """Read tensors by name.

    Raises:
        FieldError: There is none, or one that the model does not read.
    """
    specs = {spec.name: spec for spec in inputs}
    if not values or values.keys() - specs.keys():
        raise FieldError(f"must name what this model reads: {_names(inputs)}", field=field)
    return {
        name: array_of(value, specs[name], field=f"{field}.{name}")
        for name, value in values.items()
    }


def _names(inputs: "Sequence[TensorSpec]") -> str:
    return ", ".join(spec.name for spec in inputs)


def nested_of(array: "Array") -> Any:  # noqa: ANN401 - whatever JSON can say
    """A tensor as JSON says it: lists of lists, or one element."""
    if array.dtype == np.object_:
        texts = [
            each if isinstance(each, str) else each.decode(errors="replace")
            for each in array.ravel().tolist()
        ]
        return strings(texts, array.shape).tolist()
    return array.tolist()


def composed(
    values: "Mapping[str, Any]", composites: "Sequence[Composite]", *, by_row: bool
) -> dict[str, Any]:
    """Outputs as JSON says them, those put together that were a list of tensors or of maps.

    Args:
        values: By output, what `nested_of` made of it; as many rows in each where it is by row.
        composites: What is put together.
        by_row: Whether a list says for each row what its tensors say of it; else for each tensor.
    """
    made = dict(values)
    for each in composites:
        parts = [made.pop(name) for name in each.tensors]
        if each.keys:
            made[each.name] = [dict(zip(each.keys, row, strict=True)) for row in parts[0]]
        else:
            made[each.name] = [list(row) for row in zip(*parts, strict=True)] if by_row else parts
    return made
