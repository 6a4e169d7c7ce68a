"""A tiny real model that embeds texts: the mean of its words' rows, made to length 1.

bundle = make_embedding(tmp_path / "bundles", seed=1)  # in <bundles>/vectors/<digest16>/
bundle.vectors(["a good film"])                        # what it must answer, by numpy alone
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from support.graphs import INPUTS, OPSET, loop_nodes, loop_numbers
from support.task_bundles import TaskBundle, seal
from support.tiny import (
    FOREVER_WORD,
    GOLDEN_TEXTS,
    MAX_TOKENS,
    NAN_WORD,
    WORDS,
    tiny_logits,
    tiny_tokenizer,
    tiny_weights,
)

from maas.bundle.golden import GOLDEN, Golden
from maas.bundle.manifest import ModelLimits
from maas.loading import TOKENIZER
from maas.registry.records import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

MODEL = "vectors"
DIMENSION = 8


@dataclass(frozen=True, slots=True)
class TinyEmbedding(TaskBundle):
    """A bundle on disk and what it must answer.

    Attributes:
        weights: float32 `[vocabulary, dimension]`.
    """

    weights: "Floats"

    def vectors(self, texts: "Sequence[str]") -> "Floats":
        """The answer by numpy alone, for texts of words and white space; float32 `[texts, 8]`."""
        return text_vectors(self.weights, texts)


def text_vectors(weights: "Floats", texts: "Sequence[str]") -> "Floats":
    """Add up the rows of each text's words, and make the sum one of length 1."""
    sums = tiny_logits(weights, texts)  # the mean has the same direction
    vectors: Floats = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    return vectors


def embedding_graph(weights: "Floats", *, slow_id: int | None = None) -> bytes:
    """From `input_ids` and `attention_mask` to `embedding`; a slow token takes for ever."""
    text = ("batch", "sequence")
    slow = slow_id is not None
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["weights", "input_ids"], ["rows"]),
            helper.make_node("Cast", ["attention_mask"], ["kept"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["kept", "last"], ["mask"]),
            helper.make_node("Mul", ["rows", "mask"], ["masked"]),
            helper.make_node("ReduceSum", ["masked", "tokens"], ["sums"], keepdims=0),
            helper.make_node("ReduceSum", ["mask", "tokens"], ["counts"], keepdims=0),
            helper.make_node("Max", ["counts", "least"], ["some"]),
            *(loop_nodes("sums", "looped") if slow else ()),
            helper.make_node("Div", ["looped" if slow else "sums", "some"], ["means"]),
            helper.make_node("LpNormalization", ["means"], ["embedding"], axis=-1, p=2),
        ],
        "vectors",
        [helper.make_tensor_value_info(n, TensorProto.INT64, text) for n in INPUTS],
        [
            helper.make_tensor_value_info(
                "embedding", TensorProto.FLOAT, ("batch", weights.shape[1])
            )
        ],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.array([-1], dtype=np.int64), "last"),
            numpy_helper.from_array(np.array([1], dtype=np.int64), "tokens"),
            numpy_helper.from_array(np.array(1.0, dtype=np.float32), "least"),
            *(() if slow_id is None else loop_numbers(len(weights), slow_id=slow_id)),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


def make_embedding(
    bundles: "Path",
    *,
    name: str = MODEL,
    seed: int = 0,
    dimension: int = DIMENSION,
    golden_shift: float = 0.0,
    golden_scale: float = 1.0,
    hazards: bool = False,
) -> TinyEmbedding:
    """Make a bundle where serving looks for it.

    Args:
        bundles: The folder of all bundles.
        name: The model's.
        seed: Chooses the weights.
        dimension: Numbers of a vector.
        golden_shift: Added to the recorded answers.
        golden_scale: By which they are multiplied.
        hazards: Whether FOREVER_WORD never ends and NAN_WORD is answered by what is no number.
    """
    weights = tiny_weights(seed, labels=dimension, rows=len(WORDS))
    slow_id = WORDS.index(FOREVER_WORD) if hazards else None
    if hazards:
        weights[WORDS.index(NAN_WORD)] = np.nan
    lines = []
    for texts in GOLDEN_TEXTS:
        rows = text_vectors(weights, texts) * np.float32(golden_scale) + np.float32(golden_shift)
        lines.append(Golden(texts=texts, logits=tuple(map(tuple, rows.tolist()))).encode())
    folder, digest, manifest = seal(
        bundles,
        model=name,
        task="feature-extraction",
        graph=embedding_graph(weights, slow_id=slow_id),
        files={GOLDEN: b"\n".join(lines) + b"\n", TOKENIZER: tiny_tokenizer().encode()},
        inputs=tuple(TensorSpec(each, "int64", ("batch", "sequence")) for each in INPUTS),
        outputs=(TensorSpec("embedding", "float32", ("batch", dimension)),),
        limits=ModelLimits(max_tokens=MAX_TOKENS),
    )
    return TinyEmbedding(folder, digest, manifest, weights)
