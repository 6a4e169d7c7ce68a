"""A foreign graph that listens to a waveform: one that tells sounds apart, or one of speech.

Imports numpy, onnx, `maas` and the lab. Its input becomes `waveform`, float32 `[batch, samples]`,
its answer `logits`; how long a clip must be is tried:

    fitted = fit_audio(foreign, exported, folder, wishes)
"""

import base64
import time
from typing import TYPE_CHECKING, cast

import numpy as np
import onnx
from msgspec.structs import replace
from onnx import TensorProto, helper

from maas.audio.files import read_file
from maas.audio.waveforms import decode
from maas.bundle.audio import AudioInput, CtcVocabulary
from maas.bundle.golden import Golden
from maas.bundle.task_rules import TRANSCRIBING
from maas.engine.session import open_session
from maas.errors import FieldError, ModelError, RefusedError
from maas.limits import LIMITS
from maas.registry.records import TensorSpec
from maas_lab.exporting.forms import GRAPH, PORTABLE
from maas_lab.importing.ctc_vocabulary import frame_of, read_vocabulary
from maas_lab.importing.fit_texts import are_probabilities, labels_of
from maas_lab.importing.fitted import Fitted
from maas_lab.importing.forms import write_portable
from maas_lab.importing.signature import chosen_output
from maas_lab.importing.sounds import made_clips
from maas_lab.importing.surgery import Surgeon

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt

    from maas_lab.importing.exported import Exported
    from maas_lab.importing.reading import Foreign
    from maas_lab.importing.wishes import Wishes

    Floats = npt.NDArray[np.float32]
    Ask = Callable[[Floats], Floats]

WAVEFORM, LOGITS = "waveform", "logits"
SECONDS = 15.0
"""How long a clip may be where nobody says: of so much, a network of 95 million parameters makes
2 s of work on one processor, in 0.65 GB; of 30 seconds 6 s, in 1.1 GB (0020)."""
_KINDS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)
_SECONDS = 60.0
_GOLDENS = 3


def fit_audio(foreign: "Foreign", exported: "Exported", folder: "Path", wishes: "Wishes") -> Fitted:
    """Make a graph one from `waveform` to `logits`.

    Raises:
        FieldError: An option is missing, or does not fit.
        RefusedError: The graph's tensors are not those of such a model.
        BundleError: The graph holds what is not admitted.
    """
    model, notes = foreign.model, [*foreign.notes, *exported.notes]
    speaks = wishes.task in TRANSCRIBING
    audio = _prepare(model, exported, wishes, notes)
    surgeon = Surgeon(model)
    surgeon.answer_as(chosen_output(model, 3 if speaks else 2, (LOGITS,)), LOGITS)
    surgeon.finish()
    ask = _opened(model, folder)
    if "audio" not in exported.manifest:
        audio = _tried(audio, ask)
    width = _answered(ask, audio, rank=3 if speaks else 2)
    clips = made_clips(audio, seed=int(foreign.digest.removeprefix("sha256:")[:8], 16))
    clips = tuple(base64.b64decode(each.clips[0]) for each in exported.goldens) or clips[:_GOLDENS]
    answers = [ask(decode(read_file(clip, field="clip"), audio, field="clip")) for clip in clips]
    if {answer.shape[-1] for answer in answers} != {width}:
        raise RefusedError(f"The graph does not answer every clip with {width} numbers.")
    manifest: dict[str, object] = {"audio": audio}
    if speaks:
        told = exported.manifest.get("ctc")
        manifest["ctc"] = told or _vocabulary(wishes, width, audio, ask)
    elif are_probabilities(np.stack(answers)):
        notes.append("Probabilities are answered as logarithms, so that softmax fits.")
        surgeon = Surgeon(model)
        surgeon.answer_as(surgeon.add("Log", [LOGITS]), LOGITS)
        surgeon.finish()
        ask = _opened(model, folder)
        answers = [np.log(answer) for answer in answers]
    axes: tuple[int | str, ...] = ("batch", "frames", width) if speaks else ("batch", width)
    model = onnx.load(folder / PORTABLE / GRAPH)  # its weights may have moved to a file
    (value,) = model.graph.output
    value.CopyFrom(helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, axes))
    write_portable(model, folder)
    samples = audio.samples if audio.fixed else "samples"
    return Fitted(
        inputs=(TensorSpec(WAVEFORM, "float32", ("batch", samples)),),
        outputs=(TensorSpec(LOGITS, "float32", axes),),
        goldens=exported.goldens or tuple(map(_golden, clips, answers)),
        limits=exported.limits,
        labels=() if speaks else labels_of(exported.labels, width, notes),
        notes=tuple(notes),
        manifest=manifest,
    )


