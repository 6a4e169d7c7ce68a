"""Tensors to answers of the Open Inference Protocol, as Triton's client reads them."""

import json
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from msgspec.structs import replace
from support.effort import examples

from maas.errors import FieldError, ModelOutputError
from maas.http.protocols.oip import Asked
from maas.http.protocols.oip_answer import encode
from maas.http.protocols.oip_data import DTYPES, datatype_of
from maas.http.protocols.oip_wire import OutputParameters
from maas.limits import LIMITS
from maas.tasks.tensors import strings

LABELS = ("no", "maybe", "yes")
LOGITS = np.array([[0.5, -1.0, 2.0], [3.0, 3.0, 3.0]], np.float32)


def answer(
    outputs: dict[str, Any],
    wanted: dict[str, OutputParameters] | None = None,
    *,
    labels: tuple[str, ...] = (),
    **more: Any,  # noqa: ANN401
) -> triton.InferResult:
    """What Triton's client makes of it."""
    asked = Asked({}, wanted or {}, **more)
    body, header_bytes = encode(asked, outputs, model="m", version=7, labels=labels)
    result: triton.InferResult = triton.InferResult.from_response_body(
        body, header_length=header_bytes
    )
    return result


def test_an_answer_says_who_answered_and_the_id_that_was_sent() -> None:
    body, header_bytes = encode(
        Asked({}, {}, id="42"), {"y": np.array([[1, 2]], np.int32)}, model="m", version=7
    )
    assert header_bytes is None
    assert json.loads(body) == {
        "model_name": "m",
        "model_version": "7",
        "outputs": [{"name": "y", "datatype": "INT32", "shape": [1, 2], "data": [1, 2]}],
        "id": "42",
    }
    body, _ = encode(Asked({}, {}), {}, model="m", version=7)
    assert "id" not in json.loads(body)


@settings(max_examples=examples(120, 4_000))
@given(st.data())
def test_tritons_client_reads_any_array_that_is_answered(data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from([each for each in DTYPES.values() if each != "string"]))
    shape = data.draw(arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3))
    array = data.draw(arrays.arrays(dtype, shape))
    # As bytes anything goes, a number that is none too
    found = answer({"y": array}, binary=True).as_numpy("y")
    assert (found.dtype, found.shape, found.tobytes()) == (array.dtype, shape, array.tobytes())
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        with pytest.raises(ModelOutputError, match="not finite"):
            answer({"y": array})
        return
    if dtype == "float16":  # which Triton's client refuses to read from JSON
        body, _ = encode(Asked({}, {}), {"y": array}, model="m", version=1)
        said = json.loads(body)["outputs"][0]["data"]
        assert np.array(said, "float16").tobytes() == array.tobytes()
        return
    found = answer({"y": array}).as_numpy("y")
    assert (found.dtype, found.shape, found.tobytes()) == (array.dtype, shape, array.tobytes())


@pytest.mark.parametrize("binary", [True, False])
def test_texts_are_answered_alike_in_json_and_as_bytes(*, binary: bool) -> None:
    texts = ["héllo", "", "a\0b", "\U0001f600"]
    found = answer({"y": strings(texts, (2, 2))}, binary=binary).as_numpy("y")
    assert found.shape == (2, 2)
    said = [each.decode() if binary else each for each in found.ravel().tolist()]
    assert said == texts


def test_an_output_says_by_itself_whether_it_comes_as_bytes() -> None:
    outputs = {"a": np.array([1.0]), "b": np.array([2]), "c": np.array([True])}
    for binary in (True, False):
        wanted = {
            "c": OutputParameters(binary_data=True),
            "a": OutputParameters(),
            "b": OutputParameters(binary_data=False),
        }
        body, header_bytes = encode(Asked({}, wanted, binary=binary), outputs, model="m", version=1)
        said = {each["name"]: each for each in json.loads(body[:header_bytes])["outputs"]}
        assert list(said) == ["c", "a", "b"]  # as they were asked for
        assert said["c"]["parameters"] == {"binary_data_size": 1}
        assert ("data" in said["a"], "data" in said["b"]) == (not binary, True)
        tail = b"\1" + (np.array([1.0], "<f8").tobytes() if binary else b"")
        assert header_bytes is not None
        assert body[header_bytes:] == tail


def test_one_output_that_is_asked_for_is_all_that_is_answered() -> None:
    outputs = {"a": np.array([1.0]), "b": np.array([2])}
    result = answer(outputs, {"b": OutputParameters()})
    assert result.as_numpy("a") is None
    assert result.as_numpy("b").tolist() == [2]


