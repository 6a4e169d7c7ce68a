"""A foreign file: what it says of its maker goes, and a refusal has its remedy."""

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from support.foreign_graphs import FLOATS, graph_of, node, relu, saved, softmax, zip_map, zoo

from maas.bundle.graph_policy import check_graph
from maas.errors import FieldError, MaasError, RefusedError
from maas_lab.importing.reading import read_foreign

if TYPE_CHECKING:
    from pathlib import Path

X = np.array([[1.0, -2.0, 3.0]], dtype=np.float32)


def answer(model: onnx.ModelProto, **feeds: Any) -> Any:  # noqa: ANN401
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, feeds or {"x": X})[0]


def test_what_names_a_machine_or_has_no_effect_goes(tmp_path: "Path") -> None:
    foreign = read_foreign(saved(tmp_path, zoo()))
    data = foreign.model.SerializeToString()
    check_graph(data, {})
    assert b"/home/me" not in data
    assert foreign.producer == "elsewhere 1.0"
    assert (foreign.labels, foreign.notes) == ((), ())


def test_the_digest_is_that_of_all_files(tmp_path: "Path") -> None:
    model = graph_of(
        [node("MatMul", ["x", "w"], ["y"])],
        {"x": FLOATS},
        {"y": FLOATS},
        w=np.eye(3, dtype=np.float32),
    )
    alone = read_foreign(saved(tmp_path, model)).digest
    assert read_foreign(saved(tmp_path / "other", model)).digest == alone
    path = tmp_path / "beside" / "m.onnx"
    path.parent.mkdir()
    onnx.save(model, path, save_as_external_data=True, location="w.bin", size_threshold=0)
    beside = read_foreign(path)
    assert np.array_equal(answer(beside.model), X)
    (path.parent / "w.bin").write_bytes(np.full((3, 3), 2, np.float32).tobytes())
    assert read_foreign(path).digest != beside.digest


@pytest.mark.parametrize("ir_version", [3, 8])
def test_weights_among_the_inputs_keep_their_values(tmp_path: "Path", ir_version: int) -> None:
    model = graph_of(
        [node("Add", ["x", "w"], ["y"])],
        {"x": FLOATS, "w": (TensorProto.FLOAT, [3])},
        {"y": FLOATS},
        ir_version=ir_version,
        w=np.ones(3, dtype=np.float32),
    )
    foreign = read_foreign(saved(tmp_path, model))
    assert [value.name for value in foreign.model.graph.input] == ["x"]
    assert np.array_equal(answer(foreign.model), X + 1)
    assert bool(foreign.notes) == (ir_version == 8)


def test_sizes_that_stand_for_nothing_get_names_of_their_own(tmp_path: "Path") -> None:
    model = relu()
    dims = model.graph.input[0].type.tensor_type.shape
    del dims.dim[:]
    dims.dim.add().dim_value = -1
    dims.dim.add().dim_param = "?"
    dims.dim.add()
    dims.dim.add().dim_param = "height"
    dims.dim.add().dim_value = 4
    dims.dim.add().dim_value = 0
    foreign = read_foreign(saved(tmp_path, model))
    found = foreign.model.graph.input[0].type.tensor_type.shape.dim
    assert [dim.dim_param or dim.dim_value for dim in found] == [
        "x_0", "x_1", "x_2", "height", 4, "x_5",
    ]  # fmt: skip


def test_functions_of_the_models_own_are_written_out(tmp_path: "Path") -> None:
    model = relu()
    model.graph.node[0].CopyFrom(node("Twice", ["x"], ["y"], domain="mine"))
    model.opset_import.append(helper.make_opsetid("mine", 1))
    function = helper.make_function(
        "mine",
        "Twice",
        ["a"],
        ["b"],
        [node("Add", ["a", "a"], ["b"])],
        [helper.make_opsetid("", 17)],
    )
    model.functions.append(function)
    foreign = read_foreign(saved(tmp_path, model))
    check_graph(foreign.model.SerializeToString(), {})
    assert np.array_equal(answer(foreign.model), X * 2)


