"""A tiny real graph of one float input and one float output, as most tables' models are.

bundle = make_linear(tmp_path / "bundles", seed=1)     # in <bundles>/linear/<digest16>/
bundle.answers(rows)                                   # what it must answer, by numpy alone
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import helper, numpy_helper
from support.graphs import OPSET
from support.task_bundles import TaskBundle, seal
from support.tiny_tensor import value_infos

from maas.bundle.golden import GOLDEN, Golden
from maas.bundle.manifest import ModelLimits
from maas.registry.records import TensorSpec
from maas.tasks.tensor import recorded

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

MODEL = "linear"
WIDTH, ANSWERS = 3, 2
INPUTS = (TensorSpec("x", "float32", ("batch", WIDTH)),)
OUTPUTS = (TensorSpec("y", "float32", ("batch", ANSWERS)),)


@dataclass(frozen=True, slots=True)
class TinyLinear(TaskBundle):
    """A bundle on disk and what it must answer.

    Attributes:
        weights: float32 `[width, answers]`.
    """

    weights: "Floats"

    def answers(self, rows: object) -> "Floats":
        """The answer by numpy alone."""
        return np.asarray(np.asarray(rows, np.float32) @ self.weights, np.float32)


def make_linear(bundles: "Path", *, seed: int = 0) -> TinyLinear:
    """Make a bundle where serving looks for it.

    Args:
        bundles: The folder of all bundles.
        seed: Chooses the weights.
    """
    weights = np.random.default_rng(seed).normal(size=(WIDTH, ANSWERS)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "weights"], ["y"])],
        MODEL,
        value_infos(INPUTS),
        value_infos(OUTPUTS),
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    rows = np.ones((2, WIDTH), np.float32)
    golden = Golden(tensors=(recorded("x", rows),), answers=(recorded("y", rows @ weights),))
    folder, digest, manifest = seal(
        bundles,
        model=MODEL,
        task="tensor",
        graph=model.SerializeToString(),
        files={GOLDEN: golden.encode() + b"\n"},
        inputs=INPUTS,
        outputs=OUTPUTS,
        limits=ModelLimits(max_tokens=0),
    )
    return TinyLinear(folder, digest, manifest, weights)
