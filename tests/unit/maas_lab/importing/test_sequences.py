"""Sequences and maps: what ONNX Runtime makes of the original is what JSON says of the bundle."""

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from support.foreign_graphs import FLOATS, graph_of, node, saved, zip_map

from maas.errors import RefusedError
from maas.http.protocols.tfs import Asked, answer_of
from maas.loading import load_version
from maas_lab.importing.imported import Imported
from maas_lab.importing.importer import import_model
from maas_lab.importing.wishes import Wishes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

X = np.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]], dtype=np.float32)
FIRST, LAST = np.array(0), np.array(-1)
IN_TWO = [node("Neg", ["x"], ["n"]), node("Abs", ["x"], ["a"])]
MADE = [*IN_TWO, node("SequenceConstruct", ["n", "a", "x"], ["s"])]


def answering(
    nodes: "Sequence[onnx.NodeProto]",
    *,
    sequence: bool = True,
    **options: Any,  # noqa: ANN401
) -> onnx.ModelProto:
    """A graph from `x` to `y`, which is a sequence of tensors."""
    model = graph_of(nodes, {"x": FLOATS}, {"y": (TensorProto.FLOAT, None)}, **options)
    if sequence:
        value = model.graph.output[0]
        value.type.Clear()
        value.type.sequence_type.elem_type.tensor_type.elem_type = TensorProto.FLOAT
    return model


def imported(folder: "Path", model: onnx.ModelProto, **wishes: Any) -> Imported:  # noqa: ANN401
    return import_model(saved(folder, model), folder / "bundles", Wishes(**wishes))


def asked(done: Imported, rows: int | None = None) -> Any:  # noqa: ANN401
    """What the bundle answers about `X`, as TensorFlow Serving's JSON has it."""
    task = load_version(done.made.bundle, threads=1).task
    outputs = task.tensors.infer({"x": X}, deadline=time.monotonic() + 10).outputs
    return answer_of(Asked({}, rows), outputs, done.made.bundle.manifest.composites)


def original(model: onnx.ModelProto) -> Any:  # noqa: ANN401
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (answer,) = session.run(None, {"x": X})
    return [each.tolist() for each in answer]


