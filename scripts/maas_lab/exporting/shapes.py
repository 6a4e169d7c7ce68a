"""Shapes that a traced graph computes again at each run, though they can be told from the graph.

Imports numpy and onnx. torch writes `states.unflatten(2, (heads, -1))` as a dozen nodes that take
the shape apart and put it together. As `Reshape(states, [0, 0, heads, -1])` it is one, which is
faster within a loop, and which ONNX Runtime's fusions know:

    settle_shapes(model)
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_MOST = 64  # numbers of what is followed; shapes have fewer


@dataclass(frozen=True, slots=True)
class Side:
    """The size of one dimension of a tensor, which is not known before the graph runs."""

    tensor: str
    axis: int


@dataclass(frozen=True, slots=True)
class Numbers:
    """A small tensor of integers. A `list` of one number is not the number."""

    values: "tuple[int | Side, ...]"
    scalar: bool = False

    @property
    def known(self) -> tuple[int, ...] | None:
        """The values, where none depends on the run."""
        plain = tuple(value for value in self.values if isinstance(value, int))
        return plain if len(plain) == len(self.values) else None


def settle_shapes(model: onnx.ModelProto) -> None:
    """Replace what can be told from the graph by constants, and drop what nobody reads then.

    What is told about one layer tells the shapes of the next, so it is done until nothing changes.
    """
    before = 0
    while before != len(model.graph.node):
        before = len(model.graph.node)
        _settle_once(model)


def _settle_once(model: onnx.ModelProto) -> None:
    graph = model.graph
    reading = _Reading(_sides(model))
    for tensor in graph.initializer:
        reading.keep(tensor.name, tensor)
    ends = {value.name for value in graph.output}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        found = reading.numbers(node)
        (first, *_) = node.output
        if found is not None and found.known is not None and first not in ends:
            nodes.append(_constant(first, found.known, scalar=found.scalar))
            continue
        if node.op_type == "Reshape" and (shape := reading.target(node)) is not None:
            name = f"{first}_shape"
            nodes.append(_constant(name, shape, scalar=False))
            node.input[1] = name
        nodes.append(node)
    _broadcast(nodes)
    kept = _read(nodes, ends)
    del graph.node[:]
    graph.node.extend(kept)


def _constant(name: str, values: "Sequence[int]", *, scalar: bool) -> onnx.NodeProto:
    array = np.array(values[0] if scalar else list(values), dtype=np.int64)
    return helper.make_node("Constant", [], [name], name, value=numpy_helper.from_array(array))


def _broadcast(nodes: "Sequence[onnx.NodeProto]") -> None:
    """Drop what is expanded to the shape of the very tensor that it then meets."""
    makers = {name: node for node in nodes for name in node.output}
    for node in nodes:
        if node.op_type not in _ARITHMETIC or len(node.input) != 2:
            continue
        for at, other in ((0, node.input[1]), (1, node.input[0])):
            expand = makers.get(node.input[at])
            if expand is None or expand.op_type != "Expand":
                continue
            shape = makers.get(expand.input[1])
            if shape is not None and shape.op_type == "Shape" and shape.input[0] == other:
                node.input[at] = expand.input[0]


def _read(nodes: "Sequence[onnx.NodeProto]", ends: set[str]) -> list[onnx.NodeProto]:
    """The nodes of which something is read."""
    wanted, kept = set(ends), []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            kept.append(node)
    return kept[::-1]


def _sides(model: onnx.ModelProto) -> "dict[str, tuple[int | Side, ...]]":
    """By tensor its shape, as far as it can be told."""
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    return {
        value.name: tuple(
            dim.dim_value if dim.HasField("dim_value") else Side(value.name, axis)
            for axis, dim in enumerate(value.type.tensor_type.shape.dim)
        )
        for value in (*inferred.input, *inferred.value_info, *inferred.output)
        if value.type.tensor_type.HasField("shape")
    }


def _completed(shape: list[int], sides: "tuple[int | Side, ...]") -> list[int]:
    """The shape with a number for -1, where the sides that do not stay as they are tell it."""
    stay = next((at for at, value in enumerate(shape) if value), len(shape))
    rest = [side for side in sides[stay:] if isinstance(side, int)]
    if -1 not in shape or 0 in shape[stay:] or len(rest) < len(sides[stay:]) or not rest:
        return shape
    left = math.prod(rest) // math.prod(value for value in shape[stay:] if value != -1)
    return [left if value == -1 else value for value in shape]


class _Reading:
    """What is known of the small integer tensors of a graph, node by node."""

    def __init__(self, sides: "dict[str, tuple[int | Side, ...]]") -> None:
        self._sides = sides
        self._found: dict[str, Numbers] = {}
        self._rules: dict[str, Callable[[onnx.NodeProto], Numbers | None]] = {
            **{"Shape": self._shape, "Gather": self._gather, "Slice": self._slice},
            **{"Concat": self._concat, "Unsqueeze": self._listed, "Squeeze": self._single},
            **{"Reshape": self._reshape},
            **dict.fromkeys(("Cast", "Identity"), self._same),
            **dict.fromkeys(_ARITHMETIC, self._computed),
        }

    def keep(self, name: str, tensor: onnx.TensorProto) -> None:
        """Learn the values of a constant, if they are few integers."""
        if tensor.data_type == onnx.TensorProto.INT64 and len(tensor.dims) <= 1:
            values = numpy_helper.to_array(tensor)
            if values.size <= _MOST:
                self._found[name] = Numbers(tuple(values.reshape(-1).tolist()), values.ndim == 0)

    def numbers(self, node: onnx.NodeProto) -> Numbers | None:
        """What a node gives; None where that cannot be told. A Constant is no news."""
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    self.keep(node.output[0], attribute.t)
            return None
        rule = self._rules.get(node.op_type)
        found = rule(node) if rule else None
        if found is not None:
            self._found[node.output[0]] = found
        return found

    def target(self, node: onnx.NodeProto) -> list[int] | None:
        """The shape that a Reshape asks for, as a constant: 0 where a side stays as it is."""
        wanted = self._found.get(node.input[1])
        if wanted is None or wanted.known is not None or 0 in wanted.values:
            return None
        sides = self._sides.get(node.input[0], ())
        shape = [
            0 if at < len(sides) and value in (sides[at], Side(node.input[0], at)) else value
            for at, value in enumerate(wanted.values)
        ]
        free = [value for value in shape if isinstance(value, Side)]
        if len(free) > 1 or (free and -1 in shape):
            return None
        return _completed([-1 if isinstance(value, Side) else value for value in shape], sides)

    def _inputs(self, node: onnx.NodeProto) -> "Iterator[Numbers | None]":
        return (self._found.get(name) for name in node.input if name)

    def _shape(self, node: onnx.NodeProto) -> Numbers | None:
        sides = self._sides.get(node.input[0])
        return Numbers(sides) if sides is not None and not node.attribute else None

    def _gather(self, node: onnx.NodeProto) -> Numbers | None:
        table, picked = self._inputs(node) if len(node.input) == 2 else (None, None)
        if table is None or table.scalar or picked is None or picked.known is None:
            return None
        return Numbers(tuple(table.values[at] for at in picked.known), picked.scalar)

    def _slice(self, node: onnx.NodeProto) -> Numbers | None:
        values, *bounds = self._inputs(node)
        known = [bound.known if bound else None for bound in bounds]
        if values is None or any(each is None or len(each) != 1 for each in known):
            return None
        start, stop, _, step = ([each[0] for each in known if each] + [0, 1])[:4]
        if len(known) == 3:
            step = 1
        return Numbers(values.values[start:stop:step]) if step > 0 else None

    def _concat(self, node: onnx.NodeProto) -> Numbers | None:
        parts = list(self._inputs(node))
        if any(part is None or part.scalar for part in parts):
            return None
        return Numbers(tuple(value for part in parts if part for value in part.values))

    def _listed(self, node: onnx.NodeProto) -> Numbers | None:
        (value, *_) = self._inputs(node)
        return Numbers(value.values) if value is not None and value.scalar else None

    def _single(self, node: onnx.NodeProto) -> Numbers | None:
        (value, *_) = self._inputs(node)
        one = value is not None and len(value.values) == 1 and not value.scalar
        return Numbers(value.values, scalar=True) if value is not None and one else None

    def _reshape(self, node: onnx.NodeProto) -> Numbers | None:
        values, shape = self._inputs(node)
        if values is None or shape is None or shape.known not in {(-1,), (len(values.values),)}:
            return None
        return Numbers(values.values)

    def _same(self, node: onnx.NodeProto) -> Numbers | None:
        to = [attribute.i for attribute in node.attribute if attribute.name == "to"]
        (value,) = self._inputs(node)
        return value if to in ([], [onnx.TensorProto.INT64]) else None

    def _computed(self, node: onnx.NodeProto) -> Numbers | None:
        left, right = self._inputs(node)
        if left is None or right is None or left.known is None or right.known is None:
            return None
        if min(len(left.known), len(right.known)) != 1:
            return None
        compute = _ARITHMETIC[node.op_type]
        width = max(len(left.known), len(right.known))
        pairs = zip(left.known * width, right.known * width, strict=False)
        values = [compute(one, other) for one, other in pairs][:width]
        return Numbers(tuple(values), left.scalar and right.scalar)


_ARITHMETIC: "dict[str, Callable[[int, int], int]]" = {
    "Add": lambda one, other: one + other,
    "Sub": lambda one, other: one - other,
    "Mul": lambda one, other: one * other,
    "Div": lambda one, other: int(one / other) if other else 0,
    "Mod": lambda one, other: one % other if other else 0,
}
