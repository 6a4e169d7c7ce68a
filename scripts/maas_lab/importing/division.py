"""Divisions of whole numbers: by -1, the least one has no quotient, and ONNX Runtime ends by it.

Imports numpy, onnx, `maas.errors` and the lab. The processor stops a process that divides INT32's
-2147483648 by -1, or INT64's least by -1, and so does ONNX Runtime's `Mod`. Both are written as
what never divides by -1 and answers alike; the least by -1 is the least, as numpy has it:

    guard_divisions(model, notes)      # Div(a, b): Div(a, b == -1 ? 1 : b) * (b == -1 ? -1 : 1)

Smaller types are divided as INT32, in which the quotient has room, and `Mod` with `fmod` as floats.
"""

from collections import ChainMap
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from maas.bundle.operators import CLASSIC
from maas.errors import RefusedError
from maas_lab.importing.nesting import FreeNames, graphs_of, inner_graphs

if TYPE_CHECKING:
    import numpy.typing as npt

    Types = ChainMap[str, int]
    Constants = ChainMap[str, "npt.NDArray[np.generic] | None"]

_TRAPPING = (TensorProto.INT32, TensorProto.INT64)
_FOREIGN_TYPE = TensorProto.FLOAT


def guard_divisions(model: onnx.ModelProto, notes: list[str]) -> None:
    """Let no division of whole numbers end the process; other graphs stay as they are.

    Args:
        model: Changed in place, in nested graphs too. None of its inputs has a value in it.
        notes: Where it is said.

    Raises:
        RefusedError: Nobody knows of which type a division is.
    """
    if not any(_divides(node) for graph in graphs_of(model.graph) for node in graph.node):
        return
    guard = _Guard(FreeNames(model.graph))
    guard.rewrite(model.graph, _typed(model), ChainMap(), ChainMap())
    if guard.numbers:
        model.graph.initializer.extend(guard.numbers.values())
        notes.append("Whole numbers are divided by -1 without overflow.")


class _Guard:
    """Writes divisions anew.

    Args:
        names: For what it adds.

    Attributes:
        numbers: Constants that it reads, by type and value; they belong into the outermost graph.
    """

    def __init__(self, names: FreeNames) -> None:
        self._names = names
        self.numbers: dict[tuple[int, int], TensorProto] = {}

    def rewrite(
        self,
        graph: onnx.GraphProto,
        typed: onnx.GraphProto,
        types: "Types",
        constants: "Constants",
    ) -> None:
        """Guard the divisions of a graph and of those in it.

        Args:
            graph: Changed in place.
            typed: The same graph with the types of its values.
            types: Of what lies around it.
            constants: What has a value around it; None for a name that is none here.
        """
        types = types.new_child(_types(typed))
        constants = constants.new_child(_constants(graph))
        nodes: list[onnx.NodeProto] = []
        for node, same in zip(graph.node, typed.node, strict=True):
            for inner, twin in zip(inner_graphs(node), inner_graphs(same), strict=True):
                self.rewrite(inner, twin, types, constants)
            nodes += self._guarded(node, types, constants) if _divides(node) else [node]
        if len(nodes) != len(graph.node):
            del graph.node[:]
            graph.node.extend(nodes)

    def _guarded(
        self, node: onnx.NodeProto, types: "Types", constants: "Constants"
    ) -> list[onnx.NodeProto]:
        divisor = constants.get(node.input[1])
        if divisor is not None and (divisor.dtype.kind != "i" or not (divisor == -1).any()):
            return [node]
        kind = types.get(node.input[1]) or types.get(node.input[0]) or types.get(node.output[0])
        if not kind:
            raise RefusedError(
                f"Nobody knows whether {node.op_type} {node.name or node.output[0]} divides whole"
                " numbers, which by -1 ends the process. Give its divisor a type: a Cast before it."
            )
        return [node] if kind not in _TRAPPING else self._written(node, kind)

    def _written(self, node: onnx.NodeProto, kind: int) -> list[onnx.NodeProto]:
        one, minus = self._number(kind, 1), self._number(kind, -1)
        stem = f"guarded/{node.op_type.lower()}"
        is_minus, divisor = self._names.free(stem), self._names.free(stem)
        before = [
            helper.make_node("Equal", [node.input[1], minus], [is_minus]),
            helper.make_node("Where", [is_minus, one, node.input[1]], [divisor]),
        ]
        safe = onnx.NodeProto()
        safe.CopyFrom(node)
        safe.input[1] = divisor
        if node.op_type == "Mod":
            return [*before, safe]
        quotient, sign = self._names.free(stem), self._names.free(stem)
        safe.output[0] = quotient
        return [
            *before,
            helper.make_node("Where", [is_minus, minus, one], [sign]),
            safe,
            helper.make_node("Mul", [quotient, sign], [node.output[0]]),
        ]

    def _number(self, kind: int, value: int) -> str:
        found = self.numbers.get((kind, value))
        if found is None:
            dtype = helper.tensor_dtype_to_np_dtype(kind)
            found = numpy_helper.from_array(
                np.array(value, dtype), self._names.free("guarded/number")
            )
            self.numbers[kind, value] = found
        return str(found.name)


