"""Values that columns of a table are worth trying with, as the graph that reads them says.

Imports numpy and onnx. Trees ask whether a column is above a threshold, and an encoder fails on a
category that it does not have; so invented rows are drawn from there:

    values = table_values(model)          # {"X": {1: (3.0, 4.0, 5.0)}}: by input, by column
    values["city"][0]                     # ("lima", "oslo")
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    import numpy.typing as npt
    import onnx

    Column = tuple[str, int] | None
    Known = tuple[float | str, ...]
    Values = Mapping[str, Mapping[int, Known]]

KEEPING = frozenset(("Cast", "Identity", "Imputer"))
"""Operators that hand on the values of columns as they are."""
_PICKING = frozenset(("ArrayFeatureExtractor", "Gather"))
_TREES = frozenset(("TreeEnsembleClassifier", "TreeEnsembleRegressor"))
_CATEGORIES = {
    "OneHotEncoder": ("cats_int64s", "cats_strings"),
    "LabelEncoder": ("keys_int64s", "keys_floats", "keys_strings"),
}
_MEMBER = 6
_WIDEST = 1_000
_MOST = 64


def table_values(model: "onnx.ModelProto") -> "Values":
    """By input and by column, thresholds and numbers beyond them, or categories."""
    found: dict[str, dict[int, Known]] = {}
    for node, attributes, given in followed(model, KEEPING):
        for at, known in _asked(node, attributes):
            column = given[at] if at < len(given) else None
            if column is not None and known:
                of = found.setdefault(column[0], {})
                of[column[1]] = tuple(dict.fromkeys((*of.get(column[1], ()), *known)))[:_MOST]
    return found


def followed(
    model: "onnx.ModelProto", keeping: "Collection[str]"
) -> "Iterator[tuple[onnx.NodeProto, Mapping[str, Any], Sequence[Column]]]":
    """Nodes with their attributes and the columns of what they read first, where these are known.

    Args:
        model: Its inputs `[rows, columns]` are followed.
        keeping: Operators that hand on the columns of what they read.
    """
    columns: dict[str, list[Column]] = {}
    for value in model.graph.input:
        sizes = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        if len(sizes) == 2 and 0 < sizes[1] <= _WIDEST:
            columns[value.name] = [(value.name, at) for at in range(sizes[1])]
    constants = {each.name: each for each in model.graph.initializer}
    for node in model.graph.node:
        attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        given = [columns.get(name) for name in node.input]
        if node.op_type in keeping and len([each for each in given if each is not None]) == 1:
            columns[node.output[0]] = next(each for each in given if each is not None)
        elif (made := _made(node, attributes, given, constants)) is not None:
            columns[node.output[0]] = made
        yield node, attributes, (given[0] if given else None) or ()


def _made(
    node: "onnx.NodeProto",
    attributes: "Mapping[str, object]",
    given: "Sequence[list[Column] | None]",
    constants: "Mapping[str, onnx.TensorProto]",
) -> "list[Column] | None":
    """Which columns a node picks or joins; None where that cannot be told."""
    known = [each for each in given if each is not None]
    along = attributes.get("axis", 1) in (1, -1)
    if node.op_type == "Concat" and along and len(known) == len(given):
        return [column for each in known for column in each]
    if node.op_type == "Where" and given[-1] is not None:  # a cell as it is, unless it is missing
        return given[-1]
    tensor = constants.get(node.input[-1]) if node.input else None
    if node.op_type == "Reshape" and tensor is not None and given[0] is not None:
        kept = numpy_helper.to_array(tensor).ravel().tolist()[1:] in ([len(given[0])], [-1])
        return given[0] if kept else None
    if node.op_type in _PICKING and along and tensor is not None and given[0] is not None:
        picked = numpy_helper.to_array(tensor).ravel().tolist()
        return [given[0][at] for at in picked if 0 <= at < len(given[0])]
    return None


def _asked(node: "onnx.NodeProto", attributes: "Mapping[str, Any]") -> "list[tuple[int, Known]]":
    """Columns of what a node reads, with the values that it tells apart."""
    if node.op_type in _CATEGORIES:
        listed = [attributes[name] for name in _CATEGORIES[node.op_type] if name in attributes]
        return [(0, tuple(map(_category, each))) for each in listed]
    features = np.asarray(attributes.get("nodes_featureids", ()), dtype=np.int64)
    if node.op_type == "TreeEnsemble":
        values = _numbers(attributes.get("nodes_splits"))
        branch = np.isfinite(values)
    elif node.op_type in _TREES:
        values = np.asarray(attributes.get("nodes_values", ()), dtype=np.float32)
        modes = np.asarray(attributes.get("nodes_modes", ()))
        if len(modes) != len(values):
            return []  # it will be refused
        branch = (modes != b"LEAF") & np.isfinite(values)
    else:
        return []
    if not len(features) == len(values) == len(branch):
        return []  # it will be refused
    return _members(features, attributes) + [
        (int(feature), _around(values[branch & (features == feature)]))
        for feature in np.unique(features[branch & (features >= 0)])[:_WIDEST]
    ]


def _members(
    features: "npt.NDArray[np.int64]", attributes: "Mapping[str, Any]"
) -> "list[tuple[int, Known]]":
    """Columns of a TreeEnsemble that are looked for in sets, with all that any of these has."""
    members = _numbers(attributes.get("membership_values"))
    if not len(members):
        return []
    modes = _numbers(attributes.get("nodes_modes"))
    if len(modes) != len(features):
        return []  # it will be refused
    known = tuple(np.unique(members[np.isfinite(members)]).tolist())
    return [(int(feature), known) for feature in np.unique(features[modes == _MEMBER])]


def _numbers(tensor: "onnx.TensorProto | None") -> "npt.NDArray[np.float64]":
    values = np.zeros(0) if tensor is None else numpy_helper.to_array(tensor)
    return values.astype(np.float64).ravel()


def _category(value: float | bytes) -> float | str:
    return value.decode(errors="replace") if isinstance(value, bytes) else float(value)


def _around(thresholds: "npt.NDArray[np.floating[Any]]") -> tuple[float, ...]:
    """Some of them, the smallest and the largest, and what lies between and beyond."""
    some = np.unique(thresholds)[:: max(1, len(thresholds) // (_MOST // 2))]
    between = (some[1:] + some[:-1]) / 2
    step = np.float32(abs(some[-1] - some[0]) / 8 or abs(some[0]) / 8 or 1)
    return tuple(np.concatenate([some, between, [some[0] - step, some[-1] + step]]).tolist())
