"""Bad clips of sound by every door, of models that tell sounds apart and that write (P3, P4, P5).

Each is refused alike by ASGI and by both kinds of events, by a 4xx with the one error body, within
250 ms of work, and a good request by the same process follows.
"""

import json
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.effort import examples
from support.families import BODIES, each_of
from support.hostile import JSON, Doors, Sent, open_doors
from support.task_bundles import home_with
from support.tensors import tensor_of as tensor
from support.tensors import text
from support.tiny_audio import TOKENS, in_base64, make_sounds, make_speech, noise, spoken
from support.wav import FLOAT, RATE, extensible, fmt, riff, wav

from maas.limits import LIMITS

if TYPE_CHECKING:
    from collections.abc import Iterator

SOUNDS, SPEECH = "/models/sounds", "/models/speech"
WAV = {"content-type": "audio/wav"}
FILE = wav(noise(1))
SPOKEN = wav(spoken("a fine film"))
NO_CLIPS: tuple[object, ...] = (None, 1, True, {}, [], "abc", "a=b", "é", "")
NO_CLIP: tuple[object, ...] = (None, 1, [], "abc", "")
NO_COUNTS: tuple[object, ...] = (0, -1, 1.5, "2", True, [], {}, 10**9)
NO_TIMES: tuple[object, ...] = ("words", "", 1, [], {})
NO_NAMES: tuple[object, ...] = ("", 1, True, [])
both = pytest.mark.parametrize("task", ["sounds", "speech"])


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Doors]":
    home = home_with(tmp_path_factory.mktemp("home"), make_sounds)
    with open_doors(home, good=Sent(FILE, path=SOUNDS, headers=WAV)) as doors:
        yield doors


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Doors]":
    home = home_with(tmp_path_factory.mktemp("home"), make_speech)
    with open_doors(home, good=Sent(SPOKEN, path=SPEECH, headers=WAV)) as doors:
        yield doors


# ---- Bodies -------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("body", each_of({name: each[:3] for name, each in BODIES.items()}))
def test_p4_families_1_2_4_5_6_what_is_no_json_of_ours(
    request: pytest.FixtureRequest, task: str, body: bytes
) -> None:
    doors = request.getfixturevalue(task)
    sent = Sent(body, path=doors.sample.path, headers=JSON)
    doors.refuse(sent, 400, "bad_request")


@both
@pytest.mark.parametrize("body", ["null", "true", "0", '"inputs"', "[]", '[{"inputs":"a"}]'])
def test_p4_family_3_no_object(request: pytest.FixtureRequest, task: str, body: str) -> None:
    doors = request.getfixturevalue(task)
    doors.refuse(Sent(body.encode(), path=doors.sample.path, headers=JSON), 422, "invalid_field")


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "audio/midi"},
        {"content-type": "audio/*"},
        {"content-type": "video/mp4"},
        {"content-type": "image/png"},
        {"content-type": "multipart/form-data"},
        {"content-type": "audio/wav, audio/mpeg"},
        {"content-type": "audio/wav", "content-encoding": "gzip"},
        {"content-type": "audio/wav;charset=utf-16"},
    ],
)
def test_p4_family_18_other_types(sounds: Doors, headers: dict[str, str]) -> None:
    sounds.refuse(Sent(FILE, path=SOUNDS, headers=headers), 415, "unsupported_media_type")


def test_p4_family_18_a_body_that_is_not_what_its_type_says(sounds: Doors) -> None:
    said = b'{"inputs":"%s"}' % in_base64(FILE).encode()
    sounds.refuse(Sent(FILE, path=SOUNDS, headers=JSON), 400, "bad_request")
    for kind in ("audio/wav", "audio/flac", "application/octet-stream"):
        sent = Sent(said, path=SOUNDS, headers={"content-type": kind})
        sounds.refuse(sent, 422, "invalid_field", "inputs")


def test_p4_family_1_an_empty_file(sounds: Doors) -> None:
    for headers in (WAV, JSON, {}):
        sounds.refuse(Sent(b"", path=SOUNDS, headers=headers), 400, "bad_request")


# ---- Clips --------------------------------------------------------------------------------------

