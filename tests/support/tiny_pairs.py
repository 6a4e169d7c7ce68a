"""Tiny real models that read two texts in one row: what follows from one, and where an answer is.

bundle = make_zero_shot(tmp_path / "bundles", seed=1)     # in <bundles>/topics/<digest16>/
bundle.logits("a good film", "bad")                       # what it must answer, by numpy alone
bundle = make_question(tmp_path / "bundles", seed=1)      # in <bundles>/answers/<digest16>/
bundle.answer("the film", "a gripping story")

A row is `[CLS] first [SEP] second [SEP]`, and each word has weights of its own in either text, so
that what a row is answered depends on `token_type_ids`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from support.graphs import OPSET, loop_nodes, loop_numbers
from support.task_bundles import TaskBundle, seal
from support.tiny import FOREVER_WORD, NAN_WORD, WORDS, tiny_tokenizer
from tokenizers import Tokenizer, processors

from maas.bundle.golden import GOLDEN, Golden
from maas.bundle.manifest import ModelLimits
from maas.loading import TOKENIZER
from maas.registry.records import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

TOPICS, ANSWERS = "topics", "answers"
LABELS = ("contradiction", "neutral", "entailment")
PAIR_TOKENS = 16
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
CLS, SEP = "[CLS]", "[SEP]"
ALL_WORDS = (*WORDS, CLS, SEP)
_PAIRS = (("a fine film", "bad"), ("the story", "told with wit and warmth"), ("good", "a film"))


@dataclass(frozen=True, slots=True)
class TinyPairs(TaskBundle):
    """A bundle on disk and what it must answer.

    Attributes:
        weights: float32 `[2, vocabulary, numbers]`: of words in the first text, and in the second.
    """

    weights: "Floats"

    def logits(self, first: str, second: str) -> "Floats":
        """The sum of a pair's words."""
        total: Floats = self.tokens(first, second).sum(axis=0)
        return total

    def tokens(self, first: str, second: str) -> "Floats":
        """What is known of each token, for texts of words and single spaces."""
        return pair_rows(self.weights, first, second)

    def scores(self, text: str, sentences: "Sequence[str]") -> "npt.NDArray[np.float64]":
        """How surely each sentence follows from a text, their sum 1."""
        follows = [self.logits(text, sentence)[2] for sentence in sentences]
        powers = np.exp(np.array(follows, dtype=np.float64))
        return np.asarray(powers / powers.sum())

    def answer(self, question: str, context: str) -> dict[str, Any]:
        """The best piece of a short context, found by trying all of them."""
        rows = self.tokens(question, context).astype(np.float64)
        at = [0, *range(len(question.split()) + 2, len(rows) - 1)]  # [CLS], and the context
        powers = np.exp(rows[at])
        begins, ends = (powers / powers.sum(axis=0)).T
        words = context.split()
        pieces = [(a, b) for a in range(len(words)) for b in range(a, min(len(words), a + 15))]
        first, last = max(pieces, key=lambda piece: begins[piece[0] + 1] * ends[piece[1] + 1])
        start = len(" ".join(words[:first])) + (first > 0)
        answer = " ".join(words[first : last + 1])
        score = float(begins[first + 1] * ends[last + 1])
        return {"answer": answer, "score": score, "start": start, "end": start + len(answer)}


def pair_rows(weights: "Floats", first: str, second: str) -> "Floats":
    """The weights of each token of a row."""
    words = [CLS, *first.split(), SEP, *second.split(), SEP]
    types = [0] * (len(first.split()) + 2) + [1] * (len(second.split()) + 1)
    ids = [ALL_WORDS.index(word if word in ALL_WORDS else "[UNK]") for word in words]
    rows: Floats = weights[types, ids]
    return rows


def pair_tokenizer() -> str:
    """The tiny tokenizer, with what BERT puts around texts."""
    tokenizer = Tokenizer.from_str(tiny_tokenizer(words=ALL_WORDS))
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{CLS} $A {SEP}",
        pair=f"{CLS} $A {SEP} $B:1 {SEP}:1",
        special_tokens=[(word, ALL_WORDS.index(word)) for word in (CLS, SEP)],
    )
    return str(tokenizer.to_str())


