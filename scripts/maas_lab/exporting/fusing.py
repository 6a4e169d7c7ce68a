"""Attention, norms and the embedding of a Transformer as one node each.

Imports onnx and onnxruntime's own tools, which know the graphs of BERT:

    fused = fuse(model)         # None where nothing was found that they know
    fused = fuse_attention(model)
"""

import io
import logging
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING

import onnx
from onnx import helper
from onnxruntime.transformers.fusion_options import FusionOptions
from onnxruntime.transformers.onnx_model_bert import BertOnnxModel

from maas_lab.graphs import strip_graph

if TYPE_CHECKING:
    from collections.abc import Iterator

_DOMAIN, _ATTENTION, _NORMS = "com.microsoft", "Attention", "SkipLayerNormalization"


def fuse(model: onnx.ModelProto) -> onnx.ModelProto | None:
    """Fuse a graph of a Transformer's encoder.

    Args:
        model: A traced graph; it is not changed.

    Returns:
        The same function with fewer nodes, or None where it is no such graph.
    """
    return _fused(model, FusionOptions("bert"), _NORMS)


def fuse_attention(model: onnx.ModelProto) -> onnx.ModelProto | None:
    """Fuse the attentions alone: what a graph of 8-bit weights gains by, and no more (0028).

    Args:
        model: A traced graph; it is not changed.

    Returns:
        The same function with fewer nodes, or None where it has no attention that they know.
    """
    options = FusionOptions("bert")
    options.enable_gelu = options.enable_bias_gelu = False
    options.enable_skip_layer_norm = options.enable_bias_skip_layer_norm = False
    options.enable_embed_layer_norm = False
    return _fused(model, options, _ATTENTION)


def _fused(model: onnx.ModelProto, options: FusionOptions, wanted: str) -> onnx.ModelProto | None:
    work = onnx.ModelProto()
    work.CopyFrom(model)
    _late_mask(work.graph)
    with _quiet():
        fused = BertOnnxModel(work, num_heads=0, hidden_size=0)  # found in the graph itself
        fused.optimize(options)
        found = fused.get_fused_operator_statistics()
        fused.topological_sort()
    if not found[wanted]:
        return None
    if all(entry.domain != _DOMAIN for entry in fused.model.opset_import):
        fused.model.opset_import.append(helper.make_opsetid(_DOMAIN, 1))
    return strip_graph(fused.model)


def _late_mask(graph: onnx.GraphProto) -> None:
    """Unsqueeze the mask before it is scaled: the order that the tools know, and the same numbers.

    `(1 - mask) * far` as `[batch, 1, 1, sequence]` becomes `1 - mask[:, None, None]`, times `far`.
    """
    makers = {name: node for node in graph.node for name in node.output}
    for last in [node for node in graph.node if node.op_type == "Unsqueeze"]:
        chain = [last]
        for wanted in ("Unsqueeze", "Mul", "Cast", "Sub"):
            maker = makers.get(chain[-1].input[0])
            if maker is None or maker.op_type != wanted:
                break
            chain.append(maker)
        if len(chain) == 5:
            _rewrite(graph, chain)


def _rewrite(graph: onnx.GraphProto, chain: list[onnx.NodeProto]) -> None:
    second, first, scale, _, sub = chain
    mask, end = sub.input[1], second.output[0]
    one = helper.make_tensor("mask/one", onnx.TensorProto.FLOAT, [], [1.0])
    graph.initializer.append(one)
    nodes = [
        helper.make_node("Unsqueeze", [mask, first.input[1]], ["mask/1"], "mask/1"),
        helper.make_node("Unsqueeze", ["mask/1", second.input[1]], ["mask/2"], "mask/2"),
        helper.make_node("Cast", ["mask/2"], ["mask/3"], "mask/3", to=onnx.TensorProto.FLOAT),
        helper.make_node("Sub", ["mask/one", "mask/3"], ["mask/4"], "mask/4"),
        helper.make_node("Mul", ["mask/4", scale.input[1]], [end], "mask/5"),
    ]
    at = list(graph.node).index(second)
    for node in chain:
        graph.node.remove(node)
        at -= node is not second
    for place, node in enumerate(nodes):
        graph.node.insert(at + place, node)


@contextmanager
def _quiet() -> "Iterator[None]":
    """Silence advice on the root logger, to which the tools speak without a name, and prints."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(before)
