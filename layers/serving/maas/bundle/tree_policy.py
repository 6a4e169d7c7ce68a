"""Ensembles of trees: nodes that point at each other by number, told to be trees before they run.

May import `maas.bundle` and `maas.limits` and numpy. An ensemble is a handful of lists, with one
number per node, or per number that a leaf adds to an answer. The cost of checking is that of
sorting the lists, whatever they say:

    check_trees(attributes, "class", classes, width=4, limits=limits)      # a classifier's
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from maas.bundle.attributes import Attributes, Floats, Ints
    from maas.limits import Limits

    Bools = npt.NDArray[np.bool_]

POST_TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
"""What may be made of a row of scores."""
_LEAF = b"LEAF"
_BRANCHES = tuple(b"BRANCH_" + each for each in (b"LEQ", b"LT", b"GTE", b"GT", b"EQ", b"NEQ"))
_AGGREGATES = ("SUM", "AVERAGE", "MIN", "MAX")
_LARGEST_ID = 2**31 - 1
_ANSWERS = 4
"""Numbers of the leaves, for each node that there may be."""
WIDEST = 65_536
"""Features of a row whose width does not stand in the graph; ONNX Runtime looks again then."""


@dataclass(frozen=True, slots=True)
class _Nodes:
    """The lists of nodes, each as long as the others.

    Attributes:
        trees: Which tree a node is of.
        keys: That and its id, as one number.
        leaf: Whether it is a leaf.
        branches: Where those lie that are not.
        children: Two by branch, as they are written: keys.
    """

    trees: "Ints"
    keys: "Ints"
    leaf: "Bools"
    branches: "Ints"
    children: "Ints"


class _Places:
    """Where nodes lie in the lists, by their keys."""

    def __init__(self, attributes: "Attributes", keys: "Ints") -> None:
        self._attributes = attributes
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]
        if (self._keys[1:] == self._keys[:-1]).any():
            raise attributes.refused("has a node twice in a tree")

    def of(self, keys: "Ints") -> "Ints":
        """One place for each key.

        Raises:
            BundleError: There is no such node.
        """
        at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        if (self._keys[at] != keys).any():
            raise self._attributes.refused("points at a node that its tree does not have")
        return self._order[at]


def check_trees(
    attributes: "Attributes", kind: str, answers: int, *, width: int | None, limits: "Limits"
) -> None:
    """Check an ensemble of version 1 to 3 of the operators.

    Args:
        attributes: The node's; those of labels were taken.
        kind: What its lists of answers are called by: `class` or `target`.
        answers: How many numbers a row is answered by.
        width: Features of a row, where it is known.
        limits: Nodes and levels.

    Raises:
        BundleError: With the reason.
    """
    nodes = _read_nodes(attributes, width, limits)
    places = _Places(attributes, nodes.keys)
    _check_ways(attributes, nodes, places.of(nodes.children), limits)
    answering = places.of(_answering(attributes, kind, answers, _ANSWERS * limits.tree_nodes))
    if not nodes.leaf[answering].all():
        raise attributes.refused("has a branch that answers, which only leaves may")
    if np.bincount(answering, minlength=len(nodes.keys))[nodes.leaf].min() == 0:
        raise attributes.refused("has a leaf that answers nothing")
    base = len(attributes.floats("base_values", most=limits.labels))
    if base not in (0, answers) and not (kind == "class" and base == 1 and answers <= 2):
        raise attributes.refused(f"has {base} base_values for {answers} answers")
    attributes.word("post_transform", "NONE", POST_TRANSFORMS)
    if kind == "target":
        attributes.word("aggregate_function", "SUM", _AGGREGATES)
    attributes.finish()


def _read_nodes(attributes: "Attributes", width: int | None, limits: "Limits") -> _Nodes:
    most = limits.tree_nodes
    ids = attributes.ints("nodes_nodeids", most=most)
    count = len(ids)
    if not count:
        raise attributes.refused("has no nodes")

    def listed(name: str) -> "Ints":
        values = attributes.ints(name, most=most)
        check_length(attributes, values, name, count)
        return values

    trees, features = listed("nodes_treeids"), listed("nodes_featureids")
    whens, elses = listed("nodes_truenodeids"), listed("nodes_falsenodeids")
    # A threshold may be infinite: then a branch tells what is missing from what is not.
    values = attributes.floats("nodes_values", most=most, infinite=True)
    check_length(attributes, values, "nodes_values", count)
    if len(rates := attributes.floats("nodes_hitrates", most=most)):
        check_length(attributes, rates, "nodes_hitrates", count)
    if len(tracks := attributes.ints("nodes_missing_value_tracks_true", most=most)):
        check_length(attributes, tracks, "nodes_missing_value_tracks_true", count)
        check_within(attributes, tracks, 1, "nodes_missing_value_tracks_true")
    leaf = _leaves(attributes, count)
    check_within(attributes, features, (width or WIDEST) - 1, "nodes_featureids")
    branches = np.flatnonzero(~leaf)
    of = np.concatenate([trees[branches], trees[branches]])
    to = np.concatenate([whens[branches], elses[branches]])
    return _Nodes(
        trees=trees,
        keys=_keys(attributes, trees, ids, "nodes"),
        leaf=leaf,
        branches=branches,
        children=_keys(attributes, of, to, "children"),
    )


def _leaves(attributes: "Attributes", count: int) -> "Bools":
    modes = attributes.texts("nodes_modes")
    if len(modes) != count:
        raise attributes.refused(f"has {len(modes)} nodes_modes for {count} nodes")
    if unknown := set(modes) - {_LEAF, *_BRANCHES}:
        raise attributes.refused(f"has a node of a mode that is not known: {min(unknown)[:32]!a}")
    return np.fromiter((mode == _LEAF for mode in modes), dtype=np.bool_, count=count)


def _check_ways(
    attributes: "Attributes", nodes: _Nodes, children: "Ints", limits: "Limits"
) -> None:
    """One root per tree, which stands first, and from there one way to each other node."""
    count = len(nodes.keys)
    times = np.bincount(children, minlength=count)
    if times.max() > 1:
        raise attributes.refused("has a node that two branches lead to")
    starts = np.flatnonzero(np.diff(nodes.trees, prepend=-1))
    if len(np.unique(nodes.trees)) != len(starts):
        raise attributes.refused("has a tree whose nodes lie apart")
    if times[starts].any():
        raise attributes.refused("has a tree whose first node is not its root")
    below = np.zeros((count, 2), dtype=np.int64)
    below[nodes.branches] = children.reshape(2, -1).T
    level, seen = starts, len(starts)
    for _ in range(limits.tree_depth):
        level = below[level[~nodes.leaf[level]]].ravel()
        if not len(level):
            break
        seen += len(level)
    else:
        raise attributes.refused(f"has a tree of more than {limits.tree_depth} levels")
    # Nothing was seen twice: each node has one branch that leads to it at the most.
    if seen != count:
        raise attributes.refused("has nodes that no root leads to")


def _answering(attributes: "Attributes", kind: str, answers: int, most: int) -> "Ints":
    """The keys of what the lists of answers name: numbers that are some, of answers that are."""
    ids = attributes.ints(f"{kind}_ids", most=most)
    trees = attributes.ints(f"{kind}_treeids", most=most)
    nodes = attributes.ints(f"{kind}_nodeids", most=most)
    weights = attributes.floats(f"{kind}_weights", most=most)
    for values, name in ((trees, "treeids"), (nodes, "nodeids"), (weights, "weights")):
        check_length(attributes, values, f"{kind}_{name}", len(ids))
    check_within(attributes, ids, answers - 1, f"{kind}_ids")
    return _keys(attributes, trees, nodes, f"{kind} lists")


def _keys(attributes: "Attributes", trees: "Ints", ids: "Ints", what: str) -> "Ints":
    check_within(attributes, trees, _LARGEST_ID, f"trees of {what}")
    check_within(attributes, ids, _LARGEST_ID, f"ids of {what}")
    return (trees << 32) | ids


def check_length(attributes: "Attributes", values: "Ints | Floats", name: str, count: int) -> None:
    """Refuse a list that is not as long as the others."""
    if len(values) != count:
        raise attributes.refused(f"has {len(values)} {name} where {count} belong")


def check_within(attributes: "Attributes", values: "Ints", most: int, name: str) -> None:
    """Refuse numbers that are not within 0 and another."""
    if len(values) and (values.min() < 0 or values.max() > most):
        raise attributes.refused(f"has {name} that are not within 0 to {most}")
