"""Sequences of tensors whose length a graph fixes: their tensors become values of their own.

Imports numpy, onnx, `maas` and the lab. `SequenceConstruct` and its like only hold tensors; so what
takes one out reads it directly, and an output that was a sequence becomes an output per tensor:

    composites = unroll_sequences(model, notes)      # (Composite("y", ("y_0", "y_1")),)

Where `SplitToSequence` makes slices of one tensor, of which nobody knows how many, that tensor is
the same list. What is neither stays in the graph, whose policy admits no sequences.
"""

from typing import TYPE_CHECKING

from onnx import TensorProto, helper

from maas.bundle.composites import Composite
from maas.errors import RefusedError
from maas_lab.importing.sequence_nodes import Unrolled

if TYPE_CHECKING:
    import onnx

_MOST = 256
_REMEDY = (
    "Export the model so that it answers tensors: stack or pad what is of one size (torch.stack,"
    " ConcatFromSequence), or answer each tensor by its name."
)


def unroll_sequences(model: "onnx.ModelProto", notes: list[str]) -> tuple[Composite, ...]:
    """Answer with the tensors of each sequence that is an output.

    Args:
        model: Changed in place.
        notes: Where it is said.

    Returns:
        What is a list of several outputs from now on.

    Raises:
        RefusedError: An output is a sequence whose length is not fixed, or none of tensors.
    """
    outputs = {each.name: each for each in model.graph.output if _is_sequence(each)}
    if not outputs and not any("Sequence" in node.op_type for node in model.graph.node):
        return ()
    unrolled = Unrolled(model)
    unrolled.rewrite()
    taken = _names(model)
    composites = []
    kept = []
    for value in model.graph.output:
        if value.name not in outputs:
            kept.append(value)
            continue
        members = unrolled.members.get(value.name, ())
        whole = unrolled.stacked.get(value.name)
        if not (whole or members) or len(members) > _MOST:
            raise RefusedError(f"The output {value.name} is {_said(members)}. {_REMEDY}")
        names = (value.name,) if whole else _free(value.name, len(members), taken)
        for name, tensor in zip(names, (whole,) if whole else members, strict=True):
            model.graph.node.append(helper.make_node("Identity", [tensor], [name]))
            kept.append(_tensor(name, value))
        if whole:
            notes.append(f"{value.name} is a tensor: a list of its slices says the same.")
        else:
            composites.append(Composite(value.name, names))
            notes.append(f"{value.name} is a list of {len(names)} tensors, each an output.")
    del model.graph.output[:]
    model.graph.output.extend(kept)
    return tuple(composites)


def _is_sequence(value: "onnx.ValueInfoProto") -> bool:
    kind = value.type
    return bool(
        kind.WhichOneof("value") == "sequence_type"
        and kind.sequence_type.elem_type.WhichOneof("value") == "tensor_type"
    )


def _said(members: "tuple[str, ...]") -> str:
    if len(members) > _MOST:
        return f"a sequence of {len(members)} tensors, {_MOST} are read"
    return "a sequence, no tensor, and how many tensors it has is not fixed in the graph"


def _tensor(name: str, sequence: "onnx.ValueInfoProto") -> "onnx.ValueInfoProto":
    kind = sequence.type.sequence_type.elem_type.tensor_type.elem_type or TensorProto.FLOAT
    return helper.make_tensor_value_info(name, kind, None)


def _free(name: str, count: int, taken: set[str]) -> tuple[str, ...]:
    stem = f"{name}_"
    while any(f"{stem}{at}" in taken for at in range(count)):
        stem += "_"
    return tuple(f"{stem}{at}" for at in range(count))


def _names(model: "onnx.ModelProto") -> set[str]:
    graph = model.graph
    made = {name for node in graph.node for name in (*node.output, *node.input)}
    return made | {each.name for each in (*graph.input, *graph.output, *graph.initializer)}
