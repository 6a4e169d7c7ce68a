"""Nodes of `ai.onnx.ml` made by hand, each whole, for a test to spoil one attribute of.

check_graph(classic("TreeEnsembleRegressor", n_targets=2), {})     # refused: base_values are 1
chain(levels=5)                                                    # a tree that is a list
"""

from typing import Any

import numpy as np
from onnx import AttributeProto, TensorProto, helper, numpy_helper

DOMAIN = "ai.onnx.ml"
WIDTH = 4
_NODES: dict[str, Any] = {
    "nodes_treeids": [0, 0, 0, 1],
    "nodes_nodeids": [0, 1, 2, 0],
    "nodes_featureids": [3, 0, 0, 0],
    "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF", "LEAF"],
    "nodes_values": [0.5, 0.0, 0.0, 0.0],
    "nodes_hitrates": [1.0, 1.0, 1.0, 1.0],
    "nodes_missing_value_tracks_true": [1, 0, 0, 0],
    "nodes_truenodeids": [1, 0, 0, 0],
    "nodes_falsenodeids": [2, 0, 0, 0],
    "post_transform": "NONE",
}


def _answers(kind: str) -> dict[str, Any]:
    return {
        f"{kind}_treeids": [0, 0, 1],
        f"{kind}_nodeids": [1, 2, 0],
        f"{kind}_ids": [0, 0, 0],
        f"{kind}_weights": [1.0, 2.0, 0.5],
    }


_VECTORS = {
    "kernel_type": "RBF",
    "kernel_params": [0.1, 0.0, 3.0],
    "support_vectors": [0.5] * 12,
    "post_transform": "NONE",
}
NODES: dict[str, dict[str, Any]] = {
    "TreeEnsembleRegressor": {
        **_NODES,
        **_answers("target"),
        **{"n_targets": 1, "base_values": [0.1], "aggregate_function": "SUM"},
    },
    "TreeEnsembleClassifier": {
        **_NODES,
        **_answers("class"),
        **{"classlabels_int64s": [0, 1], "base_values": [0.1, 0.2]},
    },
    "LinearClassifier": {
        **{"coefficients": [0.5] * 12, "intercepts": [0.1] * 3, "classlabels_ints": [1, 2, 3]},
        **{"multi_class": 1, "post_transform": "SOFTMAX"},
    },
    "LinearRegressor": {"coefficients": [0.5] * 8, "intercepts": [0.1] * 2, "targets": 2},
    "SVMClassifier": {
        **_VECTORS,
        **{"classlabels_ints": [0, 1], "vectors_per_class": [1, 2], "coefficients": [0.5] * 3},
        **{"rho": [0.1], "prob_a": [-1.0], "prob_b": [0.1]},
    },
    "SVMRegressor": {**_VECTORS, "n_supports": 3, "coefficients": [0.5] * 3, "rho": [0.1]},
    "Scaler": {"offset": [0.5] * 4, "scale": [2.0] * 4},
    "Normalizer": {"norm": "L2"},
    "Imputer": {"imputed_value_floats": [0.5] * 4, "replaced_value_float": float("nan")},
    "Binarizer": {"threshold": 0.5},
    "OneHotEncoder": {"cats_int64s": [1, 2, 5], "zeros": 1},
    "LabelEncoder": {"keys_floats": [1.0, 2.0], "values_floats": [3.0, 4.0], "default_float": -1.0},
    "FeatureVectorizer": {"inputdimensions": [4]},
    "ArrayFeatureExtractor": {},
}
"""By operator, attributes that are admitted."""
_LABELLED = frozenset(("TreeEnsembleClassifier", "LinearClassifier", "SVMClassifier"))


def classic(
    operator: str,
    *,
    width: int | str = WIDTH,
    picked: "list[int] | None" = None,
    version: int | None = None,
    kinds: "tuple[int, int] | None" = None,
    **changes: Any,  # noqa: ANN401
) -> bytes:
    """A graph of one node, of whose attributes some are others; None leaves one out.

    Args:
        operator: Its name.
        width: Features of a row.
        picked: Columns that an ArrayFeatureExtractor picks.
        version: Of the operators.
        kinds: ONNX's numbers of the types of what is read and answered.
        changes: Attributes by name.
    """
    attributes = {k: v for k, v in {**NODES[operator], **changes}.items() if v is not None}
    outputs = ["label", "y"] if operator in _LABELLED else ["y"]
    inputs = ["x", "picked"] if operator == "ArrayFeatureExtractor" else ["x"]
    node = helper.make_node(operator, inputs, outputs, domain=DOMAIN)
    for name, value in attributes.items():
        empty = isinstance(value, list) and not value
        of_none = AttributeProto.INTS if empty else None
        node.attribute.append(helper.make_attribute(name, value, attr_type=of_none))
    usual = TensorProto.INT64 if operator == "OneHotEncoder" else TensorProto.FLOAT
    asked, answered = kinds or (usual, TensorProto.FLOAT)
    graph = helper.make_graph(
        [node],
        "classic",
        [helper.make_tensor_value_info("x", asked, ["n", width])],
        [helper.make_tensor_value_info(name, answered, None) for name in outputs[-1:]],
        [numpy_helper.from_array(np.array(picked or [0, 3]), "picked")] if inputs[1:] else [],
    )
    ml = version or (2 if operator == "LabelEncoder" else 1)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, ml)]
    data: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    return data


def chain(levels: int, *, turned: bool = False) -> bytes:
    """A regressor of one tree in which each branch has a leaf and the next branch.

    Args:
        levels: Branches that follow each other.
        turned: Whether the last one leads back to the second, and not to a leaf.
    """
    ids = list(range(2 * levels + 1))
    branch = [index % 2 == 0 and index < 2 * levels for index in ids]
    others = [index + 2 if is_branch else 0 for index, is_branch in zip(ids, branch, strict=True)]
    if turned:
        others[2 * levels - 2] = 2
        ids, branch, others = ids[:-1], branch[:-1], others[:-1]
    leaves = [index for index, is_branch in zip(ids, branch, strict=True) if not is_branch]
    zeros = [0] * len(ids)
    return classic(
        "TreeEnsembleRegressor",
        nodes_treeids=zeros,
        nodes_nodeids=ids,
        nodes_featureids=zeros,
        nodes_modes=["BRANCH_LT" if each else "LEAF" for each in branch],
        nodes_values=[0.5] * len(ids),
        nodes_hitrates=None,
        nodes_missing_value_tracks_true=None,
        nodes_truenodeids=[i + 1 if each else 0 for i, each in zip(ids, branch, strict=True)],
        nodes_falsenodeids=others,
        target_treeids=[0] * len(leaves),
        target_nodeids=leaves,
        target_ids=[0] * len(leaves),
        target_weights=[0.5] * len(leaves),
    )
