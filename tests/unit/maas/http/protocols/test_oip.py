"""Requests of the Open Inference Protocol to tensors: JSON, bytes behind it, and bytes alone."""

import json
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton

from maas.errors import BadRequestError, FieldError, MaasError
from maas.http.protocols.oip import Asked, decode
from maas.http.protocols.oip_wire import OutputParameters
from maas.limits import LIMITS
from maas.registry.records import TensorSpec

X = TensorSpec("x", "float32", ("batch", 2))
Y = TensorSpec("y", "int64", ("batch",))
TEXT = TensorSpec("text", "string", ("batch",))
OUT = (TensorSpec("a", "float32", ("batch",)), TensorSpec("b", "string", ("batch",)))
GOOD: dict[str, Any] = {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [0.5, 1]}


def read(body: object, tail: bytes = b"", **more: Any) -> Asked:  # noqa: ANN401
    header = json.dumps(body).encode()
    return decode(header + tail, len(header) if tail else None, (X, Y), outputs=OUT, **more)


def as_bytes(name: str, datatype: str, shape: list[int], size: object) -> dict[str, object]:
    parameters = {"binary_data_size": size}
    return {"name": name, "shape": shape, "datatype": datatype, "parameters": parameters}


def values(asked: Asked) -> dict[str, object]:
    return {name: array.tolist() for name, array in asked.feeds.items()}


# ---- What is sent -------------------------------------------------------------------------------


def test_a_request_in_json_is_read() -> None:
    asked = read({"inputs": [GOOD], "id": "42"})
    assert values(asked) == {"x": [[0.5, 1.0]]}
    assert (asked.id, asked.binary, asked.outputs) == ("42", False, {})


def test_bytes_follow_the_json_in_the_order_of_the_inputs() -> None:
    # Given an input as bytes, one in JSON, and another as bytes
    x, y = np.array([[1, 2]], "<f4"), np.array([7, 8, 9], "<i8")
    body = {
        "inputs": [
            as_bytes("y", "INT64", [3], 24),
            {"name": "z", "shape": [2], "datatype": "BYTES", "data": ["a", "b"]},
            as_bytes("x", "FP32", [1, 2], 8),
            as_bytes("none", "BYTES", [0], 0),
        ]
    }
    asked = read(body, y.tobytes() + x.tobytes())
    assert values(asked) == {"y": [7, 8, 9], "z": [b"a", b"b"], "x": [[1.0, 2.0]], "none": []}
    assert list(asked.feeds) == ["y", "z", "x", "none"]


@pytest.mark.parametrize("binary", [True, False])
def test_what_tritons_client_writes_is_read(*, binary: bool) -> None:
    texts = triton.InferInput("text", [2, 1], "BYTES")
    texts.set_data_from_numpy(np.array([["a\0"], ["é"]], np.object_), binary_data=binary)
    flags = triton.InferInput("flags", [3], "BOOL")
    flags.set_data_from_numpy(np.array([True, False, True]), binary_data=not binary)
    wanted = [
        triton.InferRequestedOutput("a", binary_data=False, class_count=3),
        triton.InferRequestedOutput("b", binary_data=True),
    ]
    body, header_bytes = triton.InferenceServerClient.generate_request_body(
        [texts, flags],
        outputs=wanted,
        request_id="7",
        sequence_id=3,
        sequence_start=True,
        priority=1,
        timeout=9,
        parameters={"own": "x"},
    )
    asked = decode(body, header_bytes, (TEXT,), outputs=OUT)
    assert values(asked) == {
        "text": [[b"a\0"], ["é".encode()]],
        "flags": [True, False, True],
    }
    assert asked.outputs == {
        "a": OutputParameters(binary_data=False, classification=3),
        "b": OutputParameters(binary_data=True),
    }
    assert asked.id == "7"


def test_without_outputs_tritons_client_asks_for_all_as_bytes() -> None:
    tensor = triton.InferInput("x", [1, 2], "FP32")
    tensor.set_data_from_numpy(np.ones((1, 2), np.float32))
    body, header_bytes = triton.InferenceServerClient.generate_request_body([tensor])
    asked = decode(body, header_bytes, (X,), outputs=OUT)
    assert (asked.binary, asked.outputs, asked.id) == (True, {}, None)


def test_unknown_keys_are_ignored_as_clients_send_some() -> None:
    more = {"model_name": "m", "x": [1], "parameters": {"timeout": 3, "priority": "high"}}
    tensor = GOOD | {"x": 1, "parameters": {"content_type": "np", "own": [1]}}
    wanted = [{"name": "a", "x": 1, "parameters": {"own": 1}}]
    asked = read({"inputs": [tensor], "outputs": wanted, **more})
    assert values(asked) == {"x": [[0.5, 1.0]]}
    assert list(asked.outputs) == ["a"]


