"""Outliers of activations moved into the weights that multiply them, before both become bytes.

Imports numpy, onnx and onnxruntime. Dynamic quantisation gives a tensor of activations one scale,
so that a channel which is ten times the others costs those their digits. Such a channel is made
smaller, and its row of weights as much larger, which changes no product (SmoothQuant's migration,
Xiao et al. 2023, of the outliers alone):

    smoothed = smooth(model, feeds)
"""

from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy.typing as npt

    from maas_lab.exporting.subject import Feeds

    Floats = npt.NDArray[np.float32]

_MULTIPLIES = ("MatMul", "Attention")
_MAKES = ("LayerNormalization", "Gelu")
_USUAL, _TIMES = 0.98, 1.5
_WORTH = 2.0  # below it a multiplication costs more than the digits that it brings


def smooth(model: onnx.ModelProto, feeds: "Iterable[Feeds]") -> onnx.ModelProto:
    """Scale the outlying channels of what a norm or a GELU hands to weights.

    Args:
        model: A graph in float32; it is not changed.
        feeds: Requests that show how large each channel becomes; not those that it is measured on.

    Returns:
        The same function; of a graph without such channels the same graph.
    """
    work = onnx.ModelProto()
    work.CopyFrom(model)
    readers = _readers(work.graph)
    if not readers:
        return work
    for name, largest in _largest(work, list(readers), feeds).items():
        scale = outlying(largest)
        if scale.max() > _WORTH:
            _scale(work.graph, name, readers[name], scale)
    return work


def outlying(largest: "Floats") -> "Floats":
    """By how much each channel is made smaller: those above one and a half times the usual ones.

    Args:
        largest: float32 `[channels]`, the largest absolute value of each.
    """
    usual = _TIMES * float(np.quantile(largest, _USUAL))
    scale = largest / usual if usual else np.zeros_like(largest)
    return np.maximum(scale, 1, dtype=np.float32)


def _readers(graph: onnx.GraphProto) -> "dict[str, list[onnx.NodeProto]]":
    """By activation what multiplies it by weights."""
    weights = {each.name for each in graph.initializer if len(each.dims) == 2}
    made = {name for node in graph.node if node.op_type in _MAKES for name in node.output}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        if node.op_type in _MULTIPLIES and node.input[1] in weights and node.input[0] in made:
            readers.setdefault(node.input[0], []).append(node)
    return readers


def _largest(
    model: onnx.ModelProto, names: list[str], feeds: "Iterable[Feeds]"
) -> "Mapping[str, Floats]":
    """By activation the largest absolute value of each channel."""
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    shown.graph.output.extend(
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        shown.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    found: dict[str, Floats] = {}
    for feed in feeds:
        for name, array in zip(names, session.run(names, dict(feed)), strict=True):
            seen = np.abs(array).reshape(-1, array.shape[-1]).max(axis=0)
            found[name] = np.maximum(found.get(name, 0), seen)
    return found


def _scale(
    graph: onnx.GraphProto, name: str, readers: "list[onnx.NodeProto]", scale: "Floats"
) -> None:
    """Multiply an activation before it is read, and what reads it by the inverse."""
    smaller = f"{name}/smaller"
    graph.initializer.append(numpy_helper.from_array(1 / scale, f"{name}/scale"))
    node = helper.make_node("Mul", [name, f"{name}/scale"], [smaller], smaller)
    nodes = list(graph.node)
    graph.node.insert(min(nodes.index(each) for each in readers), node)
    weights = {each.name: each for each in graph.initializer}
    read = {reader.input[1] for reader in readers}  # two of them may share one
    for weight in sorted(read):
        array = numpy_helper.to_array(weights[weight]) * scale[:, None]
        graph.initializer.append(numpy_helper.from_array(array, f"{name}/{weight}"))
    for reader in readers:
        reader.input[:2] = smaller, f"{name}/{reader.input[1]}"
    for weight in read - _used(graph):
        graph.initializer.remove(weights[weight])


def _used(graph: onnx.GraphProto) -> set[str]:
    """What is read or answered, also by the graphs within nodes."""
    used = {each.name for each in graph.output}
    for node in graph.node:
        used.update(node.input)
        used.update(*(_used(each.g) for each in node.attribute if each.HasField("g")))
    return used
