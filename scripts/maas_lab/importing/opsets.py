"""Which versions of the operators a foreign graph says that it uses, said as we read it.

Imports onnx. Nothing that a node does is changed:

    settle_opsets(model)
"""

from typing import TYPE_CHECKING

import onnx

from maas.bundle.operators import ONNX_OPSETS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_UNSAID = 17
"""For a graph that uses none of ONNX's own operators."""


def settle_opsets(model: onnx.ModelProto) -> None:
    """Say each version once, ONNX's own too, and the oldest that is read where that is the same.

    Converters of trees name the oldest version that has all of a graph's operators: 9 where there
    is only a Cast. Versions are those of whole sets: where none of the operators was changed until
    the oldest that is read, that one means the same.

    Args:
        model: Changed in place.
    """
    said = {(each.domain, each.version): None for each in model.opset_import}
    del model.opset_import[:]
    model.opset_import.extend(onnx.helper.make_opsetid(*each) for each in said)
    own = [each for each in model.opset_import if not each.domain]
    if not own:
        model.opset_import.append(onnx.helper.make_opsetid("", _UNSAID))
    elif (
        len(own) == 1
        and own[0].version < ONNX_OPSETS[0]
        and _are_same(_nodes(model.graph.node), own[0].version, ONNX_OPSETS[0])
    ):
        own[0].version = ONNX_OPSETS[0]
    for function in model.functions:
        _settle_function(function, [each.version for each in model.opset_import if not each.domain])


def _settle_function(function: onnx.FunctionProto, versions: list[int]) -> None:
    """Let a function say the graph's version where that means the same, so as to be written out."""
    for each in function.opset_import:
        if not each.domain and len(versions) == 1:
            ends = sorted((each.version, versions[0]))
            if _are_same(_nodes(function.node), *ends):
                each.version = versions[0]


def _are_same(nodes: "Iterable[onnx.NodeProto]", old: int, new: int) -> bool:
    operators = {node.op_type for node in nodes if not node.domain}
    return all(_is_same(operator, old, new) for operator in operators)


def _is_same(operator: str, old: int, new: int) -> bool:
    try:
        before, after = (onnx.defs.get_schema(operator, each) for each in (old, new))
    except onnx.defs.SchemaError:
        return False
    return before.since_version == after.since_version and not after.deprecated


def _nodes(nodes: "Iterable[onnx.NodeProto]") -> "Iterator[onnx.NodeProto]":
    for node in nodes:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g.node)
