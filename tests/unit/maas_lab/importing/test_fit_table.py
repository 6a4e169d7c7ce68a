"""Classifiers of rows from elsewhere: versions, labels, scores and columns as a table needs."""

from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.ensembles import ensemble, of_forest
from support.foreign_graphs import FLOATS, graph_of, node, relu, saved, softmax
from support.trees import WIDTH, chain, classic

from maas.bundle.golden import read_golden
from maas.errors import FieldError, RefusedError
from maas.loading import load_version
from maas.tasks.tensor import as_array
from maas_lab.importing.class_labels import class_labels
from maas_lab.importing.importer import import_model
from maas_lab.importing.opsets import settle_opsets
from maas_lab.importing.table_values import table_values
from maas_lab.importing.wishes import TABLE, Wishes

if TYPE_CHECKING:
    from pathlib import Path

    from maas_lab.importing.imported import Imported

DOUBLE, FLOAT, TEXT = TensorProto.DOUBLE, TensorProto.FLOAT, TensorProto.STRING
COLUMNS = ("a", "b", "c")


def imported(folder: "Path", model: onnx.ModelProto, **wishes: Any) -> "Imported":  # noqa: ANN401
    wished = {"task": TABLE, "columns": COLUMNS, "labels": ("no", "yes")} | wishes
    return import_model(saved(folder, model), folder / "bundles", Wishes(**wished))


def versions(model: onnx.ModelProto) -> list[tuple[str, int]]:
    settle_opsets(model)
    return [(each.domain, each.version) for each in model.opset_import]


def test_versions_are_said_once_and_as_they_are_read() -> None:
    # A version that means the same as the oldest that is read is that one
    assert versions(relu(opset=9)) == [("", 11)]
    assert versions(softmax(opset=9)) == [("", 9)]
    assert versions(relu(opset=17)) == [("", 17)]
    # Twice is once, and none is one of ours
    model = relu()
    model.opset_import.append(model.opset_import[0])
    assert versions(model) == [("", 17)]
    model = onnx.load_from_string(classic("Scaler"))
    del model.opset_import[0]
    assert versions(model) == [("ai.onnx.ml", 1), ("", 17)]
    # Two that differ stay, and are refused
    model = relu()
    model.opset_import.append(helper.make_opsetid("", 11))
    assert versions(model) == [("", 17), ("", 11)]
    # A graph within a graph counts, too
    branch = helper.make_graph([node("Softmax", ["x"], ["z"])], "branch", [], [])
    model = graph_of(
        [node("If", ["yes"], ["y"], then_branch=branch, else_branch=branch)],
        {"x": FLOATS},
        {"y": FLOATS},
        opset=10,
    )
    assert versions(model) == [("", 10)]
    assert versions(graph_of([node("None", ["x"], ["y"])], {"x": FLOATS}, {}, opset=9)) == [("", 9)]


@pytest.mark.parametrize(
    ("operator", "changes", "labels"),
    [
        ("TreeEnsembleClassifier", {}, ("0", "1")),
        ("LinearClassifier", {}, ("1", "2", "3")),
        (
            "SVMClassifier",
            {"classlabels_ints": None, "classlabels_strings": ["n", "é"]},
            ("n", "é"),
        ),
        ("TreeEnsembleClassifier", {"classlabels_int64s": None}, ()),
        ("TreeEnsembleRegressor", {}, ()),
    ],
)
def test_labels_are_those_of_who_makes_them(
    operator: str, changes: dict[str, Any], labels: tuple[str, ...]
) -> None:
    model = onnx.load_from_string(classic(operator, **changes))
    if len(model.graph.node[0].output) == 2:
        model.graph.node.append(node("Identity", ["label"], ["named"]))
        model.graph.output.append(helper.make_tensor_value_info("named", TensorProto.INT64, ["n"]))
    assert class_labels(model) == labels


def test_one_score_of_doubles_becomes_two_of_floats(tmp_path: "Path") -> None:
    model = graph_of(
        [
            node("Cast", ["x"], ["wide"], to=DOUBLE),
            node("ReduceSum", ["wide", "axis"], ["y"], keepdims=1),
        ],
        {"x": FLOATS},
        {"y": (DOUBLE, ["batch", 1])},
        axis=np.array([1]),
    )
    done = imported(tmp_path, model)
    (spec,) = done.made.bundle.manifest.outputs
    assert (spec.name, spec.dtype, spec.shape[1:]) == ("y", "float32", (2,))
    for golden in read_golden(done.made.bundle):
        sums = as_array(golden.tensors[0]).sum(axis=1)
        scores = as_array(golden.answers[0])
        assert np.allclose(scores, np.stack([-sums, sums], axis=1), atol=1e-5)
    assert "two scores now" in done.fitted.notes[0]


