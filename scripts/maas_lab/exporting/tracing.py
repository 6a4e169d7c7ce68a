"""torch → ONNX by tracing: one function with the exporter that we use, and with its silence.

Imports torch, onnx and `maas_lab.exporting.shapes`. Dimensions that differ between two examples
stay free in the graph, all others are fixed; so nobody has to list them:

    model = trace(network, ("input_ids", "attention_mask"), ("logits",), examples)
"""

import logging
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
import torch
from torch import Tensor, nn

from maas_lab.exporting.shapes import settle_shapes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Inputs = tuple[Tensor, ...]

OPSET = 20
"""Version of the default operator set, the newest that the exporter writes."""


class Traced(nn.Module):
    """A method of a module as a module of its own, because only such are traced."""

    def __init__(self, owner: nn.Module, method: "Callable[..., object]") -> None:
        super().__init__()
        self.owner = owner
        self.method = method
        self.eval()  # the exporter puts back the mode that it finds here, into the owner too

    def forward(self, *inputs: Tensor) -> object:
        """What the method gives."""
        return self.method(*inputs)


def trace(
    module: nn.Module,
    inputs: "Sequence[str]",
    outputs: "Sequence[str]",
    examples: "tuple[Inputs, Inputs]",
    *,
    names: "dict[str, dict[int, str]] | None" = None,
) -> onnx.ModelProto:
    """Trace a module with the first of two examples.

    By the TorchScript exporter: the newer one unrolls a recurrence over the traced length, or
    refuses it (infra/decisions/0004-exporter.md).

    Args:
        module: In evaluation mode.
        inputs: What its inputs are called in the graph.
        outputs: What its outputs are called.
        examples: Inputs; what may vary must differ between the two, and not be 1 in the first.
        names: What free dimensions are called, by input or output and number of the dimension.
    """
    names = names or {}
    free = {
        name: {axis: names.get(name, {}).get(axis, f"{name}_{axis}") for axis in _free(*pair)}
        for name, *pair in zip(inputs, *examples, strict=True)
    }
    with (
        tempfile.TemporaryDirectory() as folder,
        _quiet_exporter(),
        torch.inference_mode(),
    ):
        file = Path(folder, "traced.onnx")
        torch.onnx.export(
            module,
            examples[0],
            file,
            dynamo=False,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes={**free, **{name: names[name] for name in outputs if name in names}},
        )
        model = onnx.load(file)
        given = module(*examples[0])
    answers = (given,) if isinstance(given, Tensor) else given
    for value, answer in zip(model.graph.output, answers, strict=True):
        shape = value.type.tensor_type.shape
        if value.name not in names:
            value.type.tensor_type.ClearField("shape")  # it is what the example happened to give
            continue
        for axis, dimension in enumerate(shape.dim):  # the exporter loses fixed ones on its way
            if axis not in names[value.name]:
                dimension.dim_value = answer.shape[axis]
    settle_shapes(model)
    return model


def _free(first: Tensor, second: Tensor) -> list[int]:
    sizes = zip(first.shape, second.shape, strict=True)
    return [axis for axis, (one, other) in enumerate(sizes) if one != other]


@contextmanager
def _quiet_exporter() -> "Iterator[None]":
    """Silence what the exporter says about itself; the comparison is the check that counts."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
