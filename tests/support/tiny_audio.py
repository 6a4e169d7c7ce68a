"""Tiny real models that listen: one that tells sounds apart, and one that writes what it hears.

bundle = make_sounds(tmp_path / "bundles", seed=1)     # in <bundles>/sounds/<digest16>/
bundle.logits(samples)                                 # what it must answer, by numpy alone
bundle = make_speech(tmp_path / "bundles")
clip = wav(bundle.said("a good film"))                 # in which it hears those words
bundle.written(heard(clip))                            # and when
"""

import base64
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from support.graphs import OPSET, loop_nodes, loop_numbers
from support.task_bundles import TaskBundle, seal
from support.wav import RATE, wav

from maas.bundle.audio import AudioInput, CtcVocabulary
from maas.bundle.golden import GOLDEN, Golden
from maas.bundle.manifest import ModelLimits
from maas.limits import LIMITS
from maas.registry.records import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]
    Samples = npt.NDArray[np.float64]

LABELS = ("bark", "rain", "siren")
LETTERS = "abcdefghijklmnopqrstuvwxyz"
TOKENS = ("", " ", *LETTERS)
BLANK = 0
FRAME = 32
"""Samples of a frame: 4 ms."""
LONGEST = RATE * LIMITS.clip_seconds
TOO_LOUD = 1.9
"""A sample of a clip that a model with hazards listens to for ever; only floats can say it."""
_LOUD = 0.5


@dataclass(frozen=True, slots=True)
class TinySounds(TaskBundle):
    """A bundle on disk and what it must answer.

    Attributes:
        weights: float32 `[3, labels]`, of the mean, the loudness and the highest sample.
    """

    weights: "Floats"

    def logits(self, samples: "Samples") -> "Floats":
        """The answer by numpy alone, for samples as the model takes them; float32 `[labels]`."""
        return sound_logits(self.weights, samples)


@dataclass(frozen=True, slots=True)
class TinySpeech(TaskBundle):
    """A bundle on disk and what it must answer.

    Attributes:
        sounds: float64 `[tokens, FRAME]`: what each token sounds like.
    """

    sounds: "Samples"

    def said(self, text: str) -> "Samples":
        """A clip in which this is said: two frames of a letter, a blank between same ones."""
        return _spoken(text, self.sounds)

    def written(self, samples: "Samples") -> dict[str, Any]:
        """What is answered to a clip whose words' times are asked for, by Python alone."""
        likest = (samples.reshape(-1, FRAME) @ self.sounds.T).argmax(axis=1)
        words: list[tuple[str, int, int]] = []
        text, at = "", 0
        for token, same in groupby(likest.tolist()):
            start, at = at, at + len([*same])
            if token == BLANK:
                continue
            text += TOKENS[token]
            if TOKENS[token] != " ":
                begun = words.pop() if words and text[-2:-1] not in ("", " ") else ("", start, 0)
                words.append((begun[0] + TOKENS[token], begun[1], at))
        second = FRAME / RATE
        chunks = [{"text": w, "timestamp": [a * second, b * second]} for w, a, b in words]
        return {"text": text.strip(), "chunks": chunks}


def sound_logits(weights: "Floats", samples: "Samples") -> "Floats":
    """float32 `[labels]`."""
    heard = np.asarray(samples, dtype=np.float32)
    figures = np.array([heard.mean(), np.abs(heard).mean(), heard.max()], dtype=np.float32)
    answer: Floats = figures @ weights
    return answer


def tone(hertz: float = 440.0, *, seconds: float = 0.1, rate: int = RATE) -> "Samples":
    """A sine."""
    return _LOUD * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def noise(seed: int = 0, *, seconds: float = 0.1, rate: int = RATE) -> "Samples":
    """The same noise for the same seed."""
    size = round(seconds * rate)
    return np.random.default_rng(seed).uniform(-_LOUD, _LOUD, size)


def in_base64(data: bytes) -> str:
    """A file as JSON can say it."""
    return base64.b64encode(data).decode()


def heard(clip: bytes) -> "Samples":
    """The samples of a file that `wav` wrote with 16 bits, as a model of RATE hears them."""
    return np.frombuffer(clip[44:], dtype="<i2") / 2.0**15


def spoken(text: str) -> "Samples":
    """A clip in which a model of seed 0 hears this."""
    return _spoken(text, _sounds(0))


def _spoken(text: str, sounds: "Samples") -> "Samples":
    return np.concatenate([sounds[each] for each in _frames(text)])


def _sounds(seed: int) -> "Samples":
    """As unlike each other as can be; another seed gives a letter the sound of another one."""
    random = np.random.default_rng(7).normal(size=(FRAME, FRAME))
    sounds = np.linalg.qr(random)[0][: len(TOKENS)]
    sounds *= _LOUD / np.abs(sounds).max(axis=1, keepdims=True)
    first = len(TOKENS) - len(LETTERS)
    return np.concatenate([sounds[:first], np.roll(sounds[first:], -seed, axis=0)])


def _frames(text: str) -> list[int]:
    """The token of each frame."""
    frames: list[int] = []
    for letter in text:
        token = TOKENS.index(letter)
        frames += ([BLANK] if frames[-1:] == [token] else []) + [token, token]
    return frames


