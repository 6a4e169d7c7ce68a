"""The Open Inference Protocol: tensors to answers, JSON with bytes behind it.

May import `maas.errors`, `maas.tasks.tensors`, `maas.http.problems` and `oip_*` beside it.

    body, header_bytes = encode(asked, answer.outputs, model="m", version=7, labels=())
"""

from typing import TYPE_CHECKING

import numpy as np

from maas.errors import FieldError
from maas.http.problems import dump_json
from maas.http.protocols.oip_data import datatype_of, to_bytes, to_json
from maas.http.protocols.oip_wire import (
    BinarySize,
    InferAnswer,
    OutputParameters,
    OutputTensor,
)
from maas.limits import LIMITS
from maas.tasks.tensors import strings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from maas.http.protocols.oip import Asked
    from maas.tasks.tensors import Array


def encode(
    asked: "Asked",
    outputs: "Mapping[str, Array]",
    *,
    model: str,
    version: int,
    labels: "Sequence[str]" = (),
) -> tuple[bytes, int | None]:
    """Write an answer.

    Args:
        asked: The request.
        outputs: What the model answered; some have outputs that go with some inputs alone.
        model: Its name.
        version: Which version answered.
        labels: Names of a classifier's numbers.

    Returns:
        The body, and how many of its bytes are JSON; None where all are.

    Raises:
        FieldError: An output was not answered or has no classes, or all of them are too large.
        ModelOutputError: JSON cannot say a number.
    """
    if not asked.outputs.keys() <= outputs.keys():
        raise FieldError(
            f"one is not answered to these inputs, but {', '.join(outputs)}", field="outputs"
        )
    tensors: list[OutputTensor] = []
    parts: list[bytes] = []
    values = 0
    for name in asked.outputs or outputs:
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
            values += array.size
            if values > LIMITS.tensor_values:  # before they are written
                raise FieldError(
                    f"The answer is above {LIMITS.tensor_values} values in JSON; ask for it as"
                    " bytes, by binary_data."
                )
            _check_finite(array, name)
            tensors.append(OutputTensor(name, datatype, shape, data=to_json(array)))
    header = dump_json(InferAnswer(model, str(version), tensors, asked.id))
    body = b"".join([header, *parts])
    if len(body) > LIMITS.tensor_bytes:
        raise FieldError(
            f"The answer is above {LIMITS.tensor_bytes} bytes; ask for less at a time."
        )
    return body, len(header) if parts else None


def _check_finite(array: "Array", name: str) -> None:
    """What a bare graph makes of a caller's own infinity is no fault of ours."""
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise FieldError(
            "holds what is no finite number, which JSON cannot say; ask for it by binary_data",
            field=name,
        )


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
