"""A foreign graph that looks at a picture and answers with one number per class.

Imports numpy, onnx, `maas` and the lab. Its input becomes `pixels`, colours of 0 to 1, `[batch,
channels, height, width]`; nodes before the graph make of that what it was trained with:

    fitted = fit_pictures(foreign, exported, folder, wishes)
"""

import time
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper

from maas.bundle.golden import Golden
from maas.bundle.manifest import ImageInput
from maas.engine.session import open_session
from maas.errors import FieldError, ModelError, RefusedError
from maas.registry.records import TensorSpec
from maas_lab.exporting.forms import GRAPH, PORTABLE
from maas_lab.exporting.vectors import png
from maas_lab.importing.fit_texts import are_probabilities, labels_of
from maas_lab.importing.fitted import Fitted
from maas_lab.importing.forms import write_portable
from maas_lab.importing.signature import chosen_output
from maas_lab.importing.surgery import Surgeon

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from maas_lab.importing.exported import Exported
    from maas_lab.importing.reading import Foreign
    from maas_lab.importing.wishes import Wishes

    Floats = npt.NDArray[np.float32]
    Levels = npt.NDArray[np.uint8]

PIXELS, LOGITS = "pixels", "logits"
_KINDS = {
    TensorProto.FLOAT: "float32",
    TensorProto.FLOAT16: "float16",
    TensorProto.DOUBLE: "float64",
    TensorProto.UINT8: "uint8",
}
_SECONDS = 60.0
_GOLDENS = 4
_WHITE = 255


def fit_pictures(
    foreign: "Foreign", exported: "Exported", folder: "Path", wishes: "Wishes"
) -> Fitted:
    """Make a graph one from `pixels` to `logits`.

    Raises:
        FieldError: An option is missing, or does not fit.
        RefusedError: The graph's tensors are not those of such a model.
        BundleError: The graph holds what is not admitted.
    """
    model, notes = foreign.model, list(foreign.notes)
    image = _prepare(model, wishes, notes)
    surgeon = Surgeon(model)
    surgeon.answer_as(chosen_output(model, 2, (LOGITS,)), LOGITS)
    surgeon.finish()
    pictures = _pictures(image, foreign.digest)
    answers = _asked(model, folder, pictures)
    model = onnx.load(folder / PORTABLE / GRAPH)  # its weights may have moved to a file
    if are_probabilities(answers):
        notes.append("Probabilities are answered as logarithms, so that softmax fits.")
        surgeon = Surgeon(model)
        surgeon.answer_as(surgeon.add("Log", [LOGITS]), LOGITS)
        surgeon.finish()
        answers = _asked(model, folder, pictures)
        model = onnx.load(folder / PORTABLE / GRAPH)
    width = answers.shape[1]
    labels = labels_of(exported.labels, width, notes)
    (value,) = model.graph.output
    value.CopyFrom(helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, ["batch", width]))
    write_portable(model, folder)
    shape = ("batch", image.channels, image.height, image.width)
    return Fitted(
        inputs=(TensorSpec(PIXELS, "float32", shape),),
        outputs=(TensorSpec(LOGITS, "float32", ("batch", width)),),
        goldens=tuple(
            Golden(images=(png(picture),), logits=(tuple(row.tolist()),))
            for picture, row in zip(pictures, answers, strict=True)
        ),
        limits=exported.limits,
        labels=labels,
        image=image,
        notes=tuple(notes),
    )


