"""WAV files, written by the standard library and numpy: what the reader is held against.

wav(samples)                                # 16 bits, one channel, 8,000 samples a second
wav(samples, rate=44_100, bits=24)          # of float64 -1 to 1, [frames] or [frames, channels]
riff(fmt(), (b"data", b"..."))              # any chunks
"""

import struct

import numpy as np

RATE = 8_000
PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
GUID = bytes.fromhex("000000001000800000aa00389b71")


def fmt(
    *,
    kind: int = PCM,
    channels: int = 1,
    rate: int = RATE,
    bits: int = 16,
    align: int | None = None,
    more: bytes = b"",
) -> tuple[bytes, bytes]:
    """What says of what kind the samples are."""
    size = channels * bits // 8 if align is None else align
    said = struct.pack("<HHIIHH", kind, channels, rate, rate * size % 2**32, size, bits)
    return b"fmt ", said + more


def extensible(kind: int, *, guid: bytes = GUID, bits: int = 16) -> tuple[bytes, bytes]:
    """The same, said in the longer way."""
    more = struct.pack("<HHIH", 22, bits, 4, kind) + guid
    return fmt(kind=EXTENSIBLE, bits=bits, more=more)


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    """A file of chunks, as they are."""
    parts = b"".join(
        name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
        for name, content in chunks
    )
    return b"RIFF" + struct.pack("<I", 4 + len(parts)) + b"WAVE" + parts


def wav(
    samples: "np.typing.ArrayLike", *, rate: int = RATE, bits: int = 16, floats: bool = False
) -> bytes:
    """A file of samples, float64 -1 to 1, `[frames]` or `[frames, channels]`."""
    array = np.asarray(samples, dtype=np.float64)
    channels = 1 if array.ndim == 1 else array.shape[1]
    kind = FLOAT if floats else PCM
    return riff(
        fmt(kind=kind, channels=channels, rate=rate, bits=bits),
        (b"data", _data(array, bits, floats=floats)),
    )


def _data(array: "np.typing.NDArray[np.float64]", bits: int, *, floats: bool) -> bytes:
    flat = array.reshape(-1)
    if floats:
        return flat.astype("<f4").tobytes()
    levels = np.clip(np.round(flat * 2.0 ** (bits - 1)), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    if bits == 8:
        return (levels + 128).astype(np.uint8).tobytes()
    if bits == 24:
        return levels.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    return levels.astype(f"<i{bits // 8}").tobytes()
