"""S20: a TreeEnsemble of version 5 is refused by what does not fit together in it.

ONNX Runtime 1.31 looks at much of it itself, but not at how deep a tree is, and at the columns only
when it is asked. What is admitted answers as the specification says.
"""

import random
import resource
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto
from onnxruntime import InferenceSession
from support.effort import count, examples
from support.ensembles import (
    EQ,
    MEMBER,
    NAN,
    TENSORS,
    answers,
    ensemble,
    of_forest,
    parts,
    row_of_branches,
    typed,
)
from support.trees import WIDTH

from maas.bundle.graph_policy import check_graph
from maas.errors import BundleError

INF, HUGE = float("inf"), 2**40
# Whole numbers: in sets of 31 and more, ONNX Runtime asks for the whole part of a number.
ROWS = np.random.default_rng(0).integers(-1, 5, size=(60, WIDTH)).astype(np.float32)
ROWS[::9, 3] = NAN
ROWS[::5, 1] = 40


def refusal(graph: bytes) -> str:
    with pytest.raises(BundleError) as refused:
        check_graph(graph, {})
    count("attacks")
    return str(refused.value)


def run(graph: bytes, rows: Any = ROWS) -> Any:  # noqa: ANN401
    return InferenceSession(graph).run(None, {"x": rows})[0]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"nodes_hitrates": None, "nodes_missing_value_tracks_true": None},
        {"membership_values": [2.0, 3.0, 40.0, NAN]},
        {"membership_values": [float(each) for each in range(31)]},
        {"membership_values": [5.0]},
        {"membership_values": [0.0, 30.0]},
        {
            "nodes_modes": [MEMBER, EQ, MEMBER, EQ],
            "membership_values": [0.0, 1.0, NAN, 40.0, NAN],
        },
        {"nodes_modes": typed([0, 3, 6, 1], TensorProto.UINT8)},
        {"nodes_splits": typed([0.5, 1.5, 0.0, 2.5], TensorProto.FLOAT)},
        {"nodes_splits": [INF, 1.5, 0.0, -INF]},
        {"leaf_targetids": [0] * 6},
    ],
)
def test_what_fits_together_answers_as_it_says(changes: dict[str, Any]) -> None:
    data = ensemble(**changes)
    assert check_graph(data, {}).nodes == 1
    said = dict(changes)
    if isinstance(said.get("nodes_modes"), TensorProto):
        said["nodes_modes"] = [0, 3, 6, 1]
    if isinstance(said.get("nodes_splits"), TensorProto):
        said.pop("nodes_splits")
    wanted = answers(parts(**said), ROWS.tolist())
    assert np.abs(run(data) - np.array(wanted)).max() < 1e-6


def test_doubles_are_trees_too() -> None:
    data = ensemble(kind=np.float64, nodes_hitrates=None)  # which the runtime takes as floats alone
    check_graph(data, {})
    wanted = answers(parts(), ROWS.tolist())
    assert np.abs(run(data, ROWS.astype(np.float64)) - np.array(wanted)).max() < 1e-9