def _divides(node: onnx.NodeProto) -> bool:
    if node.domain or node.op_type not in ("Div", "Mod") or len(node.input) != len("ab"):
        return False
    return not any(attribute.name == "fmod" and attribute.i for attribute in node.attribute)


def _constants(graph: onnx.GraphProto) -> "dict[str, npt.NDArray[np.generic] | None]":
    """Values that divisors may have; names of others hide what is around the graph."""
    divisors = {node.input[1] for each in graphs_of(graph) for node in each.node if _divides(node)}
    found: dict[str, npt.NDArray[np.generic] | None] = {each.name: None for each in graph.input}
    for node in graph.node:
        found.update((name, None) for name in node.output)
        if node.op_type == "Constant" and not node.domain and node.output[0] in divisors:
            found[node.output[0]] = _value(node.attribute[0])
    for tensor in graph.initializer:
        if tensor.name in divisors:
            found[tensor.name] = numpy_helper.to_array(tensor)
    return found


def _value(attribute: onnx.AttributeProto) -> "npt.NDArray[np.generic] | None":
    value = helper.get_attribute_value(attribute)
    if attribute.type == onnx.AttributeProto.TENSOR:
        return numpy_helper.to_array(value)
    is_number = attribute.name in ("value_int", "value_ints", "value_float", "value_floats")
    return np.array(value) if is_number else None


def _typed(model: onnx.ModelProto) -> onnx.GraphProto:
    """The graph with the types of its values, without weights and shapes.

    Operators of ONNX Runtime's own and of others have no types in onnx: those that are admitted
    make floats, or whole numbers of 8 bits, but for one that counts.
    """
    light = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    light.graph.name = model.graph.name
    light.graph.node.extend(model.graph.node)
    for field in ("input", "output", "value_info"):
        getattr(light.graph, field).extend(getattr(model.graph, field))
    light.graph.input.extend(
        helper.make_tensor_value_info(tensor.name, tensor.data_type, None)
        for tensor in model.graph.initializer
    )
    for graph in graphs_of(light.graph):
        _declare_foreign(graph)
        for value in (*graph.input, *graph.output, *graph.value_info):
            if value.type.HasField("tensor_type"):
                value.type.tensor_type.ClearField("shape")  # not always right
    try:
        return onnx.shape_inference.infer_shapes(light).graph
    except (onnx.shape_inference.InferenceError, ValueError):  # too large, or it contradicts itself
        return light.graph


def _declare_foreign(graph: onnx.GraphProto) -> None:
    known = {each.name for each in (*graph.value_info, *graph.output)}
    for node in graph.node:
        if node.domain in ("", CLASSIC):
            continue
        for at, name in enumerate(node.output):
            counts = node.op_type.endswith("EmbedLayerNormalization") and at == 1
            kind = TensorProto.INT32 if counts else _FOREIGN_TYPE
            if name and name not in known:
                graph.value_info.append(helper.make_tensor_value_info(name, kind, None))


def _types(graph: onnx.GraphProto) -> dict[str, int]:
    values = (*graph.input, *graph.value_info, *graph.output)
    found = {each.name: each.type.tensor_type.elem_type for each in values}
    return found | {each.name: each.data_type for each in graph.initializer}
