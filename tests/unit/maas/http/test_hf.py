"""Hugging Face's wire format: what its client sends, and what it takes apart."""

import json
from typing import Any

import pytest

from maas.errors import FieldError
from maas.http.problems import encode_json
from maas.http.protocols.hf_classify import decode_classify, encode_classify
from maas.tasks.classify import ClassifyRequest, ClassifyResponse
from maas.tasks.labels import LabelScore

NO_OBJECTS: tuple[object, ...] = (None, True, 0, 1.5, "inputs", [], [{"inputs": "a"}])
NO_TEXTS: tuple[object, ...] = (None, 1, 1.5, True, {}, {"text": "a"})
NO_COUNTS: tuple[object, ...] = (0, -1, 1001, 10**9, 10**19, 1.5, "2", True, [], {})
NO_FUNCTIONS: tuple[object, ...] = ("Softmax", "", "relu", 1, True, [])
NO_PARAMETERS: tuple[object, ...] = ([], "x", 1, True)
FUNCTION = "parameters.function_to_apply"


@pytest.mark.parametrize(
    ("body", "request_"),
    [
        ({"inputs": "a"}, ClassifyRequest(texts=("a",))),
        ({"inputs": "a", "parameters": {}}, ClassifyRequest(texts=("a",))),
        ({"inputs": "a", "parameters": None}, ClassifyRequest(texts=("a",))),
        ({"inputs": ["a", "b"]}, ClassifyRequest(texts=("a", "b"))),
        ({"inputs": []}, ClassifyRequest(texts=())),
        ({"inputs": "a", "parameters": {"top_k": 1}}, ClassifyRequest(texts=("a",), top_k=1)),
        ({"inputs": "a", "parameters": {"top_k": 1000}}, ClassifyRequest(texts=("a",), top_k=1000)),
        ({"inputs": "a", "parameters": {"top_k": None}}, ClassifyRequest(texts=("a",))),
        *(
            (
                {"inputs": "a", "parameters": {"function_to_apply": name}},
                ClassifyRequest(texts=("a",), function=name),
            )
            for name in ("softmax", "sigmoid", "none")
        ),
        # keys that real clients send at the root are ignored
        ({"inputs": "a", "options": {"wait_for_model": True}}, ClassifyRequest(texts=("a",))),
        ({"inputs": "a", "model": "x", "__class__": "y"}, ClassifyRequest(texts=("a",))),
    ],
)
def test_what_the_client_sends_becomes_the_tasks_request(
    body: dict[str, Any], request_: ClassifyRequest
) -> None:
    assert decode_classify(body) == request_


@pytest.mark.parametrize(
    ("body", "field"),
    [
        # family 3: scalars, null and lists at the top
        *((value, None) for value in NO_OBJECTS),
        # family 8: missing keys, wrong types
        ({}, "inputs"),
        ({"input": "a"}, "inputs"),
        *(({"inputs": value}, "inputs") for value in NO_TEXTS),
        *(({"inputs": ["a", value]}, "inputs[1]") for value in (*NO_TEXTS, ["b"])),
        *(({"inputs": "a", "parameters": value}, "parameters") for value in NO_PARAMETERS),
        # family 25: options
        *(({"inputs": "a", "parameters": {"top_k": v}}, "parameters.top_k") for v in NO_COUNTS),
        *(({"inputs": "a", "parameters": {FUNCTION[11:]: v}}, FUNCTION) for v in NO_FUNCTIONS),
        # family 7: unknown keys inside parameters
        *(
            ({"inputs": "a", "parameters": {key: 1}}, f"parameters.{key}")
            for key in ("topk", "__class__", "__proto__", "constructor", "version", "model_path")
        ),
        *(
            ({"inputs": "a", "parameters": {key: 1}}, "parameters.?")
            for key in ("", "a b", "a\nb", "é", "k" * 65, "x`y", "a - at `$.b", "` - at `$`")
        ),
    ],
)
def test_what_is_not_acceptable_is_refused_by_its_field(body: object, field: str | None) -> None:
    with pytest.raises(FieldError) as refused:
        decode_classify(body)
    assert (refused.value.field, refused.value.status) == (field, 422)


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": "a", "\ud800": 1},
        {"inputs": "a", "parameters": {"\udfff": 1}},
        {"inputs": "a", "parameters": {"function_to_apply": "\ud800"}},
    ],
)
def test_half_a_character_in_a_key_or_an_option_is_refused(body: object) -> None:
    with pytest.raises(FieldError, match="half of a surrogate pair"):
        decode_classify(body)


@pytest.mark.parametrize(
    "body",
    [
        "canary",
        {"inputs": {"canary": "canary"}},
        {"inputs": "a", "parameters": {"canary words": 1}},
        {"inputs": "a", "parameters": {"canary - at `$.canary": 1}},
        {"inputs": "a", "parameters": {"function_to_apply": "canary"}},
        {"inputs": "a", "parameters": {"function_to_apply": "x' - at `$.canary`"}},
        {"inputs": "a", "parameters": {"top_k": "canary"}},
        {"inputs": ["a", {"canary": 1}]},
    ],
)
def test_nothing_of_a_body_is_repeated_in_its_refusal(body: object) -> None:
    with pytest.raises(FieldError) as refused:
        decode_classify(body)
    assert "canary" not in f"{refused.value} {refused.value.field}"


def test_the_answer_is_nested_for_one_text_too() -> None:
    row = (LabelScore("positive", 0.75), LabelScore("negative", 0.25))
    pairs = [{"label": "positive", "score": 0.75}, {"label": "negative", "score": 0.25}]

    def answer(*rows: tuple[LabelScore, ...]) -> ClassifyResponse:
        count = len(rows)
        return ClassifyResponse(rows, tokens=(1,) * count, truncated=(False,) * count, seconds={})

    assert json.loads(encode_json(encode_classify(answer(row)))) == [pairs]
    assert json.loads(encode_json(encode_classify(answer(row, row[:1])))) == [pairs, pairs[:1]]
