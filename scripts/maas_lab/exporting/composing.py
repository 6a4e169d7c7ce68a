"""Three traced parts → one graph: what begins, a Loop whose body is a step, and what ends.

Imports onnx and `maas_lab.exporting.weights`. All weights are initializers of the outermost graph,
and the body takes them from there by name, so that they can lie in a file beside the graph, and a
weight that both parts use is kept once:

    model = compose(Parts(begin, step, finish), network, most=64)

The parts speak to each other by the names of their inputs and outputs: what `begin` calls
`memory_0` is the step's `memory_0`, and what a step calls `tokens_next` is the next one's `tokens`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import onnx
from onnx import TensorProto, helper

from maas_lab.exporting.weights import Weights, share_turned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

NEXT = "_next"
GOING = "going"
"""What a step's first output is called: whether there is anything left to write."""
_CAPTURED = "memory_"
_SMALL = 64  # bytes of a constant that may stay in the body


@dataclass(frozen=True, slots=True)
class Parts:
    """Traced functions of a search.

    Attributes:
        begin: input_ids, attention_mask, beams → the memory and the beams.
        step: The memory and the beams → `going`, the beams.
        finish: Some of the beams → output_ids, scores.
    """

    begin: onnx.ModelProto
    step: onnx.ModelProto
    finish: onnx.ModelProto


def compose(parts: Parts, network: "nn.Module", *, most: int) -> onnx.ModelProto:
    """Make one graph of the parts.

    Args:
        parts: In one opset, and with the names that are said above.
        network: Whose parameters give the weights their names.
        most: Turns of the loop, whatever a request asks for.

    Returns:
        input_ids, attention_mask int64 `[batch, sequence]`, beams and max_new_tokens int64 `[1]`
        → output_ids int64 `[batch, length]`, scores float32 `[batch]`.
    """
    weights = Weights(network)
    carried = [value.name for value in parts.step.graph.input if not _is_captured(value.name)]
    inner = {name: f"step/{name}" for name in [GOING, *carried, *(n + NEXT for n in carried)]}
    ended = {name: f"written/{name}" for name in carried}
    begin, step, finish = share_turned(
        [
            _absorb(parts.begin, "begin/", weights, {}),
            _absorb(parts.step, "step/", weights, inner),
            _absorb(parts.finish, "finish/", weights, ended),
        ],
        weights,
    )
    body = _body(step, parts.step, carried, inner)
    limit = helper.make_tensor("most", TensorProto.INT64, [1], [most])
    nodes = [
        *begin,
        helper.make_node("Min", ["most", "max_new_tokens"], ["turns_1"], name="turns/Min"),
        helper.make_node("Squeeze", ["turns_1"], ["turns"], name="turns/Squeeze"),
        helper.make_node(
            "Loop", ["turns", "", *carried], [ended[name] for name in carried], "write", body=body
        ),
        *finish,
    ]
    text = ("batch", "sequence")
    integers, floats = TensorProto.INT64, TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "writer",
        [
            helper.make_tensor_value_info("input_ids", integers, text),
            helper.make_tensor_value_info("attention_mask", integers, text),
            helper.make_tensor_value_info("beams", integers, (1,)),
            helper.make_tensor_value_info("max_new_tokens", integers, (1,)),
        ],
        [
            helper.make_tensor_value_info("output_ids", integers, ("batch", "length")),
            helper.make_tensor_value_info("scores", floats, ("batch",)),
        ],
        [limit, *weights.tensors],
    )
    opsets = {entry.domain: entry for part in (parts.begin, parts.step) for entry in _opsets(part)}
    return helper.make_model(
        graph, opset_imports=list(opsets.values()), ir_version=parts.step.ir_version
    )


def _opsets(part: onnx.ModelProto) -> list[onnx.OperatorSetIdProto]:
    return list(part.opset_import)


def _is_captured(name: str) -> bool:
    return name.startswith(_CAPTURED)


def _body(
    nodes: list[onnx.NodeProto],
    step: onnx.ModelProto,
    carried: list[str],
    inner: "Mapping[str, str]",
) -> onnx.GraphProto:
    """The step as a Loop's body, which sees the memory and the weights of the graph around it."""
    kinds = {value.name: value.type.tensor_type for value in step.graph.input}
    inputs = [
        helper.make_tensor_value_info("step/turn", TensorProto.INT64, []),
        helper.make_tensor_value_info("step/went", TensorProto.BOOL, []),
        *(
            helper.make_tensor_value_info(
                inner[name],
                kinds[name].elem_type,
                [dim.dim_value or None for dim in kinds[name].shape.dim],
            )
            for name in carried
        ),
    ]
    outputs = [
        helper.make_tensor_value_info(inner[GOING], TensorProto.BOOL, []),
        *(
            helper.make_tensor_value_info(inner[name + NEXT], kinds[name].elem_type, None)
            for name in carried
        ),
    ]
    return helper.make_graph(nodes, "step", inputs, outputs)


def _absorb(
    part: onnx.ModelProto, prefix: str, weights: Weights, renamed: "Mapping[str, str]"
) -> list[onnx.NodeProto]:
    """The nodes of a part, its weights moved to `weights` and all names made its own.

    Args:
        part: A traced graph.
        prefix: Put before the names of what only this part knows.
        weights: Where its initializers go.
        renamed: What its inputs and outputs are called; those that are not here keep their names.
    """
    graph = part.graph
    ends = {value.name for value in (*graph.input, *graph.output)}
    names = {name: renamed.get(name, name) for name in ends} | {"": ""}
    readers = {name: node.name for node in graph.node for name in reversed(node.input)}
    for tensor in graph.initializer:
        fallback = _tidy(readers.get(tensor.name, "")) + "/" + _tidy(tensor.name)
        names[tensor.name] = weights.add(tensor, fallback=fallback)
    kept = []
    constants = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        (first, *_) = node.output
        if node.op_type == "Identity" and node.input[0] in constants and first not in ends:
            names[first] = names[node.input[0]]  # two of its weights are equal
            constants.add(first)
        elif node.op_type == "Constant" and (tensor := _large(node)) and first not in ends:
            names[first] = weights.add(tensor, fallback=prefix + _tidy(first))
            constants.add(first)
        else:
            fresh = onnx.NodeProto()
            fresh.CopyFrom(node)  # the parts are put together more than once
            kept.append(fresh)
            for name in node.output:
                names.setdefault(name, prefix + _tidy(name))
    for node in kept:
        node.name = prefix + _tidy(node.name)
        node.input[:] = [names[name] for name in node.input]
        node.output[:] = [names[name] for name in node.output]
    return kept


def _large(node: onnx.NodeProto) -> onnx.TensorProto | None:
    """The tensor of a constant that is too large for a body."""
    for attribute in node.attribute:
        if attribute.HasField("t") and len(attribute.t.raw_data) > _SMALL:
            tensor: onnx.TensorProto = attribute.t
            return tensor
    return None


def _tidy(name: str) -> str:
    return name.removeprefix("/").removeprefix("onnx::").replace("owner/", "").replace("::", "/")
