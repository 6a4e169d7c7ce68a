"""Foreign graphs that look at pictures: fed what they were trained with, and answering alike."""

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from onnx import TensorProto
from support.foreign_graphs import graph_of, node, relu, saved
from support.tiny_image import HEIGHT, WIDTH, picture, png

from maas.bundle.verify import verify_bundle
from maas.errors import MaasError
from maas.loading import load_version
from maas.tasks.image import ImageRequest
from maas_lab.importing.importer import import_model
from maas_lab.importing.wishes import Wishes, read_numbers, read_size

if TYPE_CHECKING:
    from pathlib import Path

    import onnx

    from maas_lab.importing.imported import Imported

LABELS = ("cat", "dog", "ship")
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.5)
WEIGHTS = np.random.default_rng(0).normal(size=(3, 3)).astype(np.float32)
FLOATS, HALVES, BYTES = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8


def looking(
    kind: int = FLOATS,
    *,
    last: bool = False,
    softmax: bool = False,
    height: Any = HEIGHT,  # noqa: ANN401
    batch: Any = "n",  # noqa: ANN401
) -> "onnx.ModelProto":
    """A classifier of the mean of each colour.

    Args:
        kind: The type of what it reads.
        last: Whether colours are the last dimension.
        softmax: Whether it answers probabilities.
        height: Of its pictures, or a name.
        batch: How many it takes, or a name.
    """
    shape = [batch, height, WIDTH, 3] if last else [batch, 3, height, WIDTH]
    nodes = [
        node("Cast", ["images"], ["wide"], to=FLOATS),
        node("ReduceMean", ["wide"], ["means"], axes=[1, 2] if last else [2, 3], keepdims=0),
        node("MatMul", ["means", "weights"], ["sums"]),
        node("Softmax", ["sums"], ["shares"], axis=-1),
        node("Identity", ["shares" if softmax else "sums"], ["scores"]),
    ]
    return graph_of(
        nodes, {"images": (kind, shape)}, {"scores": (FLOATS, [batch, 3])}, weights=WEIGHTS
    )


def imported(folder: "Path", model: "onnx.ModelProto", **wishes: Any) -> "Imported":  # noqa: ANN401
    options = {"task": "image-classification", "labels": LABELS, **wishes}
    return import_model(saved(folder, model), folder / "bundles", Wishes(**options))


def scores(done: "Imported", levels: Any) -> list[float]:  # noqa: ANN401
    task = load_version(verify_bundle(done.made.bundle.folder), threads=1).task
    request = ImageRequest(images=(png(levels),))
    (row,) = task.predict(request, deadline=time.monotonic() + 5).rows
    return [{each.label: each.score for each in row}[label] for label in LABELS]


def wanted(colours: Any) -> list[float]:  # noqa: ANN401
    powers = np.exp(colours.mean(axis=(0, 1)) @ WEIGHTS)
    shares: list[float] = (powers / powers.sum()).tolist()
    return shares


@pytest.mark.parametrize(
    ("model", "wishes", "scale"),
    [
        (looking(), {}, lambda colours: colours),
        (looking(last=True), {}, lambda colours: colours),
        (looking(HALVES), {}, lambda colours: colours),
        (looking(softmax=True), {}, lambda colours: colours),
        (looking(), {"mean": MEAN, "std": STD}, lambda colours: (colours - MEAN) / STD),
        (looking(last=True), {"mean": MEAN}, lambda colours: colours - MEAN),
        (looking(height="h"), {"size": (WIDTH, HEIGHT)}, lambda colours: colours),
        (looking(), {"std": (1 / 255,) * 3}, lambda colours: colours * 255),
        (looking(BYTES), {}, lambda colours: colours * 255),
        (looking(BYTES, last=True), {}, lambda colours: colours * 255),
    ],
    ids=["plain", "last", "half", "softmax", "both", "mean", "size", "of 255", "bytes", "nhwc"],
)
def test_a_picture_is_answered_as_the_graph_was_trained(
    tmp_path: "Path",
    model: "onnx.ModelProto",
    wishes: dict[str, Any],
    scale: Any,  # noqa: ANN401
) -> None:
    done = imported(tmp_path, model, **wishes)
    manifest = done.made.bundle.manifest
    assert manifest.inputs[0].shape == ("batch", 3, HEIGHT, WIDTH)
    assert manifest.image is not None
    assert (manifest.image.width, manifest.image.height) == (WIDTH, HEIGHT)
    levels = picture(5)
    assert scores(done, levels) == pytest.approx(wanted(scale(levels / 255)), abs=2e-3)


@pytest.mark.parametrize(
    ("model", "wishes", "field", "reason"),
    [
        (looking(height="h"), {}, "size", "is needed"),
        (looking(), {"size": (5, 5)}, "size", f"is {WIDTH}x{HEIGHT} in the graph"),
        (looking(), {"mean": (0.5,)}, "mean", "must be 3 numbers"),
        (looking(), {"std": (0.5, 0.0, 0.5)}, "std", "must be above 0"),
        (looking(BYTES), {"mean": MEAN}, "mean", "is for floats"),
        (looking(), {"labels": ("a", "b")}, "labels", "must be 3"),
        (looking(batch=1), {}, None, "a batch of any size"),
        (looking(TensorProto.INT32), {}, None, "floats or uint8"),
        (relu(), {}, None, "a model for pictures reads one tensor"),
    ],
)
def test_what_does_not_fit_is_said(
    tmp_path: "Path", model: "onnx.ModelProto", wishes: dict[str, Any], field: str, reason: str
) -> None:
    with pytest.raises(MaasError) as refusal:
        imported(tmp_path, model, **wishes)
    assert refusal.value.field == field
    assert reason in str(refusal.value)


@pytest.mark.parametrize("given", ["a", "1,b", "nan", "1,inf,2"])
def test_what_are_no_numbers_is_refused(given: str) -> None:
    with pytest.raises(MaasError) as refusal:
        read_numbers(given, field="mean")
    assert refusal.value.field == "mean"


@pytest.mark.parametrize("given", ["224", "0x5", "axb", "224x224x3", "-1x2"])
def test_what_is_no_size_is_refused(given: str) -> None:
    with pytest.raises(MaasError) as refusal:
        read_size(given)
    assert refusal.value.field == "size"


def test_numbers_and_sizes_are_read() -> None:
    assert read_numbers("0.5,1,2e-1", field="mean") == (0.5, 1.0, 0.2)
    assert (read_numbers(None, field="mean"), read_size(None)) == ((), None)
    assert read_size("320x240") == (320, 240)
