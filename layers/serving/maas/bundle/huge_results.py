"""Nodes whose result is as large as a number in the graph says: refused where that is too large.

May import `maas.bundle`, `maas.errors` and `maas.limits`. Only numbers that stand in the graph are
looked at. What depends on a request, or is computed from constants, is bounded by the deadline of a
run and by the memory of its process:

    constants[tensor.name] = values_of(tensor)
    check_result(operator, inputs, constants, limits, what="node 'fill' (ConstantOfShape)")
"""

import math
import struct
from typing import TYPE_CHECKING

from maas.bundle.wire import Wire
from maas.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from maas.bundle.tensor_policy import Tensor
    from maas.bundle.wire import Message
    from maas.limits import Limits

    Values = tuple[int | float, ...]
    Constants = Mapping[str, Values | None]

FEW = 64
"""So many numbers are looked at; shapes and counts have fewer."""
_TYPES: dict[int, tuple[str, Wire, str]] = {
    1: ("float_data", Wire.FIXED32, "f"),
    6: ("int32_data", Wire.VARINT, "i"),
    7: ("int64_data", Wire.VARINT, "q"),
    11: ("double_data", Wire.FIXED64, "d"),
}
_SIZES: dict[str, tuple[int, ...]] = {
    **{"ConstantOfShape": (0,), "Expand": (1,), "Tile": (1,), "OneHot": (1,), "Resize": (2, 3)},
    **{"MaxUnpool": (2,), "Col2Im": (1,), "CenterCropPad": (1,), "AffineGrid": (1,), "DFT": (1,)},
    **{"HannWindow": (0,), "HammingWindow": (0,), "BlackmanWindow": (0,)},
    **{"MelWeightMatrix": (0, 1), "Pad": (1,)},
}
"""By operator, the inputs that say how large its result is."""
_BOUNDED = frozenset(("Min", "Squeeze", "Unsqueeze", "Reshape", "Identity"))


def values_of(tensor: "Tensor") -> "Values | None":
    """The values of a small tensor of 32-bit or 64-bit numbers in the graph, else None.

    Args:
        tensor: One whose data is as large as its shape.
    """
    if tensor.external or tensor.kind not in _TYPES or tensor.elements > FEW:
        return None
    name, wire, code = _TYPES[tensor.kind]
    for raw in tensor.message.parts("raw_data"):
        return struct.unpack(f"<{tensor.elements}{code}", raw)
    values = tensor.message.numbers(name, most=FEW, wire=wire)
    if wire is Wire.VARINT:
        return tuple(values)
    return _decoded(values, code)


def floats(message: "Message", name: str) -> "Values | None":
    """The values of a field of 32-bit floats, else None."""
    if message.count(name, Wire.FIXED32) > FEW:
        return None
    return _decoded(message.numbers(name, most=FEW, wire=Wire.FIXED32), "f")


def _decoded(values: "list[int]", code: str) -> "Values":
    """Numbers from their bits."""
    data = b"".join(value.to_bytes(struct.calcsize(code), "little") for value in values)
    return struct.unpack(f"<{len(values)}{code}", data)


def check_result(
    operator: str,
    inputs: "Sequence[str]",
    constants: "Constants",
    limits: "Limits",
    what: str,
) -> None:
    """Refuse a node that would make more elements, or turn more often, than a model may.

    Args:
        operator: One of ONNX's own domain.
        inputs: The names of the node's inputs.
        constants: Every constant that it can see; None for one whose values are not known.
        limits: Elements and turns.
        what: How a refusal names the node.

    Raises:
        BundleError: With the reason.
    """
    known = [
        _known(inputs[index], constants, what)
        for index in _SIZES.get(operator, ())
        if index < len(inputs) and inputs[index] in constants
    ]
    elements = max(map(_product, known), default=0.0)
    if operator == "Range":
        elements = _range_length(inputs, constants, what)
    if not elements <= limits.graph_elements:
        raise BundleError(f"{what} would make more than {limits.graph_elements} elements")
    if operator == "Loop":
        _check_turns(inputs, constants, limits, what)


def least(operator: str, inputs: "Sequence[str]", constants: "Constants") -> "Values | None":
    """The bound that a Min has by its constants, and what only reshapes one; None without one.

    So a loop whose count is the lesser of a constant and of what is asked for has an end that is
    known, as if the constant stood there alone.

    Args:
        operator: One of ONNX's own domain.
        inputs: The names of the node's inputs.
        constants: Every constant and every bound that it can see.
    """
    if operator not in _BOUNDED:
        return None
    seen = inputs if operator == "Min" else inputs[:1]
    single = [values[0] for name in seen if (values := constants.get(name)) and len(values) == 1]
    return (min(single),) if single else None


def _known(name: str, constants: "Constants", what: str) -> "Values":
    values = constants[name]
    if values is None:
        raise BundleError(f"{what} takes its size from no small tensor of numbers in the graph")
    return values


def _product(values: "Values") -> float:
    # Without the zeros: what one size makes nothing of, another node could make much of.
    return math.prod(abs(float(value)) for value in values if value)


def _range_length(inputs: "Sequence[str]", constants: "Constants", what: str) -> float:
    """Elements of a Range of which start, limit and step are constants, else 0."""
    if not all(name in constants for name in inputs[:3]):
        return 0.0
    ends = [_known(name, constants, what) for name in inputs[:3]]
    if [len(values) for values in ends] != [1, 1, 1] or not ends[2][0]:
        return math.inf
    (start,), (limit,), (step,) = ends
    return abs((float(limit) - float(start)) / float(step))


def _check_turns(
    inputs: "Sequence[str]", constants: "Constants", limits: "Limits", what: str
) -> None:
    """A Loop must have an end: computed from the request, or a constant that is not too large."""
    count = inputs[0] if inputs else ""
    if count and count not in constants:
        return
    turns = _known(count, constants, what) if count else (math.inf,)
    if not all(turn <= limits.graph_turns for turn in turns):
        raise BundleError(f"{what} may turn more than {limits.graph_turns} times")
