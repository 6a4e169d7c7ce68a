"""Small changes at the edges of a foreign graph: names, types, one output instead of several.

Imports numpy and onnx. What the graph computes inside stays as it is:

    surgeon = Surgeon(model)
    surgeon.read_as("ids", "input_ids", "int64", ("batch", "sequence"))
    surgeon.answer_as("output_0", "logits")
    surgeon.finish()
"""

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

_AXES_AS_INPUT = 13
"""The version of ONNX's operators since which ReduceSum, Squeeze and Unsqueeze take axes so."""


class Surgeon:
    """A graph that is changed in place; `finish` drops what nobody reads any more.

    Nodes that are added have no names: those of the graph could be the same.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self._graph = model.graph
        self._opset = next(each.version for each in model.opset_import if not each.domain)
        self._before: list[onnx.NodeProto] = []
        self._after: list[onnx.NodeProto] = []
        self._taken = {name for each in _nodes(model.graph) for name in each.output}
        self._taken |= {tensor.name for tensor in model.graph.initializer}

    def read_as(self, old: str, new: str, dtype: str, shape: "Sequence[int | str]") -> None:
        """Let an input have another name and, by a Cast, another type.

        Args:
            old: What it is called.
            new: What it is called from now on.
            dtype: numpy's name of its elements from now on.
            shape: What the graph says of it from now on.
        """
        value = next(each for each in self._graph.input if each.name == old)
        kind = value.type.tensor_type.elem_type
        wanted = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        inner = new if kind == wanted else f"{new}/as_before"
        if new != old:
            self._rename(new, f"{new}/inner")
        self._rename(old, inner)
        if inner != new:
            self._before.append(helper.make_node("Cast", [new], [inner], to=kind))
        value.CopyFrom(helper.make_tensor_value_info(new, wanted, shape))

    def drop_input(self, name: str, like: str) -> None:
        """Let an input of integers be zeros of the shape of another one."""
        value = next(each for each in self._graph.input if each.name == name)
        kind = value.type.tensor_type.elem_type
        zero = helper.make_tensor("value", kind, [1], [0])
        self._before += [
            helper.make_node("Shape", [like], [f"{name}/shape"]),
            helper.make_node("ConstantOfShape", [f"{name}/shape"], [name], value=zero),
        ]
        self._graph.input.remove(value)

    def answer_as(self, old: str, new: str) -> None:
        """Answer with one output alone, as float32 and under another name."""
        value = next((each for each in self._graph.output if each.name == old), None)
        kind = value.type.tensor_type.elem_type if value is not None else TensorProto.FLOAT
        if old != new:
            self._rename(new, f"{new}/inner")
            self._after.append(_float(kind, old, new))
        elif kind != TensorProto.FLOAT:
            self._rename(old, f"{new}/as_before")
            self._after.append(_float(kind, f"{new}/as_before", new))
        del self._graph.output[:]
        self._graph.output.append(helper.make_tensor_value_info(new, TensorProto.FLOAT, None))

    def add(self, operator: str, inputs: "Sequence[str]", **attributes: Any) -> str:  # noqa: ANN401
        """Compute something more at the end; answers with its name."""
        name = self._free(operator)
        self._after.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def before(self, name: str, operators: "Sequence[onnx.NodeProto]") -> None:
        """Let what reads an input read what a chain of operators makes of it.

        Args:
            name: The input's.
            operators: In their order; of the first input and of the output the names are set here.
        """
        value = next(each for each in self._graph.input if each.name == name)
        self._rename(name, f"{name}/ready")
        value.name = name
        last = name
        for at, operator in enumerate(operators, start=1):
            made = f"{name}/{at}" if at < len(operators) else f"{name}/ready"
            operator.input.insert(0, last)
            operator.output.append(made)
            self._before.append(operator)
            last = made

    def along(self, operator: str, tensor: str, axis: int, **attributes: Any) -> str:  # noqa: ANN401
        """An operator along an axis, as this version of the operators has it."""
        if self._opset < _AXES_AS_INPUT:
            return self.add(operator, [tensor], axes=[axis], **attributes)
        return self.add(operator, [tensor, self.number(np.array([axis]))], **attributes)

    def number(self, values: "npt.NDArray[np.generic]") -> str:
        """A constant; answers with its name."""
        name = self._free("number")
        self._graph.initializer.append(numpy_helper.from_array(values, name))
        return name

    def finish(self) -> None:
        """Put the nodes in their places, and drop those of which nothing is read."""
        nodes = [*self._before, *self._graph.node, *self._after]
        self._before, self._after = [], []
        wanted = {value.name for value in self._graph.output}
        kept: list[onnx.NodeProto] = []
        for node in reversed(nodes):
            if wanted.intersection(node.output):
                kept.append(node)
                wanted.update(node.input)
                wanted.update(name for inner in _inner(node) for name in inner.input)
        del self._graph.node[:]
        self._graph.node.extend(kept[::-1])
        used = [tensor for tensor in self._graph.initializer if tensor.name in wanted]
        del self._graph.initializer[:]
        self._graph.initializer.extend(used)
        del self._graph.value_info[:]  # it may speak of what is gone

    def _free(self, what: str) -> str:
        """A name that nothing has."""
        count = itertools.count(1)
        name = next(n for n in (f"imported/{what}_{at}" for at in count) if n not in self._taken)
        self._taken.add(name)
        return name

    def _rename(self, old: str, new: str) -> None:
        """Everywhere, in nested graphs too."""
        if old == new:
            return
        for node in (*self._before, *_nodes(self._graph), *self._after):
            for names in (node.input, node.output):
                for at, name in enumerate(names):
                    if name == old:
                        names[at] = new
        for part in (*self._graph.initializer, *self._graph.input, *self._graph.output):
            if part.name == old:
                part.name = new


def _float(kind: int, old: str, new: str) -> onnx.NodeProto:
    """A value of some type as float32 under another name."""
    if kind == TensorProto.FLOAT:
        return helper.make_node("Identity", [old], [new])
    return helper.make_node("Cast", [old], [new], to=TensorProto.FLOAT)


def _nodes(graph: onnx.GraphProto) -> "Iterator[onnx.NodeProto]":
    for node in graph.node:
        yield node
        yield from _inner(node)


def _inner(node: onnx.NodeProto) -> "Iterator[onnx.NodeProto]":
    """The nodes of a node's graphs. Their outputs may name what is outside, as an input would."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield from _nodes(attribute.g)
