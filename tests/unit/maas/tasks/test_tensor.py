"""Any graph as it is: tensors of every kind go in and come out, and the recorded ones hold."""

import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from msgspec.structs import replace
from support.tiny_tensor import (
    CLASSES,
    OUTPUTS,
    TinyTensor,
    make_tensor,
    tensor_feeds,
    tensor_golden,
    tensor_weights,
)

from maas.bundle.golden import TOLERANCE, GoldenTensor
from maas.bundle.verify import verify_bundle
from maas.errors import BundleError, FieldError
from maas.loading import load_version
from maas.tasks.task import Counts
from maas.tasks.tensor import TensorModel, TensorRequest, as_array, difference, recorded
from maas.tasks.tensors import strings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> TinyTensor:
    return make_tensor(tmp_path_factory.mktemp("bundles"), seed=3)


@pytest.fixture(scope="module")
def model(bundle: TinyTensor) -> TensorModel:
    task = load_version(verify_bundle(bundle.folder), threads=1).task
    assert isinstance(task, TensorModel)
    return task


def ask(model: TensorModel, feeds: dict[str, Any]) -> dict[str, Any]:
    return model.predict(TensorRequest(feeds), deadline=time.monotonic() + 5).outputs


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_tensors_of_every_kind_are_what_numpy_says(
    model: TensorModel, bundle: TinyTensor, rows: int
) -> None:
    feeds = tensor_feeds(5, rows=rows)
    outputs, wanted = ask(model, feeds), bundle.answers(feeds)
    assert list(outputs) == [spec.name for spec in OUTPUTS]
    for name, array in wanted.items():
        assert (outputs[name].dtype, outputs[name].shape) == (array.dtype, array.shape), name
        if array.dtype.kind == "f":
            assert np.allclose(outputs[name], array, atol=1e-3 if name == "halves" else 1e-6)
        else:
            assert outputs[name].tolist() == array.tolist(), name


def test_a_state_that_is_sent_back_goes_on(model: TensorModel, bundle: TinyTensor) -> None:
    feeds = tensor_feeds(1)
    state = ask(model, feeds)["stateN"]
    again = {**feeds, "state": state}
    assert np.allclose(ask(model, again)["scores"], bundle.answers(again)["scores"], atol=1e-6)


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"rows": None}, "rows", "is missing"),
        ({"more": np.zeros(1)}, "inputs", "not known"),
        ({"rows": np.zeros((2, 4))}, "rows", "must be float32, and is float64"),
        ({"rows": np.zeros((2, 5), np.float32)}, "rows", "must have the shape"),
        ({"codes": np.zeros((3, 5), np.int32)}, "codes", "one size in all inputs"),
        ({"rate": np.array([1])}, "rate", "must have the shape []"),
        ({"words": strings([b"\xff", b""], (2,))}, "words", "not UTF-8"),
    ],
)
def test_what_is_no_request_is_refused_by_its_input(
    model: TensorModel, change: dict[str, Any], field: str, reason: str
) -> None:
    feeds = {key: each for key, each in (tensor_feeds() | change).items() if each is not None}
    with pytest.raises(FieldError) as refused:
        ask(model, feeds)
    assert refused.value.field == field
    assert reason in str(refused.value)


def test_a_request_counts_neither_texts_nor_images() -> None:
    assert TensorRequest(tensor_feeds()).counts == Counts()


# ---- What was recorded --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shift", "reason"),
    [(0.0, None), (TOLERANCE / 2, None), (TOLERANCE * 20, "not the model that was exported")],
)
def test_a_model_that_is_not_the_recorded_one_is_refused(
    tmp_path: "Path", shift: float, reason: str | None
) -> None:
    verified = verify_bundle(make_tensor(tmp_path, golden_shift=shift).folder)
    if reason is None:
        assert load_version(verified, threads=1).replay.requests == 2
        return
    with pytest.raises(BundleError, match=reason):
        load_version(verified, threads=1)


def _other(name: str, array: Any) -> Any:  # noqa: ANN401
    return lambda golden: replace(
        golden,
        answers=tuple(recorded(name, array) if t.name == name else t for t in golden.answers),
    )


def _asked(name: str, array: Any) -> Any:  # noqa: ANN401
    return lambda golden: replace(
        golden,
        tensors=tuple(recorded(name, array) if t.name == name else t for t in golden.tensors),
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_other("total", np.array(1)), "other values"),
        (_other("high", np.ones((1, CLASSES), bool)), "other values"),
        (_other("same", strings(["x"], (1,))), "other values"),
        (_other("scores", np.zeros((2, CLASSES), np.float32)), "another shape"),
        (_other("scores", np.full((1, CLASSES), np.nan, np.float32)), "differs by"),
        (_other("scores", np.full((1, CLASSES), np.inf, np.float32)), "differs by"),
        (_asked("rows", np.zeros((1, 3), np.float32)), "is not answered"),
        (_asked("rows", np.zeros((2, 4), np.float32)), "is not answered"),
    ],
)
def test_other_values_and_shapes_are_refused(tmp_path: "Path", change: Any, reason: str) -> None:  # noqa: ANN401
    golden = change(tensor_golden(tensor_weights(0), seed=0))
    verified = verify_bundle(make_tensor(tmp_path, goldens=(golden,)).folder)
    with pytest.raises(BundleError, match=reason):
        load_version(verified, threads=1)


@pytest.mark.parametrize(
    ("found", "was", "apart"),
    [
        ([0.0, 0.5], [0.0, 0.25], 0.25),
        ([1000.0], [1001.0], 1 / 1001),
        ([-4.0], [4.0], 2.0),
        ([np.nan, np.inf], [np.nan, np.inf], 0.0),
        ([np.inf], [-np.inf], math.inf),
        ([np.nan], [0.0], math.inf),
        ([0.0], [np.nan], math.inf),
        ([0.0], [np.inf], math.inf),
        ([], [], 0.0),
    ],
)
def test_floats_differ_absolutely_below_1_and_by_their_share_above(
    found: list[float], was: list[float], apart: float
) -> None:
    arrays = (np.array(each, dtype=np.float64) for each in (found, was))
    assert difference(*arrays) == pytest.approx(apart)


def test_a_half_may_differ_by_its_last_bits() -> None:
    one, next_one = np.array([1.0], np.float16), np.array([1.0 + 2**-10], np.float16)
    assert 0 < difference(next_one, one) < TOLERANCE
    assert difference(np.array([1.02], np.float16), one) > TOLERANCE


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int64", "uint64", "float16", "<f8"])
@pytest.mark.parametrize("shape", [(), (0, 2), (2, 3)])
def test_what_is_recorded_is_read_back(dtype: str, shape: tuple[int, ...]) -> None:
    array = np.asarray(np.random.default_rng(0).integers(0, 2, shape)).astype(dtype)
    kept = recorded("x", array)
    assert kept.is_whole
    again = as_array(kept)
    assert (again.dtype, again.shape, again.tobytes()) == (array.dtype, shape, array.tobytes())


def test_texts_are_recorded_as_texts() -> None:
    kept = recorded("x", strings([b"\xc3\xa9", "b"], (2, 1)))
    assert kept == GoldenTensor("x", "string", (2, 1), texts=("é", "b"))
    assert as_array(kept).tolist() == [["é".encode()], [b"b"]]
