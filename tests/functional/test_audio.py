"""Sounds and speech over HTTP and by events: every way a clip may come, and what is told of it."""

import base64
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from support.doors import LambdaContext, http_event, rest_event
from support.task_bundles import TaskHome, home_with
from support.tiny import Client, open_client
from support.tiny_audio import LABELS, LONGEST, heard, in_base64, make_sounds, make_speech, spoken
from support.wav import RATE, wav

from maas.http.entry import build_handler

if TYPE_CHECKING:
    from pathlib import Path

SAID = "a fine film"
CLIP = wav(spoken(SAID))
WORDS = {"parameters": {"return_timestamps": "word"}}


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> TaskHome:
    return home_with(tmp_path_factory.mktemp("speech"), make_speech)


@pytest.fixture(scope="module")
def client(speech: TaskHome) -> Iterator[Client]:
    with open_client(speech.services()) as client:
        yield client


def test_a_clip_may_come_in_any_way_that_a_client_sends_it(
    client: Client, speech: TaskHome
) -> None:
    for kind in ("audio/wav", "audio/x-wav", "AUDIO/WAV", "audio/flac", None):
        headers = {"content-type": kind} if kind else {}
        answer = client.post(speech.path, content=CLIP, headers=headers)
        assert answer.json() == {"text": SAID}, kind
    octets = {"content-type": "application/octet-stream"}
    assert client.post(speech.path, content=CLIP, headers=octets).json() == {"text": SAID}
    coded = {"inputs": in_base64(CLIP)}
    assert client.post(speech.path, json=coded).json() == {"text": SAID}
    # JSON without a type is told by how it begins
    assert client.post(speech.path, content=json.dumps(coded)).json() == {"text": SAID}
    # A list has one answer each, with times where they are asked for
    other = wav(spoken("bad"))
    body = {"inputs": [in_base64(CLIP), in_base64(other)], **WORDS}
    found = client.post(speech.path, json=body).json()
    wanted = [speech.bundle.written(heard(clip)) for clip in (CLIP, other)]
    assert [each["text"] for each in found] == [SAID, "bad"]
    for one, right in zip(found, wanted, strict=True):
        assert [each["text"] for each in one["chunks"]] == [e["text"] for e in right["chunks"]]
        for each, same in zip(one["chunks"], right["chunks"], strict=True):
            assert each["timestamp"] == pytest.approx(same["timestamp"])


def test_an_unknown_format_is_named_whatever_its_type(client: Client, speech: TaskHome) -> None:
    for kind in ("audio/flac", "audio/wav", None):
        headers = {"content-type": kind} if kind else {}
        answer = client.post(speech.path, content=b"fLaC" + bytes(50), headers=headers)
        assert (answer.status_code, answer.json()["field"]) == (422, "inputs")
        assert "send 16-bit PCM WAV" in answer.json()["error"]


@pytest.mark.parametrize("event_of", [rest_event, http_event])
@pytest.mark.parametrize("kind", ["audio/wav", "application/octet-stream", ""])
def test_a_file_reaches_lambda_as_base64(
    speech: TaskHome, event_of: Callable[..., Any], kind: str
) -> None:
    coded = base64.b64encode(CLIP).decode()
    event = event_of("POST", speech.path, coded, headers={"content-type": kind}, base64=True)
    answer = build_handler(speech.settings)(event, LambdaContext())
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, False)
    assert json.loads(answer["body"]) == {"text": SAID}


def test_sagemaker_takes_a_file_and_tensorflow_serving_one_in_base64(
    client: Client, speech: TaskHome
) -> None:
    headers = {"content-type": "audio/wav"}
    answer = client.post(f"{speech.path}/invocations", content=CLIP, headers=headers)
    assert answer.json() == {"text": SAID}
    row = {"b64": in_base64(CLIP)}
    answer = client.post(f"/v1{speech.path}:predict", json={"instances": [row, row]})
    assert answer.status_code == 200, answer.text
    assert SAID in json.dumps(answer.json())


def test_a_model_says_what_it_takes(client: Client, speech: TaskHome, tmp_path: "Path") -> None:
    told = client.get(speech.path).json()
    assert (told["task"], told["labels"]) == ("automatic-speech-recognition", [])
    assert told["audio"] == {"rate": RATE, "seconds": LONGEST / RATE, "cut": False}
    sounds = home_with(tmp_path, make_sounds)
    with open_client(sounds.services()) as other:
        assert other.get(sounds.path).json()["labels"] == list(LABELS)
    inputs = client.get(f"/v2{speech.path}").json()["inputs"]
    assert inputs[0] == {"name": "audio", "datatype": "BYTES", "shape": [-1]}


def test_the_log_counts_what_was_asked(
    client: Client,
    speech: TaskHome,
    log: Any,  # noqa: ANN401
) -> None:
    client.post(speech.path, json={"inputs": [in_base64(CLIP)] * 3})
    (line,) = (json.loads(line) for line in log.getvalue().splitlines())
    assert (line["clips"], line["texts"], line["truncated"]) == (3, 0, 0)
    assert "images" not in line