def test_one_score_is_two_though_the_graph_says_that_there_are_two(tmp_path: "Path") -> None:
    # Given a converted RidgeClassifier, whose shape is not what it answers
    model = graph_of(
        [node("ReduceSum", ["x", "axis"], ["y"], keepdims=1)],
        {"x": FLOATS},
        {"y": (FLOAT, ["batch", 2])},
        axis=np.array([1]),
    )
    (spec,) = imported(tmp_path, model).made.bundle.manifest.outputs
    assert spec.shape[1:] == (2,)
    # And what answers no score per label is refused, with the remedy
    whole = graph_of(
        [node("Cast", ["x"], ["y"], to=TensorProto.INT64)],
        {"x": FLOATS},
        {"y": (TensorProto.INT64, ["batch", 3])},
    )
    with pytest.raises(RefusedError, match=r"a score per label.*--task tensor"):
        imported(tmp_path, whole, labels=("a", "b", "c"))


def test_doubles_of_each_label_become_floats(tmp_path: "Path") -> None:
    model = graph_of(
        [node("Cast", ["x"], ["y"], to=DOUBLE)], {"x": FLOATS}, {"y": (DOUBLE, ["batch", 3])}
    )
    manifest = imported(tmp_path, model, labels=("a", "b", "c")).made.bundle.manifest
    assert (manifest.outputs[0].dtype, manifest.outputs[0].shape[1:]) == ("float32", (3,))


def test_labels_may_be_looked_up_in_texts(tmp_path: "Path") -> None:
    model = graph_of(
        [
            node("Softmax", ["x"], ["y"], axis=-1),
            node("ArgMax", ["y"], ["best"], axis=1, keepdims=0),
            node("ArrayFeatureExtractor", ["names", "best"], ["label"], domain="ai.onnx.ml"),
        ],
        {"x": FLOATS},
        {"label": (TEXT, None), "y": FLOATS},
    )
    names = numpy_helper.from_array(np.array(["low", "mid", "high"], dtype=object), "names")
    model.graph.initializer.append(names)
    for wishes in ({}, {"task": "tensor", "columns": ()}):
        done = imported(tmp_path, model, labels=(), **wishes)
        manifest = done.made.bundle.manifest
        assert manifest.labels == ("low", "mid", "high")
        assert [spec.name for spec in manifest.outputs] == ["label", "y"]
        assert done.optimised.kept
        for golden in read_golden(done.made.bundle):
            label, scores = map(as_array, golden.answers)
            best = [manifest.labels[at] for at in scores.argmax(axis=1).tolist()]
            assert [text.decode() for text in label.ravel().tolist()] == best


def test_trees_of_the_newest_version_are_served_as_they_are(tmp_path: "Path") -> None:
    from sklearn.ensemble import RandomForestRegressor

    rows = np.random.default_rng(0).normal(size=(200, WIDTH)).astype(np.float32)
    forest = RandomForestRegressor(3, max_depth=4, random_state=0).fit(rows, rows[:, 0])
    model = onnx.load_from_string(ensemble(of=of_forest(forest)))
    done = imported(tmp_path, model, task="tensor", columns=(), labels=())
    assert not done.optimised.kept
    (spec,) = done.made.bundle.manifest.outputs
    assert (spec.dtype, spec.shape[1:]) == ("float32", (1,))
    task = load_version(done.made.bundle, threads=1).task
    answer = task.tensors.infer({"x": rows}, deadline=monotonic() + 10).outputs["y"]
    assert np.abs(answer.ravel() - forest.predict(rows)).max() < 1e-5


def test_scores_that_are_not_those_of_the_label_are_counted(tmp_path: "Path") -> None:
    model = graph_of(
        [node("ArgMin", ["x"], ["at"], axis=1, keepdims=0), node("Relu", ["x"], ["y"])],
        {"x": FLOATS},
        {"label": (TensorProto.INT64, ["batch"]), "y": FLOATS},
        names=np.array([7, 8, 9]),
    )
    model.graph.node.extend(
        [
            node("ArrayFeatureExtractor", ["names", "at"], ["row"], domain="ai.onnx.ml"),
            node("Reshape", ["row", "flat"], ["label"]),
        ]
    )
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 1))
    model.graph.initializer.append(numpy_helper.from_array(np.array([-1]), "flat"))
    done = imported(tmp_path, model, labels=())
    assert done.made.bundle.manifest.labels == ("7", "8", "9")
    assert "another label than the best score's" in done.fitted.notes[-1]


