"""Translation and summarization in Hugging Face's wire format."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from maas.errors import FieldError
from maas.http.problems import encode_json
from maas.http.protocols.hf_writing import (
    decode_summarize,
    decode_translate,
    encode_summarize,
    encode_translate,
)
from maas.limits import LIMITS
from maas.tasks.write import WriteRequest, WriteResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    Decoder = Callable[[object], WriteRequest]

HOW = "generate_parameters"
DECODERS = pytest.mark.parametrize("decode", [decode_translate, decode_summarize])
FLAGS: tuple[bool | None, ...] = (True, False, None)
NO_VALUES: tuple[object, ...] = (None, 1, "a", [], ["a"])
NO_TEXTS: tuple[object, ...] = (None, 1, {}, True)
NO_COUNTS: tuple[object, ...] = (0, -1, 1.5, "2", True, [], {}, 10**19)


def how(**options: object) -> dict[str, Any]:
    return {"inputs": "a", "parameters": {HOW: options}}


@DECODERS
@pytest.mark.parametrize(
    ("body", "request_"),
    [
        ({"inputs": "a"}, WriteRequest(("a",))),
        ({"inputs": ["a", "b"], "parameters": {}}, WriteRequest(("a", "b"))),
        ({"inputs": "a", "parameters": None, "options": 1}, WriteRequest(("a",))),
        ({"inputs": "a", "parameters": {HOW: None}}, WriteRequest(("a",))),
        (how(), WriteRequest(("a",))),
        (how(num_beams=8), WriteRequest(("a",), beams=8)),
        (how(max_new_tokens=512), WriteRequest(("a",), max_new_tokens=512)),
        (how(max_length=7), WriteRequest(("a",), max_new_tokens=7)),
        (how(max_length=7, max_new_tokens=9), WriteRequest(("a",), max_new_tokens=9)),
        *(
            ({"inputs": "a", "parameters": {"truncation": name}}, WriteRequest(("a",), cut=cut))
            for name, cut in {
                "longest_first": True,
                "only_first": True,
                "only_second": False,
                "do_not_truncate": False,
            }.items()
        ),
        *(
            (
                {"inputs": "a", "parameters": {"clean_up_tokenization_spaces": v}},
                WriteRequest(("a",)),
            )
            for v in FLAGS
        ),
    ],
)
def test_what_the_client_sends_becomes_the_tasks_request(
    decode: "Decoder", body: object, request_: WriteRequest
) -> None:
    assert decode(body) == request_


@DECODERS
@pytest.mark.parametrize(
    ("body", "field"),
    [
        *((value, None) for value in NO_VALUES),
        ({}, "inputs"),
        *(({"inputs": value}, "inputs") for value in NO_TEXTS),
        ({"inputs": ["a", 1]}, "inputs[1]"),
        ({"inputs": "a", "parameters": []}, "parameters"),
        ({"inputs": "a", "parameters": {"num_beams": 2}}, "parameters.num_beams"),
        ({"inputs": "a", "parameters": {"truncation": "none"}}, "parameters.truncation"),
        ({"inputs": "a", "parameters": {HOW: []}}, f"parameters.{HOW}"),
        (how(do_sample=True), f"parameters.{HOW}.do_sample"),
        *((how(num_beams=v), f"parameters.{HOW}.num_beams") for v in (*NO_COUNTS, 9)),
        *((how(max_new_tokens=v), f"parameters.{HOW}.max_new_tokens") for v in (*NO_COUNTS, 513)),
        *((how(max_length=v), f"parameters.{HOW}.max_length") for v in (*NO_COUNTS, 513)),
    ],
)
def test_what_is_not_acceptable_is_refused_by_its_field(
    decode: "Decoder", body: object, field: str | None
) -> None:
    with pytest.raises(FieldError) as refused:
        decode(body)
    assert (refused.value.field, refused.value.status) == (field, 422)


@pytest.mark.parametrize(
    ("languages", "field"),
    [
        ({"src_lang": "de", "tgt_lang": "en"}, ""),
        ({"src_lang": "de"}, "tgt_lang"),
        ({"tgt_lang": "en", "src_lang": None}, "src_lang"),
        ({"src_lang": "", "tgt_lang": "en"}, "src_lang"),
        ({"src_lang": "de", "tgt_lang": "x" * 65}, "tgt_lang"),
        ({"src_lang": 1, "tgt_lang": "en"}, "src_lang"),
    ],
)
def test_languages_come_both_or_not_at_all(languages: dict[str, object], field: str) -> None:
    body = {"inputs": "a", "parameters": languages}
    if not field:
        assert decode_translate(body) == WriteRequest(("a",))
        return
    with pytest.raises(FieldError) as refused:
        decode_translate(body)
    assert refused.value.field == f"parameters.{field}"


def test_a_summary_has_no_languages() -> None:
    with pytest.raises(FieldError, match="not known here"):
        decode_summarize({"inputs": "a", "parameters": {"src_lang": "de", "tgt_lang": "en"}})


def test_an_answer_is_a_list_for_one_text_too() -> None:
    answer = WriteResponse(("eins", "zwei ü"), tokens=(2, 3), truncated=(False, False), seconds={})
    translated, summed = encode_translate(answer), encode_summarize(answer)
    texts = ("eins", "zwei ü")
    assert json.loads(encode_json(translated)) == [{"translation_text": t} for t in texts]
    assert json.loads(encode_json(summed)) == [{"summary_text": t} for t in texts]


def test_the_bounds_are_the_limits() -> None:
    assert (LIMITS.beams, LIMITS.new_tokens) == (8, 512)
