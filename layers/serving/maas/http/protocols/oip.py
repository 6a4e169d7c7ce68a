"""The Open Inference Protocol: requests to tensors, tensors to answers, JSON with bytes behind it.

May import `maas.errors`, `maas.tasks`, `maas.http.{body,fields,problems}` and `oip_*` beside it.

    asked = decode(data, header_bytes, tensors.inputs)
    answer = tensors.infer(asked.feeds, deadline=deadline)
    body, header_bytes = encode(asked, answer.outputs, model="m", version=7, labels=())
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from maas.errors import BadRequestError, FieldError
from maas.http.body import parse_json
from maas.http.fields import convert_fields
from maas.http.problems import dump_json
from maas.http.protocols.oip_data import (
    DATATYPES,
    datatype_of,
    from_bytes,
    from_json,
    to_bytes,
    to_json,
)
from maas.http.protocols.oip_wire import (
    BinarySize,
    InferAnswer,
    InferBody,
    OutputParameters,
    OutputTensor,
    RequestedOutput,
)
from maas.limits import LIMITS
from maas.tasks.tensors import STRING, strings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from maas.http.protocols.oip_wire import InputTensor
    from maas.registry.records import TensorSpec
    from maas.tasks.tensors import Array

_DATATYPES = f"must be one of {', '.join(DATATYPES.values())}"
_JSON_LIMITS = replace(LIMITS, json_values=LIMITS.tensor_values)


@dataclass(frozen=True, slots=True)
class Asked:
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


def decode(data: bytes, header_bytes: int | None, inputs: "Sequence[TensorSpec]") -> Asked:
    """Read a request.

    Args:
        data: The body.
        header_bytes: How many of it are JSON; 0 for a body that is one input alone, None for one
            that is JSON as a whole.
        inputs: What the model reads.

    Raises:
        BadRequestError: The JSON cannot be read, or ends elsewhere.
        FieldError: A field is missing, of the wrong type, or does not fit the bytes.
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
        outputs=_wanted(body.outputs or ()),
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


def _wanted(outputs: "Sequence[RequestedOutput]") -> "dict[str, OutputParameters]":
    wanted = {output.name: output.parameters or OutputParameters() for output in outputs}
    if len(wanted) != len(outputs):
        raise FieldError("one is wanted twice", field="outputs")
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
    count, left = divmod(elements, fixed)
    if rest or left:
        raise FieldError(f"must be bytes of {spec.dtype} as the shape says", field=spec.name)
    shape = [size if isinstance(size, int) else count for size in spec.shape]
    return Asked(
        {spec.name: from_bytes(data, DATATYPES[spec.dtype], shape, field=spec.name)},
        {},
        binary=True,
    )


def encode(
    asked: Asked,
    outputs: "Mapping[str, Array]",
    *,
    model: str,
    version: int,
    labels: "Sequence[str]" = (),
) -> tuple[bytes, int | None]:
    """Write an answer.

    Args:
        asked: The request.
        outputs: What the model answered.
        model: Its name.
        version: Which version answered.
        labels: Names of a classifier's numbers.

    Returns:
        The body, and how many of its bytes are JSON; None where all are.

    Raises:
        FieldError: An output is not one of the model's, or has no classes; or all are too large.
        ModelOutputError: JSON cannot say a number.
    """
    names = list(asked.outputs) or list(outputs)
    if not outputs.keys() >= set(names):
        raise FieldError(
            f"one is not known to this model, which answers {', '.join(outputs)}", field="outputs"
        )
    tensors: list[OutputTensor] = []
    parts: list[bytes] = []
    for name in names:
        wanted = asked.outputs.get(name, OutputParameters())
        array = outputs[name]
        if wanted.classification:
            array = _classes(array, wanted.classification, labels, name)
        datatype, shape = datatype_of(array), list(array.shape)
        if asked.binary if wanted.binary_data is None else wanted.binary_data:
            parts.append(to_bytes(array))
            tensors.append(
                OutputTensor(name, datatype, shape, parameters=BinarySize(len(parts[-1])))
            )
        else:
            tensors.append(OutputTensor(name, datatype, shape, data=to_json(array)))
    header = dump_json(InferAnswer(model, str(version), tensors, asked.id))
    body = b"".join([header, *parts])
    if len(body) > LIMITS.tensor_bytes:
        raise FieldError(
            f"The answer is above {LIMITS.tensor_bytes} bytes; ask for less at a time."
        )
    return body, len(header) if parts else None


def _classes(array: "Array", count: int, labels: "Sequence[str]", name: str) -> "Array":
    """The best classes of each row as `score:index` and, where it is known, `:label`."""
    if array.ndim not in (1, 2) or array.dtype.kind not in "iuf" or not array.size:
        raise FieldError("has no classes: it is not one row of numbers, or several", field=name)
    rows = np.atleast_2d(array)
    named = len(labels) == rows.shape[1]
    order = np.argsort(-rows.astype(np.float64), axis=1, kind="stable")[:, :count]
    texts = [
        f"{row[index]:.6f}:{index}" + (f":{labels[index]}" if named else "")
        for row, best in zip(rows.tolist(), order.tolist(), strict=True)
        for index in best
    ]
    return strings(texts, order.shape if array.ndim == 2 else order.shape[1:])
