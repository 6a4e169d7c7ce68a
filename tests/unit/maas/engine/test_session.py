"""A session answers, ends at its deadline, is shared by threads, and leaves no trace."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper
from support.graphs import classifier_graph, save_external, slow_graph
from support.tiny import FOREVER_WORD, WORDS, tiny_weights

from maas.engine.session import Node, Session, begin, open_session
from maas.errors import DeadlineError, ModelError

WEIGHTS = tiny_weights(3)
FOREVER = WORDS.index(FOREVER_WORD)
Feeds = dict[str, npt.NDArray[np.int64]]


def feeds_of(*rows: list[int]) -> Feeds:
    ids = np.array(rows, dtype=np.int64)
    return {"input_ids": ids, "attention_mask": np.ones_like(ids)}


def expected(*rows: list[int]) -> npt.NDArray[np.float32]:
    sums: npt.NDArray[np.float32] = WEIGHTS[np.array(rows)].sum(axis=1)
    return sums


def difference(session: Session, *rows: list[int]) -> float:
    """How far a good run's answer is from numpy's."""
    (logits,) = session.run(feeds_of(*rows), deadline=soon())
    return float(np.abs(np.asarray(logits, dtype=np.float32) - expected(*rows)).max())


def soon(seconds: float = 5.0) -> float:
    return time.monotonic() + seconds


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """The classifier that token FOREVER keeps busy."""
    (tmp_path / "model.onnx").write_bytes(slow_graph(WEIGHTS, slow_id=FOREVER))
    return open_session(tmp_path / "model.onnx", optimised=False, threads=1)


@pytest.mark.parametrize("optimised", [True, False])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("external", [True, False])
def test_a_graph_answers_however_it_is_opened(
    tmp_path: Path, *, optimised: bool, threads: int, external: bool
) -> None:
    graph = classifier_graph(WEIGHTS)
    (tmp_path / "model.onnx").write_bytes(graph)
    if external:
        save_external(graph, tmp_path)
    session = open_session(tmp_path / "model.onnx", optimised=optimised, threads=threads)
    text = ("batch", "sequence")
    assert session.inputs == (
        Node("input_ids", "int64", text),
        Node("attention_mask", "int64", text),
    )
    assert session.outputs == (Node("logits", "float32", ("batch", 2)),)
    assert difference(session, [3, 4], [5, 6]) < 1e-6


def test_a_run_without_end_is_stopped_and_the_session_answers_again(session: Session) -> None:
    for seconds in (0.0, 0.05, 0.15):
        # Given a run that would never end
        started = time.monotonic()
        # When its deadline comes
        with pytest.raises(DeadlineError):
            session.run(feeds_of([FOREVER, 4]), deadline=started + seconds)
        # Then it was stopped then, within the promised quarter of a second
        assert seconds <= time.monotonic() - started < seconds + 0.25
        # And the next run is a good one
        assert difference(session, [3, 4]) < 1e-6


def test_a_stopped_run_does_not_stop_its_neighbours(session: Session) -> None:
    def stopped(deadline: float) -> float:
        """When a run without end was; never before its own deadline."""
        with pytest.raises(DeadlineError):
            session.run(feeds_of([FOREVER]), deadline=deadline)
        return time.monotonic()

    slow, slower = soon(0.2), soon(0.5)
    with ThreadPoolExecutor(max_workers=2) as pool:
        runs = pool.submit(stopped, slow), pool.submit(stopped, slower)
        while not runs[0].done():
            assert difference(session, [3, 4]) < 1e-6
        assert runs[0].result() >= slow
        assert runs[1].result() >= slower


def test_many_threads_share_one_session(session: Session) -> None:
    def ask(number: int) -> float:
        row = [number % FOREVER, (number * 7) % FOREVER]
        return difference(session, row)

    with ThreadPoolExecutor(max_workers=8) as pool:
        assert max(pool.map(ask, range(400))) < 1e-6


@pytest.mark.parametrize(
    "feeds",
    [
        {},
        {"input_ids": feeds_of([1])["input_ids"]},
        feeds_of([1]) | {"more": np.zeros((1, 1), dtype=np.int64)},
        feeds_of([len(WORDS)]),
        feeds_of([1, 2]) | {"attention_mask": np.ones((1, 3), dtype=np.int64)},
        {name: array.astype(np.float32) for name, array in feeds_of([1]).items()},
        {name: array[0] for name, array in feeds_of([1]).items()},
    ],
    ids=["none", "one absent", "one more", "id too large", "other shape", "float", "other rank"],
)
def test_arrays_that_the_graph_cannot_take_are_the_models_failure(
    session: Session, feeds: Feeds, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ModelError, match=r"^The model failed on this input\.$"):
        session.run(feeds, deadline=soon())
    session.run(feeds_of([1]), deadline=soon())
    assert capfd.readouterr() == ("", "")


def _foreign() -> bytes:
    """A graph of an operator that no library here knows."""
    value = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])]
    node = helper.make_node("PyOp", ["x"], ["y"], domain="evil.example")
    out = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])]
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("evil.example", 1)]
    graph = helper.make_graph([node], "foreign", value, out)
    data: bytes = helper.make_model(graph, opset_imports=imports, ir_version=8).SerializeToString()
    return data


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00", b"not a graph", classifier_graph(WEIGHTS)[:-40], _foreign()],
    ids=["empty", "nul", "text", "cut", "foreign operator"],
)
def test_a_broken_graph_is_refused_in_silence(
    tmp_path: Path, data: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=r"^ONNX Runtime cannot open the model\.$"):
        open_session(path, optimised=False, threads=1)
    with pytest.raises(ModelError):
        open_session(tmp_path / "absent.onnx", optimised=False, threads=1)
    assert capfd.readouterr() == ("", "")


def test_a_model_that_points_outside_its_folder_is_refused(tmp_path: Path) -> None:
    # Given external weights that lie beside the model's folder
    folder = tmp_path / "model"
    folder.mkdir()
    save_external(classifier_graph(WEIGHTS), folder)
    (folder / "weights.bin").rename(tmp_path / "weights.bin")
    graph = (folder / "model.onnx").read_bytes()
    name = b"weights.bin"
    for other in (b"../weights.bin", b"/etc/passwd"):
        (folder / "model.onnx").write_bytes(_renamed(graph, name, other))
        with pytest.raises(ModelError):
            open_session(folder / "model.onnx", optimised=False, threads=1)


def _renamed(graph: bytes, old: bytes, new: bytes) -> bytes:
    model = onnx.load_from_string(graph)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.value == old.decode():
                entry.value = new.decode()
    data: bytes = model.SerializeToString()
    assert data != graph
    return data


def test_opening_and_running_prints_nothing_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.onnx").write_bytes(slow_graph(WEIGHTS, slow_id=FOREVER))
    session = open_session(tmp_path / "model.onnx", optimised=False, threads=2)
    session.run(feeds_of([1]), deadline=soon())
    with pytest.raises(DeadlineError):
        session.run(feeds_of([FOREVER]), deadline=soon(0.01))
    assert [path.name for path in tmp_path.rglob("*")] == ["model.onnx"]
    assert capfd.readouterr() == ("", "")


# ---- A graph that reads what it answered before -------------------------------------------------


def growing(tmp_path: Path) -> Session:
    """`present` is `past` with the row of this step behind it; `sums` is the sum of its rows."""
    rows = ("rows", 2)
    graph = helper.make_graph(
        [
            helper.make_node("Concat", ["past", "row"], ["present"], axis=0),
            helper.make_node("ReduceSum", ["present", "first"], ["sums"], keepdims=0),
        ],
        "growing",
        [
            helper.make_tensor_value_info("row", TensorProto.FLOAT, (1, 2)),
            helper.make_tensor_value_info("past", TensorProto.FLOAT, rows),
        ],
        [
            helper.make_tensor_value_info("present", TensorProto.FLOAT, rows),
            helper.make_tensor_value_info("sums", TensorProto.FLOAT, (2,)),
        ],
        [helper.make_tensor("first", TensorProto.INT64, [1], [0])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "growing.onnx")
    return open_session(tmp_path / "growing.onnx", optimised=False, threads=1)


def test_steps_read_what_the_steps_before_answered(tmp_path: Path) -> None:
    session = growing(tmp_path)
    state = begin({"past": np.zeros((0, 2), dtype=np.float32)}, {"present": "past"})
    numbers = np.arange(10, dtype=np.float32).reshape(5, 1, 2)
    sums = np.zeros(2, dtype=np.float32)
    for row in numbers:
        before = state
        (answer,), state = session.step({"row": row}, state, deadline=soon())
        sums += row[0]
        assert answer.tolist() == sums.tolist()
        # And a state can be read again: what follows changes nothing of it
        (again,), _ = session.step({"row": row}, before, deadline=soon())
        assert again.tolist() == sums.tolist()


def test_a_step_on_what_does_not_fit_is_the_models_failure(tmp_path: Path) -> None:
    session = growing(tmp_path)
    state = begin({"past": np.zeros((1, 3), dtype=np.float32)}, {"present": "past"})
    with pytest.raises(ModelError):
        session.step({"row": np.zeros((1, 2), dtype=np.float32)}, state, deadline=soon())


def test_a_step_without_end_is_stopped(session: Session) -> None:
    state = begin({}, {})
    started = time.monotonic()
    with pytest.raises(DeadlineError):
        session.step(feeds_of([FOREVER, 4]), state, deadline=started + 0.05)
    assert time.monotonic() - started < 0.05 + 0.25
    (answer,), _ = session.step(feeds_of([3, 4]), state, deadline=soon())
    assert answer[0].tolist() == pytest.approx(expected([3, 4])[0].tolist())
