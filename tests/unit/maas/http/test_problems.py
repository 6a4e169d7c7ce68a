"""Answers and errors as bytes: always valid JSON, bounded, and of one shape."""

import json
import time
from typing import Any

import pytest

from maas.errors import (
    FieldError,
    MaasError,
    ModelOutputError,
    NotReadyError,
    RegistryMisconfiguredError,
    RegistryUnavailableError,
    SettingsError,
)
from maas.exchange import Exchange
from maas.http.problems import encode_error, encode_json
from maas.http.protocols.hf_wire import ScoredLabel
from maas.http.views import Health


def exchange() -> Exchange:
    return Exchange(request_id="request-1", deadline=time.monotonic())


@pytest.mark.parametrize(
    "value", [{"a": [1, 2.5, None, True]}, [], "é\u2028\U0001f600", '"\\\n', {"": -0.0}]
)
def test_an_answer_reads_back_as_it_was(value: object) -> None:
    data = encode_json(value)
    assert json.loads(data) == value
    assert b"\n" not in data


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_not_finite_is_never_sent(number: float) -> None:
    with pytest.raises(ModelOutputError, match="not finite"):
        encode_json({"scores": [0.5, number]})


def test_a_struct_is_sent_as_its_fields_and_never_with_nan() -> None:
    assert encode_json([ScoredLabel("good", 0.5)]) == b'[{"label":"good","score":0.5}]'
    assert encode_json(Health()) == b'{"status":"ok"}'
    with pytest.raises(ModelOutputError, match="not finite"):
        encode_json([[ScoredLabel("good", float("nan"))]])


@pytest.mark.parametrize(
    "error",
    [
        SettingsError("MAAS_MODEL must be a name.", field="MAAS_MODEL"),
        RegistryMisconfiguredError("No table maas-registry.", field="MAAS_REGISTRY"),
        RegistryUnavailableError("The table maas-registry of arn:aws:x is away."),
    ],
)
def test_what_only_an_operator_could_mend_is_told_to_no_caller(error: MaasError) -> None:
    body = json.loads(encode_error(error, exchange()))
    assert (body["code"], body["field"]) == (error.code, None)
    for private in ("MAAS_", "maas-registry", "arn:"):
        assert private not in body["error"]


@pytest.mark.parametrize(("size", "accepted"), [(99, True), (100, True), (101, False)])
def test_an_answer_is_bounded_in_bytes(size: int, *, accepted: bool) -> None:
    text = "é" * ((size - 2) // 2) + "x" * (size % 2)
    if accepted:
        assert len(encode_json(text, limit=100)) == size
        return
    # Whoever asks for too much is told so; nothing of ours has failed
    with pytest.raises(FieldError, match="above 100 bytes; ask for fewer") as refused:
        encode_json(text, limit=100)
    assert refused.value.status == 422


@pytest.mark.parametrize(
    ("error", "body"),
    [
        (
            NotReadyError("Not now."),
            {"error": "Not now.", "code": "model_not_ready", "field": None},
        ),
        (
            FieldError("must be 1", field="parameters.top_k"),
            {
                "error": "parameters.top_k: must be 1",
                "code": "invalid_field",
                "field": "parameters.top_k",
            },
        ),
        (
            MaasError('quotes " and \\ and \n'),
            {"error": 'quotes " and \\ and \n', "code": "internal", "field": None},
        ),
        (
            FieldError("version occurs twice in the query.", field="version"),
            {
                "error": "version occurs twice in the query.",
                "code": "invalid_field",
                "field": "version",
            },
        ),
    ],
)
def test_every_error_has_the_one_body(error: MaasError, body: dict[str, Any]) -> None:
    assert json.loads(encode_error(error, exchange())) == body | {"request_id": "request-1"}