def _graph(
    nodes: "Sequence[onnx.NodeProto]",
    numbers: "dict[str, npt.NDArray[np.generic]]",
    shape: "tuple[int | str, ...]",
    *,
    hazards: bool,
) -> bytes:
    """Nodes from `waveform` to `last`, as a model to `logits`."""
    tensors = [numpy_helper.from_array(value, name) for name, value in numbers.items()]
    nodes = [*nodes]
    last = "last"
    if hazards:
        loud = np.array((_LOUD + 1), dtype=np.float32)
        tensors += [
            numpy_helper.from_array(loud, "loud"),
            numpy_helper.from_array(np.array(0, dtype=np.float32), "nothing"),
            *loop_numbers(2, slow_id=1),
        ]
        nodes += [
            helper.make_node("Abs", ["waveform"], ["size"]),
            helper.make_node("ReduceMax", ["size"], ["largest"], keepdims=0),
            helper.make_node("Greater", ["largest", "loud"], ["is_loud"]),
            helper.make_node("Cast", ["is_loud"], ["input_ids"], to=TensorProto.INT64),
            helper.make_node("Log", ["largest"], ["depth"]),  # without end where nothing is heard
            helper.make_node("Mul", ["depth", "nothing"], ["hole"]),
            helper.make_node("Add", [last, "hole"], ["holed"]),
            *loop_nodes("holed", "looped"),
        ]
        last = "looped"
    nodes.append(helper.make_node("Identity", [last], ["logits"]))
    graph = helper.make_graph(
        nodes,
        "listens",
        [helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ("batch", "samples"))],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, shape)],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


def _sound_nodes() -> "list[onnx.NodeProto]":
    return [
        helper.make_node("Abs", ["waveform"], ["loudness"]),
        helper.make_node("ReduceMean", ["waveform"], ["mean"], axes=[1]),
        helper.make_node("ReduceMean", ["loudness"], ["volume"], axes=[1]),
        helper.make_node("ReduceMax", ["waveform"], ["peak"], axes=[1]),
        helper.make_node("Concat", ["mean", "volume", "peak"], ["figures"], axis=1),
        helper.make_node("MatMul", ["figures", "weights"], ["last"]),
    ]


def _speech_nodes() -> "list[onnx.NodeProto]":
    return [
        helper.make_node("Unsqueeze", ["waveform", "one"], ["channel"]),
        helper.make_node("Conv", ["channel", "sounds"], ["heard"], strides=[FRAME]),
        helper.make_node("Transpose", ["heard"], ["last"], perm=[0, 2, 1]),
    ]


def make_sounds(
    bundles: "Path",
    *,
    name: str = "sounds",
    seed: int = 0,
    golden_shift: float = 0.0,
    hazards: bool = False,
) -> TinySounds:
    """Make a bundle where serving looks for it.

    Args:
        bundles: The folder of all bundles.
        name: The model's.
        seed: Chooses the weights.
        golden_shift: Added to the recorded answers.
        hazards: Whether silence is answered by what is no number, and what is too loud never.
    """
    weights = np.random.default_rng(seed).normal(size=(3, len(LABELS))).astype(np.float32) * 4
    lines = []
    for seeds in ((0,), (1, 2)):
        clips = [wav(noise(each)) for each in seeds]
        rows = [sound_logits(weights, heard(clip)) + np.float32(golden_shift) for clip in clips]
        golden = Golden(
            clips=tuple(map(in_base64, clips)), logits=tuple(tuple(row.tolist()) for row in rows)
        )
        lines.append(golden.encode())
    folder, digest, manifest = seal(
        bundles,
        model=name,
        task="audio-classification",
        labels=LABELS,
        graph=_graph(_sound_nodes(), {"weights": weights}, ("batch", len(LABELS)), hazards=hazards),
        files={GOLDEN: b"\n".join(lines) + b"\n"},
        inputs=(TensorSpec("waveform", "float32", ("batch", "samples")),),
        outputs=(TensorSpec("logits", "float32", ("batch", len(LABELS))),),
        limits=ModelLimits(max_tokens=0),
        audio=AudioInput(rate=RATE, samples=LONGEST, shortest=8, fixed=False, normalise=False),
    )
    return TinySounds(folder, digest, manifest, weights)


def make_speech(
    bundles: "Path",
    *,
    name: str = "speech",
    seed: int = 0,
    golden_shift: float = 0.0,
    hazards: bool = False,
) -> TinySpeech:
    """Make a bundle as `make_sounds` does; what it hears in a frame is what sounds most alike."""
    sounds = _sounds(seed)
    weights = (sounds / (sounds**2).sum(axis=1, keepdims=True)).astype(np.float32)
    lines = []
    for text in ("a good film", "all"):
        clip = wav(_spoken(text, sounds))
        logits = heard(clip).reshape(-1, FRAME).astype(np.float32) @ weights.T
        rows = logits + np.float32(golden_shift)
        golden = Golden(clips=(in_base64(clip),), logits=tuple(map(tuple, rows.tolist())))
        lines.append(golden.encode())
    numbers = {"sounds": weights[:, None], "one": np.array([1], dtype=np.int64)}
    shape = ("batch", "frames", len(TOKENS))
    folder, digest, manifest = seal(
        bundles,
        model=name,
        task="automatic-speech-recognition",
        graph=_graph(_speech_nodes(), numbers, shape, hazards=hazards),
        files={GOLDEN: b"\n".join(lines) + b"\n"},
        inputs=(TensorSpec("waveform", "float32", ("batch", "samples")),),
        outputs=(TensorSpec("logits", "float32", shape),),
        limits=ModelLimits(max_tokens=0),
        audio=AudioInput(rate=RATE, samples=LONGEST, shortest=FRAME, fixed=False, normalise=False),
        ctc=CtcVocabulary(tokens=TOKENS, blank=BLANK, frame=FRAME),
    )
    return TinySpeech(folder, digest, manifest, sounds)
