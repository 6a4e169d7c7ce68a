"""Foreign graphs that listen: fed what they were trained with, and answering alike."""

import json
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from onnx import TensorProto
from support.foreign_graphs import graph_of, node, saved
from support.tiny_audio import heard, noise
from support.wav import RATE, wav

from maas.bundle.verify import verify_bundle
from maas.errors import MaasError
from maas.loading import load_version
from maas.tasks.audio_classify import AudioRequest
from maas.tasks.transcribe import TranscribeRequest
from maas_lab.importing.importer import import_model
from maas_lab.importing.wishes import Wishes

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    import onnx

    from maas_lab.importing.imported import Imported

LABELS = ("bark", "rain")
SPEECH = {"task": "automatic-speech-recognition", "labels": ()}
WEIGHTS = np.random.default_rng(0).normal(size=(2, 2)).astype(np.float32) * 4
FLOATS, HALVES = TensorProto.FLOAT, TensorProto.FLOAT16
SOUND = wav(noise(3))
FRAME, WINDOW = 16, 40
"""Samples of a frame, and of what is heard at once."""
SPELLED = {"<pad>": 0, "|": 1, "a": 2, "b": 3}
SOUNDS = np.random.default_rng(1).normal(size=(5, 1, WINDOW)).astype(np.float32)


def listening(
    kind: int = FLOATS,
    *,
    softmax: bool = False,
    samples: Any = "t",  # noqa: ANN401
    batch: Any = "n",  # noqa: ANN401
) -> "onnx.ModelProto":
    """A classifier of the mean and the highest sample.

    Args:
        kind: The type of what it reads.
        softmax: Whether it answers probabilities.
        samples: How many it takes, or a name.
        batch: How many clips it takes, or a name.
    """
    nodes = [
        node("Cast", ["speech"], ["wide"], to=FLOATS),
        node("ReduceMean", ["wide"], ["mean"], axes=[1]),
        node("ReduceMax", ["wide"], ["peak"], axes=[1]),
        node("Concat", ["mean", "peak"], ["figures"], axis=1),
        node("MatMul", ["figures", "weights"], ["sums"]),
        node("Softmax", ["sums"], ["shares"], axis=-1),
        node("Identity", ["shares" if softmax else "sums"], ["scores"]),
    ]
    return graph_of(
        nodes,
        {"speech": (kind, [batch, samples])},
        {"scores": (FLOATS, [batch, 2])},
        weights=WEIGHTS,
    )


def speaking() -> "onnx.ModelProto":
    """A model of speech: how much each window of a clip is like five sounds."""
    return graph_of(
        [
            node("Unsqueeze", ["speech", "one"], ["channel"]),
            node("Conv", ["channel", "sounds"], ["alike"], strides=[FRAME]),
            node("Transpose", ["alike"], ["output"], perm=[0, 2, 1]),
        ],
        {"speech": (FLOATS, ["n", "t"])},
        {"output": (FLOATS, ["n", "f", 5])},
        sounds=SOUNDS,
        one=np.array([1]),
    )


def imported(folder: "Path", model: "onnx.ModelProto", **wishes: Any) -> "Imported":  # noqa: ANN401
    options = {"task": "audio-classification", "labels": LABELS, "rate": RATE, **wishes}
    return import_model(saved(folder, model), folder / "bundles", Wishes(**options))


def asked(done: "Imported", request: Any) -> Any:  # noqa: ANN401
    task = load_version(verify_bundle(done.made.bundle.folder), threads=1).task
    return task.predict(request, deadline=time.monotonic() + 5).rows[0]


def scores(done: "Imported", clip: bytes) -> list[float]:
    row = asked(done, AudioRequest((clip,)))
    return [{each.label: each.score for each in row}[label] for label in LABELS]


def wanted(samples: "npt.NDArray[np.float64]") -> list[float]:
    powers = np.exp(np.array([samples.mean(), samples.max()]) @ WEIGHTS)
    shares: list[float] = (powers / powers.sum()).tolist()
    return shares


def normal(samples: "npt.NDArray[np.float64]") -> "npt.NDArray[np.float64]":
    made: npt.NDArray[np.float64] = (samples - samples.mean()) / samples.std()
    return made


@pytest.mark.parametrize(
    ("model", "wishes", "heard_as"),
    [
        (listening(), {}, lambda samples: samples),
        (listening(HALVES), {}, lambda samples: samples),
        (listening(softmax=True), {}, lambda samples: samples),
        (listening(batch=1), {}, lambda samples: samples),
        (listening(), {"normalise": True}, normal),
        (listening(samples=1_000), {}, lambda samples: np.pad(samples, (0, 200))),
        (listening(samples=500), {}, lambda samples: samples[:500]),
        (listening(samples=500), {"seconds": 500 / RATE}, lambda samples: samples[:500]),
    ],
    ids=["plain", "half", "softmax", "one", "normal", "longer", "shorter", "said"],
)
def test_a_clip_is_answered_as_the_graph_was_trained(
    tmp_path: "Path",
    model: "onnx.ModelProto",
    wishes: dict[str, Any],
    heard_as: Any,  # noqa: ANN401
) -> None:
    done = imported(tmp_path, model, **wishes)
    audio = done.made.bundle.manifest.audio
    assert audio is not None
    assert audio.rate == RATE
    assert audio.normalise is wishes.get("normalise", False)
    assert len(heard(SOUND)) == 800
    assert scores(done, SOUND) == pytest.approx(wanted(heard_as(heard(SOUND))), abs=2e-3)


