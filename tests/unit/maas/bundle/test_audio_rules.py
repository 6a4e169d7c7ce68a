"""What a manifest must say of a model that listens, and what its golden requests must hold."""

import copy
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec.structs import replace
from support.resealed import manifest_of, resealed
from support.tiny_audio import in_base64, make_sounds, make_speech, spoken
from support.wav import RATE, wav

from maas.bundle.golden import GOLDEN, Golden, read_golden
from maas.bundle.manifest import canonical_json, parse_manifest
from maas.bundle.verify import verify_bundle
from maas.errors import BundleError
from maas.limits import LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Body = dict[str, Any]

SOUNDS, SPEECH = "audio-classification", "automatic-speech-recognition"
LONGEST = RATE * LIMITS.clip_seconds
CLIP = in_base64(wav(spoken("a")))


@pytest.fixture(scope="module")
def bodies(tmp_path_factory: pytest.TempPathFactory) -> "dict[str, Body]":
    folder = tmp_path_factory.mktemp("bundles")
    return {
        kind: msgspec.json.decode(canonical_json(make(folder).manifest))
        for kind, make in ((SOUNDS, make_sounds), (SPEECH, make_speech))
    }


def sealed(body: "Body") -> bytes:
    return msgspec.json.encode(body, order="sorted")


def test_a_manifest_of_each_is_read(bodies: "dict[str, Body]") -> None:
    for task, body in bodies.items():
        manifest = parse_manifest(sealed(body))
        assert manifest.task == task
        assert manifest.audio is not None
        assert (manifest.ctc is not None) == (task == SPEECH)
        assert canonical_json(manifest) == sealed(body)


def test_one_length_is_the_graphs(bodies: "dict[str, Body]") -> None:
    body = copy.deepcopy(bodies[SOUNDS])
    body["audio"] |= {"fixed": True, "samples": 500, "shortest": 500}
    with pytest.raises(BundleError, match="must be waveform"):
        parse_manifest(sealed(body))
    body["inputs"][0]["shape"] = ["batch", 500]
    assert parse_manifest(sealed(body)).inputs[0].shape == ("batch", 500)


def change(*path: str | int, to: object) -> "Callable[[Body], None]":
    def changed(body: "Body") -> None:
        inner: Any = body
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = to

    return changed


@pytest.mark.parametrize(
    ("task", "spoil", "reason"),
    [
        (SOUNDS, lambda body: body.pop("audio"), "audio: must be given"),
        (SOUNDS, change("audio", "rate", to=0), "rate"),
        (SOUNDS, change("audio", "rate", to=2**20), "audio.rate: must be at most 192000"),
        (SOUNDS, change("audio", "samples", to=LONGEST + 1), "audio.samples: must be at most 30"),
        (SOUNDS, change("audio", "samples", to=0), "samples"),
        (SOUNDS, change("audio", "shortest", to=LONGEST + 1), "audio.shortest: must be at most"),
        (SOUNDS, change("audio", "fixed", to=True), "audio.shortest: must be at most samples"),
        (SOUNDS, change("audio", "fixed", to=1), "Expected `bool`"),
        (SOUNDS, change("audio", "window", to=1), "unknown field `window`"),
        (SOUNDS, change("labels", to=[]), "labels: must be 2 to 1000 labels"),
        (SOUNDS, change("labels", to=["a", "b"]), "one number per label"),
        (SOUNDS, change("limits", "max_tokens", to=1), "max_tokens: must be 0 for audio"),
        (SOUNDS, change("inputs", 0, "name", to="speech"), "must be waveform, float32"),
        (SOUNDS, change("inputs", 0, "dtype", to="float64"), "must be waveform, float32"),
        (SOUNDS, change("inputs", 0, "shape", to=["batch", 9]), "must be waveform, float32"),
        (SOUNDS, change("outputs", 0, "shape", to=["batch", "t", 3]), "[batch, labels]"),
        (SOUNDS, change("task", to="text-classification"), "max_tokens: must be 1"),
        (SOUNDS, change("task", to="image-classification"), "image: must be given"),
        (SOUNDS, change("task", to=SPEECH), "labels: must be none"),
        (SPEECH, lambda body: body.pop("ctc"), "ctc: must be given"),
        (SPEECH, change("labels", to=["a", "b"]), "labels: must be none"),
        (SPEECH, change("ctc", "blank", to=28), "ctc.blank: must be the id of a token"),
        (SPEECH, change("ctc", "blank", to=-1), "blank"),
        (SPEECH, change("ctc", "frame", to=0), "frame"),
        (SPEECH, change("ctc", "tokens", to=["a"]), "ctc.tokens: must be 2 to 10000"),
        (SPEECH, change("ctc", "tokens", 1, to="a\nb"), "ctc.tokens: must be short texts"),
        (SPEECH, change("ctc", "tokens", 1, to="a" * 65), "ctc.tokens: must be short texts"),
        (SPEECH, change("ctc", "tokens", to=["a", "b"]), "[batch, frames, tokens]"),
        (SPEECH, change("outputs", 0, "shape", to=["batch", 28]), "[batch, frames, tokens]"),
        (SPEECH, change("task", to=SOUNDS), "labels: must be 2"),
    ],
)
def test_what_does_not_fit_is_refused(
    bodies: "dict[str, Body]", task: str, spoil: "Callable[[Body], None]", reason: str
) -> None:
    body = copy.deepcopy(bodies[task])
    spoil(body)
    with pytest.raises(BundleError) as refusal:
        parse_manifest(sealed(body))
    assert reason in f"{refusal.value.field}: {refusal.value}"


HEARD = Golden(clips=(CLIP,), logits=((0.0,) * 3,))
SPELLED = Golden(clips=(CLIP,), logits=((0.0,) * 28,) * 2)


@pytest.mark.parametrize(
    ("make", "golden", "reason"),
    [
        (make_sounds, HEARD, None),
        (make_sounds, replace(HEARD, clips=()), "not of a model for audio-classification"),
        (make_sounds, replace(HEARD, texts=("a",)), "not of a model for audio-classification"),
        (make_sounds, replace(HEARD, images=("a",)), "not of a model for audio-classification"),
        (make_sounds, replace(HEARD, outputs=("a",)), "not of a model for audio-classification"),
        (make_sounds, replace(HEARD, clips=(CLIP, CLIP)), "does not fit the labels"),
        (make_sounds, replace(HEARD, logits=((0.0,) * 2,)), "does not fit the labels"),
        (make_speech, SPELLED, None),
        (make_speech, replace(SPELLED, clips=(CLIP, CLIP)), "does not fit the outputs"),
        (make_speech, replace(SPELLED, logits=((0.0,) * 27,)), "does not fit the outputs"),
        (make_speech, replace(SPELLED, outputs=("a",)), "not of a model for automatic-speech"),
    ],
)
def test_golden_requests_are_of_clips(
    tmp_path: "Path", make: "Callable[..., Any]", golden: Golden, reason: str | None
) -> None:
    bundle = make(tmp_path)
    (bundle.folder / GOLDEN).write_bytes(golden.encode())
    verified = verify_bundle(resealed(bundle, manifest_of(bundle)).folder)
    if reason is None:
        assert read_golden(verified) == (golden,)
        return
    with pytest.raises(BundleError, match=reason):
        read_golden(verified)
