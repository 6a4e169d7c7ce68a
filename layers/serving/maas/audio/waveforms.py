"""One clip of a file as the waveform that a model takes.

May import `maas.errors`, the rest of this room and numpy. What becomes of a clip, in this order:
its samples become numbers of −1 to 1; channels become their mean; it is resampled; where the model
wants it, its mean becomes 0 and its variance 1; where the model takes one length, what is longer is
cut, and silence follows what is shorter:

    file = read_file(data, field="inputs")
    waveform = decode(file, manifest.audio, field="inputs")        # float32 [samples]
"""

from typing import TYPE_CHECKING

import numpy as np

from maas.audio.resampling import resampled
from maas.errors import FieldError

if TYPE_CHECKING:
    import numpy.typing as npt

    from maas.audio.files import ClipFile
    from maas.bundle.audio import AudioInput

    Doubles = npt.NDArray[np.float64]

_LOUDEST = 2.0  # full scale is 1; a little above it is what a compressed recording becomes
_TINY = 1e-7


def check_length(file: "ClipFile", wanted: "AudioInput", *, field: str) -> None:
    """Refuse a clip of a length that the model does not take, before it is decoded.

    Raises:
        FieldError: With the length that it takes.
    """
    if wanted.fixed:
        return
    samples = file.frames * wanted.rate
    if samples > wanted.samples * file.rate:
        raise FieldError(
            f"must be at most {wanted.samples / wanted.rate:g} seconds; send it in parts",
            field=field,
        )
    if -(-samples // file.rate) < wanted.shortest:
        raise FieldError(f"must be at least {wanted.shortest / wanted.rate:g} seconds", field=field)


def is_cut(file: "ClipFile", wanted: "AudioInput") -> bool:
    """Whether the end of a clip is not read."""
    return file.frames * wanted.rate > wanted.samples * file.rate


def decode(file: "ClipFile", wanted: "AudioInput", *, field: str) -> "npt.NDArray[np.float32]":
    """Decode a clip whose length was checked.

    Args:
        file: What `read_file` told.
        wanted: The model's rate and lengths.
        field: The request field that it came from, for the message.

    Returns:
        float32 `[samples]`.

    Raises:
        FieldError: A sample is no number, or beyond all that is loud.
    """
    frames = _samples(file, field).reshape(-1, file.channels)
    mono = frames[:, 0] if file.channels == 1 else frames.mean(axis=1)
    waveform = resampled(mono, file.rate, wanted.rate)
    if wanted.fixed:
        waveform = waveform[: wanted.samples]
    if wanted.normalise:
        waveform = (waveform - waveform.mean()) / np.sqrt(waveform.var() + _TINY)
    if wanted.fixed:
        waveform = np.pad(waveform, (0, wanted.samples - len(waveform)))
    return waveform.astype(np.float32)


def _samples(file: "ClipFile", field: str) -> "Doubles":
    """Its samples, float64; full scale is 1."""
    if file.kind == "float":
        floats = np.frombuffer(file.data, dtype="<f4").astype(np.float64)
        if not (np.abs(floats) <= _LOUDEST).all():  # nor is what is no number
            raise FieldError("must have samples of -1 to 1", field=field)
        return floats
    if file.bits == 8:
        return (np.frombuffer(file.data, dtype=np.uint8).astype(np.float64) - 128) / 128
    if file.bits == 24:
        wide = np.zeros((len(file.data) // 3, 4), dtype=np.uint8)
        wide[:, 1:] = np.frombuffer(file.data, dtype=np.uint8).reshape(-1, 3)
        return wide.reshape(-1).view("<i4") / 2.0**31
    return np.frombuffer(file.data, dtype=f"<i{file.bits // 8}") / 2.0 ** (file.bits - 1)
