"""LSTM and GRU without a row to read: an error of the graph, where ONNX Runtime ends by it.

Imports numpy, onnx and the lab. On an empty batch both kernels terminate the process, and GRU on
an empty sequence, too. So what they read is reshaped before, to the shape that it has, and to one
that cannot be where they would end; that is an error which a caller is told of:

    guard_recurrences(model)      # LSTM(x) becomes LSTM(Reshape(x, shape == 0 ? -2 : shape))
"""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from maas_lab.importing.nesting import FreeNames, graphs_of

_BATCH = (-1, 0, -1)
_ANY = (0, 0, 0)
_ENDS = {
    ("", "LSTM"): _BATCH,
    ("com.microsoft", "DynamicQuantizeLSTM"): _BATCH,
    ("", "GRU"): _ANY,
}
"""Sizes of sequence, batch and input on which an operator ends: 0, or none where there is -1."""
_IMPOSSIBLE = (-2,)


def guard_recurrences(model: onnx.ModelProto) -> None:
    """Let no empty tensor end the process; graphs without LSTM and GRU stay as they are.

    Args:
        model: Changed in place, in nested graphs too.
    """
    graphs = list(graphs_of(model.graph))
    ends = {_ends(node) for graph in graphs for node in graph.node} - {None}
    if not ends:
        return
    names = FreeNames(model.graph)
    numbers = {
        each: names.free("guarded/number") for each in sorted((*filter(None, ends), _IMPOSSIBLE))
    }
    model.graph.initializer.extend(
        numpy_helper.from_array(np.array(each, np.int64), name) for each, name in numbers.items()
    )
    for graph in graphs:
        nodes: list[onnx.NodeProto] = []
        for node in graph.node:
            sizes = _ends(node)
            if sizes:
                nodes += _checked(node, numbers[sizes], numbers[_IMPOSSIBLE], names)
            nodes.append(node)
        if len(nodes) != len(graph.node):
            del graph.node[:]
            graph.node.extend(nodes)


def _ends(node: onnx.NodeProto) -> "tuple[int, ...] | None":
    return _ENDS.get((node.domain, node.op_type))


def _checked(
    node: onnx.NodeProto, sizes: str, impossible: str, names: FreeNames
) -> list[onnx.NodeProto]:
    """What a node reads, reshaped; the node reads that."""
    shape, empty, wanted, read = (names.free(f"guarded/{node.op_type.lower()}") for _ in range(4))
    made = [
        helper.make_node("Shape", [node.input[0]], [shape]),
        helper.make_node("Equal", [shape, sizes], [empty]),
        helper.make_node("Where", [empty, impossible, shape], [wanted]),
        helper.make_node("Reshape", [node.input[0], wanted], [read]),
    ]
    node.input[0] = read
    return made
