"""Graphs as other people export them: odd names, old formats, states, maps, and what is refused.

path = saved(tmp_path, zoo())                       # a file; the same graph as support.tiny_tensor
path = saved(tmp_path, graph_of([node("Relu", ["x"], ["y"])], x=FLOATS, y=FLOATS))
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from support.tiny import WORDS
from support.tiny_tensor import tensor_graph, tensor_weights

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

node = helper.make_node
FLOATS = (TensorProto.FLOAT, ["batch", 3])
LABELS = 3
_DOMAIN = "ai.onnx.ml"


def saved(folder: "Path", model: onnx.ModelProto, name: str = "foreign") -> "Path":
    """A graph as a file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.onnx"
    onnx.save(model, path)
    return path


def zoo(seed: int = 0) -> onnx.ModelProto:
    """The graph of tensors of every kind, with what exporters write about themselves."""
    model = onnx.load_from_string(tensor_graph(tensor_weights(seed)))
    model.producer_name, model.producer_version = "elsewhere", "1.0"
    model.doc_string = "made in /home/me"
    model.metadata_props.add(key="author", value="me")
    model.graph.node[0].doc_string = "line 1 of /home/me/model.py"
    return model


def graph_of(
    nodes: "Sequence[onnx.NodeProto]",
    inputs: "dict[str, Any]",
    outputs: "dict[str, Any]",
    *,
    opset: int = 17,
    ir_version: int = 8,
    **constants: "np.ndarray[Any, Any]",
) -> onnx.ModelProto:
    """A graph of nodes; values are (type, shape) by their names."""
    graph = helper.make_graph(
        list(nodes),
        "foreign",
        [helper.make_tensor_value_info(name, *each) for name, each in inputs.items()],
        [helper.make_tensor_value_info(name, *each) for name, each in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    domains = {"": opset} | {each.domain: 1 for each in nodes if each.domain}
    imports = [helper.make_opsetid(domain, version) for domain, version in domains.items()]
    return helper.make_model(graph, opset_imports=imports, ir_version=ir_version)


def relu(**options: Any) -> onnx.ModelProto:  # noqa: ANN401
    """The smallest graph that is one."""
    return graph_of([node("Relu", ["x"], ["y"])], {"x": FLOATS}, {"y": FLOATS}, **options)


def listening() -> onnx.ModelProto:
    """A classifier of clips of sound: two numbers, of their mean and of their loudest sample."""
    shape = (TensorProto.FLOAT, ["n", "t"])
    return graph_of(
        [
            node("ReduceMean", ["speech"], ["mean"], axes=[1]),
            node("ReduceMax", ["speech"], ["peak"], axes=[1]),
            node("Concat", ["mean", "peak"], ["scores"], axis=1),
        ],
        {"speech": shape},
        {"scores": (TensorProto.FLOAT, ["n", 2])},
    )


def softmax(**options: Any) -> onnx.ModelProto:  # noqa: ANN401
    """A graph that means something else since version 11 of the operators."""
    return graph_of([node("Softmax", ["x"], ["y"])], {"x": FLOATS}, {"y": FLOATS}, **options)


def zip_map(**labels: Any) -> onnx.ModelProto:  # noqa: ANN401
    """A classifier whose scores are maps, as they are converted from scikit-learn."""
    model = graph_of(
        [
            node("Softmax", ["x"], ["scores"], axis=-1),
            node("ZipMap", ["scores"], ["output_probability"], domain=_DOMAIN, **labels),
        ],
        {"x": FLOATS},
        {"y": FLOATS},
    )
    (value,) = model.graph.output
    value.name = "output_probability"
    value.type.Clear()
    kind = value.type.sequence_type.elem_type.map_type
    kind.key_type = TensorProto.STRING if "classlabels_strings" in labels else TensorProto.INT64
    kind.value_type.tensor_type.elem_type = TensorProto.FLOAT
    return model


def text_model(
    seed: int = 0,
    *,
    ids: str = "input_ids",
    mask: str = "attention_mask",
    types: str | None = None,
    kind: int = TensorProto.INT64,
    last: str = "logits",
) -> onnx.ModelProto:
    """A text classifier that adds up a row of weights per token that is not padding.

    Args:
        seed: Chooses the weights.
        ids: What the ids are called.
        mask: What the mask is called.
        types: What an input of token types is called, if there is one; it is added to the ids.
        kind: The type of the integers.
        last: `logits`, `probabilities`, or `states`: one row per token.
    """
    weights = np.random.default_rng(seed).normal(size=(len(WORDS), LABELS)).astype(np.float32)
    text = (kind, ["n", "length"])
    inputs = {name: text for name in (ids, mask, types) if name}
    nodes = [
        node("Add", [ids, types], ["picked"]) if types else node("Identity", [ids], ["picked"]),
        node("Gather", ["weights", "picked"], ["rows"]),
        node("Cast", [mask], ["kept"], to=TensorProto.FLOAT),
        node("Unsqueeze", ["kept", "last"], ["column"]),
        node("Mul", ["rows", "column"], ["masked"]),
        node("ReduceSum", ["masked", "tokens"], ["sums"], keepdims=0),
        node("Softmax", ["sums"], ["shares"], axis=-1),
    ]
    ends = {"logits": "sums", "probabilities": "shares", "states": "rows"}
    nodes.append(node("Identity", [ends[last]], ["output_0"]))
    shape: list[Any] = ["n", "length", LABELS] if last == "states" else ["n", LABELS]
    return graph_of(
        nodes,
        inputs,
        {"output_0": (TensorProto.FLOAT, shape)},
        weights=weights,
        last=np.array([-1]),
        tokens=np.array([1]),
    )