def test_a_forest_of_scikit_learn_answers_as_it_does() -> None:
    from sklearn.ensemble import RandomForestRegressor

    # Given one that was fitted to rows with missing cells
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(300, WIDTH)).astype(np.float32)
    rows[rng.random(rows.shape) < 0.2] = NAN
    wanted = np.nan_to_num(rows[:, 0]) + np.nan_to_num(rows[:, 1], nan=2.0)
    forest = RandomForestRegressor(5, max_depth=6, random_state=0).fit(rows, wanted)
    # Then its trees are admitted, and answer the same
    data = ensemble(of=of_forest(forest))
    check_graph(data, {})
    assert np.abs(run(data, rows).ravel() - forest.predict(rows)).max() < 1e-5


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "none": ({"nodes_featureids": []}, "has no nodes"),
    "short": ({"nodes_splits": [0.5]}, "1 nodes_splits where 4 belong"),
    "short modes": ({"nodes_modes": [0]}, "1 nodes_modes where 4 belong"),
    "short leafs": ({"nodes_trueleafs": [0]}, "1 nodes_trueleafs where 4 belong"),
    "short ways": ({"nodes_falsenodeids": [0]}, "1 nodes_falsenodeids where 4 belong"),
    "short rates": ({"nodes_hitrates": [0.0]}, "1 nodes_hitrates where 4 belong"),
    "short tracks": (
        {"nodes_missing_value_tracks_true": [0]},
        "1 nodes_missing_value_tracks_true where 4 belong",
    ),
    "tracks": ({"nodes_missing_value_tracks_true": [2, 0, 0, 0]}, "not within 0 to 1"),
    "short weights": ({"leaf_weights": [1.0]}, "1 leaf_weights where 6 belong"),
    "no leaves": ({"leaf_weights": None, "leaf_targetids": None}, "not within 0 to -1"),
    "mode": ({"nodes_modes": [7, 0, 6, 0]}, "nodes_modes that are not within 0 to 6"),
    "feature": ({"nodes_featureids": [4, 0, 1, 2]}, "nodes_featureids that are not within 0 to 3"),
    "negative": ({"nodes_featureids": [-1, 0, 1, 2]}, "nodes_featureids that are not within"),
    "any feature": (
        {"width": "m", "nodes_featureids": [65_536, 0, 1, 2]},
        "not within 0 to 65535",
    ),
    "threshold": ({"nodes_splits": [NAN, 0, 0, 0]}, "nodes_splits that is no finite number"),
    "weight": ({"leaf_weights": [INF, 0, 0, 0, 0, 0]}, "leaf_weights that is no finite number"),
    "targets": ({"n_targets": 10**9}, "n_targets of 1000000000, 1 to 1000"),
    "no targets": ({"n_targets": 0}, "n_targets of 0"),
    "targets unsaid": ({"n_targets": None}, "n_targets of 0"),
    "target": ({"leaf_targetids": [2, 1, 0, 1, 0, 1]}, "leaf_targetids that are not within 0 to 1"),
    "negative target": ({"leaf_targetids": [-1, 1, 0, 1, 0, 1]}, "leaf_targetids that are not"),
    "flag": ({"nodes_trueleafs": [2, 1, 1, 1]}, "nodes_trueleafs that are not within 0 to 1"),
    "leaf": (
        {"nodes_truenodeids": [1, 6, 2, 4]},
        "leaves of nodes_truenodeids that are not within",
    ),
    "negative leaf": ({"nodes_truenodeids": [1, -1, 2, 4]}, "leaves of nodes_truenodeids"),
    "node": ({"nodes_truenodeids": [4, 0, 2, 4]}, "nodes of nodes_truenodeids that are not within"),
    "huge node": ({"nodes_falsenodeids": [HUGE, 1, 3, 5]}, "nodes of nodes_falsenodeids"),
    "root": ({"tree_roots": [0, 4]}, "tree_roots that are not within 0 to 3"),
    "negative root": ({"tree_roots": [0, -1]}, "tree_roots that are not within 0 to 3"),
    "root twice": ({"tree_roots": [0, 0, 3]}, "a node that two ways lead to"),
    "root below": ({"tree_roots": [0, 1, 3]}, "a node that two ways lead to"),
    "no root": ({"tree_roots": []}, "nodes that no root leads to"),
    "root left out": ({"tree_roots": [0]}, "nodes that no root leads to"),
    "itself": ({"nodes_truenodeids": [0, 0, 2, 4]}, "a node that two ways lead to"),
    "ways that meet": ({"nodes_truenodeids": [2, 0, 2, 4]}, "a node that two ways lead to"),
    "set": ({"membership_values": [1.0, NAN, NAN]}, "a set without a member"),
    "empty set": ({"membership_values": [NAN]}, "a set without a member"),
    "no set": ({"membership_values": None}, "0 sets of members for 1 nodes"),
    "two sets": ({"membership_values": [1.0, NAN, 2.0]}, "2 sets of members for 1 nodes"),
    "half a member": ({"membership_values": [1.5]}, "a member that is no whole number"),
    "negative member": ({"membership_values": [-1.0]}, "a member that is no whole number"),
    "infinite member": ({"membership_values": [INF]}, "membership_values that is no finite"),
    "aggregate": ({"aggregate_function": 4}, "aggregate_function of 4"),
    "transform": ({"post_transform": 5}, "post_transform of 5"),
    "kind": ({"nodes_modes": typed([0, 3, 6, 1], TensorProto.INT64)}, "modes of another type"),
    "halves": ({"leaf_weights": typed([0.5] * 6, TensorProto.FLOAT16)}, "weights of another type"),
    "attribute": ({"nodes_splits": 0.5}, "nodes_splits of another type"),
    "unknown": ({"base_values": [1.0]}, "an attribute 'base_values', not admitted here"),
    "one leaf": (
        {
            "tree_roots": [0, 3],
            "nodes_truenodeids": [1, 0, 2, 4],
            "nodes_falsenodeids": [2, 1, 3, 4],
        },
        "one leaf that has not its root's place",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_s20_an_ensemble_that_does_not_fit_together_is_refused(name: str) -> None:
    changes, reason = BAD[name]
    assert reason in refusal(ensemble(**changes))


def test_a_tree_of_one_leaf_is_admitted_where_it_has_its_roots_place() -> None:
    one = {
        **{"n_targets": 1, "tree_roots": [0], "nodes_featureids": [0], "nodes_modes": [0]},
        **{"nodes_splits": [0.0], "nodes_trueleafs": [1], "nodes_falseleafs": [1]},
        **{"nodes_truenodeids": [0], "nodes_falsenodeids": [0]},
        **{"leaf_targetids": [0], "leaf_weights": [2.5]},
    }
    data = ensemble(of=one)
    check_graph(data, {})
    assert run(data).ravel().tolist() == [2.5] * len(ROWS)


def _opened(graph: bytes) -> int:
    """How a process ends that lets ONNX Runtime open a graph, with 4 GB and 20 seconds to do it."""
    code = "import sys, onnxruntime; onnxruntime.InferenceSession(sys.stdin.buffer.read())"

    def bounded() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30,) * 2)
        resource.setrlimit(resource.RLIMIT_CPU, (20,) * 2)

    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, input=graph, check=False, capture_output=True, preexec_fn=bounded
    )
    return done.returncode


