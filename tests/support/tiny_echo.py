"""A tiny real graph that answers what it is sent, of every datatype there is.

bundle = make_echo(tmp_path / "bundles")      # in <bundles>/echo/<digest16>/
feeds = echo_feeds()                          # two elements by input, the extremes of each dtype
"""

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper
from support.graphs import OPSET
from support.task_bundles import TaskBundle, seal

from maas.bundle.dtypes import DTYPES, STRING
from maas.bundle.golden import GOLDEN, Golden
from maas.bundle.manifest import ModelLimits
from maas.registry.records import TensorSpec
from maas.tasks.tensor import recorded
from maas.tasks.tensors import strings

if TYPE_CHECKING:
    from pathlib import Path

MODEL = "echo"
ALL = (*DTYPES, STRING)
INPUTS = tuple(TensorSpec(f"{dtype}_in", dtype, (f"{dtype}s",)) for dtype in ALL)
OUTPUTS = tuple(TensorSpec(f"{dtype}_out", dtype, (f"{dtype}s",)) for dtype in ALL)
TEXTS = (b"a\0b", "été".encode())
_NAMES = {"float32": "FLOAT", "float64": "DOUBLE"}


def _extremes(dtype: str) -> Any:  # noqa: ANN401
    if dtype == STRING:
        return strings(TEXTS, (2,))
    if dtype == "bool":
        return np.array([True, False])
    info = np.finfo(dtype) if dtype.startswith("float") else np.iinfo(dtype)
    return np.array([info.min, info.max], dtype)


def echo_feeds() -> "dict[str, Any]":
    """A request; texts are bytes."""
    return {spec.name: _extremes(spec.dtype) for spec in INPUTS}


def _graph() -> bytes:
    def info(spec: TensorSpec) -> "onnx.ValueInfoProto":
        kind = getattr(TensorProto, _NAMES.get(spec.dtype, spec.dtype.upper()))
        return helper.make_tensor_value_info(spec.name, kind, spec.shape)

    node = partial(helper.make_node, "Identity")
    graph = helper.make_graph(
        [node([i.name], [o.name]) for i, o in zip(INPUTS, OUTPUTS, strict=True)],
        MODEL,
        [*map(info, INPUTS)],
        [*map(info, OUTPUTS)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


def make_echo(bundles: "Path", *, name: str = MODEL) -> TaskBundle:
    """Make a bundle where serving looks for it.

    Args:
        bundles: The folder of all bundles.
        name: The model's.
    """
    feeds = echo_feeds()
    golden = Golden(
        tensors=tuple(recorded(spec.name, feeds[spec.name]) for spec in INPUTS),
        answers=tuple(
            recorded(out.name, feeds[spec.name]) for spec, out in zip(INPUTS, OUTPUTS, strict=True)
        ),
    )
    made = seal(
        bundles,
        model=name,
        task="tensor",
        graph=_graph(),
        files={GOLDEN: golden.encode() + b"\n"},
        inputs=INPUTS,
        outputs=OUTPUTS,
        limits=ModelLimits(max_tokens=0),
    )
    return TaskBundle(*made)
