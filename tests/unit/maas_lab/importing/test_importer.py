"""From a foreign graph to a bundle: what was recorded holds in every form, and anywhere."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from support.foreign_graphs import FLOATS, graph_of, node, relu, saved, zip_map, zoo
from support.tiny_tensor import (
    CLASSES,
    INPUTS,
    OUTPUTS,
    tensor_answers,
    tensor_weights,
)

from maas.bundle.golden import GOLDEN, read_golden
from maas.bundle.verify import verify_bundle
from maas.errors import FieldError, MaasError, RefusedError
from maas.loading import load_version, optimised_form
from maas.tasks.tensor import as_array
from maas_lab.importing.importer import import_model
from maas_lab.importing.wishes import Wishes, read_labels

if TYPE_CHECKING:
    from maas_lab.importing.imported import Imported

HALF, WHOLE, TEXT = TensorProto.FLOAT16, TensorProto.INT64, TensorProto.STRING


def imported(folder: "Path", model: onnx.ModelProto, **wishes: Any) -> "Imported":  # noqa: ANN401
    return import_model(saved(folder, model), folder / "bundles", Wishes(**wishes))


def test_tensors_of_every_kind_are_told_recorded_and_served(tmp_path: "Path") -> None:
    # When a graph of all kinds of tensors is imported
    done = imported(tmp_path, zoo(), labels=("low", "mid", "high"))
    bundle, manifest = done.made.bundle, done.made.bundle.manifest

    # Then its signature is what it is
    assert (manifest.name, manifest.task, manifest.labels[0]) == ("foreign", "tensor", "low")
    assert (manifest.inputs, manifest.outputs) == (INPUTS, OUTPUTS)
    assert done.fitted.states == (("state", "stateN"),)
    assert manifest.lineage["producer"] == "elsewhere 1.0"
    assert manifest.lineage["source"] == done.foreign.digest

    # Its golden requests are of several sizes, and hold what numpy says
    goldens = read_golden(bundle)
    assert len({golden.tensors[0].shape for golden in goldens}) == 3
    for golden in goldens:
        feeds = {each.name: as_array(each) for each in golden.tensors}
        wanted = tensor_answers(tensor_weights(0), feeds)
        scores = next(as_array(each) for each in golden.answers if each.name == "scores")
        assert np.allclose(scores, wanted["scores"], atol=1e-6)

    # And every form loads as serving loads it
    assert {form.name for form in manifest.forms} == {"portable", optimised_form()}
    for form in manifest.forms:
        loaded = load_version(verify_bundle(bundle.folder), form=form.name, threads=1)
        assert loaded.replay.requests == 3


def test_the_same_file_makes_the_same_bundle_anywhere(tmp_path: "Path") -> None:
    first, again = imported(tmp_path, zoo()), imported(tmp_path, zoo())
    other = imported(tmp_path / "elsewhere", zoo())
    assert (first.made.created, again.made.created) == (True, False)
    assert first.made.bundle.digest == again.made.bundle.digest == other.made.bundle.digest
    assert imported(tmp_path, zoo(1)).made.bundle.digest != first.made.bundle.digest


def test_what_lies_beside_the_bundle_says_what_it_is(tmp_path: "Path") -> None:
    done = imported(tmp_path, zoo())
    record = json.loads((done.made.card / "import.json").read_bytes())
    assert record["states"] == {"state": "stateN"}
    assert record["digest"] == done.made.bundle.digest
    card = (done.made.card / "card.md").read_text()
    assert "made by elsewhere 1.0" in card
    assert "rows float32[batch, 4]" in card
    for text in (card, json.dumps(record)):
        assert str(tmp_path) not in text


@pytest.mark.parametrize(
    ("model", "inputs", "outputs"),
    [
        # a shape that nobody declared is told from the answers
        (relu(), ["batch", 3], ["batch", 3]),
        (
            graph_of([node("NonZero", ["x"], ["y"])], {"x": FLOATS}, {"y": (WHOLE, None)}),
            ["batch", 3],
            [2, "y_1"],
        ),
        # and one that is declared wrongly is corrected
        (
            graph_of(
                [node("Relu", ["x"], ["y"])], {"x": FLOATS}, {"y": (TensorProto.FLOAT, [7, 3])}
            ),
            ["batch", 3],
            ["batch", 3],
        ),
        # by what follows from the graph, where it says something else
        (
            graph_of(
                [node("MatMul", ["x", "w"], ["y"])],
                {"x": FLOATS},
                {"y": (TensorProto.FLOAT, ["batch", 4])},
                w=np.ones((3, 1), dtype=np.float32),
            ),
            ["batch", 3],
            ["batch", 1],
        ),
        # scalars
        (
            graph_of([node("Neg", ["x"], ["y"])], {"x": (WHOLE, [])}, {"y": (WHOLE, [])}),
            [],
            [],
        ),
        # and texts
        (
            graph_of([node("Identity", ["x"], ["y"])], {"x": (TEXT, ["n"])}, {"y": (TEXT, None)}),
            ["n"],
            ["n"],
        ),
    ],
)
def test_shapes_are_what_the_graph_does(
    tmp_path: "Path", model: onnx.ModelProto, inputs: list[Any], outputs: list[Any]
) -> None:
    manifest = imported(tmp_path, model).made.bundle.manifest
    found = [list(specs[0].shape) for specs in (manifest.inputs, manifest.outputs)]
    # a name of its own stands for any that the graph made up
    assert found[0] == inputs
    assert [size if isinstance(size, int) else "free" for size in found[1]] == [
        size if isinstance(size, int) else "free" for size in outputs
    ]


def test_ids_stay_within_the_table_that_they_pick_from(tmp_path: "Path") -> None:
    model = graph_of(
        [node("Gather", ["table", "ids"], ["y"])],
        {"ids": (WHOLE, ["n", "length"])},
        {"y": (TensorProto.FLOAT, ["n", "length", 2])},
        table=np.arange(10, dtype=np.float32).reshape(5, 2),
    )
    goldens = read_golden(imported(tmp_path, model).made.bundle)
    ids = np.concatenate([as_array(golden.tensors[0]).ravel() for golden in goldens])
    assert 0 <= int(ids.min()) < int(ids.max()) < 5


def test_a_converted_classifier_has_the_labels_of_its_map(tmp_path: "Path") -> None:
    done = imported(tmp_path, zip_map(classlabels_strings=["cat", "dog", "ship"]))
    assert done.made.bundle.manifest.labels == ("cat", "dog", "ship")
    assert any("ZipMap" in note for note in done.fitted.notes)


def test_a_graph_that_rounds_has_requests_of_its_own(tmp_path: "Path") -> None:
    model = graph_of(
        [
            node("DynamicQuantizeLinear", ["x"], ["q", "scale", "zero"]),
            node("DequantizeLinear", ["q", "scale", "zero"], ["y"]),
        ],
        {"x": FLOATS},
        {"y": FLOATS},
    )
    manifest = imported(tmp_path, model).made.bundle.manifest
    for form in manifest.forms:
        assert f"{form.name}/{GOLDEN}" in [entry.path for entry in form.files]


def _request(path: "Path", *inputs: Any) -> "Path":  # noqa: ANN401
    keys = ("name", "shape", "datatype", "data")
    path.write_text(json.dumps({"inputs": [dict(zip(keys, each, strict=True)) for each in inputs]}))
    return path


def picky() -> onnx.ModelProto:
    """A graph that takes rows of 7, and nothing else, though it does not say so."""
    return graph_of(
        [node("MatMul", ["x", "w"], ["y"])],
        {"x": (TensorProto.FLOAT, ["n", "width"])},
        {"y": (TensorProto.FLOAT, ["n", 2])},
        w=np.ones((7, 2), dtype=np.float32),
    )


def test_a_graph_that_takes_nothing_invented_needs_an_example(tmp_path: "Path") -> None:
    with pytest.raises(RefusedError, match=r"--example request\.json"):
        imported(tmp_path, picky())

    # Given one, that is what is recorded
    example = _request(tmp_path / "e.json", ("x", [1, 7], "FP32", [1, 2, 3, 4, 5, 6, 7]))
    (golden,) = read_golden(imported(tmp_path, picky(), examples=(example,)).made.bundle)
    assert as_array(golden.answers[0]).tolist() == [[28.0, 28.0]]


@pytest.mark.parametrize(
    ("example", "reason"),
    [
        (("x", [1, 6], "FP32", [1.0] * 6), "e.json: the graph fails on it"),
        (("x", [7], "FP32", [1.0] * 7), "e.json: x: must have the shape"),
        (("z", [1, 7], "FP32", [1.0] * 7), "e.json: inputs: the graph reads no z; it reads x"),
        (("x", [1, 7], "INT64", [1] * 7), "e.json: x: must be float32"),
        (("x", [1, 7], "FP99", [1] * 7), "e.json: inputs[0].datatype: must be one of"),
        (("x", [1, 300_001], "FP32", [1] * 300_001), "Leave it out, and requests are invented"),
    ],
)
def test_an_example_that_does_not_fit_is_refused(
    tmp_path: "Path", example: tuple[Any, ...], reason: str
) -> None:
    path = _request(tmp_path / "e.json", example)
    with pytest.raises(MaasError) as refusal:
        imported(tmp_path, picky(), examples=(path,))
    assert reason in refusal.value.described()
    assert not list((tmp_path / "bundles").glob("*/*/manifest.json"))


def test_an_example_that_is_not_there_is_named_once(tmp_path: "Path") -> None:
    absent = tmp_path / "nope.json"
    with pytest.raises(FieldError) as refusal:
        imported(tmp_path, picky(), examples=(absent,))
    told = f"example: {absent} cannot be read: No such file or directory"
    assert refusal.value.described() == told


def test_inputs_that_are_larger_than_a_request_are_refused_with_what_works(
    tmp_path: "Path",
) -> None:
    # Given a graph of pictures of which none could be kept with its answer
    def pictures(kind: int) -> onnx.ModelProto:
        nodes = [
            node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
            node("ReduceMean", ["f"], ["y"], axes=[2, 3], keepdims=0),
        ]
        wide = (kind, ["n", 3, 640, 640])
        return graph_of(nodes, {"x": wide}, {"y": (TensorProto.FLOAT, ["n", 3])})

    # Then how large they are is said; an example is not asked for, nor does one help
    example = _request(tmp_path / "e.json", ("x", [1], "FP32", [1]))
    for examples in ((), (example,)):
        with pytest.raises(RefusedError, match="reads at least 4,915,200 bytes a request") as told:
            imported(tmp_path, pictures(TensorProto.FLOAT), examples=examples)
        assert "--example" not in str(told.value)
    # And what is said to work does
    assert imported(tmp_path, pictures(TensorProto.UINT8)).made.created


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (
            graph_of([node("Mine", ["x"], ["y"], domain="me")], {"x": FLOATS}, {"y": FLOATS}),
            "no operator that is admitted",
        ),
        (
            graph_of([node("RandomNormalLike", ["x"], ["y"])], {"x": FLOATS}, {"y": FLOATS}),
            "no operator that is admitted",
        ),
        (
            graph_of([node("Relu", ["x"], ["y"])], {"x": (16, [1])}, {"y": (16, [1])}),
            "of bfloat16, which cannot be sent",
        ),
        (
            graph_of([node("Relu", ["x"], ["y"])], {"x": (1, None)}, {"y": (1, None)}),
            "says nothing of its shape",
        ),
        (
            graph_of(
                [node("Add", ["x", "none"], ["y"])],
                {"x": FLOATS},
                {"y": FLOATS},
                none=np.array(np.nan, dtype=np.float32),
            ),
            "answers no finite number",
        ),
    ],
)
def test_what_cannot_be_served_leaves_nothing(
    tmp_path: "Path", model: onnx.ModelProto, reason: str
) -> None:
    with pytest.raises(RefusedError) as refusal:
        imported(tmp_path, model)
    assert reason in str(refusal.value)
    assert not list((tmp_path / "bundles").glob("*/*/manifest.json"))


def test_an_operator_that_is_not_admitted_is_named_with_what_to_do(tmp_path: "Path") -> None:
    model = graph_of([node("Frobnicate", ["x"], ["y"])], {"x": FLOATS}, {"y": FLOATS})
    model.graph.node[0].ClearField("name")
    with pytest.raises(RefusedError) as refusal:
        imported(tmp_path, model)
    told = str(refusal.value)
    assert refusal.value.field == "model"
    assert told.startswith(
        "is refused: node 'Frobnicate' of 'ai.onnx' is no operator that is admit"
    )
    assert "Export the model without it" in told
    assert "0011-graph-policy.md" in told


@pytest.mark.parametrize(
    ("wishes", "field"),
    [
        ({"task": "chess"}, "task"),
        ({"name": "Two Words"}, "name"),
        ({"labels": ("a", "b")}, "labels"),
        ({"labels": ("same",) * CLASSES}, "labels"),
        ({"size": (8, 8)}, "size"),
        ({"mean": (0.5,)}, "mean"),
        ({"std": (0.5,)}, "std"),
        ({"rate": 8_000}, "rate"),
        ({"seconds": 0.0}, "seconds"),
        ({"normalise": True}, "normalise"),
        ({"columns": ("a",)}, "columns"),
        ({"tokenizer": Path("tokenizer.json")}, "tokenizer"),
        ({"max_tokens": 8}, "max-tokens"),
        ({"task": "image-classification", "examples": (Path("e.json"),)}, "example"),
        ({"task": "feature-extraction", "labels": ("a", "b")}, "labels"),
    ],
)
def test_wishes_that_do_not_fit_name_their_field(
    tmp_path: "Path", wishes: dict[str, Any], field: str | None
) -> None:
    with pytest.raises(MaasError) as refusal:
        imported(tmp_path, relu(), **wishes)
    assert refusal.value.field == field


def test_an_option_of_another_task_says_which_task_takes_it(tmp_path: "Path") -> None:
    with pytest.raises(FieldError) as refusal:
        imported(tmp_path, relu(), size=(224, 224))
    assert refusal.value.described() == (
        "size: is for a task that reads pictures: --task image-classification; this one is tensor"
    )


@pytest.mark.parametrize(
    ("folder", "name", "found"),
    [
        ("x", "Silero_VAD", "silerovad"),
        ("magika-v3", "model", "magikav3"),
        ("x", "9lives", None),
        ("x", "model", None),
    ],
)
def test_a_name_is_told_from_the_file(
    tmp_path: "Path", folder: str, name: str, found: str | None
) -> None:
    path = saved(tmp_path / folder, relu(), name)
    if found is None:
        with pytest.raises(FieldError, match="give one"):
            import_model(path, tmp_path / "bundles", Wishes())
        return
    made = import_model(path, tmp_path / "bundles", Wishes()).made
    assert made.bundle.manifest.name == found


def test_labels_are_a_file_or_a_list(tmp_path: "Path") -> None:
    file = tmp_path / "labels.txt"
    file.write_text("tabby cat\n\ndog, big\n")
    assert read_labels(str(file)) == ("tabby cat", "dog, big")
    assert read_labels("cat, dog") == ("cat", "dog")
    assert read_labels(None) == ()
    with pytest.raises(FieldError) as refusal:
        read_labels("absent.txt")
    assert refusal.value.field == "labels"