def _prepare(
    model: onnx.ModelProto, exported: "Exported", wishes: "Wishes", notes: list[str]
) -> AudioInput:
    """Let the graph read `waveform`; answers with what that is."""
    values = list(model.graph.input)
    tensor = values[0].type.tensor_type
    dims = [dim.dim_value or None for dim in tensor.shape.dim]
    if (
        len(values) != 1
        or tensor.elem_type not in _KINDS
        or len(dims) != 2
        or dims[0] not in (None, 1)
    ):
        read = ", ".join(value.name for value in values)
        raise RefusedError(
            f"The graph reads {read}; a model that listens reads one tensor of floats, [batch,"
            " samples] of a raw waveform. Export it so, with what makes a spectrogram in the"
            " graph, or serve it as it is: --task tensor."
        )
    audio = _clip(dims[1], exported, wishes, notes)
    surgeon = Surgeon(model)
    shape = ["batch", audio.samples if audio.fixed else "samples"]
    surgeon.read_as(values[0].name, WAVEFORM, "float32", shape)
    surgeon.finish()
    return audio


def _clip(size: int | None, exported: "Exported", wishes: "Wishes", notes: list[str]) -> AudioInput:
    """The clip that a graph takes, of one length where the graph says one."""
    told = cast("AudioInput | None", exported.manifest.get("audio"))
    rate = told.rate if told else wishes.rate
    if rate is None:
        raise FieldError(
            "is needed: a graph does not say how many samples a second it was trained with, such"
            " as 16000",
            field="rate",
        )
    if size is not None:
        if wishes.seconds is not None and round(wishes.seconds * rate) != size:
            raise FieldError(f"is {size / rate:g} in the graph", field="seconds")
        return AudioInput(
            rate=rate, samples=size, shortest=size, fixed=True, normalise=wishes.normalise
        )
    seconds = SECONDS if wishes.seconds is None else wishes.seconds
    if not 0 < seconds <= LIMITS.clip_seconds:
        raise FieldError(f"must be at most {LIMITS.clip_seconds}", field="seconds")
    if wishes.seconds is None:
        notes.append(f"Clips are {SECONDS:g} seconds at the most: --seconds says otherwise.")
    samples = max(1, round(seconds * rate))
    if told:
        return replace(told, samples=max(samples, told.shortest))
    return AudioInput(
        rate=rate, samples=samples, shortest=1, fixed=False, normalise=wishes.normalise
    )


def _opened(model: onnx.ModelProto, folder: "Path") -> "Ask":
    """Write the portable form; what it answers to one waveform, without the batch."""
    write_portable(model, folder)
    session = open_session(folder / PORTABLE / GRAPH, optimised=True, threads=1)

    def ask(waveform: "Floats") -> "Floats":
        deadline = time.monotonic() + _SECONDS
        (answer,) = session.run({WAVEFORM: waveform[None]}, deadline=deadline)
        one: Floats = np.asarray(answer, dtype=np.float32)[0]
        return one

    return ask


def _tried(audio: AudioInput, ask: "Ask") -> AudioInput:
    """The same with the shortest clip that a graph of any length answers."""
    if audio.fixed:
        return audio
    least, most = 0, audio.samples
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (least, middle) if _says(ask, middle) else (middle, most)
    return replace(audio, shortest=most)


def _says(ask: "Ask", samples: int) -> bool:
    try:
        answer = ask(np.ones(samples, dtype=np.float32))
    except ModelError:
        return False
    return bool(answer.size) and bool(np.isfinite(answer).all())


def _answered(ask: "Ask", audio: AudioInput, *, rank: int) -> int:
    """Numbers of a clip, or of a frame of it."""
    size = audio.samples if audio.fixed else max(audio.shortest, min(audio.rate, audio.samples))
    try:
        shape = ask(np.zeros(size, dtype=np.float32)).shape
    except ModelError:
        raise RefusedError(
            "The graph fails on a clip of a second; say other --seconds, or serve it as it is:"
            " --task tensor."
        ) from None
    if len(shape) != rank - 1 or 0 in shape:
        raise RefusedError(
            "The graph does not answer a clip with one number per"
            f" {'token and frame' if rank == 3 else 'class'}."
        )
    return int(shape[-1])


def _vocabulary(wishes: "Wishes", width: int, audio: AudioInput, ask: "Ask") -> CtcVocabulary:
    if wishes.tokenizer is None:
        raise FieldError("is needed: the vocab.json that the model spells with", field="tokenizer")
    frame = frame_of(lambda size: len(ask(np.zeros(size, dtype=np.float32))), audio)
    return read_vocabulary(wishes.tokenizer, width, frame=frame)


def _golden(clip: bytes, answer: "Floats") -> Golden:
    rows = answer.reshape(-1, answer.shape[-1])
    return Golden(clips=(base64.b64encode(clip).decode(),), logits=tuple(map(tuple, rows.tolist())))
