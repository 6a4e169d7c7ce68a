"""What stands before an audio spectrogram transformer (AST), as a module that is traced with it.

Imports numpy, torch and `maas.errors`. Frames of 25 ms every 10 ms, without their mean, with the
high tones raised, under a window: all of that and the Fourier transform is linear, and so one
matrix. It is multiplied in doubles, as transformers does it. Then squares, mel bands, logarithms:

    front = open_front(extractor)             # None for one that hands on the waveform
    front(waveform)                           # float32 [batch, frames, bands]
"""

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from maas.errors import RefusedError

if TYPE_CHECKING:
    import numpy.typing as npt

    Doubles = npt.NDArray[np.float64]

EXTRACTOR = "ASTFeatureExtractor"
FRAME = 400
"""Samples of a frame."""
_HOP, _POINTS, _RATE = 160, 512, 16_000
_RAISED = 0.97
_FLOOR = 1.192092955078125e-07
_LOWEST = 20


class MelFront(nn.Module):
    """From float32 `[batch, samples]` to `[batch, frames, bands]`, always as many frames."""

    matrix: Tensor
    bands: Tensor

    def __init__(self, bands: "Doubles", *, frames: int, mean: float, scale: float) -> None:
        """Bring it together.

        Args:
            bands: By frequency the share of each mel band.
            frames: How many; where a clip ends before them, nothing follows.
            mean: What is taken away from each number.
            scale: What it is divided by then.
        """
        super().__init__()
        self._frames, self._mean, self._scale = frames, mean, scale
        self.register_buffer("matrix", torch.from_numpy(_matrix()))
        self.register_buffer("bands", torch.from_numpy(bands))
        self.eval()

    def forward(self, waveform: Tensor) -> Tensor:
        """The spectrogram of waveforms of one length."""
        reach = _HOP * (self._frames + 2)
        blocks = functional.pad(waveform, (0, reach))[:, :reach].reshape(-1, self._frames + 2, _HOP)
        rest = FRAME - 2 * _HOP
        frames = torch.cat([blocks[:, :-2], blocks[:, 1:-1], blocks[:, 2:, :rest]], dim=-1).double()
        real, imaginary = (frames @ self.matrix).chunk(2, dim=-1)
        heard = ((real * real + imaginary * imaginary) @ self.bands).clamp(min=_FLOOR).log().float()
        # A frame is one if the clip has its last sample.
        ends = functional.pad(torch.ones_like(waveform), (0, reach))[:, FRAME - 1 : reach : _HOP]
        whole = ends[:, : self._frames].unsqueeze(-1)
        return (heard * whole - self._mean) / self._scale


def open_front(extractor: Any) -> MelFront | None:  # noqa: ANN401 - transformers' own
    """What an extractor does, or None where it is not this one.

    Raises:
        RefusedError: It listens at another rate, where its frames are others.
    """
    if type(extractor).__name__ != EXTRACTOR:
        return None
    if extractor.sampling_rate != _RATE or extractor.feature_size != 1:
        raise RefusedError(
            f"{EXTRACTOR} is read at {_RATE} samples a second, and the folder says"
            f" {extractor.sampling_rate}. Export it to ONNX with the spectrogram in the graph, and"
            " import the .onnx file."
        )
    from transformers.audio_utils import mel_filter_bank  # noqa: PLC0415 - it was imported before

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the lowest bands hear nothing, as with 128 of them
        bands = mel_filter_bank(
            num_frequency_bins=_POINTS // 2 + 1,
            num_mel_filters=extractor.num_mel_bins,
            min_frequency=_LOWEST,
            max_frequency=_RATE // 2,
            sampling_rate=_RATE,
            norm=None,
            mel_scale="kaldi",
            triangularize_in_mel_space=True,
        )
    normal = (extractor.mean, 2 * extractor.std) if extractor.do_normalize else (0.0, 1.0)
    return MelFront(
        np.asarray(bands, dtype=np.float64),
        frames=extractor.max_length,
        mean=normal[0],
        scale=normal[1],
    )


def _matrix() -> "Doubles":
    """From the samples of a frame to the real and imaginary parts of its frequencies."""
    samples = np.eye(FRAME) - 1 / FRAME
    raised = samples.copy()
    raised[:, 1:] -= _RAISED * samples[:, :-1]
    raised[:, 0] *= 1 - _RAISED
    spectrum = np.fft.rfft(raised * np.hanning(FRAME), _POINTS, axis=1)
    return np.concatenate([spectrum.real, spectrum.imag], axis=1)
