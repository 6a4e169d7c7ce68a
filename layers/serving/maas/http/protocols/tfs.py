"""TensorFlow Serving's REST API: bodies to tensors, and tensors to predictions.

May import `maas.errors`, `maas.http.{body,fields,problems}`, `nested` and `tfs_wire` beside it.

    asked = decode(data, tensors.inputs)
    answer = encode(asked, outputs)               # {"predictions": …} or {"outputs": …}

An output that was a list of tensors or of maps is one again here.
"""

from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from maas.errors import FieldError
from maas.http.body import parse_json
from maas.http.fields import convert_fields
from maas.http.problems import encode_json
from maas.http.protocols.nested import (
    array_of,
    composed,
    feeds_of,
    is_bytes,
    nested_of,
    sole_input,
)
from maas.http.protocols.tfs_wire import Outputs, PredictBody, Predictions
from maas.limits import LIMITS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from maas.bundle.composites import Composite
    from maas.registry.records import TensorSpec
    from maas.tasks.tensors import Array

JSON_LIMITS = replace(LIMITS, json_values=LIMITS.tensor_values)
"""What a body of tensors may be."""


class Asked(Struct, frozen=True):
    """A request.

    Attributes:
        feeds: Arrays by input.
        rows: How many rows are answered one by one; None where tensors are answered as a whole.
    """

    feeds: "Mapping[str, Array]"
    rows: int | None


def decode(data: bytes, inputs: "Sequence[TensorSpec]") -> Asked:
    """Read a request.

    Args:
        data: The body.
        inputs: What the model reads.

    Raises:
        BadRequestError: It is no JSON.
        FieldError: A field is missing, unknown or of the wrong type.
    """
    value = parse_json(data, limits=JSON_LIMITS)
    body = convert_fields(value, PredictBody, choices="must be serving_default")
    if (body.instances is None) == (body.inputs is None):
        raise FieldError("must be given, or inputs: one of them", field="instances")
    if body.instances is not None:
        return Asked(row_feeds(body.instances, inputs, field="instances"), len(body.instances))
    return Asked(column_feeds(body.inputs, inputs), None)


def row_feeds(
    rows: list[Any], inputs: "Sequence[TensorSpec]", *, field: str
) -> "Mapping[str, Array]":
    """Tensors of rows, each a value or an object of values by input.

    Raises:
        FieldError: There is no row, they are not alike, or not what the model reads.
    """
    if not rows:
        raise FieldError("must be at least one", field=field)
    named = [row for row in rows if isinstance(row, dict) and not is_bytes(row)]
    if not named:
        spec = sole_input(rows, inputs, field=field)
        return {spec.name: array_of(rows, spec, field=field)}
    if len(named) != len(rows) or any(row.keys() != named[0].keys() for row in named):
        raise FieldError("must be alike: values, or objects of the same inputs", field=field)
    return feeds_of({name: [row[name] for row in named] for name in named[0]}, inputs, field=field)


def column_feeds(value: object, inputs: "Sequence[TensorSpec]") -> "Mapping[str, Array]":
    """Tensors as a whole, by input or of the only one.

    Raises:
        FieldError: They are not what the model reads.
    """
    if isinstance(value, dict) and not is_bytes(value):
        return feeds_of(value, inputs, field="inputs")
    spec = sole_input(value, inputs, field="inputs")
    return {spec.name: array_of(value, spec, field="inputs")}


def encode(
    asked: Asked, outputs: "Mapping[str, Array]", composites: "Sequence[Composite]" = ()
) -> bytes:
    """Write an answer.

    Args:
        asked: The request.
        outputs: What the model answered.
        composites: Which of them are a list together.

    Raises:
        FieldError: It is too large, or a tensor has not as many rows as were sent.
        ModelOutputError: JSON cannot say a number.
    """
    value = answer_of(asked, outputs, composites)
    answer = Outputs(value) if asked.rows is None else Predictions(value)
    return encode_json(answer, limit=LIMITS.tensor_bytes)


def answer_of(
    asked: Asked, outputs: "Mapping[str, Array]", composites: "Sequence[Composite]" = ()
) -> Any:  # noqa: ANN401 - any JSON
    """What the one output holds, or an object of what each does: as a whole, or per row.

    Raises:
        FieldError: It is too large, or a tensor has not as many rows as were sent.
    """
    if sum(array.size for array in outputs.values()) > LIMITS.tensor_values:
        raise FieldError(f"The answer is above {LIMITS.tensor_values} values; ask for less.")
    by_row = asked.rows is not None
    for name, array in outputs.items():
        if by_row and (array.ndim == 0 or len(array) != asked.rows):
            raise FieldError(f"{name} is not answered row by row; send inputs instead of rows")
    values = {name: nested_of(array) for name, array in outputs.items()}
    values = composed(values, composites, by_row=by_row)
    if len(values) == 1:
        return next(iter(values.values()))
    if asked.rows is None:
        return values
    return [{name: value[at] for name, value in values.items()} for at in range(asked.rows)]