def test_columns_are_the_inputs_where_each_is_one(tmp_path: "Path") -> None:
    model = graph_of(
        [node("Concat", ["age", "fare"], ["y"], axis=1)],
        {"age": (FLOAT, ["n", 1]), "fare": (FLOAT, ["n", 1])},
        {"y": (FLOAT, ["n", 2])},
    )
    assert imported(tmp_path, model, columns=()).made.bundle.manifest.columns == ("age", "fare")
    # And must be given where they are not
    with pytest.raises(FieldError, match="is needed; give --columns a,b,c: 3 of them") as refusal:
        imported(tmp_path, relu(), columns=(), labels=("a", "b", "c"))
    assert refusal.value.field == "columns"


@pytest.mark.parametrize(
    ("wishes", "field", "said"),
    [
        ({"labels": ()}, "labels", "are needed, as the graph names none; give --labels a,b,c"),
        ({"labels": ("a", "b")}, "labels", "are 2; the outputs end in 3"),
        ({"columns": ("a", "b")}, "columns", "are 2, and the graph reads 3"),
        ({"columns": ("a", "b", "b")}, "columns", "must be 1 to 1000, each named once"),
    ],
)
def test_options_that_do_not_fit_are_told_by_their_names(
    tmp_path: "Path", wishes: dict[str, Any], field: str, said: str
) -> None:
    with pytest.raises(FieldError) as refusal:
        imported(tmp_path, relu(), **{"labels": ("a", "b", "c"), **wishes})
    assert (refusal.value.field, str(refusal.value)[: len(said)]) == (field, said)


def test_rows_are_drawn_from_what_trees_and_encoders_tell_apart() -> None:
    tree = table_values(onnx.load_from_string(classic("TreeEnsembleRegressor")))
    around = [float(each) for each in tree["x"][3]]
    assert min(around) < 0.5 < max(around)
    assert set(tree["x"]) == {3}
    # Behind what picks and joins columns, and no further than what changes them
    model = graph_of(
        [
            node("ArrayFeatureExtractor", ["x", "last"], ["one"], domain="ai.onnx.ml"),
            node("Cast", ["one"], ["whole"], to=TensorProto.INT64),
            node("OneHotEncoder", ["whole"], ["y"], domain="ai.onnx.ml", cats_int64s=[4, 9]),
            node("Gather", ["x", "last"], ["again"], axis=1),
            node("Concat", ["again", "x"], ["joined"], axis=1),
            node("Neg", ["joined"], ["changed"]),
            node("OneHotEncoder", ["changed"], ["z"], domain="ai.onnx.ml", cats_int64s=[1]),
            node("OneHotEncoder", ["joined"], ["w"], domain="ai.onnx.ml", cats_int64s=[5]),
        ],
        {"x": FLOATS},
        {"y": FLOATS},
        last=np.array([2]),
    )
    assert table_values(model) == {"x": {2: (4.0, 9.0, 5.0)}}
    # Categories of texts, behind what fills in for missing ones
    model = graph_of(
        [
            node("LabelEncoder", ["x"], ["gap"], domain="ai.onnx.ml", keys_strings=[""]),
            node("Cast", ["gap"], ["is_gap"], to=TensorProto.BOOL),
            node("Where", ["is_gap", "filled", "x"], ["whole"]),
            node("Reshape", ["whole", "shape"], ["column"]),
            node("OneHotEncoder", ["column"], ["y"], domain="ai.onnx.ml", cats_strings=["a", "b"]),
            node("Reshape", ["x", "flat"], ["other"]),
            node("OneHotEncoder", ["other"], ["z"], domain="ai.onnx.ml", cats_strings=["c"]),
        ],
        {"x": (TEXT, ["n", 1])},
        {"y": FLOATS},
        shape=np.array([-1, 1]),
        flat=np.array([1, 2]),
    )
    assert table_values(model) == {"x": {0: ("", "a", "b")}}
    # Trees of the newest version, and what their sets have
    tree = table_values(onnx.load_from_string(ensemble()))
    assert set(tree["x"][1]) >= {2.0, 3.0, 40.0}
    assert set(tree["x"]) == {0, 1, 2, 3}
    bad = ensemble(nodes_splits=[0.5], nodes_modes=[0])
    assert table_values(onnx.load_from_string(bad)) == {}
    # A tree that will be refused offers nothing
    short = classic("TreeEnsembleRegressor", nodes_values=[0.5])
    assert table_values(onnx.load_from_string(short)) == {}
    assert len(table_values(onnx.load_from_string(chain(300)))["x"][0]) <= 64
