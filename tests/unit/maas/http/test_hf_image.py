"""Image classification in Hugging Face's wire format."""

import json

import pytest
from support.tiny_image import in_base64

from maas.errors import BadRequestError, FieldError
from maas.http.problems import encode_json
from maas.http.protocols.hf_files import encode_labels
from maas.http.protocols.hf_image import decode_image
from maas.tasks.image import ImageRequest, ImageResponse
from maas.tasks.labels import LabelScore

ONE = in_base64(b"one")
NO_VALUES: tuple[object, ...] = (None, 1, "a", [], ["a"])
NO_IMAGES: tuple[object, ...] = (None, 1, {}, True)
NO_COUNTS: tuple[object, ...] = (0, -1, 1001, 1.5, "2", True)


@pytest.mark.parametrize(
    ("value", "request_"),
    [
        (b"\x89PNG", ImageRequest((b"\x89PNG",), alone=True)),
        ({"inputs": ONE}, ImageRequest((b"one",), alone=True)),
        ({"inputs": ONE, "parameters": {}}, ImageRequest((b"one",), alone=True)),
        ({"inputs": [ONE]}, ImageRequest((b"one",))),
        ({"inputs": [ONE, in_base64(b"two")], "options": 1}, ImageRequest((b"one", b"two"))),
        ({"inputs": []}, ImageRequest(())),
        (
            {"inputs": ONE, "parameters": {"top_k": 2, "function_to_apply": "none"}},
            ImageRequest((b"one",), top_k=2, function="none", alone=True),
        ),
    ],
)
def test_what_the_client_sends_becomes_the_tasks_request(
    value: object, request_: ImageRequest
) -> None:
    assert decode_image(value) == request_


@pytest.mark.parametrize(
    ("value", "field"),
    [
        *((value, None) for value in NO_VALUES),
        ({}, "inputs"),
        *(({"inputs": value}, "inputs") for value in NO_IMAGES),
        ({"inputs": [ONE, 1]}, "inputs[1]"),
        *(({"inputs": text}, "inputs") for text in ("abc", "a b=", "é", "\ud800", ONE + "\n")),
        ({"inputs": [ONE, "data:image/png;base64," + ONE]}, "inputs[1]"),
        ({"inputs": ONE, "parameters": {"threshold": 1}}, "parameters.threshold"),
        ({"inputs": ONE, "parameters": {"function_to_apply": "x"}}, "parameters.function_to_apply"),
        *(({"inputs": ONE, "parameters": {"top_k": v}}, "parameters.top_k") for v in NO_COUNTS),
    ],
)
def test_what_is_not_acceptable_is_refused_by_its_field(value: object, field: str | None) -> None:
    with pytest.raises(FieldError) as refused:
        decode_image(value)
    assert (refused.value.field, refused.value.status) == (field, 422)


def test_an_empty_file_is_no_body() -> None:
    with pytest.raises(BadRequestError, match="empty"):
        decode_image(b"")


def test_one_image_has_a_flat_list_and_a_list_has_one_each() -> None:
    row = (LabelScore("cat", 0.75), LabelScore("dog", 0.25))
    pairs = [{"label": "cat", "score": 0.75}, {"label": "dog", "score": 0.25}]
    alone = ImageResponse((row,), seconds={}, alone=True)
    listed = ImageResponse((row, row[:1]), seconds={})
    assert json.loads(encode_json(encode_labels(alone))) == pairs
    assert json.loads(encode_json(encode_labels(listed))) == [pairs, pairs[:1]]
