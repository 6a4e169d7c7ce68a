"""S20: the graph policy admits what torch exports and what ONNX Runtime writes, and no more.

Small networks of the kinds that the project has or will have are exported, quantised, and rewritten
by the optimiser at both of its levels; every graph passes as `maas` would ship it.
"""

import logging
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnxruntime.capi import onnxruntime_pybind11_state as native
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from support.tiny_writer import writer_graph, writer_weights
from torch import Tensor, nn

from maas.bundle.graph_policy import check_graph
from maas.bundle.operators import ONNX_OPSETS, OPERATORS
from maas.errors import BundleError
from maas_lab.graphs import strip_graph

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LEVELS = onnxruntime.GraphOptimizationLevel


class Encoder(nn.Module):
    """One layer of a transformer, as an exporter sees it."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(50, 32), nn.Embedding(64, 32)
        self.norms = nn.ModuleList([nn.LayerNorm(32) for _ in range(3)])
        self.heads = nn.ModuleList([nn.Linear(32, 32) for _ in range(4)])
        self.wide, self.narrow, self.activation = nn.Linear(32, 64), nn.Linear(64, 32), activation
        self.output = nn.Linear(32, 2)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        batch, length = ids.shape

        def split(rows: Tensor) -> Tensor:
            return rows.view(batch, length, 4, 8).transpose(1, 2)

        places = torch.arange(length).unsqueeze(0).expand(batch, length)
        states = self.norms[0](self.words(ids) + self.places(places))
        query, key, value = (split(self.heads[at](states)) for at in range(3))
        scores = query @ key.transpose(-1, -2) / 8**0.5
        scores = scores + (1.0 - mask[:, None, None, :].float()) * -1e4
        seen = (scores.softmax(-1) @ value).transpose(1, 2).reshape(batch, length, 32)
        states = self.norms[1](states + self.heads[3](seen))
        states = self.norms[2](states + self.narrow(self.activation(self.wide(states))))
        logits: Tensor = self.output(states[:, 0])
        return logits


class Quick(nn.Module):
    """The sigmoid's approximation of GELU."""

    def forward(self, values: Tensor) -> Tensor:
        return values * torch.sigmoid(1.702 * values)


class Pictures(nn.Module):
    """Convolutions with what comes between them."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16)
        self.depth = nn.Conv2d(16, 16, 3, padding=1, groups=16)
        self.point, self.activation = nn.Conv2d(16, 16, 1), activation
        self.larger, self.output = nn.Upsample(scale_factor=2), nn.Linear(16, 2)

    def forward(self, pixels: Tensor) -> Tensor:
        states = self.activation(self.norm(self.first(pixels)))
        states = states + self.activation(self.point(self.depth(states)))
        states = self.larger(nn.functional.max_pool2d(states, 2))
        states = nn.functional.adaptive_avg_pool2d(nn.functional.avg_pool2d(states, 2), 1)
        logits: Tensor = self.output(states.flatten(1))
        return logits


class Recurrent(nn.Module):
    """A recurrence in both directions."""

    def __init__(self, kind: type[nn.LSTM] | type[nn.GRU]) -> None:
        super().__init__()
        self.words, self.output = nn.Embedding(50, 32), nn.Linear(32, 2)
        self.states = kind(32, 16, batch_first=True, bidirectional=True)

    def forward(self, ids: Tensor) -> Tensor:
        logits: Tensor = self.output(self.states(self.words(ids))[0].mean(1))
        return logits


class Table(nn.Sequential):
    """Layers for rows of numbers."""

    def __init__(self) -> None:
        super().__init__(
            nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 2)
        )


IDS, MASK = torch.ones((2, 7), dtype=torch.int64), torch.ones((2, 7), dtype=torch.int64)
PIXELS, ROWS = torch.zeros((1, 3, 16, 16)), torch.zeros((2, 8))
NETWORKS: dict[str, tuple[nn.Module, dict[str, Tensor]]] = {
    "encoder-gelu": (Encoder(nn.GELU()), {"ids": IDS, "mask": MASK}),
    "encoder-tanh": (Encoder(nn.GELU(approximate="tanh")), {"ids": IDS, "mask": MASK}),
    "encoder-quick": (Encoder(Quick()), {"ids": IDS, "mask": MASK}),
    "pictures-relu": (Pictures(nn.ReLU()), {"pixels": PIXELS}),
    "pictures-silu": (Pictures(nn.SiLU()), {"pixels": PIXELS}),
    "pictures-leaky": (Pictures(nn.LeakyReLU()), {"pixels": PIXELS}),
    "pictures-hard": (Pictures(nn.Hardsigmoid()), {"pixels": PIXELS}),
    "lstm": (Recurrent(nn.LSTM), {"ids": IDS}),
    "gru": (Recurrent(nn.GRU), {"ids": IDS}),
    "table": (Table(), {"rows": ROWS}),
}


class Samples(CalibrationDataReader):  # type: ignore[misc]
    """One row of input, as the quantiser asks for it."""

    def __init__(self, feeds: dict[str, Any]) -> None:
        self._rows = iter([feeds])

    def get_next(self) -> dict[str, Any] | None:
        return next(self._rows, None)


@pytest.fixture(autouse=True)
def _quiet() -> "Iterator[None]":
    logging.disable(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    logging.disable(logging.NOTSET)


def exported(name: str, folder: "Path") -> "Path":
    network, inputs = NETWORKS[name]
    path = folder / "portable.onnx"
    axes = {} if "pixels" in inputs else {key: {0: "batch"} for key in inputs}
    torch.onnx.export(
        network.eval(),
        tuple(inputs.values()),
        path,
        dynamo=False,
        opset_version=18,
        input_names=list(inputs),
        dynamic_axes=axes,
    )
    return path


def quantised(name: str, portable: "Path", folder: "Path") -> "Iterator[Path]":
    feeds = {key: np.asarray(value) for key, value in NETWORKS[name][1].items()}
    quantize_dynamic(portable, folder / "dynamic.onnx", weight_type=QuantType.QInt8)
    yield folder / "dynamic.onnx"
    for kind in (QuantFormat.QDQ, QuantFormat.QOperator):
        path = folder / f"{kind.name}.onnx"
        quantize_static(portable, path, Samples(feeds), quant_format=kind)
        yield path


def optimised(path: "Path", level: object, folder: "Path") -> "onnx.ModelProto":
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    options.log_severity_level = 4
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return onnx.load(folder / "optimised.onnx")


OWN = {
    "encoder-gelu": {"BiasGelu", "Gelu", "FusedMatMul", "SkipLayerNormalization"},
    "encoder-tanh": {"FusedMatMul", "DynamicQuantizeMatMul", "QLinearSoftmax"},
    "encoder-quick": {"QuickGelu", "MatMulIntegerToFloat", "QLinearSigmoid", "QLinearMul"},
    "pictures-relu": {"Conv", "ReorderOutput", "Upsample", "QLinearAdd", "NhwcMaxPool", "QGemm"},
    "pictures-silu": {"QuickGelu", "ReorderInput", "QLinearConv", "QLinearAveragePool"},
    "pictures-leaky": {"FusedConv", "QLinearLeakyRelu", "MaxPool", "GlobalAveragePool"},
    "pictures-hard": {"FusedConv", "AveragePool", "QLinearGlobalAveragePool"},
    "lstm": {"DynamicQuantizeLSTM"},
    "gru": {"DynamicQuantizeMatMul"},
    "table": {"FusedGemm", "QGemm"},
}
"""Operators of ONNX Runtime's own domains that must have been written, among others."""