DATA = (b"data", bytes(800))
FILES: dict[str, list[bytes]] = {
    "nothing": [b" ", b"\n", b"\0"],
    "another format": [
        *(b"fLaC" + bytes(99), b"OggS" + bytes(99), b"ID3\4" + bytes(99), b"\xff\xfb" + bytes(99)),
        *(b"\0\0\0\x20ftypM4A ", b"RF64" + FILE[4:], b"RIFX" + FILE[4:], FILE[1:], b"x" + FILE),
        b"RIFF\0\0\0\0WEBPVP8 ",
    ],
    "cut off": [FILE[:at] for at in (4, 8, 11, 12, 20, 36, 43, 44, len(FILE) - 1)],
    "damaged": [
        riff(DATA, fmt()),
        riff((b"fmt ", b""), DATA),
        riff(fmt(align=0), DATA),
        riff(fmt(align=7), DATA),
        riff(fmt(), (b"data", bytes(801))),
        riff(fmt())[:-4] + b"data" + struct.pack("<I", 2**32 - 2) + bytes(800),
    ],
    "other samples": [
        riff(fmt(kind=kind, bits=bits), DATA)
        for kind, bits in ((2, 4), (6, 8), (7, 8), (FLOAT, 64), (FLOAT, 16), (85, 0), (1, 64))
    ]
    + [riff(extensible(2**16 - 1), DATA), riff(extensible(1, guid=bytes(14)), DATA)],
    "no sound": [
        riff(fmt(kind=FLOAT, bits=32), (b"data", struct.pack("<9f", *[value] * 9)))
        for value in (np.nan, np.inf, -np.inf, 3.4e38, 32_767.0)
    ],
    "bombs": [
        riff(fmt(rate=1, bits=8), (b"data", bytes(31))),
        riff(fmt(rate=2**32 - 1), DATA),
        riff(fmt(channels=2**16 - 1, bits=8), (b"data", bytes(2**16 - 1))),
        riff(*[(b"junk", b"")] * 500_000),
        riff(fmt(), (b"data", bytes(4_000_000))),
    ],
    "too short": [riff(fmt(), (b"data", b"")), riff(fmt(), (b"data", bytes(14)))],
}
FITTING = {
    family: [data for data in members if len(data) * 4 / 3 < LIMITS.audio_bytes]
    for family, members in FILES.items()
}


@pytest.mark.parametrize("data", each_of(FILES))
@pytest.mark.parametrize("headers", [WAV, {"content-type": "audio/mpeg"}, {}])
def test_p4_family_sounds_what_is_no_clip(
    sounds: Doors, headers: dict[str, str], data: bytes
) -> None:
    sounds.refuse(Sent(data, path=SOUNDS, headers=headers), 422, "invalid_field", "inputs")


@pytest.mark.parametrize("data", each_of(FITTING))
def test_p4_family_sounds_what_is_no_clip_in_base64_or_as_a_tensor(
    speech: Doors, data: bytes
) -> None:
    coded = in_base64(data)
    speech.refuse({"inputs": coded}, 422, "invalid_field", "inputs")
    listed = [in_base64(SPOKEN), coded]
    speech.refuse({"inputs": listed}, 422, "invalid_field", "inputs[1]")
    asked = text("audio", coded) | {"parameters": {"content_type": "base64"}}
    sent = Sent(json.dumps({"inputs": [asked]}).encode(), path=f"/v2{SPEECH}/infer")
    speech.refuse(sent, 422, "invalid_field", "audio")


def test_p4_a_rate_that_is_odd_is_resampled_within_the_same_bounds(sounds: Doors) -> None:
    """What a filter has phases is the model's rate at the most, whatever a file says."""
    for rate in (1, 7, 11_025, 44_101, 191_999, 192_000):
        samples = noise(2, seconds=min(5.0, 200_000 / rate), rate=rate)
        sent = Sent(wav(samples, rate=rate, bits=8), path=SOUNDS, headers=WAV)
        assert {answer.status for answer in sounds.send(sent)} == {200}
        sounds.good()


OPTIONS: list[tuple[str, dict[str, Any], str]] = [
    *(("sounds", {"top_k": value}, "parameters.top_k") for value in (1001, *NO_COUNTS)),
    *(
        ("sounds", {"function_to_apply": value}, "parameters.function_to_apply")
        for value in ("relu", *NO_NAMES)
    ),
    ("sounds", {"return_timestamps": True}, "parameters.return_timestamps"),
    *(
        ("speech", {"return_timestamps": value}, "parameters.return_timestamps")
        for value in NO_TIMES
    ),
    ("speech", {"generation_parameters": {}}, "parameters.generation_parameters"),
    ("speech", {"chunk_length_s": 5}, "parameters.chunk_length_s"),
]