def test_null_is_as_if_it_were_absent() -> None:
    tensor = GOOD | {"parameters": None}
    body = {"inputs": [tensor], "id": None, "outputs": None, "parameters": None}
    asked = read(body)
    assert (asked.id, asked.outputs, asked.binary) == (None, {}, False)
    assert values(read({"inputs": [GOOD | {"parameters": {"binary_data_size": None}}]}))


def test_base64_is_read_where_its_content_type_says_so() -> None:
    tensor = {"name": "x", "shape": [2], "datatype": "BYTES", "data": ["YQA=", ""]}
    coded = tensor | {"parameters": {"content_type": "base64"}}
    assert values(read({"inputs": [coded]})) == {"x": [b"a\0", b""]}
    assert values(read({"inputs": [tensor]})) == {"x": [b"YQA=", b""]}
    # Bytes are what they are
    said = as_bytes("x", "BYTES", [1], 5)
    said["parameters"] = {"content_type": "base64", "binary_data_size": 5}
    assert values(read({"inputs": [said]}, b"\1\0\0\0\0")) == {"x": [b"\0"]}


CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name"),
    ({"name": "x" * 257}, "name"),
    ({"name": 1}, "name"),
    ({"shape": "1"}, "shape"),
    ({"shape": [1, "2"]}, "shape[1]"),
    ({"shape": [-1, 2]}, "shape[0]"),
    ({"shape": [1.0, 2]}, "shape[0]"),
    ({"shape": [True, 2]}, "shape[0]"),
    ({"shape": [2**40 + 1]}, "shape[0]"),
    ({"shape": [1] * 9}, "shape"),
    ({"shape": None}, "shape"),
    ({"datatype": "FP8"}, "datatype"),
    ({"datatype": "fp32"}, "datatype"),
    ({"datatype": "BF16"}, "datatype"),
    ({"datatype": 1}, "datatype"),
    ({"data": None}, "data"),
    ({"data": [1]}, "data"),
    ({"parameters": []}, "parameters"),
    ({"parameters": {"binary_data_size": 8}}, "data"),
    ({"parameters": {"content_type": 1}}, "parameters.content_type"),
    *(
        ({"data": None, "parameters": {"binary_data_size": n}}, f"parameters.{size}")
        for size in ("binary_data_size",)
        for n in (-1, 1.5, "8", True, 2**40 + 1, 8)
    ),
]
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({}, "inputs"),
    ({"inputs": {}}, "inputs"),
    ({"inputs": None}, "inputs"),
    ({"inputs": [1]}, "inputs[0]"),
    ({"inputs": [GOOD], "id": 1}, "id"),
    ({"inputs": [GOOD], "id": "x" * 257}, "id"),
    ({"inputs": [GOOD], "outputs": {}}, "outputs"),
    ({"inputs": [GOOD], "outputs": [{}]}, "outputs[0].name"),
    ({"inputs": [GOOD], "outputs": ["a"]}, "outputs[0]"),
    ({"inputs": [GOOD], "outputs": [{"name": "c"}]}, "outputs"),
    ({"inputs": [GOOD], "outputs": [{"name": "a"}, {"name": "a"}]}, "outputs"),
    ({"inputs": [GOOD], "parameters": []}, "parameters"),
    (
        {"inputs": [GOOD], "parameters": {"binary_data_output": 1}},
        "parameters.binary_data_output",
    ),
    ({"inputs": [GOOD, GOOD]}, "inputs"),
    ({"inputs": [GOOD, {}]}, "inputs[1].name"),
    *(
        ({"inputs": [GOOD, GOOD | {"name": "z"} | change]}, f"inputs[1].{field}")
        for change, field in CHANGES
    ),
]


@pytest.mark.parametrize(("body", "field"), REFUSED)
def test_what_is_not_acceptable_is_refused_by_its_field(body: dict[str, Any], field: str) -> None:
    with pytest.raises(FieldError) as refused:
        read(body)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("change", "what"),
    [({"classification": -1}, "classification"), ({"binary_data": 1}, "binary_data")],
)
def test_how_an_output_is_wanted_is_checked(change: dict[str, object], what: str) -> None:
    with pytest.raises(FieldError) as refused:
        read({"inputs": [GOOD], "outputs": [{"name": "a", "parameters": change}]})
    assert refused.value.field == f"outputs[0].parameters.{what}"