def test_s20_what_would_kill_the_process_is_refused_in_time() -> None:
    # Given 100,000 levels, of which ONNX Runtime overflows its stack
    data = ensemble(of=row_of_branches(100_000))
    assert _opened(data) < 0  # else the limit may be raised
    # Then they are refused before that
    started = time.process_time()
    assert "levels" in refusal(data)
    assert time.process_time() - started < 10
    # And what it refuses itself is, too
    for reason, bad in {
        "two ways": ensemble(of=row_of_branches(5, ring=True)),
        "without a member": ensemble(membership_values=[NAN]),
    }.items():
        assert reason in refusal(bad)
        assert _opened(bad) == 1


def test_s20_levels_are_counted_with_the_members_of_their_sets() -> None:
    deep = row_of_branches(999)
    check_graph(ensemble(of=deep), {})
    assert "more than 1000 levels" in refusal(ensemble(of=row_of_branches(1_000)))
    members = [each for _ in range(40) for each in (*map(float, range(30)), NAN)]
    asking = row_of_branches(40) | {"nodes_modes": [MEMBER] * 40, "membership_values": members}
    assert "more than 1000 levels" in refusal(ensemble(of=asking))


def test_s20_fuzzed_lists_are_refused_or_answer_as_they_say() -> None:
    rng = random.Random(7)
    whole = parts()
    lists = [name for name, each in whole.items() if isinstance(each, list)]
    admitted = 0
    for _ in range(examples(500, full=5_000)):
        count("inputs")
        changed: dict[str, Any] = {name: list(whole[name]) for name in rng.sample(lists, 2)}
        for name, values in changed.items():
            at = rng.randrange(len(values))
            values[at] = rng.choice([values[at - 1], values[at]])
            if name not in TENSORS:
                values[at] = max(0, values[at] + rng.choice([-1, 1, 2]))
            if rng.random() < 0.2:
                rng.shuffle(values)
        data = ensemble(**changed)
        try:
            check_graph(data, {})
        except BundleError:
            continue
        admitted += 1
        wanted = answers(parts(**changed), ROWS.tolist())
        assert np.abs(run(data) - np.array(wanted)).max() < 1e-6, changed
    assert admitted > 20
