"""The Open Inference Protocol: requests to tensors, JSON with bytes behind it.

May import `maas.errors`, `maas.tasks`, `maas.http.{body,fields,problems}` and `oip_*` beside it.

    asked = decode(data, header_bytes, tensors.inputs, outputs=tensors.outputs)
    answer = tensors.infer(asked.feeds, deadline=deadline)

`oip_answer` turns tensors into answers.
"""

from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from maas.errors import BadRequestError, FieldError
from maas.http.body import parse_json
from maas.http.fields import convert_fields
from maas.http.protocols.oip_data import DATATYPES, from_bytes, from_json
from maas.http.protocols.oip_wire import InferBody, OutputParameters
from maas.limits import LIMITS
from maas.tasks.tensors import STRING, strings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from maas.http.protocols.oip_wire import InputTensor, RequestedOutput
    from maas.registry.records import TensorSpec
    from maas.tasks.tensors import Array

_DATATYPES = f"must be one of {', '.join(DATATYPES.values())}"
_JSON_LIMITS = replace(LIMITS, json_values=LIMITS.tensor_values)


class Asked(Struct, frozen=True):
    """A request.

    Attributes:
        feeds: Arrays by input.
        outputs: What is wanted of the answer, by output; everything when empty.
        binary: Whether outputs are answered as bytes unless they say otherwise.
        id: Answered as it is.
    """

    feeds: "Mapping[str, Array]"
    outputs: "Mapping[str, OutputParameters]"
    binary: bool = False
    id: str | None = None


def decode(
    data: bytes,
    header_bytes: int | None,
    inputs: "Sequence[TensorSpec]",
    *,
    outputs: "Sequence[TensorSpec] | None" = None,
) -> Asked:
    """Read a request.

    Args:
        data: The body.
        header_bytes: How many of it are JSON; 0 for a body that is one input alone, None for one
            that is JSON as a whole.
        inputs: What the model reads; that what is sent fits is the model's to check.
        outputs: What it answers; None lets any be wanted.

    Raises:
        BadRequestError: The JSON cannot be read, or ends elsewhere.
        FieldError: A field is missing, of the wrong type, or does not fit the bytes; or an output
            is not one of the model's.
    """
    if header_bytes == 0:
        return _decode_raw(data, inputs)
    if header_bytes is not None and header_bytes > len(data):
        raise BadRequestError("Inference-Header-Content-Length is more than the body has.")
    end = len(data) if header_bytes is None else header_bytes
    value = parse_json(data[:end], limits=_JSON_LIMITS)
    body = convert_fields(value, InferBody, choices=_DATATYPES)
    feeds: dict[str, Array] = {}
    for at, tensor in enumerate(body.inputs):
        if tensor.name in feeds:
            raise FieldError("one is given twice", field="inputs")
        feeds[tensor.name], end = _read(tensor, data, end, field=f"inputs[{at}]")
    if end != len(data):
        raise BadRequestError("More bytes follow the JSON than binary_data_size says.")
    return Asked(
        feeds=feeds,
        outputs=_wanted(body.outputs or (), outputs),
        binary=bool(body.parameters and body.parameters.binary_data_output),
        id=body.id,
    )


def _read(tensor: "InputTensor", data: bytes, at: int, *, field: str) -> "tuple[Array, int]":
    """An input's elements, and where the next one's bytes begin."""
    said = tensor.parameters
    size = said.binary_data_size if said else None
    if size is None:
        encoded = said is not None and said.content_type == "base64"
        value = from_json(
            tensor.data, tensor.datatype, tensor.shape, field=f"{field}.data", encoded=encoded
        )
        return value, at
    if tensor.data is not None:
        raise FieldError("is given as JSON and as bytes; send one", field=f"{field}.data")
    part = data[at : at + size]
    if len(part) < size:
        raise FieldError(
            "is more than follows the JSON; is Inference-Header-Content-Length right?",
            field=f"{field}.parameters.binary_data_size",
        )
    return from_bytes(part, tensor.datatype, tensor.shape, field=field), at + size


def _wanted(
    outputs: "Sequence[RequestedOutput]", specs: "Sequence[TensorSpec] | None"
) -> "dict[str, OutputParameters]":
    wanted = {output.name: output.parameters or OutputParameters() for output in outputs}
    if len(wanted) != len(outputs):
        raise FieldError("one is wanted twice", field="outputs")
    known = [spec.name for spec in specs] if specs is not None else list(wanted)
    if not wanted.keys() <= set(known):
        raise FieldError(
            f"one is not known to this model, which answers {', '.join(known)}", field="outputs"
        )
    return wanted


def _decode_raw(data: bytes, inputs: "Sequence[TensorSpec]") -> Asked:
    """The body is the elements of the one input, whose shape follows from their count.

    A model of ours that reads texts or images has an input that stands for all others: its one
    element is the body.
    """
    spec = inputs[0]
    if spec.dtype == STRING:
        return Asked({spec.name: strings([data], (1,) * len(spec.shape))}, {}, binary=True)
    free = [size for size in spec.shape if not isinstance(size, int)]
    if len(inputs) > 1 or len(free) > 1:
        raise BadRequestError(
            "Only a model with one input, of one size that varies, can be asked by bytes alone."
        )
    fixed = int(np.prod([size for size in spec.shape if isinstance(size, int)], dtype=np.int64))
    elements, rest = divmod(len(data), np.dtype(spec.dtype).itemsize)
    count, left = divmod(elements, fixed or 1)
    if rest or left:
        raise FieldError(f"must be bytes of {spec.dtype} as the shape says", field=spec.name)
    shape = [size if isinstance(size, int) else count for size in spec.shape]
    return Asked(
        {spec.name: from_bytes(data, DATATYPES[spec.dtype], shape, field=spec.name)},
        {},
        binary=True,
    )
