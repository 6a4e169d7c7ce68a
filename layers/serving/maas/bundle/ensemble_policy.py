"""TreeEnsemble, the one operator of trees since version 5 of `ai.onnx.ml`: told to be trees.

May import `maas.bundle` and `maas.limits` and numpy. Branches and leaves are lists of their own,
and point at each other by their place:

    targets = check_ensemble(attributes, operands, limits)
"""

from typing import TYPE_CHECKING

import numpy as np

from maas.bundle.tree_policy import WIDEST, check_length, check_within

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from maas.bundle.attributes import Attributes, Ints
    from maas.bundle.classic_policy import Operand
    from maas.limits import Limits

    Bools = npt.NDArray[np.bool_]

_MEMBER = 6
"""The mode of a node that asks whether a number is one of several."""
_UNROLLED = 31
"""ONNX Runtime makes a branch of each of them where they are fewer."""
_LARGEST_MEMBER = 2**24


def check_ensemble(
    attributes: "Attributes", operands: "Sequence[Operand]", limits: "Limits"
) -> int:
    """Check an ensemble.

    Args:
        attributes: The node's.
        operands: Its input.
        limits: Targets, nodes and levels.

    Returns:
        How many numbers a row is answered by.

    Raises:
        BundleError: With the reason.
    """
    most = limits.tree_nodes
    targets = attributes.integer("n_targets", 0, least=1, most=limits.labels)
    leaves = attributes.ints("leaf_targetids", most=2 * most)
    check_within(attributes, leaves, targets - 1, "leaf_targetids")
    weights = attributes.tensor("leaf_weights", most=2 * most)
    check_length(attributes, weights, "leaf_weights", len(leaves))
    features = attributes.ints("nodes_featureids", most=most)
    if not len(features):
        raise attributes.refused("has no nodes")
    check_within(attributes, features, (operands[0].width or WIDEST) - 1, "nodes_featureids")
    costs = _read_questions(attributes, len(features), most)
    to_leaf, children = _read_ways(attributes, len(features), len(leaves), most)
    roots = attributes.ints("tree_roots", most=most)
    check_within(attributes, roots, len(features) - 1, "tree_roots")
    _check_single_leaves(attributes, to_leaf, children, roots)
    _check_levels(attributes, to_leaf, children, roots, costs, limits)
    attributes.integer("aggregate_function", 1, least=0, most=3)
    attributes.integer("post_transform", 0, least=0, most=4)
    return targets


def _read_questions(attributes: "Attributes", count: int, most: int) -> "Ints":
    """How many branches each node is made of by ONNX Runtime."""
    # A threshold may be infinite: then a branch tells what is missing from what is not.
    splits = attributes.tensor("nodes_splits", most=most, infinite=True)
    check_length(attributes, splits, "nodes_splits", count)
    modes = attributes.tensor("nodes_modes", most=most).astype(np.int64)
    check_length(attributes, modes, "nodes_modes", count)
    check_within(attributes, modes, _MEMBER, "nodes_modes")
    if len(rates := attributes.tensor("nodes_hitrates", most=most)):
        check_length(attributes, rates, "nodes_hitrates", count)
    if len(tracks := attributes.ints("nodes_missing_value_tracks_true", most=most)):
        check_length(attributes, tracks, "nodes_missing_value_tracks_true", count)
        check_within(attributes, tracks, 1, "nodes_missing_value_tracks_true")
    costs = np.ones(count, dtype=np.int64)
    sizes = _read_sets(attributes, most)
    asking = np.flatnonzero(modes == _MEMBER)
    if len(sizes) != len(asking):
        raise attributes.refused(f"has {len(sizes)} sets of members for {len(asking)} nodes")
    costs[asking] = np.where(sizes < _UNROLLED, sizes, 1)
    return costs


def _read_sets(attributes: "Attributes", most: int) -> "Ints":
    """How many members each set has; what is no number stands between two of them."""
    members = attributes.tensor("membership_values", most=most, gaps=True)
    if not len(members):
        return np.zeros(0, dtype=np.int64)
    gaps = np.isnan(members)
    whole = members[~gaps]
    if ((whole < 0) | (whole > _LARGEST_MEMBER) | (whole != np.floor(whole))).any():
        raise attributes.refused("has a member that is no whole number from 0 on")
    # One may follow the last set, or not.
    ends = np.flatnonzero(gaps if gaps[-1] else np.append(gaps, np.True_))
    sizes = np.diff(ends, prepend=-1) - 1
    if sizes.min() == 0:
        raise attributes.refused("has a set without a member")
    return sizes


def _read_ways(
    attributes: "Attributes", nodes: int, leaves: int, most: int
) -> "tuple[Bools, Ints]":
    """Two ways of each node, `[nodes, 2]`: whether it leads to a leaf, and to which."""
    flags, ids = [], []
    for way in ("true", "false"):
        flag = attributes.ints(f"nodes_{way}leafs", most=most)
        to = attributes.ints(f"nodes_{way}nodeids", most=most)
        check_length(attributes, flag, f"nodes_{way}leafs", nodes)
        check_length(attributes, to, f"nodes_{way}nodeids", nodes)
        check_within(attributes, flag, 1, f"nodes_{way}leafs")
        check_within(attributes, to[flag == 1], leaves - 1, f"leaves of nodes_{way}nodeids")
        check_within(attributes, to[flag == 0], nodes - 1, f"nodes of nodes_{way}nodeids")
        flags.append(flag == 1)
        ids.append(to)
    return np.stack(flags, axis=1), np.stack(ids, axis=1)


def _check_single_leaves(
    attributes: "Attributes", to_leaf: "Bools", children: "Ints", roots: "Ints"
) -> None:
    """Of a root with one leaf, ONNX Runtime reads the leaf of the root's own place."""
    single = to_leaf[roots].all(axis=1) & (children[roots, 0] == children[roots, 1])
    if (children[roots[single], 0] != roots[single]).any():
        raise attributes.refused("has a tree of one leaf that has not its root's place")


def _check_levels(  # noqa: PLR0917
    attributes: "Attributes",
    to_leaf: "Bools",
    children: "Ints",
    roots: "Ints",
    costs: "Ints",
    limits: "Limits",
) -> None:
    """One way to each node, by so many branches at the most. Leaves may be shared."""
    nodes = len(costs)
    times = np.bincount(np.concatenate([children[~to_leaf], roots]), minlength=nodes)
    if times.max() > 1:
        raise attributes.refused("has a node that two ways lead to")
    level, depth, seen = roots, costs[roots], 0
    while len(level):
        if depth.max() >= limits.tree_depth:
            raise attributes.refused(f"has a tree of more than {limits.tree_depth} levels")
        seen += len(level)
        inner = ~to_leaf[level]
        below = children[level][inner]
        depth = np.broadcast_to(depth[:, np.newaxis], inner.shape)[inner] + costs[below]
        level = below
    # Nothing was seen twice: each node has one way that leads to it at the most.
    if seen != nodes:
        raise attributes.refused("has nodes that no root leads to")
