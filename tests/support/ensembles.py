"""Trees as version 5 of `ai.onnx.ml` has them, made by hand, and what they answer by Python alone.

check_graph(ensemble(n_targets=0), {})             # refused: one number is answered at least
answers(parts(), [[0.5, 1, 2, 3]])                 # [[1.1]]
of_forest(RandomForestRegressor().fit(x, y))       # the attributes of scikit-learn's trees
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from support.trees import DOMAIN, WIDTH

if TYPE_CHECKING:
    from collections.abc import Sequence

    Parts = dict[str, Any]

NAN = float("nan")
LEQ, LT, GTE, GT, EQ, NEQ, MEMBER = range(7)
TENSORS = ("nodes_splits", "nodes_hitrates", "leaf_weights", "membership_values")
_PARTS: "Parts" = {
    "n_targets": 2,
    "aggregate_function": 1,
    "post_transform": 0,
    "tree_roots": [0, 3],
    "nodes_featureids": [3, 0, 1, 2],
    "nodes_modes": [LEQ, GT, MEMBER, LT],
    "nodes_splits": [0.5, 1.5, 0.0, 2.5],
    "nodes_hitrates": [1.0, 1.0, 1.0, 1.0],
    "nodes_missing_value_tracks_true": [1, 0, 0, 0],
    "nodes_trueleafs": [0, 1, 1, 1],
    "nodes_truenodeids": [1, 0, 2, 4],
    "nodes_falseleafs": [0, 1, 1, 1],
    "nodes_falsenodeids": [2, 1, 3, 5],
    "leaf_targetids": [0, 1, 0, 1, 0, 1],
    "leaf_weights": [1.0, 2.0, 4.0, 8.0, 16.0, 32.0],
    "membership_values": [2.0, 3.0, 40.0],
}


def parts(**changes: Any) -> "Parts":  # noqa: ANN401
    """Attributes of two trees that are admitted, of which some are others; None leaves one out."""
    return {name: value for name, value in {**_PARTS, **changes}.items() if value is not None}


def ensemble(
    *,
    width: int | str = WIDTH,
    kind: Any = np.float32,  # noqa: ANN401
    of: "Parts | None" = None,
    **changes: Any,  # noqa: ANN401
) -> bytes:
    """A graph of one ensemble.

    Args:
        width: Features of a row.
        kind: numpy's type of numbers.
        of: All attributes, instead of the usual ones.
        changes: Attributes by name.
    """
    node = helper.make_node("TreeEnsemble", ["x"], ["y"], domain=DOMAIN)
    for name, value in (of or parts(**changes)).items():
        if isinstance(value, list) and name in (*TENSORS, "nodes_modes"):
            dtype = np.uint8 if name == "nodes_modes" else kind
            value = numpy_helper.from_array(np.array(value, dtype=dtype))  # noqa: PLW2901
        empty = isinstance(value, list) and not value
        node.attribute.append(helper.make_attribute(name, value, attr_type=7 if empty else None))
    onnx_kind = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    graph = helper.make_graph(
        [node],
        "ensemble",
        [helper.make_tensor_value_info("x", onnx_kind, ["n", width])],
        [helper.make_tensor_value_info("y", onnx_kind, None)],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 5)]
    data: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    return data


def answers(of: "Parts", rows: "Sequence[Sequence[float]]") -> list[list[float]]:
    """What the trees sum up to for each row, by the specification."""
    sets: list[list[float]] = [[]]
    for member in of.get("membership_values", ()):
        sets.append([]) if member != member else sets[-1].append(member)  # noqa: PLR0124
    asking = [at for at, mode in enumerate(of["nodes_modes"]) if mode == MEMBER]
    members = dict(zip(asking, sets, strict=False))
    tracks = of.get("nodes_missing_value_tracks_true") or [0] * len(of["nodes_modes"])
    found = []
    for row in rows:
        sums = [0.0] * of["n_targets"]
        for root in of["tree_roots"]:
            at, leaf = root, False
            while not leaf:
                value = np.float32(row[of["nodes_featureids"][at]])
                yes = bool(tracks[at]) if np.isnan(value) else _asked(of, members, at, value)
                way = "true" if yes else "false"
                leaf = bool(of[f"nodes_{way}leafs"][at])
                at = of[f"nodes_{way}nodeids"][at]
            sums[of["leaf_targetids"][at]] += of["leaf_weights"][at]
        found.append(sums)
    return found


def _asked(of: "Parts", members: "dict[int, list[float]]", at: int, value: np.float32) -> bool:
    split = np.float32(of["nodes_splits"][at])
    ways = {
        LEQ: value <= split,
        LT: value < split,
        GTE: value >= split,
        GT: value > split,
        EQ: value == split,
        NEQ: value != split,
    }
    mode = of["nodes_modes"][at]
    return value in members[at] if mode == MEMBER else bool(ways[mode])


def row_of_branches(levels: int, *, ring: bool = False) -> "Parts":
    """One tree in which each branch has a leaf and the next branch.

    Args:
        levels: Branches that follow each other.
        ring: Whether the last one leads back to the second, and not to a leaf.
    """
    last = levels - 1
    return {
        "n_targets": 1,
        "tree_roots": [0],
        "nodes_featureids": [0] * levels,
        "nodes_modes": [LT] * levels,
        "nodes_splits": [0.5] * levels,
        "nodes_trueleafs": [1] * levels,
        "nodes_truenodeids": list(range(levels)),
        "nodes_falseleafs": [0] * last + [0 if ring else 1],
        "nodes_falsenodeids": [*range(1, levels), 1 if ring else levels],
        "leaf_targetids": [0] * (levels + 1),
        "leaf_weights": [0.5] * (levels + 1),
    }


def of_forest(forest: Any) -> "Parts":  # noqa: ANN401
    """A forest of scikit-learn's regression trees, whose answers are the mean of theirs."""
    made: Parts = parts(
        n_targets=1,
        aggregate_function=0,
        nodes_hitrates=None,
        nodes_missing_value_tracks_true=[],
        membership_values=None,
    )
    lists = [name for name, value in made.items() if isinstance(value, list)]
    made |= {name: [] for name in lists}
    for tree in (each.tree_ for each in forest.estimators_):
        branch = tree.children_left >= 0
        nodes = np.cumsum(branch) - 1 + len(made["nodes_splits"])
        leaves = np.cumsum(~branch) - 1 + len(made["leaf_weights"])
        made["tree_roots"].append(int(nodes[0]))
        made["leaf_weights"] += tree.value[~branch, 0, 0].tolist()
        made["nodes_splits"] += tree.threshold[branch].tolist()
        made["nodes_featureids"] += tree.feature[branch].tolist()
        made["nodes_missing_value_tracks_true"] += tree.missing_go_to_left[branch].tolist()
        for way, to in (("true", tree.children_left), ("false", tree.children_right)):
            to = to[branch]  # noqa: PLW2901
            made[f"nodes_{way}leafs"] += (~branch[to]).astype(int).tolist()
            made[f"nodes_{way}nodeids"] += np.where(branch[to], nodes[to], leaves[to]).tolist()
    made["nodes_modes"] = [LEQ] * len(made["nodes_splits"])
    made["leaf_targetids"] = [0] * len(made["leaf_weights"])
    return made


def typed(values: "list[float]", kind: int) -> TensorProto:
    """A tensor of another type than it should be, or with its numbers in a field of their own."""
    return helper.make_tensor("", kind, [len(values)], values)
