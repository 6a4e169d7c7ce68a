"""A tiny real model that classifies tokens: each word's own row of weights says what it is.

bundle = make_tokens(tmp_path / "bundles", seed=1)     # in <bundles>/entities/<digest16>/
bundle.tokens("a good film")                           # what it must answer, by numpy alone
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from support.graphs import INPUTS, OPSET, loop_nodes, loop_numbers
from support.task_bundles import TaskBundle, seal
from support.tiny import (
    FOREVER_WORD,
    MAX_TOKENS,
    NAN_WORD,
    WORDS,
    tiny_tokenizer,
    tiny_weights,
)

from maas.bundle.golden import GOLDEN, Golden
from maas.bundle.manifest import ModelLimits
from maas.loading import TOKENIZER
from maas.registry.records import TensorSpec

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

MODEL = "entities"
LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
_RECORDED = ("a fine film", "bad", "a gripping story told with warmth and wit")


@dataclass(frozen=True, slots=True)
class TinyTokens(TaskBundle):
    """A bundle on disk and what it must answer.

    Attributes:
        weights: float32 `[vocabulary, labels]`.
    """

    weights: "Floats"

    def tokens(self, text: str) -> list[dict[str, Any]]:
        """Every word with the best of its labels, for a text of words and single spaces."""
        found, start = [], 0
        for word in text.split(" ")[:MAX_TOKENS]:
            label, score = best(self.weights, word)
            end = start + len(word)
            found.append(
                {"entity": label, "score": score, "word": word, "start": start, "end": end}
            )
            start = end + 1
        return found


def best(weights: "Floats", word: str) -> tuple[str, float]:
    """The likeliest label of a word, and how likely it is."""
    powers = np.exp(_row(weights, word).astype(np.float64))
    at = int(powers.argmax())
    return LABELS[at], float(powers[at] / powers.sum())


def _row(weights: "Floats", word: str) -> "Floats":
    row: Floats = weights[WORDS.index(word.lower() if word.lower() in WORDS else "[UNK]")]
    return row


def tokens_graph(weights: "Floats", *, slow_id: int | None = None) -> bytes:
    """From `input_ids` and `attention_mask` to `logits` of each token."""
    text = ("batch", "sequence")
    slow = slow_id is not None
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["weights", "input_ids"], ["rows"]),
            helper.make_node("Unsqueeze", ["attention_mask", "last"], ["mask"]),
            helper.make_node("Cast", ["mask"], ["kept"], to=TensorProto.BOOL),
            helper.make_node("Where", ["kept", "rows", "zero"], ["masked"]),
            *(loop_nodes("masked", "looped") if slow else ()),
            helper.make_node("Identity", ["looped" if slow else "masked"], ["logits"]),
        ],
        "entities",
        [helper.make_tensor_value_info(n, TensorProto.INT64, text) for n in INPUTS],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, (*text, weights.shape[1]))],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.array([-1], dtype=np.int64), "last"),
            numpy_helper.from_array(np.array(0.0, dtype=np.float32), "zero"),
            *(() if slow_id is None else loop_numbers(len(weights), slow_id=slow_id)),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


def make_tokens(
    bundles: "Path",
    *,
    name: str = MODEL,
    seed: int = 0,
    golden_shift: float = 0.0,
    golden_rows: int | None = None,
    hazards: bool = False,
) -> TinyTokens:
    """Make a bundle where serving looks for it.

    Args:
        bundles: The folder of all bundles.
        name: The model's.
        seed: Chooses the weights.
        golden_shift: Added to the recorded answers.
        golden_rows: How many tokens of each text are recorded; all when None.
        hazards: Whether FOREVER_WORD never ends and NAN_WORD is answered by what is no number.
    """
    weights = tiny_weights(seed, labels=len(LABELS), rows=len(WORDS))
    slow_id = WORDS.index(FOREVER_WORD) if hazards else None
    if hazards:
        weights[WORDS.index(NAN_WORD)] = np.nan
    lines = []
    for text in _RECORDED:
        rows = [(_row(weights, word) + np.float32(golden_shift)).tolist() for word in text.split()]
        logits = tuple(map(tuple, rows[:golden_rows]))
        lines.append(Golden(texts=(text,), logits=logits).encode())
    folder, digest, manifest = seal(
        bundles,
        model=name,
        task="token-classification",
        graph=tokens_graph(weights, slow_id=slow_id),
        files={GOLDEN: b"\n".join(lines) + b"\n", TOKENIZER: tiny_tokenizer().encode()},
        inputs=tuple(TensorSpec(each, "int64", ("batch", "sequence")) for each in INPUTS),
        outputs=(TensorSpec("logits", "float32", ("batch", "sequence", len(LABELS))),),
        limits=ModelLimits(max_tokens=MAX_TOKENS),
        labels=LABELS,
    )
    return TinyTokens(folder, digest, manifest, weights)
