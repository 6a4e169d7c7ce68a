"""How many numbers each row of a value has, as far as ONNX's own operators make that certain.

Imports types alone. Trees and linear models pick features by number, so it is followed from a
graph's inputs to them through what pipelines are made of:

    widths = {"x": 4}
    width_after("Cast", ["x"], widths, constants={}, axis=None)                 # 4
    width_after("Reshape", ["y", "to"], widths, {"to": (-1, 3)}, axis=None)     # 3
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from maas.bundle.huge_results import Values

_KEEPING = frozenset(("Cast", "Identity"))
_LAST = ((1,), (-1,))


def width_after(
    operator: str,
    inputs: "Sequence[str]",
    widths: "Mapping[str, int]",
    constants: "Mapping[str, Values | None]",
    axis: "Values | None",
) -> int | None:
    """The width of a node's first result; None where it is not certain.

    Args:
        operator: One of ONNX's own.
        inputs: The node's.
        widths: By name of a value of two dimensions, its width.
        constants: Every constant that the node can see.
        axis: The numbers of the node's last attribute.
    """
    if operator in _KEEPING and len(inputs) == 1:
        return widths.get(inputs[0])
    if operator == "Reshape" and len(inputs) == 2:
        shape = constants.get(inputs[1])
        return int(shape[1]) if shape and len(shape) == 2 and shape[1] > 0 else None
    if operator == "Gather" and axis in _LAST and len(inputs) == 2 and inputs[0] in widths:
        picked = constants.get(inputs[1])
        return len(picked) if picked else None
    if operator == "Concat" and axis in _LAST and inputs and widths.keys() >= set(inputs):
        return sum(widths[name] for name in inputs)
    return None
