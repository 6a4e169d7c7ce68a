"""Networks of Hugging Face's that listen to a waveform, or to its spectrogram: traced, and proven.

Imports numpy, torch, `maas` and the lab. The comparison is one from file to numbers: what serving
makes of a WAV file, and the graph of that, against transformers' feature extractor and torch:

    hub, network = open_listening(folder, "AutoModelForCTC")
    exported = export_listening(hub, network, out, axes={0: "batch", 1: "frames"})
"""

import base64
import math
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from maas.audio.files import read_file
from maas.audio.waveforms import decode
from maas.bundle.audio import AudioInput
from maas.bundle.golden import TOLERANCE, Golden
from maas.bundle.manifest import ModelLimits
from maas.engine.session import open_session
from maas.errors import FieldError, RefusedError
from maas.limits import LIMITS
from maas_lab.environment import limit_threads
from maas_lab.exporting.forms import GRAPH
from maas_lab.exporting.tracing import trace
from maas_lab.graphs import strip_graph
from maas_lab.importing.exported import Exported, Proof
from maas_lab.importing.exporters.hub_folder import CONFIG, open_folder
from maas_lab.importing.exporters.mel_front import EXTRACTOR, FRAME, open_front
from maas_lab.importing.sounds import made_clips

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt

    from maas_lab.importing.exporters.hub_folder import HubFolder

    Floats = npt.NDArray[np.float32]

_EXTRACTOR = "Wav2Vec2FeatureExtractor"
_MASKED = "masked_spec_embed"  # of training alone; older checkpoints lack it
_FAMILIES = ("wav2vec2", "hubert", "wavlm", "unispeech", "unispeech_sat", "sew", "data2vec_audio")
_SEED = 7
_SECONDS = 120.0
_GOLDENS = 2
_STEPS = 64


@dataclass(frozen=True, slots=True)
class Listening:
    """A network with what stands before it.

    Attributes:
        hub: The folder that it came from.
        network: From what the extractor makes to what it says, as transformers has it.
        extractor: transformers' own, from samples to the network's inputs.
        audio: The clip that it takes.
        front: What makes a spectrogram of a waveform, for a network that reads one.
    """

    hub: "HubFolder"
    network: nn.Module
    extractor: Any
    audio: AudioInput
    front: nn.Module | None = None


class _Logits(nn.Module):
    def __init__(self, network: nn.Module, front: nn.Module | None) -> None:
        super().__init__()
        self.front = front or nn.Identity()
        self.network = network
        self.eval()

    def forward(self, waveform: Tensor) -> Tensor:
        """What the network says of waveforms of one length."""
        logits: Tensor = self.network(self.front(waveform)).logits
        return logits


def open_listening(folder: "Path", kind: str) -> Listening:
    """Open a folder whose network reads a raw waveform, or the spectrogram of one.

    Args:
        folder: With config.json, model.safetensors and preprocessor_config.json.
        kind: One of transformers' Auto classes.

    Raises:
        FieldError: The folder lacks a file.
        RefusedError: It holds no such model.
    """
    hub = open_folder(folder, files=(CONFIG,))
    network = hub.load(kind, needless=tuple(f"{family}.{_MASKED}" for family in _FAMILIES))
    extractor = _extractor(folder)
    front = open_front(extractor)
    rate = int(extractor.sampling_rate)
    audio = AudioInput(
        rate=rate,
        samples=rate * LIMITS.clip_seconds,
        shortest=_shortest(_Logits(network, front), {} if front else hub.config),
        fixed=False,
        normalise=bool(extractor.do_normalize) and not front,
    )
    return Listening(hub, network, extractor, audio, front)


