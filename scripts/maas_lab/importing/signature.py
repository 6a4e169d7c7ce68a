"""What a graph reads and answers, told from the graph and, where it is silent, from its answers.

Imports onnx, `maas.bundle`, `maas.errors` and `maas.registry.records`.

    inputs = input_specs(model)
    outputs = output_specs(model, answers, sessions)       # and the graph says so, too
"""

from typing import TYPE_CHECKING

import onnx

from maas.bundle.dtypes import DTYPES, STRING
from maas.errors import RefusedError
from maas.registry.records import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from maas.engine.session import Session
    from maas.tasks.tensors import Array

    Shape = tuple[int | str, ...]


_FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)


def input_specs(model: onnx.ModelProto) -> tuple[TensorSpec, ...]:
    """The inputs of a graph that `read_foreign` has read.

    Raises:
        RefusedError: One is no tensor, of a type that cannot be sent, or says nothing of its shape.
    """
    specs = []
    for value in model.graph.input:
        kind = str(value.type.WhichOneof("value")).removesuffix("_type")
        if kind in ("map", "sequence", "optional"):
            raise RefusedError(
                f"The input {value.name} is a {kind}, no tensor. Export what comes behind it (of a"
                " DictVectorizer, say), and send what that makes of it."
            )
        if not value.type.tensor_type.HasField("shape"):
            raise RefusedError(
                f"The input {value.name} says nothing of its shape. Export the model with one;"
                " dimensions that vary have names."
            )
        specs.append(declared(value))
    return tuple(specs)


def declared(value: onnx.ValueInfoProto) -> TensorSpec:
    """A tensor as the graph describes it; without dimensions where it says nothing of them.

    Raises:
        RefusedError: It is no tensor, or of elements that no client can send.
    """
    return TensorSpec(value.name, dtype_of(value), _shape(value))


def dtype_of(value: onnx.ValueInfoProto) -> str:
    """What a tensor's elements are called: numpy's name, or `string`.

    Raises:
        RefusedError: It is no tensor, or of elements that no client can send.
    """
    kind = value.type.tensor_type.elem_type
    if value.type.WhichOneof("value") != "tensor_type" or not kind:
        raise RefusedError(f"{value.name} is no tensor. Export the model with tensors alone.")
    if kind == onnx.TensorProto.STRING:
        return STRING
    name = str(onnx.helper.tensor_dtype_to_np_dtype(kind))
    if name not in DTYPES:
        raise RefusedError(
            f"{value.name} is of {name}, which cannot be sent. Export the model with a Cast to one"
            f" of {', '.join(DTYPES)}."
        )
    return name


def output_specs(
    model: onnx.ModelProto,
    answers: "Sequence[Mapping[str, Array]]",
    sessions: "Sequence[Session]",
) -> tuple[TensorSpec, ...]:
    """The outputs of a graph; what it says of their shapes is corrected by what it answers.

    Args:
        model: Its outputs say so afterwards.
        answers: By output what was answered, for requests of several sizes.
        sessions: The graph as it is opened: ONNX Runtime may find more sizes to be fixed.

    Raises:
        RefusedError: An output has no fixed number of dimensions.
    """
    specs = []
    inferred = [_inferred(model), *map(_opened, sessions)]
    for value in model.graph.output:
        shapes = [answer[value.name].shape for answer in answers]
        told = [each[value.name] for each in inferred if value.name in each]
        shape = _settled(value.name, told, shapes)
        specs.append(TensorSpec(value.name, dtype_of(value), shape))
        described = value.type.tensor_type.shape
        described.Clear()
        for size in shape:
            dim = described.dim.add()
            if isinstance(size, int):
                dim.dim_value = size
            else:
                dim.dim_param = size
        value.type.tensor_type.shape.SetInParent()  # a scalar has a shape, too
    return tuple(specs)


def _inferred(model: onnx.ModelProto) -> "dict[str, Shape]":
    """What can be told from the graph; shapes that stand in it are not always right."""
    try:
        graph = onnx.shape_inference.infer_shapes(model).graph
    except (ValueError, onnx.shape_inference.InferenceError):  # too large, or it contradicts itself
        graph = model.graph
    return {
        value.name: _shape(value)
        for value in graph.output
        if value.type.tensor_type.HasField("shape")
    }


def chosen_output(model: onnx.ModelProto, rank: int, names: tuple[str, ...]) -> str:
    """The output that a task means: by its name, else the only one of so many dimensions.

    Raises:
        RefusedError: There is none, or it cannot be told.
    """
    found: list[str] = [
        value.name
        for value in model.graph.output
        if value.type.tensor_type.elem_type in _FLOATS
        and len(value.type.tensor_type.shape.dim) in (0, rank)
    ]
    for name in names:
        if name in found:
            return name
    if len(found) != 1:
        outputs = ", ".join(value.name for value in model.graph.output)
        raise RefusedError(
            f"The graph answers {outputs}; one of them must be {' or '.join(names)}, floats of"
            f" {rank} dimensions. Export it so, or serve it as it is: --task tensor."
        )
    return found[0]


def _opened(session: "Session") -> "dict[str, Shape]":
    return {
        node.name: tuple(size or f"{node.name}_{axis}" for axis, size in enumerate(node.shape))
        for node in session.outputs
    }


def _settled(name: str, told: "Sequence[Shape]", shapes: "Sequence[tuple[int, ...]]") -> "Shape":
    rank = len(shapes[0])
    if any(len(shape) != rank for shape in shapes):
        raise RefusedError(
            f"The output {name} has now more dimensions and now fewer. Export the model so that"
            " their number stays the same."
        )
    fitting = [shape for shape in told if len(shape) == rank]
    return tuple(
        _size(f"{name}_{axis}", [shape[axis] for shape in fitting], {s[axis] for s in shapes})
        for axis in range(rank)
    )


def _size(free: str, told: "Sequence[int | str]", seen: set[int]) -> int | str:
    """A size that somebody says is fixed, and is; else the first name that it has."""
    fixed = seen.intersection(size for size in told if isinstance(size, int))
    if len(seen) == 1 and fixed:
        return fixed.pop()
    return next((size for size in told if isinstance(size, str)), free)


def _shape(value: onnx.ValueInfoProto) -> "Shape":
    return tuple(
        dim.dim_value if dim.dim_value > 0 else dim.dim_param or f"{value.name}_{axis}"
        for axis, dim in enumerate(value.type.tensor_type.shape.dim)
    )
