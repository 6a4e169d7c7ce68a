"""Graphs within a graph, and names that are free in all of them.

Imports onnx:

    for graph in graphs_of(model.graph): ...
    name = FreeNames(model.graph).free("guarded/div")       # "guarded/div_1"
"""

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import onnx


class FreeNames:
    """Names for new values of a graph and of those in it."""

    def __init__(self, graph: "onnx.GraphProto") -> None:
        """Note the names that there are."""
        graphs = list(graphs_of(graph))
        self._taken = {name for each in graphs for node in each.node for name in node.output}
        self._taken |= {part.name for each in graphs for part in (*each.input, *each.initializer)}

    def free(self, stem: str) -> str:
        """A name that nothing has, once."""
        names = (f"{stem}_{at}" for at in itertools.count(1))
        name = next(name for name in names if name not in self._taken)
        self._taken.add(name)
        return name


def graphs_of(graph: "onnx.GraphProto") -> "Iterator[onnx.GraphProto]":
    """The graph, and all that are in it."""
    yield graph
    for node in graph.node:
        for inner in inner_graphs(node):
            yield from graphs_of(inner)


def inner_graphs(node: "onnx.NodeProto") -> "Iterator[onnx.GraphProto]":
    """The graphs of a node: branches and bodies."""
    return (attribute.g for attribute in node.attribute if attribute.HasField("g"))
