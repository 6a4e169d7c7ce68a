"""A tiny real graph with tensors of every kind: a batch, a state, a scalar, texts, bools, halves.

bundle = make_tensor(tmp_path / "bundles", seed=1)    # in <bundles>/zoo/<digest16>/
feeds = tensor_feeds(seed=1, rows=2)                  # what it may be asked
bundle.answers(feeds)                                 # what it must answer, by numpy alone
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from support.graphs import OPSET
from support.task_bundles import TaskBundle, seal

from maas.bundle.golden import GOLDEN, Golden
from maas.bundle.manifest import ModelLimits
from maas.registry.records import TensorSpec
from maas.tasks.tensor import recorded
from maas.tasks.tensors import strings

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]
    Arrays = dict[str, Any]

MODEL = "zoo"
WIDTH, CLASSES = 4, 3
INPUTS = (
    TensorSpec("rows", "float32", ("batch", WIDTH)),
    TensorSpec("codes", "int32", ("batch", "length")),
    TensorSpec("state", "float32", (1, CLASSES)),
    TensorSpec("words", "string", ("batch",)),
    TensorSpec("rate", "int64", ()),
)
OUTPUTS = (
    TensorSpec("scores", "float32", ("batch", CLASSES)),
    TensorSpec("stateN", "float32", (1, CLASSES)),
    TensorSpec("total", "int64", ()),
    TensorSpec("high", "bool", ("batch", CLASSES)),
    TensorSpec("halves", "float16", ("batch", CLASSES)),
    TensorSpec("same", "string", ("batch",)),
)
_TYPES = {
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "bool": TensorProto.BOOL,
    "string": TensorProto.STRING,
}
WORDS = ("été", "a b", "", "42")


@dataclass(frozen=True, slots=True)
class TinyTensor(TaskBundle):
    """A bundle on disk and what it must answer.

    Attributes:
        weights: float32 `[width, classes]`.
    """

    weights: "Floats"

    def answers(self, feeds: "Arrays") -> "Arrays":
        """The answer by numpy alone."""
        return tensor_answers(self.weights, feeds)


def tensor_weights(seed: int) -> "Floats":
    """The weights of a seed; float32 `[width, classes]`."""
    return np.random.default_rng(seed).normal(size=(WIDTH, CLASSES)).astype(np.float32)


def tensor_feeds(seed: int = 0, *, rows: int = 2, length: int = 5) -> "Arrays":
    """A request of so many rows; texts are bytes."""
    random = np.random.default_rng(seed)
    return {
        "rows": random.normal(size=(rows, WIDTH)).astype(np.float32),
        "codes": random.integers(0, 256, (rows, length), dtype=np.int32),
        "state": random.normal(size=(1, CLASSES)).astype(np.float32),
        "words": strings([WORDS[at % len(WORDS)].encode() for at in range(rows)], (rows,)),
        "rate": np.array(16_000, dtype=np.int64),
    }


def tensor_answers(weights: "Floats", feeds: "Arrays") -> "Arrays":
    """What the graph answers, texts as `str`."""
    scores = feeds["rows"] @ weights + feeds["state"]
    words = [word.decode() for word in feeds["words"]]
    return {
        "scores": scores,
        "stateN": scores.mean(axis=0, keepdims=True, dtype=np.float32),
        "total": np.asarray(feeds["codes"].sum(dtype=np.int64) + feeds["rate"]),
        "high": scores > 0,
        "halves": scores.astype(np.float16),
        "same": strings(words, feeds["words"].shape),
    }


def value_infos(specs: tuple[TensorSpec, ...]) -> "list[onnx.ValueInfoProto]":
    """Tensors as a graph describes them."""
    return [
        helper.make_tensor_value_info(spec.name, _TYPES[spec.dtype], spec.shape) for spec in specs
    ]


def tensor_graph(weights: "Floats") -> bytes:
    """The graph of `INPUTS` and `OUTPUTS`."""
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["rows", "weights"], ["products"]),
            helper.make_node("Add", ["products", "state"], ["scores"]),
            helper.make_node("ReduceMean", ["scores"], ["stateN"], axes=[0], keepdims=1),
            helper.make_node("Cast", ["codes"], ["wide"], to=TensorProto.INT64),
            helper.make_node("ReduceSum", ["wide"], ["sum"], keepdims=0),
            helper.make_node("Add", ["sum", "rate"], ["total"]),
            helper.make_node("Greater", ["scores", "zero"], ["high"]),
            helper.make_node("Cast", ["scores"], ["halves"], to=TensorProto.FLOAT16),
            helper.make_node("Identity", ["words"], ["same"]),
        ],
        MODEL,
        value_infos(INPUTS),
        value_infos(OUTPUTS),
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.array(0.0, dtype=np.float32), "zero"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


def tensor_golden(weights: "Floats", *, seed: int, shift: float = 0.0) -> Golden:
    """A request and what is answered, its scores moved by `shift`."""
    feeds = tensor_feeds(seed, rows=seed + 1)
    answers = tensor_answers(weights, feeds)
    answers["scores"] = answers["scores"] + np.float32(shift)
    return Golden(
        tensors=tuple(recorded(spec.name, feeds[spec.name]) for spec in INPUTS),
        answers=tuple(recorded(spec.name, answers[spec.name]) for spec in OUTPUTS),
    )


def make_tensor(
    bundles: "Path",
    *,
    name: str = MODEL,
    seed: int = 0,
    golden_shift: float = 0.0,
    goldens: tuple[Golden, ...] = (),
    labels: tuple[str, ...] = ("low", "mid", "high"),
) -> TinyTensor:
    """Make a bundle where serving looks for it.

    Args:
        bundles: The folder of all bundles.
        name: The model's.
        seed: Chooses the weights.
        golden_shift: Added to the recorded scores.
        goldens: Recorded requests, instead of its own.
        labels: Names of the classes.
    """
    weights = tensor_weights(seed)
    own = (tensor_golden(weights, seed=each, shift=golden_shift) for each in range(2))
    lines = [golden.encode() for golden in goldens or own]
    folder, digest, manifest = seal(
        bundles,
        model=name,
        task="tensor",
        labels=labels,
        graph=tensor_graph(weights),
        files={GOLDEN: b"\n".join(lines) + b"\n"},
        inputs=INPUTS,
        outputs=OUTPUTS,
        limits=ModelLimits(max_tokens=0),
    )
    return TinyTensor(folder, digest, manifest, weights)