def _calling(operator: str, version: int) -> onnx.ModelProto:
    """A graph of version 17 that calls a function of another."""
    model = relu()
    model.graph.node[0].CopyFrom(node("Own", ["x"], ["y"], domain="mine"))
    model.opset_import.append(helper.make_opsetid("mine", 1))
    opsets = [helper.make_opsetid("", version)]
    body = [node(operator, ["a"], ["b"])]
    model.functions.append(helper.make_function("mine", "Own", ["a"], ["b"], body, opsets))
    return model


def test_functions_of_another_version_are_written_out_where_that_is_the_same(
    tmp_path: "Path",
) -> None:
    for version in (14, 17, 20):
        foreign = read_foreign(saved(tmp_path, _calling("Relu", version)))
        assert not foreign.model.functions
        assert np.array_equal(answer(foreign.model), np.maximum(X, 0))
    with pytest.raises(RefusedError, match="convert_version=True"):
        read_foreign(saved(tmp_path, _calling("ReduceMean", 18)))


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ({"classlabels_strings": ["cat", "dog", "ship"]}, ("cat", "dog", "ship")),
        ({"classlabels_int64s": [3, 5, 7]}, ("3", "5", "7")),
    ],
)
def test_maps_of_scores_become_a_tensor_and_labels(
    tmp_path: "Path", labels: dict[str, Any], names: tuple[str, ...]
) -> None:
    # Given a converted classifier, which answers a list of maps
    model = zip_map(**labels)
    (maps,) = answer(model)

    # When its ZipMap is cut
    foreign = read_foreign(saved(tmp_path, model))

    # Then the same numbers come as a row, and the graph is one that can be served
    check_graph(foreign.model.SerializeToString(), {})
    assert foreign.labels == names
    assert answer(foreign.model)[0].tolist() == pytest.approx(list(maps.values()))
    assert "ZipMap" in foreign.notes[0]


def _typed(kind: str) -> onnx.ModelProto:
    model = relu()
    value = model.graph.output[0]
    value.type.Clear()
    inner = getattr(value.type, kind)
    inner.elem_type.tensor_type.elem_type = TensorProto.FLOAT
    return model


@pytest.mark.parametrize(
    ("model", "error", "reason", "remedy"),
    [
        (softmax(opset=10), RefusedError, "version 10 of ONNX's operators", "version_converter"),
        (relu(opset=99), RefusedError, "24 is the newest", "opset_version=24"),
        (relu(ir_version=99), RefusedError, "IR version 99", "older version of onnx"),
        (_typed("sequence_type"), RefusedError, "y is a sequence, no tensor", "torch.stack"),
        (_typed("optional_type"), RefusedError, "y is a optional, no tensor", "zipmap"),
        (graph_of([], {"x": FLOATS}, {"x": FLOATS}), FieldError, "computes nothing", ""),
        (
            graph_of(
                [node("Identity", ["w"], ["y"])], {}, {"y": FLOATS}, w=np.ones((1, 3), np.float32)
            ),
            RefusedError,
            "has no input",
            "",
        ),
    ],
)
def test_what_cannot_be_served_is_refused_with_a_remedy(
    tmp_path: "Path", model: onnx.ModelProto, error: type[MaasError], reason: str, remedy: str
) -> None:
    with pytest.raises(error) as refusal:
        read_foreign(saved(tmp_path, model))
    assert reason in str(refusal.value)
    assert remedy in str(refusal.value)


@pytest.mark.parametrize("content", [b"", b"no model", b"\x80\x02."])
def test_what_is_no_model_is_refused_by_its_field(tmp_path: "Path", content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    for each in (path, tmp_path / "absent.onnx"):
        with pytest.raises(FieldError) as refusal:
            read_foreign(each)
        assert refusal.value.field == "model"
        assert str(refusal.value).startswith(f"{each} ")
