"""ONNX graphs made in code, node by node: a real classifier, and one that never ends.

model = classifier_graph(weights)              # input_ids, attention_mask -> logits
model = slow_graph(weights, slow_id=7)         # the same, but token 7 makes it run for ever
model = short_graph(weights, tokens=8)         # the same, but longer texts make it fail
"""

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy.typing as npt

OPSET = 17
FOR_EVER = 2**62
INPUTS = ("input_ids", "attention_mask")
WEIGHTS_FILE = "weights.bin"


def classifier_graph(weights: "npt.NDArray[np.float32]", *, output: str = "logits") -> bytes:
    """A text classifier that adds up one row of weights per token.

    Args:
        weights: float32 `[vocabulary, labels]`.
        output: Name of the output.
    """
    return _encoded(_model(_sum_nodes("sums"), weights, output=output, last="sums"))


def slow_graph(weights: "npt.NDArray[np.float32]", *, slow_id: int, turns: int = FOR_EVER) -> bytes:
    """The classifier behind a loop: a text with token `slow_id` keeps it busy, as a rule for ever.

    Args:
        weights: float32 `[vocabulary, labels]`.
        slow_id: Every other token lets the loop end after one turn.
        turns: So many turns that token asks for.
    """
    nodes = [*_sum_nodes("sums"), *loop_nodes("sums", "looped")]
    more = loop_numbers(len(weights), slow_id=slow_id, turns=turns)
    return _encoded(_model(nodes, weights, more=more, last="looped"))


def loop_nodes(carried: str, looped: str) -> "list[onnx.NodeProto]":
    """A loop that hands on what it is given, after as many turns as the slowest token asks for."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["more"], ["more_out"]),
            helper.make_node("Mul", ["carried", "keep"], ["carried_out"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("more", TensorProto.BOOL, []),
            helper.make_tensor_value_info("carried", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("more_out", TensorProto.BOOL, []),
            helper.make_tensor_value_info("carried_out", TensorProto.FLOAT, None),
        ],
    )
    return [
        helper.make_node("Gather", ["turns", "input_ids"], ["turns_per_token"]),
        helper.make_node("ReduceMax", ["turns_per_token"], ["trips"], keepdims=0),
        helper.make_node("Loop", ["trips", "always", carried], [looped], body=body),
    ]


def loop_numbers(words: int, *, slow_id: int, turns: int = FOR_EVER) -> "list[onnx.TensorProto]":
    """The numbers that the loop needs: every token but one asks for one turn."""
    per_token = np.ones((words, 1), dtype=np.int64)
    per_token[slow_id] = turns
    return [
        numpy_helper.from_array(per_token, "turns"),
        numpy_helper.from_array(np.array(True), "always"),
        numpy_helper.from_array(np.array(1.0, dtype=np.float32), "keep"),
    ]


def short_graph(weights: "npt.NDArray[np.float32]", *, tokens: int) -> bytes:
    """The classifier with a table of positions: it cannot take a text of more tokens.

    Args:
        weights: float32 `[vocabulary, labels]`.
        tokens: Rows of the table.
    """
    nodes = [
        *_sum_nodes("sums"),
        helper.make_node("Shape", ["input_ids"], ["length"], start=1, end=2),
        helper.make_node("Add", ["length", "last"], ["position"]),
        helper.make_node("Gather", ["positions", "position"], ["moved"]),
        helper.make_node("Add", ["sums", "moved"], ["placed"]),
    ]
    positions = numpy_helper.from_array(np.zeros(tokens, dtype=np.float32), "positions")
    return _encoded(_model(nodes, weights, more=[positions], last="placed"))


def edited(graph: bytes, change: "Callable[[onnx.ModelProto], object]") -> bytes:
    """A graph after a change that nobody checks."""
    model = onnx.load_from_string(graph)
    change(model)
    return _encoded(model)


def add_node(model: "onnx.ModelProto", node: "onnx.NodeProto", **constants: object) -> None:
    """Put a node before all others, with these numbers as tensors that it may take."""
    model.graph.node.insert(0, node)
    for name, value in constants.items():
        model.graph.initializer.append(numpy_helper.from_array(np.array(value), name))


def nested(levels: int) -> "onnx.NodeProto":
    """An If within an If, so many levels deep."""
    value = helper.make_tensor_value_info("deepest", TensorProto.BOOL, None)
    graph = helper.make_graph(
        [helper.make_node("Identity", ["yes"], ["deepest"])], "g", [], [value]
    )
    node = helper.make_node("If", ["yes"], ["deepest"], then_branch=graph, else_branch=graph)
    for _ in range(levels - 1):
        graph = helper.make_graph([node], "g", [], [value])
        node = helper.make_node("If", ["yes"], ["deepest"], then_branch=graph)
    return node


def save_external(graph: bytes, folder: "Path") -> None:
    """Write a graph as model.onnx with its weights in a file of their own beside it."""
    model = onnx.load_from_string(graph)
    onnx.save_model(
        model,
        folder / "model.onnx",
        save_as_external_data=True,
        location=WEIGHTS_FILE,
        size_threshold=64,
    )


def _encoded(model: "onnx.ModelProto") -> bytes:
    data: bytes = model.SerializeToString()
    return data


def _sum_nodes(output: str) -> "list[onnx.NodeProto]":
    return [
        helper.make_node("Gather", ["weights", "input_ids"], ["rows"]),
        helper.make_node("Unsqueeze", ["attention_mask", "last"], ["mask"]),
        helper.make_node("Cast", ["mask"], ["kept"], to=TensorProto.BOOL),
        # Where, not Mul: a row of NaN under padding must not reach its neighbours.
        helper.make_node("Where", ["kept", "rows", "zero"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "tokens"], [output], keepdims=0),
    ]


def _model(
    nodes: "Sequence[onnx.NodeProto]",
    weights: "npt.NDArray[np.float32]",
    *,
    last: str,
    more: "Sequence[onnx.TensorProto]" = (),
    output: str = "logits",
) -> "onnx.ModelProto":
    text = ("batch", "sequence")
    graph = helper.make_graph(
        [*nodes, helper.make_node("Identity", [last], [output])],
        "tiny",
        [helper.make_tensor_value_info(n, TensorProto.INT64, text) for n in INPUTS],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ("batch", weights.shape[1]))],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.array([-1], dtype=np.int64), "last"),
            numpy_helper.from_array(np.array([1], dtype=np.int64), "tokens"),
            numpy_helper.from_array(np.array(0.0, dtype=np.float32), "zero"),
            *more,
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    return model
