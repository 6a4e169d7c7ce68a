"""Audio classification and automatic speech recognition in Hugging Face's wire format."""

import json
from typing import TYPE_CHECKING

import pytest
from support.tiny_audio import in_base64

from maas.errors import BadRequestError, FieldError
from maas.http.problems import encode_json
from maas.http.protocols.hf_audio import (
    decode_sound,
    decode_speech,
    encode_speech,
)
from maas.http.protocols.hf_files import encode_labels
from maas.tasks.audio_classify import AudioRequest, AudioResponse
from maas.tasks.labels import LabelScore
from maas.tasks.transcribe import Chunk, TranscribeRequest, TranscribeResponse, Transcript

if TYPE_CHECKING:
    from collections.abc import Callable

ONE = in_base64(b"one")
NO_VALUES: tuple[object, ...] = (None, 1, "a", [], ["a"])
NO_CLIPS: tuple[object, ...] = (None, 1, {}, True, "abc", "é", "data:audio/wav;base64," + ONE)
NO_TIMES: tuple[object, ...] = ("frame", 1, [], "true", "")
BOTH = (decode_sound, decode_speech)


@pytest.mark.parametrize(
    ("value", "clips", "alone"),
    [
        (b"RIFF", (b"RIFF",), True),
        ({"inputs": ONE}, (b"one",), True),
        ({"inputs": ONE, "parameters": {}}, (b"one",), True),
        ({"inputs": [ONE, in_base64(b"two")], "options": 1}, (b"one", b"two"), False),
        ({"inputs": []}, (), False),
    ],
)
def test_what_the_client_sends_becomes_the_tasks_request(
    value: object, clips: tuple[bytes, ...], *, alone: bool
) -> None:
    assert decode_sound(value) == AudioRequest(clips, alone=alone)
    assert decode_speech(value) == TranscribeRequest(clips, alone=alone)


def test_options_are_the_tasks() -> None:
    options = {"top_k": 2, "function_to_apply": "none"}
    wanted = AudioRequest((b"one",), top_k=2, function="none", alone=True)
    assert decode_sound({"inputs": ONE, "parameters": options}) == wanted
    for asked, timestamps in (
        (True, "word"),
        ("word", "word"),
        ("char", "char"),
        (False, None),
        (None, None),
    ):
        request = decode_speech({"inputs": ONE, "parameters": {"return_timestamps": asked}})
        assert request.timestamps == timestamps


@pytest.mark.parametrize("decode", BOTH)
@pytest.mark.parametrize(
    ("value", "field"),
    [
        *((value, None) for value in NO_VALUES),
        ({}, "inputs"),
        *(({"inputs": value}, "inputs") for value in NO_CLIPS),
        ({"inputs": [ONE, "a b="]}, "inputs[1]"),
        ({"inputs": ONE, "parameters": {"generation_parameters": {}}}, "parameters"),
    ],
)
def test_what_is_not_acceptable_is_refused_by_its_field(
    decode: "Callable[[object], object]", value: object, field: str | None
) -> None:
    with pytest.raises(FieldError) as refused:
        decode(value)
    assert (refused.value.field or "").startswith(field or "")
    assert (refused.value.field is None) == (field is None)


@pytest.mark.parametrize("asked", NO_TIMES)
def test_times_are_of_words_or_characters(asked: object) -> None:
    with pytest.raises(FieldError) as refused:
        decode_speech({"inputs": ONE, "parameters": {"return_timestamps": asked}})
    assert refused.value.field == "parameters.return_timestamps"


@pytest.mark.parametrize("decode", BOTH)
def test_an_empty_file_is_no_body(decode: "Callable[[object], object]") -> None:
    with pytest.raises(BadRequestError, match="send a WAV file"):
        decode(b"")


def test_one_clip_has_a_flat_answer_and_a_list_has_one_each() -> None:
    row = (LabelScore("bark", 0.75), LabelScore("rain", 0.25))
    pairs = [{"label": "bark", "score": 0.75}, {"label": "rain", "score": 0.25}]
    alone = AudioResponse((row,), seconds={}, alone=True)
    listed = AudioResponse((row, row[:1]), seconds={})
    assert json.loads(encode_json(encode_labels(alone))) == pairs
    assert json.loads(encode_json(encode_labels(listed))) == [pairs, pairs[:1]]


def test_a_text_has_chunks_where_they_were_asked_for() -> None:
    plain = Transcript("a film")
    timed = Transcript("film", (Chunk("film", 0.5, 1.25),))
    answer = TranscribeResponse((plain,), seconds={}, alone=True)
    assert json.loads(encode_json(encode_speech(answer))) == {"text": "a film"}
    answer = TranscribeResponse((plain, timed, Transcript("", ())), seconds={})
    assert json.loads(encode_json(encode_speech(answer))) == [
        {"text": "a film"},
        {"text": "film", "chunks": [{"text": "film", "timestamp": [0.5, 1.25]}]},
        {"text": "", "chunks": []},
    ]