LISTS = {
    "constructed": answering([*IN_TWO, node("SequenceConstruct", ["n", "a"], ["y"])]),
    "the same twice": answering([node("SequenceConstruct", ["x", "x"], ["y"])]),
    "inserted": answering(
        [
            *IN_TWO,
            node("SequenceEmpty", [], ["s0"]),
            node("SequenceInsert", ["s0", "n"], ["s1"]),
            node("SequenceInsert", ["s1", "a", "first"], ["s2"]),
            node("SequenceInsert", ["s2", "x", "last"], ["y"]),
        ],
        first=FIRST,
        last=LAST,
    ),
    "erased": answering([*MADE, node("SequenceErase", ["s", "first"], ["y"])], first=FIRST),
    "erased at the end": answering([*MADE, node("SequenceErase", ["s"], ["y"])]),
    "passed on": answering([*MADE, node("Identity", ["s"], ["y"])]),
    "of sizes": answering(
        [node("SplitToSequence", ["x", "sizes"], ["y"], axis=1)], sizes=np.array([2, 1])
    ),
    "of sizes, older": answering(
        [node("SplitToSequence", ["x", "sizes"], ["y"], axis=1)], sizes=np.array([2, 1]), opset=12
    ),
    "of one size": answering(
        [node("SplitToSequence", ["x", "size"], ["y"], axis=-1)], size=np.array(2)
    ),
    "of a constant size": answering(
        [
            node("Constant", [], ["size"], value_int=1),
            node("SplitToSequence", ["x", "size"], ["y"], axis=1),
        ]
    ),
}
SLICES = {
    "rows": answering([node("SplitToSequence", ["x"], ["y"], keepdims=0)]),
    "rows that are kept": answering([node("SplitToSequence", ["x"], ["y"])]),
    "columns": answering([node("SplitToSequence", ["x"], ["y"], axis=1, keepdims=0)]),
    "columns that are kept": answering([node("SplitToSequence", ["x"], ["y"], axis=-1)]),
    "older columns": answering([node("SplitToSequence", ["x"], ["y"], axis=1)], opset=11),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_sequence_is_a_list_of_its_tensors(tmp_path: "Path", name: str) -> None:
    done = imported(tmp_path, LISTS[name])
    (composite,) = done.made.bundle.manifest.composites
    assert composite.name == "y"
    # In every protocol each is an output of its own
    outputs = [spec.name for spec in done.made.bundle.manifest.outputs]
    assert outputs == list(composite.tensors) == [f"y_{at}" for at in range(len(outputs))]
    assert asked(done) == original(LISTS[name])


@pytest.mark.parametrize("name", SLICES)
def test_slices_of_a_tensor_are_that_tensor(tmp_path: "Path", name: str) -> None:
    done = imported(tmp_path, SLICES[name])
    assert done.made.bundle.manifest.composites == ()
    assert [spec.name for spec in done.made.bundle.manifest.outputs] == ["y"]
    assert asked(done) == original(SLICES[name])


@pytest.mark.parametrize(
    "nodes",
    [
        [*MADE, node("SequenceAt", ["s", "last"], ["y"])],
        [*MADE, node("ConcatFromSequence", ["s"], ["y"], axis=1)],
        [*MADE, node("ConcatFromSequence", ["s"], ["y"], axis=-1, new_axis=1)],
        [
            *MADE,
            node("SequenceLength", ["s"], ["length"]),
            node("Cast", ["length"], ["times"], to=TensorProto.FLOAT),
            node("Mul", ["x", "times"], ["y"]),
        ],
        [
            node("SplitToSequence", ["x"], ["s"], axis=1, keepdims=0),
            node("SequenceAt", ["s", "last"], ["y"]),
        ],
    ],
    ids=["taken", "joined", "stacked", "counted", "sliced"],
)
def test_a_sequence_within_the_graph_is_written_by_tensors(
    tmp_path: "Path", nodes: "list[onnx.NodeProto]"
) -> None:
    model = answering(nodes, sequence=False, last=LAST)
    assert asked(imported(tmp_path, model)) == original(model)


def test_a_list_is_answered_by_row_where_each_tensor_is(tmp_path: "Path") -> None:
    done = imported(tmp_path, LISTS["constructed"])
    assert asked(done, rows=2) == [[(-row).tolist(), abs(row).tolist()] for row in X]


@pytest.mark.parametrize(
    "labels",
    [{"classlabels_strings": ["cat", "dog", "ship"]}, {"classlabels_int64s": [3, 5, 7]}],
)
def test_maps_are_objects(tmp_path: "Path", labels: dict[str, Any]) -> None:
    model = zip_map(**labels)
    done = imported(tmp_path, model)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (maps,) = session.run(None, {"x": X})
    wanted = [{str(key): value for key, value in each.items()} for each in maps]
    for rows in (None, 2):
        assert [list(each) for each in asked(done, rows)] == [list(each) for each in wanted]
        for found, each in zip(asked(done, rows), wanted, strict=True):
            assert found == pytest.approx(each, abs=1e-6)


def test_labels_that_are_given_are_the_keys_of_maps(tmp_path: "Path") -> None:
    done = imported(tmp_path, zip_map(classlabels_int64s=[3, 5, 7]), labels=("a", "b", "c"))
    assert done.made.bundle.manifest.composites[0].keys == ("a", "b", "c")


def test_columns_of_one_name_stay_a_row_of_numbers(tmp_path: "Path") -> None:
    done = imported(tmp_path, zip_map(classlabels_strings=["a", "b", "a"]))
    assert done.made.bundle.manifest.composites == ()
    assert [list(map(type, row)) for row in asked(done)] == [[float] * 3] * 2


def _loop() -> onnx.ModelProto:
    """A sequence that grows by a tensor per row."""
    body = helper.make_graph(
        [
            node("SequenceInsert", ["before", "x"], ["after"]),
            node("Identity", ["go"], ["on"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_sequence_value_info("before", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_sequence_value_info("after", TensorProto.FLOAT, None),
        ],
    )
    return answering(
        [
            node("Shape", ["x"], ["shape"]),
            node("Gather", ["shape", "first"], ["rows"]),
            node("SequenceEmpty", [], ["none"]),
            node("Loop", ["rows", "", "none"], ["y"], body=body),
        ],
        first=FIRST,
    )


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (_loop(), "how many tensors it has is not fixed"),
        (answering([node("SequenceEmpty", [], ["y"])]), "how many tensors it has is not fixed"),
        (
            answering([node("SplitToSequence", ["x", "size"], ["y"])], size=np.array(2)),
            "how many tensors it has is not fixed",
        ),
        (
            answering([node("SplitToSequence", ["x", "size"], ["y"])], size=np.array(0)),
            "how many tensors it has is not fixed",
        ),
        (
            answering([*MADE, node("SequenceErase", ["s", "at"], ["y"])], at=np.array(9)),
            "how many tensors it has is not fixed",
        ),
        (
            answering([node("SequenceConstruct", ["x"] * 257, ["y"])]),
            "a sequence of 257 tensors, 256 are read",
        ),
    ],
    ids=["loop", "empty", "any size", "size of nothing", "beyond", "many"],
)
def test_what_has_no_fixed_length_is_refused_with_a_remedy(
    tmp_path: "Path", model: onnx.ModelProto, reason: str
) -> None:
    with pytest.raises(RefusedError) as refusal:
        imported(tmp_path, model)
    assert reason in str(refusal.value)
    assert "Export the model so that it answers tensors" in str(refusal.value)


@pytest.mark.parametrize("kind", ["map_type", "sequence_type", "optional_type"])
def test_an_input_that_is_no_tensor_is_refused_with_a_remedy(tmp_path: "Path", kind: str) -> None:
    # Given a graph that reads a map of words and counts, or another thing than a tensor
    model = graph_of(
        [node("DictVectorizer", ["x"], ["y"], domain="ai.onnx.ml", string_vocabulary=["a"])],
        {"x": FLOATS},
        {"y": FLOATS},
    )
    value = model.graph.input[0]
    value.type.Clear()
    getattr(value.type, kind).SetInParent()
    with pytest.raises(RefusedError, match=r"no tensor\. Export what comes"):
        imported(tmp_path, model)


def test_a_sequence_that_is_read_and_not_followed_is_refused(tmp_path: "Path") -> None:
    nodes = [
        node("SplitToSequence", ["x", "size"], ["s"]),
        node("SequenceAt", ["s", "first"], ["y"]),
    ]
    model = answering(nodes, sequence=False, size=np.array(2), first=FIRST)
    with pytest.raises(RefusedError, match="no operator that is admitted"):
        imported(tmp_path, model)