def make_zero_shot(
    bundles: "Path",
    *,
    name: str = TOPICS,
    seed: int = 0,
    golden_shift: float = 0.0,
    hazards: bool = False,
    labels: tuple[str, ...] = LABELS,
) -> TinyPairs:
    """Make a bundle that scores labels, where serving looks for it.

    Args:
        bundles: The folder of all bundles.
        name: The model's.
        seed: Chooses the weights.
        golden_shift: Added to the recorded answers.
        hazards: Whether FOREVER_WORD never ends and NAN_WORD is answered by what is no number.
        labels: Class names.
    """
    weights = _weights(seed, len(labels), hazards=hazards)
    nodes = [
        helper.make_node("ReduceSum", ["known", "second"], ["summed"], keepdims=0),
        helper.make_node("Identity", ["summed"], ["logits"]),
    ]
    outputs = (TensorSpec("logits", "float32", ("batch", len(labels))),)
    shift = np.float32(golden_shift)
    goldens = [
        Golden(
            texts=(first,),
            pairs=(second,),
            logits=(tuple((pair_rows(weights, first, second).sum(axis=0) + shift).tolist()),),
        )
        for first, second in _PAIRS
    ]
    graph = _graph(weights, nodes, outputs, hazards=hazards)
    folder, digest, manifest = _seal(
        bundles, name, "zero-shot-classification", graph, goldens, outputs, labels
    )
    return TinyPairs(folder, digest, manifest, weights)


def make_question(
    bundles: "Path",
    *,
    name: str = ANSWERS,
    seed: int = 0,
    golden_shift: float = 0.0,
    hazards: bool = False,
) -> TinyPairs:
    """Make a bundle that answers questions, where serving looks for it; arguments as above."""
    weights = _weights(seed, 2, hazards=hazards)
    nodes = [
        helper.make_node("Gather", ["known", "start"], ["start_logits"], axis=2),
        helper.make_node("Gather", ["known", "end"], ["end_logits"], axis=2),
    ]
    outputs = tuple(
        TensorSpec(each, "float32", ("batch", "sequence"))
        for each in ("start_logits", "end_logits")
    )
    shift = np.float32(golden_shift)
    goldens = [
        Golden(
            texts=(first,),
            pairs=(second,),
            logits=tuple(map(tuple, (pair_rows(weights, first, second) + shift).tolist())),
        )
        for first, second in _PAIRS
    ]
    graph = _graph(weights, nodes, outputs, hazards=hazards)
    folder, digest, manifest = _seal(
        bundles, name, "question-answering", graph, goldens, outputs, ()
    )
    return TinyPairs(folder, digest, manifest, weights)


def _weights(seed: int, numbers: int, *, hazards: bool) -> "Floats":
    shape = (2, len(ALL_WORDS), numbers)
    weights = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    if hazards:
        weights[:, ALL_WORDS.index(NAN_WORD)] = np.nan
    return weights


def _graph(
    weights: "Floats",
    nodes: "Sequence[onnx.NodeProto]",
    outputs: "Sequence[TensorSpec]",
    *,
    hazards: bool,
) -> bytes:
    """The weights of each token, kept where the mask is 1, and what the nodes make of them."""
    numbers: dict[str, Any] = {
        "weights": weights.reshape(-1, weights.shape[-1]),
        "words": np.array(weights.shape[1], dtype=np.int64),
        "last": np.array([-1], dtype=np.int64),
        "second": np.array([1], dtype=np.int64),
        "zero": np.array(0.0, dtype=np.float32),
        "start": np.array(0, dtype=np.int64),
        "end": np.array(1, dtype=np.int64),
    }
    slow_id = ALL_WORDS.index(FOREVER_WORD)
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["token_type_ids", "words"], ["moved"]),
            helper.make_node("Add", ["input_ids", "moved"], ["places"]),
            helper.make_node("Gather", ["weights", "places"], ["rows"]),
            helper.make_node("Unsqueeze", ["attention_mask", "last"], ["mask"]),
            helper.make_node("Cast", ["mask"], ["kept"], to=TensorProto.BOOL),
            helper.make_node("Where", ["kept", "rows", "zero"], ["masked"]),
            *(loop_nodes("masked", "looped") if hazards else ()),
            helper.make_node("Identity", ["looped" if hazards else "masked"], ["known"]),
            *nodes,
        ],
        "pairs",
        [
            helper.make_tensor_value_info(n, TensorProto.INT64, ("batch", "sequence"))
            for n in INPUTS
        ],
        [
            helper.make_tensor_value_info(each.name, TensorProto.FLOAT, each.shape)
            for each in outputs
        ],
        [
            *(numpy_helper.from_array(value, key) for key, value in numbers.items()),
            *(loop_numbers(len(ALL_WORDS), slow_id=slow_id) if hazards else ()),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


def _seal(  # noqa: PLR0917 - what both of the two above have
    bundles: "Path",
    name: str,
    task: str,
    graph: bytes,
    goldens: "Sequence[Golden]",
    outputs: tuple[TensorSpec, ...],
    labels: tuple[str, ...],
) -> Any:  # noqa: ANN401 - what `seal` gives
    lines = b"".join(golden.encode() + b"\n" for golden in goldens)
    return seal(
        bundles,
        model=name,
        task=task,
        graph=graph,
        files={GOLDEN: lines, TOKENIZER: pair_tokenizer().encode()},
        inputs=tuple(TensorSpec(each, "int64", ("batch", "sequence")) for each in INPUTS),
        outputs=outputs,
        limits=ModelLimits(max_tokens=PAIR_TOKENS),
        labels=labels,
    )
