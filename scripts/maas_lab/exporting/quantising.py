"""Graphs with 8-bit weights: dynamic quantisation, one scale per column.

Imports onnx and onnxruntime. Weights become signed bytes once and for all, activations bytes for
each request by their own range:

    quantised = quantise(model)

A graph that decodes is quantised before its parts are put together, because the library does not
look into a Loop.
"""

import logging
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from maas_lab.exporting.composing import Parts

if TYPE_CHECKING:
    from collections.abc import Iterator

_OPERATORS = ["MatMul", "Gemm", "Gather", "LSTM", "Attention"]


def quantise(model: onnx.ModelProto) -> onnx.ModelProto:
    """Quantise what multiplies by weights, and tables of vectors.

    Weights use seven of the eight bits: processors without VNNI add two products in 16 bits, and
    with eight these overflow. So the answer is the same on every processor.
    """
    with tempfile.TemporaryDirectory() as folder, _quiet():
        target = Path(folder, "quantised.onnx")
        quantize_dynamic(
            model,
            target,
            op_types_to_quantize=_OPERATORS,
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
        return onnx.load(target)


def quantise_parts(parts: Parts) -> Parts:
    """Quantise what reads and what steps; what ends has no weights."""
    return Parts(begin=quantise(parts.begin), step=quantise(parts.step), finish=parts.finish)


@contextmanager
def _quiet() -> "Iterator[None]":
    """Silence advice on the root logger, to which the library speaks without a name."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
