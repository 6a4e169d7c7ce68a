"""Feature extraction in Hugging Face's wire format: its options lie at the root."""

import json

import pytest

from maas.errors import FieldError
from maas.http.problems import encode_json
from maas.http.protocols.hf_embedding import decode_embed, encode_embed
from maas.tasks.embed import EmbedRequest, EmbedResponse

NO_VALUES: tuple[object, ...] = (None, 1, "a", [], ["a"])
NO_TEXTS: tuple[object, ...] = (None, 1, True)
COMPARED = {"source_sentence": "a", "sentences": ["b", "c"]}
NO_COUNTS: tuple[object, ...] = (0, -1, 1.5, "2", True)


@pytest.mark.parametrize(
    ("body", "request_"),
    [
        ({"inputs": "a"}, EmbedRequest(("a",))),
        ({"inputs": ["a", "b"], "normalize": True}, EmbedRequest(("a", "b"))),
        ({"inputs": "a", "normalize": None, "prompt_name": None}, EmbedRequest(("a",))),
        ({"inputs": "a", "truncate": True}, EmbedRequest(("a",))),
        ({"inputs": "a", "truncate": False}, EmbedRequest(("a",), cut=False)),
        ({"inputs": "a", "truncation_direction": "right"}, EmbedRequest(("a",))),
        ({"inputs": "a", "truncation_direction": "Right"}, EmbedRequest(("a",))),
        ({"inputs": "a", "dimensions": 5}, EmbedRequest(("a",), dimensions=5)),
        ({"inputs": "a", "encoding_format": "float"}, EmbedRequest(("a",))),
        ({"inputs": "a", "parameters": {"x": 1}, "options": 1}, EmbedRequest(("a",))),
        ({"inputs": COMPARED, "parameters": {}}, EmbedRequest(("a", "b", "c"), compare=True)),
    ],
)
def test_what_the_client_sends_becomes_the_tasks_request(
    body: object, request_: EmbedRequest
) -> None:
    assert decode_embed(body) == request_


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        *((value, None, ".") for value in NO_VALUES),
        ({}, "inputs", "required"),
        *(({"inputs": value}, "inputs", ".") for value in NO_TEXTS),
        ({"inputs": ["a", 1]}, "inputs[1]", "."),
        ({"inputs": {}}, "inputs.source_sentence", "required"),
        *(({"inputs": "a", "dimensions": value}, "dimensions", ".") for value in NO_COUNTS),
        ({"inputs": "a", "normalize": False}, "normalize", "length 1"),
        ({"inputs": "a", "normalize": 1}, "normalize", "."),
        ({"inputs": "a", "truncate": "yes"}, "truncate", "."),
        ({"inputs": "a", "truncation_direction": "left"}, "truncation_direction", "end is cut"),
        ({"inputs": "a", "prompt_name": "query"}, "prompt_name", "no prompts"),
        ({"inputs": "a", "encoding_format": "base64"}, "encoding_format", "must be float"),
    ],
)
def test_what_is_not_acceptable_is_refused_by_its_field(
    body: object, field: str | None, said: str
) -> None:
    with pytest.raises(FieldError, match=said) as refused:
        decode_embed(body)
    assert (refused.value.field, refused.value.status) == (field, 422)


def test_an_answer_is_a_list_of_lists_for_one_text_too() -> None:
    answer = EmbedResponse(
        ((0.5, -0.25),), similarities=(), tokens=(1,), truncated=(False,), seconds={}
    )
    assert json.loads(encode_json(encode_embed(answer))) == [[0.5, -0.25]]


def test_a_comparison_is_a_flat_list() -> None:
    answer = EmbedResponse((), similarities=(0.5, -0.25), tokens=(1,), truncated=(), seconds={})
    assert json.loads(encode_json(encode_embed(answer))) == [0.5, -0.25]