def export_listening(
    listening: Listening,
    out: "Path",
    *,
    axes: dict[int, str],
    check: "Callable[[Floats], None]" = lambda _: None,
) -> Exported:
    """Trace a network, write out/model.onnx, and compare it with torch.

    Args:
        listening: The network.
        out: An empty folder.
        axes: What the free dimensions of its answer are called.
        check: Told what torch says of each clip; raises RefusedError where that cannot be served.

    Raises:
        RefusedError: The graph does not answer what torch answers.
    """
    audio, network = listening.audio, _Logits(listening.network, listening.front)
    size = audio.rate // 4 + audio.shortest
    examples = (torch.zeros(2, size),), (torch.zeros(3, size + audio.rate // 8),)
    names = {"waveform": {0: "batch", 1: "samples"}, "logits": axes}
    graph = strip_graph(trace(network, ("waveform",), ("logits",), examples, names=names))
    onnx.save(graph, out / GRAPH, save_as_external_data=True, location="model.data")
    clips = made_clips(audio, seed=_SEED)
    with limit_threads(1):  # as a session of the graph has it
        wanted = [_ask_torch(listening, clip) for clip in clips]
        proof = _prove(out / GRAPH, audio, clips, wanted)
    for answer in wanted:
        check(answer)
    # Of a spectrogram, a short clip costs as much as a long one.
    kept = 1 if listening.front else _GOLDENS
    return Exported(
        graph=out / GRAPH,
        limits=ModelLimits(max_tokens=0),
        proof=proof,
        goldens=tuple(
            Golden(
                clips=(base64.b64encode(clip).decode(),),
                logits=tuple(map(tuple, answer.reshape(-1, answer.shape[-1]).tolist())),
            )
            for clip, answer in zip(clips[:kept], wanted[:kept], strict=True)
        ),
        manifest={"audio": audio},
    )


def _extractor(folder: "Path") -> Any:  # noqa: ANN401 - transformers' own
    import transformers  # noqa: PLC0415 - it was imported with the network

    try:
        opened: Any = transformers.AutoFeatureExtractor
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the lowest of a spectrogram's bands hear nothing
            found = opened.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError):
        raise FieldError(
            "has no preprocessor_config.json, which says at which rate it listens"
            " (feature_extractor.save_pretrained writes it)",
            field="model",
        ) from None
    if type(found).__name__ not in (_EXTRACTOR, EXTRACTOR) or found.feature_size != 1:
        raise RefusedError(
            f"The model does not read a raw waveform but what {type(found).__name__} makes of it."
            " Export it to ONNX with that in the graph, and import the .onnx file."
        )
    return found


def _shortest(network: _Logits, config: dict[str, Any]) -> int:
    """The fewest samples of which the network says something.

    What its convolutions see at once is where to begin, or a frame of its spectrogram; some
    networks join frames behind them.
    """
    kernels, strides = config.get("conv_kernel") or [], config.get("conv_stride") or []
    field, step = (1 if isinstance(network.front, nn.Identity) else FRAME), 1
    for kernel, stride in zip(kernels, strides, strict=False):
        field += (kernel - 1) * step
        step *= stride
    for more in range(_STEPS):
        samples = field + more * step
        try:
            with torch.inference_mode():
                said = network(torch.ones(1, samples))
        except (RuntimeError, ValueError, IndexError):
            continue
        if 0 not in said.shape and bool(torch.isfinite(said).all()):
            return samples
    raise RefusedError("The network says nothing of a short waveform: it reads something else.")


def _ask_torch(listening: Listening, clip: bytes) -> "Floats":
    """What transformers makes of a clip's samples, and its network of that."""
    samples = np.frombuffer(clip[44:], dtype="<i2").astype(np.float32) / 2**15
    features = listening.extractor(samples, sampling_rate=listening.audio.rate, return_tensors="pt")
    with torch.inference_mode():
        answer: Floats = listening.network(**features).logits[0].numpy()
    return answer


def _prove(
    graph: "Path", audio: AudioInput, clips: tuple[bytes, ...], wanted: "list[Floats]"
) -> Proof:
    session = open_session(graph, optimised=False, threads=1)
    worst = 0.0
    for clip, answer in zip(clips, wanted, strict=True):
        waveform = decode(read_file(clip, field="clip"), audio, field="clip")
        deadline = time.monotonic() + _SECONDS
        found = session.run({"waveform": waveform[None]}, deadline=deadline)[0][0]
        apart = np.abs(found - answer) if found.shape == answer.shape else np.array(math.inf)
        worst = max(worst, float(np.nan_to_num(apart, nan=np.inf).max()))
    if not worst <= TOLERANCE:
        raise RefusedError(
            f"The graph differs from torch by {worst:.3g} (at most {TOLERANCE:g}): this network"
            " cannot be traced. Export it to ONNX with its own tools, and import the .onnx file."
        )
    return Proof(rows=len(clips), max_difference=worst)
