"""Limits on clips of sound, and on models that listen, where they bite (P3, families 20 and 26)."""

import json
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from support.doors import rest_event
from support.effort import count
from support.task_bundles import home_with
from support.tiny import Client, open_client
from support.tiny_audio import in_base64, make_sounds, make_speech, noise
from support.wav import RATE, fmt, riff, wav

from maas.bundle.manifest import canonical_json, parse_manifest
from maas.errors import BundleError
from maas.limits import LIMITS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from maas.bundle.manifest import Manifest

SOUNDS, SOUND = "/models/sounds", wav(noise())
AS_WAV = {"content-type": "audio/wav"}
edge = pytest.mark.parametrize("step", [-1, 0, 1])


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Client]":
    home = home_with(tmp_path_factory.mktemp("home"), make_sounds)
    with open_client(home.services()) as client:
        yield client


def check(client: Client, response: "httpx.Response", step: int, status: int, said: str) -> None:
    """Up to the limit 200; above it a refusal that names the limit, and a good answer after it."""
    if step <= 0:
        assert response.status_code == 200, response.text
        return
    count("inputs")
    assert response.status_code == status
    assert said in response.json()["error"]
    assert client.post(SOUNDS, json={"inputs": in_base64(SOUND)}).status_code == 200


def check_manifest(manifest: "Manifest", step: int, said: str) -> None:
    """Up to the limit it is accepted; above it refused, and the limit named."""
    data = canonical_json(manifest)
    if step <= 0:
        assert parse_manifest(data) == manifest
        return
    count("attacks")
    with pytest.raises(BundleError, match=said):
        parse_manifest(data)


# ---- What is sent -------------------------------------------------------------------------------


@edge
@pytest.mark.parametrize("form", ["file", "JSON"])
def test_limit_audio_bytes(client: Client, form: str, step: int) -> None:
    size = LIMITS.audio_bytes + step
    if form == "file":  # what follows the samples is left out
        response = client.post(SOUNDS, content=SOUND.ljust(size, b"x"), headers=AS_WAV)
    else:
        body = json.dumps({"inputs": in_base64(SOUND)}).encode()
        response = client.post(SOUNDS, content=body.ljust(size))
    check(client, response, step, 413, f"at most {LIMITS.audio_bytes} bytes")


def test_p3_the_largest_clip_is_below_what_lambda_takes() -> None:
    envelope = json.dumps(rest_event("POST", SOUNDS, ""))
    assert len(envelope) + LIMITS.audio_bytes * 4 / 3 < 6_000_000


@edge
def test_limit_clips(client: Client, step: int) -> None:
    response = client.post(SOUNDS, json={"inputs": [in_base64(SOUND)] * (LIMITS.clips + step)})
    check(client, response, step, 422, f"1 to {LIMITS.clips} clips")


@edge
@pytest.mark.parametrize("rate", [RATE, 2 * RATE])
def test_limit_clip_seconds(client: Client, tmp_path: "Path", rate: int, step: int) -> None:
    samples = LIMITS.clip_seconds * rate + step
    data = riff(fmt(rate=rate), (b"data", bytes(2 * samples)))
    response = client.post(SOUNDS, content=data, headers=AS_WAV)
    check(client, response, step, 422, f"at most {LIMITS.clip_seconds} seconds")
    # And no model asks for more
    manifest = make_sounds(tmp_path).manifest
    assert manifest.audio is not None
    audio = replace(manifest.audio, rate=rate, samples=samples)
    check_manifest(replace(manifest, audio=audio), step, f"at most {LIMITS.clip_seconds} seconds")


@edge
def test_limit_clip_channels(client: Client, step: int) -> None:
    channels = LIMITS.clip_channels + step
    data = riff(fmt(channels=channels), (b"data", bytes(200 * channels)))
    response = client.post(SOUNDS, content=data, headers=AS_WAV)
    check(client, response, step, 422, f"1 to {LIMITS.clip_channels} channels")


@edge
def test_limit_clip_rate(client: Client, tmp_path: "Path", step: int) -> None:
    rate = LIMITS.clip_rate + step
    data = riff(fmt(rate=rate), (b"data", bytes(4_000)))
    response = client.post(SOUNDS, content=data, headers=AS_WAV)
    check(client, response, step, 422, f"1 to {LIMITS.clip_rate} samples a second")
    manifest = make_sounds(tmp_path).manifest
    assert manifest.audio is not None
    audio = replace(manifest.audio, rate=rate)
    check_manifest(replace(manifest, audio=audio), step, f"at most {LIMITS.clip_rate}")


# ---- What a model may have ----------------------------------------------------------------------


@edge
def test_limit_ctc_tokens(tmp_path: "Path", step: int) -> None:
    manifest = make_speech(tmp_path).manifest
    assert manifest.ctc is not None
    tokens = tuple(f"{number}" for number in range(LIMITS.ctc_tokens + step))
    shape = (*manifest.outputs[0].shape[:-1], len(tokens))
    changed = replace(
        manifest,
        ctc=replace(manifest.ctc, tokens=tokens),
        outputs=(replace(manifest.outputs[0], shape=shape),),
    )
    check_manifest(changed, step, f"2 to {LIMITS.ctc_tokens} tokens")