def test_an_output_that_goes_with_other_inputs_is_refused() -> None:
    with pytest.raises(FieldError, match="but a, b") as refused:
        answer({"a": LOGITS, "b": LOGITS}, {"secret": OutputParameters()})
    assert refused.value.field == "outputs"
    assert "secret" not in str(refused.value)


# ---- Classes ------------------------------------------------------------------------------------


def classes(array: Any, count: int, *, labels: tuple[str, ...] = ()) -> Any:  # noqa: ANN401
    wanted = {"y": OutputParameters(classification=count)}
    for binary in (True, False):
        result = answer({"y": array}, wanted, labels=labels, binary=binary).as_numpy("y")
        said = [[_text(each) for each in row] for row in np.atleast_2d(result).tolist()]
        assert result.shape == (*array.shape[:-1], min(count, array.shape[-1]))
    return said


def _text(element: str | bytes) -> str:
    return element if isinstance(element, str) else element.decode()


def test_classes_are_the_best_of_each_row_with_their_labels() -> None:
    assert classes(LOGITS[:1], 2, labels=LABELS) == [["2.000000:2:yes", "0.500000:0:no"]]
    assert classes(LOGITS[0], 1, labels=LABELS) == [["2.000000:2:yes"]]
    assert classes(LOGITS, 1, labels=LABELS) == [["2.000000:2:yes"], ["3.000000:0:no"]]


def test_equal_classes_come_in_their_order() -> None:
    assert classes(LOGITS[1:], 3) == [["3.000000:0", "3.000000:1", "3.000000:2"]]


def test_labels_of_another_output_are_not_said() -> None:
    assert classes(LOGITS[:1], 1, labels=("a", "b")) == [["2.000000:2"]]


@pytest.mark.parametrize("count", [3, 4, 1_000, 2**31])
def test_more_classes_than_there_are_is_all_of_them(count: int) -> None:
    wanted = {"y": OutputParameters(classification=count)}
    found = answer({"y": LOGITS}, wanted, labels=LABELS).as_numpy("y")
    assert found.shape == (2, 3)


@pytest.mark.parametrize("dtype", ["float16", "float64", "int8", "uint64"])
def test_any_numbers_have_classes(dtype: str) -> None:
    (row,) = classes(np.array([[1, 3, 2]], dtype), 2)
    assert row == ["3.000000:1", "2.000000:2"]


def test_no_classes_are_numbers_as_they_are() -> None:
    wanted = {"y": OutputParameters(classification=0)}
    assert answer({"y": LOGITS}, wanted).as_numpy("y").tolist() == LOGITS.tolist()


@pytest.mark.parametrize(
    "array",
    [
        np.array([True, False]),
        strings(["a"], (1,)),
        np.array(1.0),
        np.zeros((2, 2, 2)),
        np.zeros((0, 3)),
        np.zeros((3, 0)),
    ],
)
def test_what_has_no_classes_is_refused_by_its_name(array: Any) -> None:  # noqa: ANN401
    assert datatype_of(array)
    with pytest.raises(FieldError, match="has no classes") as refused:
        answer({"y": array}, {"y": OutputParameters(classification=1)})
    assert refused.value.field == "y"


# ---- How much -----------------------------------------------------------------------------------


def test_an_answer_that_is_too_large_is_refused_before_it_is_written() -> None:
    outputs = {"a": np.zeros(10, np.float32), "b": np.zeros(LIMITS.tensor_values, np.int8)}
    with pytest.raises(FieldError, match="binary_data"):
        answer(outputs)
    found = answer(outputs, binary=True)
    assert found.as_numpy("b").shape == (LIMITS.tensor_values,)
    one = {"a": OutputParameters(), "b": OutputParameters(binary_data=True)}
    assert answer(outputs, one).as_numpy("a").shape == (10,)


@pytest.mark.parametrize("step", [-1, 0, 1])
def test_bytes_of_an_answer_have_a_limit(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    outputs = {"y": LOGITS}
    body, _ = encode(Asked({}, {}, binary=True), outputs, model="m", version=7)
    limits = replace(LIMITS, tensor_bytes=len(body) - step)
    monkeypatch.setattr("maas.http.protocols.oip_answer.LIMITS", limits)
    if step <= 0:
        assert answer(outputs, binary=True).as_numpy("y").tolist() == LOGITS.tolist()
        return
    with pytest.raises(FieldError, match=f"above {limits.tensor_bytes} bytes"):
        answer(outputs, binary=True)
