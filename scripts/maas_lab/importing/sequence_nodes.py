"""The nodes that make, change and read sequences of tensors, written by tensors alone.

Imports numpy and onnx. Only the outermost graph is rewritten: what a loop gathers has no length.

    unrolled = Unrolled(model)
    unrolled.rewrite()
    unrolled.members["boxes"]                # ("boxes_of_1", "boxes_of_2")
    unrolled.stacked["rows"]                 # a tensor whose slices are the sequence
"""

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]
    Nodes = list[onnx.NodeProto] | None

_AXES_AS_INPUT = 13
"""The version of ONNX's operators since which Split and Unsqueeze are told by inputs."""


class Unrolled:
    """A graph whose sequences are followed from node to node.

    Attributes:
        members: By sequence its tensors, where it is known how many there are.
        stacked: By sequence a tensor of which it is the slices, where that is not known.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self.members: dict[str, tuple[str, ...]] = {}
        self.stacked: dict[str, str] = {}
        self._graph = model.graph
        self._opset = next(each.version for each in model.opset_import if not each.domain)
        self._constants = {
            each.name: numpy_helper.to_array(each) for each in model.graph.initializer
        }
        self._shapes = _shapes(model)
        self._count = 0
        self._ways: dict[str, Callable[[onnx.NodeProto], Nodes]] = {
            "SequenceEmpty": self._empty,
            "SequenceConstruct": self._construct,
            "SequenceInsert": self._insert,
            "SequenceErase": self._erase,
            "SplitToSequence": self._split,
            "SequenceAt": self._at,
            "SequenceLength": self._length,
            "ConcatFromSequence": self._concat,
            "Identity": self._identity,
        }

    def rewrite(self) -> None:
        """Replace each node of sequences that can be followed; the others stay as they are."""
        nodes: list[onnx.NodeProto] = []
        for node in self._graph.node:
            if node.op_type == "Constant" and not node.domain:
                self._constants |= _constant(node)
            way = self._ways.get(node.op_type) if not node.domain else None
            written = way(node) if way else None
            nodes += [node] if written is None else written
        del self._graph.node[:]
        self._graph.node.extend(nodes)

    def _empty(self, node: onnx.NodeProto) -> "Nodes":
        self.members[node.output[0]] = ()
        return []

    def _construct(self, node: onnx.NodeProto) -> "Nodes":
        self.members[node.output[0]] = tuple(node.input)
        return []

    def _identity(self, node: onnx.NodeProto) -> "Nodes":
        (before,), (made,) = node.input, node.output
        if before in self.members:
            self.members[made] = self.members[before]
        elif before in self.stacked:
            self.stacked[made] = self.stacked[before]
        else:
            return None
        return []

    def _insert(self, node: onnx.NodeProto) -> "Nodes":
        before = self.members.get(node.input[0])
        at = self._index(node, 2, default=len(before or ()))
        if before is None or at is None or not -len(before) <= at <= len(before):
            return None
        made = [*before]
        made.insert(at, node.input[1])
        self.members[node.output[0]] = tuple(made)
        return []

    def _erase(self, node: onnx.NodeProto) -> "Nodes":
        before = self.members.get(node.input[0])
        at = self._index(node, 1, default=-1)
        if before is None or at is None or not -len(before) <= at < len(before):
            return None
        made = [*before]
        del made[at]
        self.members[node.output[0]] = tuple(made)
        return []

    def _at(self, node: onnx.NodeProto) -> "Nodes":
        if node.input[0] in self.stacked:
            source = [self.stacked[node.input[0]], node.input[1]]
            return [helper.make_node("Gather", source, list(node.output), axis=0)]
        members, at = self.members.get(node.input[0]), self._index(node, 1)
        if members is None or at is None or not -len(members) <= at < len(members):
            return None
        return [helper.make_node("Identity", [members[at]], list(node.output))]

    def _length(self, node: onnx.NodeProto) -> "Nodes":
        members = self.members.get(node.input[0])
        if members is None:
            return None
        value = numpy_helper.from_array(np.array(len(members)))
        self._constants[node.output[0]] = np.array(len(members))
        return [helper.make_node("Constant", [], list(node.output), value=value)]

    def _concat(self, node: onnx.NodeProto) -> "Nodes":
        members = self.members.get(node.input[0])
        axis, stacks = _integer(node, "axis"), _integer(node, "new_axis")
        if not members:
            return None
        nodes: list[onnx.NodeProto] = []
        if stacks:
            pairs = [self._unsqueezed(name, axis) for name in members]
            members = tuple(name for name, _ in pairs)
            nodes = [each for _, made in pairs for each in made]
        return [*nodes, helper.make_node("Concat", list(members), list(node.output), axis=axis)]

    def _split(self, node: onnx.NodeProto) -> "Nodes":
        axis, source = _integer(node, "axis"), node.input[0]
        if len(node.input) == 1 or not node.input[1]:
            return self._sliced(node, axis, keeps=_integer(node, "keepdims", 1))
        sizes = self._sizes(source, axis, self._constants.get(node.input[1]))
        if not sizes:
            return None
        names = tuple(f"{node.output[0]}/{at}" for at in range(len(sizes)))
        self.members[node.output[0]] = names
        if self._opset < _AXES_AS_INPUT:
            return [helper.make_node("Split", [source], list(names), axis=axis, split=sizes)]
        asked = self._kept(np.array(sizes, dtype=np.int64))
        return [helper.make_node("Split", [source, asked], list(names), axis=axis)]

    def _sliced(self, node: onnx.NodeProto, axis: int, *, keeps: int) -> "Nodes":
        """Slices of size 1: the tensor itself, with that axis first."""
        source, nodes = node.input[0], []
        if axis != 0:
            shape = self._shapes.get(source)
            if shape is None:
                return None
            axis %= len(shape)
            order = [axis, *(each for each in range(len(shape)) if each != axis)]
            turned = f"{node.output[0]}/turned"
            nodes.append(helper.make_node("Transpose", [source], [turned], perm=order))
            source = turned
        if keeps:
            source, made = self._unsqueezed(source, axis + 1)
            nodes += made
        self.stacked[node.output[0]] = source
        return nodes

    def _sizes(
        self,
        source: str,
        axis: int,
        split: "np.ndarray[tuple[int, ...], np.dtype[np.int64]] | None",
    ) -> list[int]:
        """How large each part is; none where the graph does not fix it."""
        if split is None or split.min(initial=1) < 1:
            return []
        if split.ndim:
            return [int(size) for size in split]
        shape = self._shapes.get(source)
        whole = shape[axis] if shape is not None and -len(shape) <= axis < len(shape) else 0
        full, rest = divmod(whole, int(split))
        return [int(split)] * full + [rest] * bool(rest)

    def _unsqueezed(self, name: str, axis: int) -> "tuple[str, list[onnx.NodeProto]]":
        made = f"{name}/{self._next()}"
        if self._opset < _AXES_AS_INPUT:
            return made, [helper.make_node("Unsqueeze", [name], [made], axes=[axis])]
        axes = self._kept(np.array([axis], dtype=np.int64))
        return made, [helper.make_node("Unsqueeze", [name, axes], [made])]

    def _kept(self, values: "Ints") -> str:
        name = f"sequences/{self._next()}"
        self._graph.initializer.append(numpy_helper.from_array(values, name))
        return name

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _index(self, node: onnx.NodeProto, at: int, default: int | None = None) -> int | None:
        if len(node.input) <= at or not node.input[at]:
            return default
        value = self._constants.get(node.input[at])
        return int(value) if value is not None and value.size == 1 else None


def _integer(node: onnx.NodeProto, name: str, default: int = 0) -> int:
    return next((each.i for each in node.attribute if each.name == name), default)


def _constant(node: onnx.NodeProto) -> "dict[str, Ints]":
    """The integers of a Constant, by its name."""
    for each in node.attribute:
        if each.name == "value":
            return {node.output[0]: numpy_helper.to_array(each.t)}
        if each.name in ("value_int", "value_ints"):
            return {node.output[0]: np.array(helper.get_attribute_value(each))}
    return {}


def _shapes(model: onnx.ModelProto) -> "dict[str, Sequence[int]]":
    """By name of a tensor its sizes, 0 for one that varies, as far as can be inferred."""
    try:
        graph = onnx.shape_inference.infer_shapes(model).graph
    except (ValueError, onnx.shape_inference.InferenceError):  # too large, or it contradicts itself
        graph = model.graph
    return {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.value_info, *graph.output)
        if value.type.tensor_type.HasField("shape")
    }