@pytest.mark.parametrize(("task", "options", "field"), OPTIONS)
def test_p4_family_25_options_of_sounds(
    request: pytest.FixtureRequest, task: str, options: dict[str, Any], field: str
) -> None:
    body = {"inputs": in_base64(FILE), "parameters": options}
    request.getfixturevalue(task).refuse(body, 422, "invalid_field", field)


@both
@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        *((value, "inputs") for value in NO_CLIPS),
        *(([in_base64(SPOKEN), value], "inputs[1]") for value in NO_CLIP),
        ([in_base64(SPOKEN)] * (LIMITS.clips + 1), "inputs"),
        ("data:audio/wav;base64," + in_base64(SPOKEN), "inputs"),
        ("http://169.254.169.254/latest/meta-data", "inputs"),
        ("file:///etc/passwd", "inputs"),
        ({"array": [0.5], "sampling_rate": RATE}, "inputs"),
    ],
)
def test_p4_s9_family_8_inputs_that_are_no_clips(
    request: pytest.FixtureRequest, task: str, inputs: object, field: str
) -> None:
    request.getfixturevalue(task).refuse({"inputs": inputs}, 422, "invalid_field", field)


WRONG = [
    ([text("audio")], "audio"),
    ([text("audio", *(["AAAA"] * (LIMITS.clips + 1)))], "audio"),
    ([text("audio", in_base64(FILE))], "audio"),  # it does not say base64
    ([tensor("waveform", np.zeros((1, 99)))], "waveform"),
    ([tensor("waveform", np.zeros((0, 99), np.float32))], "waveform"),
    ([tensor("waveform", np.zeros((1, 0), np.float32))], "waveform"),
    ([tensor("waveform", np.zeros((1, 7), np.float32))], "waveform"),
    ([tensor("waveform", np.zeros(99, np.float32))], "waveform"),
    ([tensor("waveform", np.zeros((LIMITS.clips + 1, 99), np.float32))], "waveform"),
    ([text("text", "a film")], "inputs"),
]


@both
@pytest.mark.parametrize(("inputs", "field"), WRONG)
def test_p4_family_15_tensors_that_are_no_clips(
    request: pytest.FixtureRequest, task: str, inputs: object, field: str
) -> None:
    doors = request.getfixturevalue(task)
    path = f"/v2{doors.sample.path}/infer"
    sent = Sent(json.dumps({"inputs": inputs}).encode(), path=path)
    doors.refuse(sent, 422, "invalid_field", field)


@pytest.mark.parametrize(
    ("coded", "remedy"),
    [
        ("data:audio/wav;base64," + in_base64(FILE), "nothing such as data: before it"),
        (in_base64(FILE[:-20]), "send 16-bit PCM WAV"),
        (in_base64(b"fLaC" + bytes(40)), "a file of FLAC, which is not read here; send 16-bit PCM"),
        (in_base64(riff(fmt(), (b"data", bytes(2 * RATE * 30 + 2)))), "send it in parts"),
    ],
)
def test_p4_a_refusal_of_a_clip_says_what_to_do(sounds: Doors, coded: str, remedy: str) -> None:
    answer = sounds.refuse({"inputs": coded}, 422, "invalid_field", "inputs")
    assert remedy in answer.json["error"]


@settings(max_examples=examples(60, 3_000), deadline=None)
@given(st.data())
def test_p4_any_change_of_a_clip_is_answered_or_refused(speech: Doors, data: st.DataObject) -> None:
    changed = bytearray(data.draw(st.sampled_from([SPOKEN, wav(spoken("a"), bits=24)])))
    for _ in range(data.draw(st.integers(1, 5))):
        last = data.draw(st.sampled_from([43, len(changed) - 1]))  # most changes in the header
        changed[data.draw(st.integers(0, last))] = data.draw(st.integers(0, 255))
    answers = speech.send(Sent(bytes(changed), path=SPEECH, headers=WAV))
    assert {answer.status for answer in answers} in ({200}, {422})
    said = {answer.body if answer.status == 200 else answer.json["error"] for answer in answers}
    assert len(said) == 1
    if {answer.status for answer in answers} == {200}:
        assert set(answers[0].json["text"]) <= set("".join(TOKENS))
    speech.good()


def test_what_is_beside_a_clip_changes_nothing(sounds: Doors) -> None:
    more = (b"LIST", b"INFO" + bytes(100_001))
    plain, other = (
        sounds.send(Sent(data, path=SOUNDS, headers=WAV))
        for data in (FILE, riff(more, fmt(), more, (b"data", FILE[44:]), more) + b"PK\x03\x04")
    )
    assert [answer.body for answer in other] == [answer.body for answer in plain]