@pytest.mark.parametrize("name", NETWORKS)
def test_s20_what_the_optimiser_writes_is_admitted(name: str, tmp_path: "Path") -> None:
    portable = exported(name, tmp_path)
    written = set()
    for path in (portable, *quantised(name, portable, tmp_path)):
        for level in (None, LEVELS.ORT_ENABLE_EXTENDED, LEVELS.ORT_ENABLE_ALL):
            model = onnx.load(path) if level is None else optimised(path, level, tmp_path)
            facts = check_graph(strip_graph(model).SerializeToString(), {})
            assert facts.nodes == len(model.graph.node)
            written |= {node.op_type for node in model.graph.node if node.domain}
    assert written >= OWN[name]


@pytest.mark.parametrize("level", ["ORT_DISABLE_ALL", "ORT_ENABLE_EXTENDED", "ORT_ENABLE_ALL"])
def test_s20_a_graph_that_writes_is_admitted_with_its_loop(level: str, tmp_path: "Path") -> None:
    # Given a loop whose graph uses weights of the one around it, as it is and as it is rewritten
    portable = tmp_path / "portable.onnx"
    portable.write_bytes(writer_graph(*writer_weights(3)))
    model = optimised(portable, getattr(LEVELS, level), tmp_path)
    data = strip_graph(model).SerializeToString()
    # Then it passes, and its table of weights is known
    facts = check_graph(data, {})
    assert facts.outputs == ("output_ids", "scores")
    assert set(facts.inputs) == {"input_ids", "attention_mask", "beams", "max_new_tokens"}
    (loop,) = (node for node in model.graph.node if node.op_type == "Loop")
    (body,) = (each.g for each in loop.attribute if each.name == "body")
    assert facts.nodes == len(model.graph.node) + len(body.node)
    # And a loop without an end is refused in the same graph
    loop.input[0] = ""
    with pytest.raises(BundleError, match="may turn more than"):
        check_graph(model.SerializeToString(), {})


def test_every_listed_operator_is_one_that_the_runtime_has() -> None:
    has = {(found.domain, found.op_name) for found in native.get_all_opkernel_def()}
    schemas = {(schema.domain, schema.name) for schema in onnx.defs.get_all_schemas()}
    listed = {(domain, name) for domain, names in OPERATORS.items() for name in names}
    assert listed <= has | schemas  # some of ONNX's own are made of others
    assert {pair for pair in listed if pair[0]} <= has
    assert onnx.defs.onnx_opset_version() >= ONNX_OPSETS[-1]
