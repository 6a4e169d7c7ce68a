"""LSTM and GRU without a row: an error that is caught; with rows they answer as they did."""

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto
from support.foreign_graphs import graph_of, node, saved, zoo

from maas.bundle.graph_policy import check_graph
from maas_lab.importing.reading import read_foreign
from maas_lab.importing.recurrence import guard_recurrences

if TYPE_CHECKING:
    from pathlib import Path

FLOATS = (TensorProto.FLOAT, ["sequence", "batch", 3])
LAST = (TensorProto.FLOAT, ["ways", "batch", 2])
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
QUANTISED = "DynamicQuantizeLSTM"
ENDINGS = [
    *(("LSTM", shape) for shape in ((2, 0, 3), (0, 0, 3))),
    *((QUANTISED, shape) for shape in ((2, 0, 3), (0, 0, 3))),
    *(("GRU", shape) for shape in ((2, 0, 3), (0, 0, 3), (0, 1, 3))),
]


def drawn(*shape: int) -> Any:  # noqa: ANN401 - an array
    return np.random.default_rng(7).normal(size=shape).astype(np.float32)


def reading(operator: str, **attributes: Any) -> onnx.ModelProto:  # noqa: ANN401
    """From `x` to the last state."""
    weights: dict[str, Any]
    ways = 2 if attributes.get("direction") == "bidirectional" else 1
    if operator == QUANTISED:
        names = ["x", "w", "r", "", "", "", "", "", "scale", "zero", "scale", "zero"]
        weights = {"w": np.ones((1, 3, 8), np.uint8), "r": np.ones((1, 2, 8), np.uint8)}
        weights |= {"scale": np.full(1, 0.5, np.float32), "zero": np.zeros(1, np.uint8)}
        attributes["domain"] = "com.microsoft"
    else:
        names, size = ["x", "w", "r"], GATES[operator] * 2
        weights = {"w": drawn(ways, size, 3), "r": drawn(ways, size, 2)}
    made = node(operator, names, ["", "h"], hidden_size=2, **attributes)
    return graph_of([made], {"x": FLOATS}, {"h": LAST}, **weights)


def asked(model: onnx.ModelProto, **feeds: Any) -> Any:  # noqa: ANN401
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return session.run(None, feeds)[0]


def read(folder: "Path", model: onnx.ModelProto) -> onnx.ModelProto:
    """As import reads it, and as it may be served."""
    foreign = read_foreign(saved(folder, model))
    check_graph(foreign.model.SerializeToString(), {})
    return foreign.model


@pytest.mark.parametrize(("operator", "shape"), ENDINGS)
def test_nothing_to_read_is_an_error_and_the_next_is_answered(
    tmp_path: "Path", operator: str, shape: tuple[int, ...]
) -> None:
    model = read(tmp_path, reading(operator))
    with pytest.raises(Exception, match="less than -1, got -2"):
        asked(model, x=np.zeros(shape, np.float32))
    assert asked(model, x=drawn(2, 1, 3)).shape == (1, 1, 2)


@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
@pytest.mark.parametrize("operator", ["LSTM", "GRU"])
def test_rows_are_answered_as_by_the_original(
    tmp_path: "Path", operator: str, direction: str
) -> None:
    original = reading(operator, direction=direction)
    model = read(tmp_path, original)
    for shape in ((1, 1, 3), (5, 2, 3)):
        x = drawn(*shape)
        assert np.array_equal(asked(model, x=x), asked(original, x=x))


def test_an_empty_sequence_leaves_an_lstm_its_first_state(tmp_path: "Path") -> None:
    empty = np.zeros((0, 2, 3), np.float32)
    assert asked(read(tmp_path, reading("LSTM")), x=empty).tolist() == [[[0, 0], [0, 0]]]


def test_nested_graphs_are_guarded_too(tmp_path: "Path") -> None:
    both = reading("GRU").graph, reading("LSTM").graph
    del both[0].input[:], both[1].input[:]
    branch = node("If", ["yes"], ["y"], then_branch=both[0], else_branch=both[1])
    model = read(tmp_path, graph_of([branch], {"x": FLOATS}, {"y": LAST}, yes=np.array(True)))
    with pytest.raises(Exception, match="less than -1, got -2"):
        asked(model, x=np.zeros((2, 0, 3), np.float32))
    assert np.array_equal(asked(model, x=drawn(2, 1, 3)), asked(reading("GRU"), x=drawn(2, 1, 3)))


@pytest.mark.parametrize("name", ["RNN", "none"])
def test_what_needs_nothing_is_unchanged_byte_for_byte(name: str) -> None:
    model = zoo() if name == "none" else reading(name)
    before = model.SerializeToString()
    guard_recurrences(model)
    assert model.SerializeToString() == before