def _prepare(model: onnx.ModelProto, wishes: "Wishes", notes: list[str]) -> ImageInput:
    """Let the graph read `pixels`; answers with what they are."""
    values = list(model.graph.input)
    dims = [dim.dim_value or None for dim in values[0].type.tensor_type.shape.dim]
    kind = _KINDS.get(values[0].type.tensor_type.elem_type)
    first, last = (dims[1], dims[3]) if len(dims) == 4 else (None, None)
    channels = first if first in (1, 3) else last
    if len(values) != 1 or kind is None or channels not in (1, 3) or dims[0] is not None:
        read = ", ".join(value.name for value in values)
        raise RefusedError(
            f"The graph reads {read}; a model for pictures reads one tensor of floats or uint8,"
            " [batch, channels, height, width] or [batch, height, width, channels], of 1 or 3"
            " channels and a batch of any size. Export it so, or serve it as it is: --task tensor."
        )
    size = dims[2:] if first in (1, 3) else dims[1:3]
    height, width = _size(size, wishes)
    operators = _colours(channels, kind, wishes, notes)
    if first not in (1, 3):
        operators.append(helper.make_node("Transpose", [], [], perm=[0, 2, 3, 1]))
    surgeon = Surgeon(model)
    shape = ["batch", channels, height, width]
    surgeon.read_as(values[0].name, PIXELS, kind, shape)
    constants = {"mean": wishes.mean, "std": wishes.std}
    for name, numbers in constants.items():
        if numbers:
            array = np.array(numbers, dtype=np.float32).reshape(1, channels, 1, 1)
            model.graph.initializer.append(onnx.numpy_helper.from_array(array, f"pixels/{name}"))
    if kind == "uint8":
        white = np.array(_WHITE, dtype=np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(white, "pixels/white"))
    if operators:
        surgeon.before(PIXELS, operators)
    (value,) = model.graph.input
    value.CopyFrom(helper.make_tensor_value_info(PIXELS, TensorProto.FLOAT, shape))
    surgeon.finish()
    return ImageInput(width=width, height=height, channels=3 if channels == 3 else 1)


def _size(found: list[int | None], wishes: "Wishes") -> tuple[int, int]:
    """Height and width: the graph's, where it has some."""
    height, width = found
    if height and width:
        if wishes.size and wishes.size != (width, height):
            raise FieldError(f"is {width}x{height} in the graph", field="size")
        return height, width
    if wishes.size is None:
        raise FieldError(
            "is needed: the graph takes pictures of any; say which it was trained with, such as"
            " --size 224x224",
            field="size",
        )
    return wishes.size[1], wishes.size[0]


def _colours(channels: int, kind: str, wishes: "Wishes", notes: list[str]) -> list[onnx.NodeProto]:
    """What makes the graph's own numbers of colours from 0 to 1."""
    for field, numbers in (("mean", wishes.mean), ("std", wishes.std)):
        if numbers and (len(numbers) != channels or kind == "uint8"):
            said = f"must be {channels} numbers" if kind != "uint8" else "is for floats"
            raise FieldError(said, field=field)
    if any(number <= 0 for number in wishes.std):
        raise FieldError("must be above 0", field="std")
    operators = []
    if wishes.mean:
        operators.append(helper.make_node("Sub", ["pixels/mean"], []))
    if wishes.std:
        operators.append(helper.make_node("Div", ["pixels/std"], []))
    if kind == "uint8":
        operators.append(helper.make_node("Mul", ["pixels/white"], []))
        operators.append(helper.make_node("Round", [], []))
    elif not operators:
        notes.append("Colours are 0 to 1: say --mean and --std if it was trained with others.")
    if kind != "float32":
        to = next(each for each, name in _KINDS.items() if name == kind)
        operators.append(helper.make_node("Cast", [], [], to=to))
    return operators


def _pictures(image: ImageInput, seed: str) -> "list[Levels]":
    """Pictures of noise that is coarse and fine, the same ones for the same graph."""
    random = np.random.default_rng(int(seed.removeprefix("sha256:")[:16], 16))
    found = []
    for cells in (2, 4, 16, 64)[:_GOLDENS]:
        coarse = random.integers(0, 256, (cells, cells, image.channels), dtype=np.uint8)
        rows = np.arange(image.height) * cells // image.height
        columns = np.arange(image.width) * cells // image.width
        found.append(np.ascontiguousarray(coarse[rows][:, columns]))
    return found


def _asked(model: onnx.ModelProto, folder: "Path", pictures: "list[Levels]") -> "Floats":
    """Write the portable form; what it answers to each picture, float32 `[pictures, classes]`."""
    write_portable(model, folder)
    session = open_session(folder / PORTABLE / GRAPH, optimised=True, threads=1)
    rows = []
    for picture in pictures:
        pixels = picture.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(_WHITE)
        try:
            (answer,) = session.run({PIXELS: pixels}, deadline=time.monotonic() + _SECONDS)
        except ModelError:
            raise RefusedError(
                "The graph fails on a picture of this size; say another --size, or serve it as it"
                " is: --task tensor."
            ) from None
        rows.append(np.asarray(answer, dtype=np.float32))
    if {row.shape for row in rows} != {(1, rows[0].shape[-1])}:
        raise RefusedError("The graph does not answer a picture with one number per class.")
    return np.concatenate(rows)