def test_how_long_clips_are_is_tried_and_said(tmp_path: "Path") -> None:
    done = imported(tmp_path, listening(), seconds=2.0)
    audio = done.made.bundle.manifest.audio
    assert audio is not None
    assert (audio.shortest, audio.samples, audio.fixed) == (1, 2 * RATE, False)
    fixed = imported(tmp_path / "b", listening(samples=500)).made.bundle.manifest.audio
    assert fixed is not None
    assert (fixed.shortest, fixed.samples, fixed.fixed) == (500, 500, True)


def test_speech_is_spelled_by_its_vocabulary(tmp_path: "Path") -> None:
    vocabulary = tmp_path / "vocab.json"
    vocabulary.write_text(json.dumps(SPELLED))
    done = imported(
        tmp_path,
        speaking(),
        task="automatic-speech-recognition",
        labels=(),
        tokenizer=vocabulary,
    )
    manifest = done.made.bundle.manifest
    assert manifest.audio is not None
    assert manifest.audio.shortest == WINDOW
    assert manifest.ctc is not None
    assert manifest.ctc.tokens == ("<pad>", " ", "a", "b", "")  # the graph has an id more
    assert (manifest.ctc.blank, manifest.ctc.frame) == (0, FRAME)
    # And what is heard is what numpy hears
    samples = heard(SOUND)
    windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::FRAME]
    ids = (windows @ SOUNDS[:, 0].T).argmax(axis=1).tolist()
    told = [now for now, before in zip(ids, [None, *ids], strict=False) if now != before]
    text = "".join(manifest.ctc.tokens[each] for each in told if each != 0).strip()
    assert asked(done, TranscribeRequest((SOUND,))).text == text != ""


@pytest.mark.parametrize(
    ("model", "wishes", "field", "reason"),
    [
        (listening(), {"rate": None}, "rate", "is needed"),
        (listening(), {"seconds": 31.0}, "seconds", "at most 30"),
        (listening(), {"seconds": 0.0}, "seconds", "at most 30"),
        (listening(samples=500), {"seconds": 1.0}, "seconds", "is 0.0625 in the graph"),
        (listening(), {"labels": ("a", "b", "c")}, "labels", "must be 2"),
        (listening(batch=2), {}, None, "a model that listens reads one tensor"),
        (listening(TensorProto.INT16), {}, None, "of floats"),
        (
            graph_of(
                [node("Relu", ["x"], ["y"])],
                {"x": (FLOATS, ["n", 2, "t"])},
                {"y": (FLOATS, ["n", 2, "t"])},
            ),
            {},
            None,
            "raw waveform",
        ),
        (listening(), SPEECH, None, "of 3 dimensions"),
        (speaking(), SPEECH, "tokenizer", "is needed"),
        (
            graph_of(
                [node("Relu", ["x"], ["y"])],
                {"x": (FLOATS, ["n", "t"])},
                {"y": (FLOATS, ["n", "u"])},
            ),
            {},
            None,
            "does not answer every clip with 8000 numbers",
        ),
    ],
)
def test_what_does_not_fit_is_said(
    tmp_path: "Path", model: "onnx.ModelProto", wishes: dict[str, Any], field: str, reason: str
) -> None:
    with pytest.raises(MaasError) as refusal:
        imported(tmp_path, model, **wishes)
    assert refusal.value.field == field, refusal.value
    assert reason in str(refusal.value)


@pytest.mark.parametrize(
    ("spelled", "reason"),
    [
        ("[1]", "is no vocab.json"),
        ("{", "is no vocab.json"),
        ('{"a": "b"}', "is no vocab.json"),
        ('{"<pad>": 0, "a": 5}', "ids of 0 to 4"),
        ('{"<pad>": 0, "a": 0}', "ids of 0 to 4"),
        ('{"a": 0, "b": 1}', "name its blank"),
    ],
)
def test_a_vocabulary_that_is_none_is_refused(tmp_path: "Path", spelled: str, reason: str) -> None:
    vocabulary = tmp_path / "vocab.json"
    vocabulary.write_text(spelled)
    with pytest.raises(MaasError, match=reason) as refusal:
        imported(
            tmp_path,
            speaking(),
            task="automatic-speech-recognition",
            labels=(),
            tokenizer=vocabulary,
        )
    assert refusal.value.field == "tokenizer"
