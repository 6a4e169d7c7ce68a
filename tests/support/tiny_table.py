"""A tiny real model that classifies rows of a table: a linear one with a softmax.

bundle = make_table(tmp_path / "bundles", seed=1)      # in <bundles>/passengers/<digest16>/
bundle.best([[41, 0, 7.25]])                           # what it must answer, by numpy alone
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from support.graphs import OPSET
from support.task_bundles import TaskBundle, seal

from maas.bundle.golden import GOLDEN, Golden
from maas.bundle.manifest import ModelLimits
from maas.registry.records import TensorSpec
from maas.tasks.tensor import recorded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

MODEL = "passengers"
COLUMNS = ("age", "siblings", "fare")
LABELS = ("lost", "saved")
TABLE = {"age": ["41", "17"], "siblings": ["0", "2"], "fare": ["7.25", "71.3"]}


@dataclass(frozen=True, slots=True)
class TinyTable(TaskBundle):
    """A bundle on disk and what it must answer.

    Attributes:
        weights: float32 `[columns, labels]`.
    """

    weights: "Floats"

    def best(self, rows: "Sequence[Sequence[float]]") -> list[str]:
        """The likeliest label of each row, by numpy alone."""
        scores = np.asarray(rows, dtype=np.float32) @ self.weights
        return [LABELS[index] for index in scores.argmax(axis=1).tolist()]


def table_graph(weights: "Floats", *, apart: bool = False) -> bytes:
    """The graph.

    Args:
        weights: float32 `[columns, labels]`.
        apart: Whether each column is an input of its own, as pipelines of scikit-learn's have it.
    """
    inputs = [helper.make_tensor_value_info("cells", TensorProto.FLOAT, ("rows", len(COLUMNS)))]
    nodes = [
        helper.make_node("MatMul", ["cells", "weights"], ["sums"]),
        helper.make_node("Softmax", ["sums"], ["probabilities"], axis=1),
        helper.make_node("ArgMax", ["sums"], ["label"], axis=1, keepdims=0),
    ]
    if apart:
        inputs = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ("rows", 1)) for name in COLUMNS
        ]
        nodes.insert(0, helper.make_node("Concat", list(COLUMNS), ["cells"], axis=1))
    graph = helper.make_graph(
        nodes,
        MODEL,
        inputs,
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, ("rows",)),
            helper.make_tensor_value_info(
                "probabilities", TensorProto.FLOAT, ("rows", len(LABELS))
            ),
        ],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


def table_weights(seed: int) -> "Floats":
    """Weights of their own for every seed."""
    shape = (len(COLUMNS), len(LABELS))
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32) / np.float32(10)


def make_table(
    bundles: "Path", *, name: str = MODEL, seed: int = 0, hazards: bool = False
) -> TinyTable:
    """Make a bundle where serving looks for it.

    Args:
        bundles: The folder of all bundles.
        name: The model's.
        seed: Chooses the weights.
        hazards: Has no effect: cells that a float holds and the graph does not are hazard enough.
    """
    del hazards
    weights = table_weights(seed)
    cells = np.array([[41, 0, 7.25], [17, 2, 71.3]], dtype=np.float32)
    sums = cells @ weights
    powers = np.exp(sums - sums.max(axis=1, keepdims=True))
    golden = Golden(
        tensors=(recorded("cells", cells),),
        answers=(
            recorded("label", sums.argmax(axis=1)),
            recorded("probabilities", powers / powers.sum(axis=1, keepdims=True)),
        ),
    )
    folder, digest, manifest = seal(
        bundles,
        model=name,
        task="tabular-classification",
        labels=LABELS,
        graph=table_graph(weights),
        files={GOLDEN: golden.encode() + b"\n"},
        inputs=(TensorSpec("cells", "float32", ("rows", len(COLUMNS))),),
        outputs=(
            TensorSpec("label", "int64", ("rows",)),
            TensorSpec("probabilities", "float32", ("rows", len(LABELS))),
        ),
        limits=ModelLimits(max_tokens=0),
        columns=COLUMNS,
    )
    return TinyTable(folder, digest, manifest, weights)
