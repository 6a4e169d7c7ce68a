"""A tiny real model that looks at pictures: all numbers of one, times a table of weights.

bundle = make_image(tmp_path / "bundles", seed=1)      # in <bundles>/pictures/<digest16>/
bundle.logits(pixels)                                  # what it must answer, by numpy alone
png(levels)                                            # a file, of uint8 [height, width, 3]
"""

import base64
import io
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from support.graphs import OPSET
from support.task_bundles import TaskBundle, seal

from maas.bundle.golden import GOLDEN, Golden
from maas.bundle.manifest import ImageInput, ModelLimits
from maas.registry.records import TensorSpec

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]
    Levels = npt.NDArray[np.uint8]

MODEL = "pictures"
LABELS = ("cat", "dog", "ship")
WIDTH, HEIGHT = 6, 4
_ENDS = {"black": 0.0, "white": 1.0}


@dataclass(frozen=True, slots=True)
class TinyImage(TaskBundle):
    """A bundle on disk and what it must answer.

    Attributes:
        weights: float32 `[channels * height * width, labels]`.
    """

    weights: "Floats"

    def logits(self, levels: "Levels") -> "Floats":
        """The answer by numpy alone, for a picture of the model's own size; float32 `[labels]`."""
        return image_logits(self.weights, levels)

    def best(self, levels: "Levels") -> tuple[str, float]:
        """The likeliest label and its softmax."""
        powers = np.exp(self.logits(levels).astype(np.float64))
        at = int(powers.argmax())
        return LABELS[at], float(powers[at] / powers.sum())


def image_logits(weights: "Floats", levels: "Levels") -> "Floats":
    """Levels, uint8 `[height, width]` or `[height, width, 3]`, to logits, float32 `[labels]`."""
    pixels = levels.reshape(HEIGHT, WIDTH, -1).transpose(2, 0, 1).astype(np.float32) / 255
    answer: Floats = np.asarray(pixels.reshape(-1) @ weights, dtype=np.float32)
    return answer


def picture(seed: int = 0, *, channels: int = 3) -> "Levels":
    """A picture of the model's own size; uint8 `[height, width, 3]`, or `[height, width]`."""
    shape = (HEIGHT, WIDTH, 3)[: 3 if channels == 3 else 2]
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """A picture's file."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def png(levels: "Levels") -> bytes:
    """A PNG of levels as they are."""
    return encoded(Image.fromarray(levels))


def jpeg(levels: "Levels", **options: object) -> bytes:
    """A JPEG of about these levels."""
    return encoded(Image.fromarray(levels), "JPEG", **{"quality": 95, **options})


def in_base64(data: bytes) -> str:
    """A file as JSON can say it."""
    return base64.b64encode(data).decode()


def chunk(name: bytes, content: bytes) -> bytes:
    """One chunk of a PNG."""
    checksum = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + checksum


def png_of(width: int, height: int, *chunks: bytes, depth: int = 8, colour: int = 0) -> bytes:
    """A PNG that says that it is so large, with these chunks in it."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IEND", b"")


def image_graph(weights: "Floats", *, channels: int, hazards: bool = False) -> bytes:
    """Pixels -> logits."""
    shape = ("batch", channels, HEIGHT, WIDTH)
    numbers = {"weights": weights}
    nodes = [
        helper.make_node("Flatten", ["pixels"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["sums" if hazards else "logits"]),
    ]
    if hazards:
        numbers |= {name: np.array(at, dtype=np.float32) for name, at in _ENDS.items()}
        nodes += [
            helper.make_node("ReduceMin", ["flat"], ["darkest"], axes=[1]),
            helper.make_node("Sub", ["white", "darkest"], ["ink"]),
            helper.make_node("Log", ["ink"], ["depth"]),  # without end where there is no ink
            helper.make_node("Mul", ["depth", "black"], ["nothing"]),
            helper.make_node("Add", ["sums", "nothing"], ["logits"]),
        ]
    graph = helper.make_graph(
        nodes,
        "pictures",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ("batch", weights.shape[1]))],
        [numpy_helper.from_array(value, name) for name, value in numbers.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


def make_image(
    bundles: "Path",
    *,
    name: str = MODEL,
    seed: int = 0,
    channels: Literal[1, 3] = 3,
    golden_shift: float = 0.0,
    hazards: bool = False,
) -> TinyImage:
    """Make a bundle where serving looks for it.

    Args:
        bundles: The folder of all bundles.
        name: The model's.
        seed: Chooses the weights.
        channels: 1 is grey, 3 is red, green and blue.
        golden_shift: Added to the recorded answers.
        hazards: Whether a picture that is all white is answered by what is no number.
    """
    size = channels * HEIGHT * WIDTH
    weights = np.random.default_rng(seed).normal(size=(size, len(LABELS))).astype(np.float32)
    lines = []
    for seeds in ((0,), (1, 2)):
        levels = [picture(each, channels=channels) for each in seeds]
        rows = [image_logits(weights, each) + np.float32(golden_shift) for each in levels]
        golden = Golden(
            images=tuple(in_base64(png(each)) for each in levels),
            logits=tuple(tuple(row.tolist()) for row in rows),
        )
        lines.append(golden.encode())
    folder, digest, manifest = seal(
        bundles,
        model=name,
        task="image-classification",
        labels=LABELS,
        graph=image_graph(weights, channels=channels, hazards=hazards),
        files={GOLDEN: b"\n".join(lines) + b"\n"},
        inputs=(TensorSpec("pixels", "float32", ("batch", channels, HEIGHT, WIDTH)),),
        outputs=(TensorSpec("logits", "float32", ("batch", len(LABELS))),),
        limits=ModelLimits(max_tokens=0),
        image=ImageInput(width=WIDTH, height=HEIGHT, channels=channels),
    )
    return TinyImage(folder, digest, manifest, weights)