def test_a_refusal_names_what_there_is() -> None:
    with pytest.raises(FieldError, match="which answers a, b"):
        read({"inputs": [GOOD], "outputs": [{"name": "secret"}]})
    with pytest.raises(FieldError, match=r"BOOL, .*FP64, BYTES") as refused:
        read({"inputs": [GOOD | {"datatype": "secret"}]})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("header_bytes", "error", "said"),
    [
        (10**9, BadRequestError, "more than the body has"),
        (1, BadRequestError, "not JSON"),
        (-1, BadRequestError, "not JSON"),
        (None, BadRequestError, "not JSON|not UTF-8"),
    ],
)
def test_json_must_end_where_the_header_says(
    header_bytes: int | None, error: type[MaasError], said: str
) -> None:
    body = json.dumps({"inputs": [as_bytes("x", "FP32", [1, 2], 8)]}).encode()
    if header_bytes == -1:
        header_bytes = len(body) - 1
    with pytest.raises(error, match=said):
        decode(body + b"\xff" * 8, header_bytes, (X,))


def test_bytes_must_be_as_many_as_are_said() -> None:
    said = {"inputs": [as_bytes("x", "FP32", [1, 2], 8)]}
    header = json.dumps(said).encode()
    assert values(decode(header + bytes(8), len(header), (X,))) == {"x": [[0.0, 0.0]]}
    with pytest.raises(FieldError, match="Inference-Header-Content-Length right") as refused:
        decode(header + bytes(7), len(header), (X,))
    assert refused.value.field == "inputs[0].parameters.binary_data_size"
    with pytest.raises(BadRequestError, match="More bytes follow"):
        decode(header + bytes(9), len(header), (X,))
    with pytest.raises(FieldError, match="must be 8 bytes of FP32"):
        read({"inputs": [as_bytes("x", "FP32", [1, 2], 12)]}, bytes(12))


# ---- Bytes alone --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "data", "wanted"),
    [
        (X, np.array([1, 2, 3, 4], "<f4").tobytes(), [[1.0, 2.0], [3.0, 4.0]]),
        (X, b"", []),
        (Y, np.array([5], "<i8").tobytes(), [5]),
        (TensorSpec("s", "float64", ()), np.array(0.5, "<f8").tobytes(), 0.5),
        (TensorSpec("b", "bool", (2, 2)), b"\0\1\1\0", [[False, True], [True, False]]),
        (TensorSpec("h", "float16", (1, "n")), np.array([0.5], "<f2").tobytes(), [[0.5]]),
        (TEXT, b"a fine film", [b"a fine film"]),
        (TEXT, b"", [b""]),
        (TensorSpec("t", "string", ("batch", 1)), b"a", [[b"a"]]),
        (TensorSpec("t", "string", ()), b"a", b"a"),
    ],
)
def test_bytes_alone_are_the_one_input(spec: TensorSpec, data: bytes, wanted: object) -> None:
    asked = decode(data, 0, (spec,))
    assert values(asked) == {spec.name: wanted}
    assert (asked.binary, asked.outputs, asked.id) == (True, {}, None)


def test_bytes_alone_are_the_text_that_stands_for_all_other_inputs() -> None:
    assert values(decode(b"a fine film", 0, (TEXT, X, Y))) == {"text": [b"a fine film"]}


@pytest.mark.parametrize(
    ("specs", "data", "error"),
    [
        ((X, Y), bytes(8), BadRequestError),
        ((TensorSpec("x", "float32", ("a", "b")),), bytes(8), BadRequestError),
        ((X,), bytes(7), FieldError),
        ((X,), bytes(12), FieldError),
        ((TensorSpec("x", "float32", (2, 2)),), bytes(8), FieldError),
        ((TensorSpec("x", "float32", (2, 2)),), bytes(32), FieldError),
        ((TensorSpec("x", "float32", ()),), bytes(8), FieldError),
        ((TensorSpec("x", "float32", (0, "n")),), bytes(8), FieldError),
        ((TensorSpec("x", "bool", ("n",)),), b"\2", FieldError),
    ],
)
def test_bytes_alone_that_no_shape_fits_are_refused(
    specs: tuple[TensorSpec, ...], data: bytes, error: type[MaasError]
) -> None:
    with pytest.raises(error):
        decode(data, 0, specs)


def test_a_body_of_many_numbers_is_read_and_of_more_is_refused() -> None:
    more = {"name": "x", "shape": [30_000], "datatype": "INT8", "data": [1] * 30_000}
    assert len(read({"inputs": [more]}).feeds["x"]) == 30_000 > LIMITS.json_values
