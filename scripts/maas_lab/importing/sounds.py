"""Clips of sound that nobody recorded, to compare graphs by: noise and tones that swell and fade.

Imports numpy. The same ones for the same seed, as WAV files of 16 bits, so that what is compared is
read as a caller's file is:

    clips = made_clips(audio, seed=7)               # short ones first
"""

import struct
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from maas.bundle.audio import AudioInput

SECONDS = (0.3, 0.5, 0.8, 1.3)
"""How long they are, where the model takes clips so short and so long."""
_HERTZ = (110.0, 3_000.0)
_LOUD = 0.3


def made_clips(audio: "AudioInput", *, seed: int) -> tuple[bytes, ...]:
    """A few clips of several lengths that a model takes, at its own rate.

    Args:
        audio: What it takes.
        seed: Of the numbers that they are made of.
    """
    random = np.random.default_rng(seed)
    least = 1 if audio.fixed else audio.shortest
    sizes = [min(max(round(each * audio.rate), least), audio.samples) for each in SECONDS]
    return tuple(_wav(_sound(size, audio.rate, random), audio.rate) for size in sizes)


def _sound(size: int, rate: int, random: np.random.Generator) -> "npt.NDArray[np.float64]":
    """Three tones and a hiss under a slow wave."""
    moments = np.arange(size) / rate
    hertz = random.uniform(_HERTZ[0], min(_HERTZ[1], rate / 2.5), 3)
    phases = random.uniform(0, 2 * np.pi, 3)
    tones = np.sin(2 * np.pi * hertz[:, None] * moments + phases[:, None]).mean(axis=0)
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * random.uniform(1, 5) * moments)
    sound: npt.NDArray[np.float64] = _LOUD * swell * (tones + random.normal(0, 0.2, size))
    return sound


def _wav(sound: "npt.NDArray[np.float64]", rate: int) -> bytes:
    levels = np.clip(np.round(sound * 2**15), -(2**15), 2**15 - 1).astype("<i2").tobytes()
    kind = struct.pack("<HHIIHH", 1, 1, rate, 2 * rate, 2, 16)
    size = 4 + 8 + len(kind) + 8 + len(levels)
    head = b"RIFF" + struct.pack("<I", size) + b"WAVEfmt " + struct.pack("<I", len(kind)) + kind
    return head + b"data" + struct.pack("<I", len(levels)) + levels
