"""A tiny real model that writes: a loop with beams inside one ONNX graph, and the same in Python.

    bundle = make_writer(tmp_path / "bundles", seed=1)     # in <bundles>/writer/<digest16>/
    bundle.write("a fine film", beams=2)                   # what it must write, by Python alone

At each step the next token depends on the source's token at that place, by one table of weights,
and on the token that was written before it, by another. So greedy and beams differ, and what is
written ends when the source does, or when the model is told to stop.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from support.graphs import INPUTS, OPSET
from support.task_bundles import TaskBundle, seal
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing

from maas.bundle.golden import GOLDEN, GOLDEN_BEAMS, Golden
from maas.bundle.manifest import ModelLimits
from maas.bundle.writing_tokenizer import SPECIAL_TOKENS
from maas.limits import LIMITS
from maas.loading import TOKENIZER
from maas.registry.records import TensorSpec

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

MODEL = "writer"
PAD, UNK, BOS, EOS = range(4)
WORDS = (*SPECIAL_TOKENS, "a", "the", "film", "story", "good", "bad", "fine", "dull", "forever")
MAX_TOKENS = 16
MAX_NEW_TOKENS = 24
FAR = -1e9
GOLDEN_TEXTS = (("a fine film",), ("bad", "the dull story"))


@dataclass(frozen=True, slots=True)
class TinyWriter(TaskBundle):
    """A bundle on disk and what it must write.

    Attributes:
        emission: float32 `[vocabulary, vocabulary]`, by token of the source.
        transition: float32 `[vocabulary, vocabulary]`, by token before.
    """

    emission: "Floats"
    transition: "Floats"

    def write(self, text: str, *, beams: int = 1, most: int = LIMITS.new_tokens) -> str:
        """What is written, for texts of words and white space."""
        return spoken(self.ids(text, beams=beams, most=most))

    def ids(self, text: str, *, beams: int = 1, most: int = LIMITS.new_tokens) -> list[int]:
        """The ids that are written, the end token included."""
        most = min(most, self.manifest.limits.max_new_tokens)
        return search((self.emission, self.transition), text, beams=beams, most=most)


def spoken(ids: list[int]) -> str:
    """Ids as the tokenizer decodes them."""
    return " ".join(WORDS[number] for number in ids if number > EOS)


def search(
    tables: "tuple[Floats, Floats]", text: str, *, beams: int = 1, most: int = MAX_NEW_TOKENS
) -> list[int]:
    """Beam search as a person would write it down."""
    emission, transition = tables
    words = text.lower().split()[: MAX_TOKENS - 1]
    source = [WORDS.index(word if word in WORDS else "[UNK]") for word in words] + [EOS]
    live: list[tuple[float, list[int]]] = [(0.0, [])]
    for step in range(most):
        read = source[step] if step < len(source) else EOS
        grown = []
        for score, ids in live:
            if EOS in ids:
                grown.append((score, ids))
                continue
            logits = emission[read] + transition[ids[-1] if ids else BOS]
            chances = logits - np.log(np.exp(logits.astype(np.float64)).sum())
            grown += [(score + float(chance), [*ids, i]) for i, chance in enumerate(chances)]
        live = sorted(grown, key=lambda each: -each[0])[:beams]
        if all(EOS in ids for _, ids in live):
            break
    return max(live, key=lambda each: each[0] / len(each[1]))[1]


def writer_tokenizer(*, words: "tuple[str, ...]" = WORDS) -> str:
    """A tokenizer.json that knows the words and ends each text with [EOS]."""
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit()])
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in SPECIAL_TOKENS])
    tokenizer.post_processor = TemplateProcessing(
        single="$A [EOS]", pair="$A $B [EOS]", special_tokens=[("[EOS]", EOS)]
    )
    return str(tokenizer.to_str())


def writer_weights(seed: int, *, stays: bool = False) -> "tuple[Floats, Floats]":
    """Both tables; nothing special but the end is ever written, and the end follows the end.

    Args:
        seed: Chooses the weights.
        stays: Never end a text.
    """
    rng = np.random.default_rng(seed)
    emission, transition = (
        rng.normal(scale=2.0, size=(len(WORDS), len(WORDS))).astype(np.float32) for _ in range(2)
    )
    emission[:, [PAD, UNK, BOS]] = -30.0
    emission[:, EOS] = -30.0 if stays else -4.0
    emission[EOS, EOS] = -30.0 if stays else 9.0
    return emission, transition


class _Nodes:
    """Collects the nodes of one graph; each call answers with the name of its result."""

    def __init__(self, prefix: str) -> None:
        self.made: list[onnx.NodeProto] = []
        self._prefix = prefix

    def __call__(self, operator: str, *inputs: str, name: str = "", **attributes: Any) -> str:  # noqa: ANN401
        name = name or f"{self._prefix}{len(self.made)}"
        self.made.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def both(self, operator: str, *inputs: str) -> tuple[str, str]:
        names = f"{self._prefix}{len(self.made)}a", f"{self._prefix}{len(self.made)}b"
        self.made.append(helper.make_node(operator, inputs, names))
        return names


_CONSTANTS = {
    **{"zero": 0, "one": 1, "pad": PAD, "eos": EOS, "words": len(WORDS), "turns": MAX_NEW_TOKENS},
    **{"axis0": [0], "axis1": [1], "axis2": [2], "bos": [BOS], "words1": [len(WORDS)]},
    **{"flat": [0, -1], "endless": [2**31]},
}


def writer_graph(emission: "Floats", transition: "Floats", *, turns: int = MAX_NEW_TOKENS) -> bytes:
    """The graph: the source is read within the loop, whose count is a constant of the graph."""
    node = _Nodes("n")
    shape = node("Shape", "input_ids")
    batch = node("Gather", shape, "axis0")
    length = node("Gather", shape, "one")
    last = node("Sub", length, "one")
    rows = node("Concat", batch, "beams", axis=0)  # [batch, beams]
    first = node("Expand", "bos", rows)
    column = node("Unsqueeze", first, "axis2")
    order = node("Range", "zero", node("Squeeze", "beams", "axis0"), "one")
    behind = node("Cast", node("Greater", order, "zero"), to=TensorProto.FLOAT)
    score = node("Expand", node("Mul", behind, "far"), rows)  # the first beam alone is there
    size = node("Cast", first, to=TensorProto.FLOAT)
    none = node("Mul", size, "nothing")
    ended = node("Cast", none, to=TensorProto.BOOL)
    limit = node("Squeeze", "max_new_tokens", "axis0")
    trips = node("Min", "turns", limit)
    outputs = ["ids", "last_token", "totals", "sizes", "done"]
    node.made.append(
        helper.make_node(
            "Loop",
            [trips, "always", column, first, score, none, ended],
            outputs,
            body=_body(rows, last),
        )
    )
    mean = node("Div", "totals", "sizes")
    best = node("ArgMax", mean, axis=1, keepdims=1)  # [batch, 1]
    node("Squeeze", node("GatherElements", mean, best, axis=1), "axis1", name="scores")
    chosen = node("GatherND", "ids", best, batch_dims=1)  # [batch, 1 + length]
    node("Slice", chosen, "axis1", "endless", "axis1", name="output_ids")
    text = ("batch", "sequence")
    ints = TensorProto.INT64
    graph = helper.make_graph(
        node.made,
        "writer",
        [
            *(helper.make_tensor_value_info(name, ints, text) for name in INPUTS),
            *(helper.make_tensor_value_info(n, ints, [1]) for n in ("beams", "max_new_tokens")),
        ],
        [
            helper.make_tensor_value_info("output_ids", ints, ("batch", "length")),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ("batch",)),
        ],
        _weights(emission, transition, turns),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


def _weights(emission: "Floats", transition: "Floats", turns: int) -> "list[onnx.TensorProto]":
    stop = np.full(len(WORDS), FAR, dtype=np.float32)
    stop[EOS] = 0.0  # an ended text goes on at no cost, in one way
    return [
        *(
            numpy_helper.from_array(np.array(value, dtype=np.int64), name)
            for name, value in (_CONSTANTS | {"turns": turns}).items()
        ),
        numpy_helper.from_array(np.array(True), "always"),
        numpy_helper.from_array(np.array(FAR, dtype=np.float32), "far"),
        numpy_helper.from_array(np.array(0.0, dtype=np.float32), "nothing"),
        numpy_helper.from_array(emission, "emission"),
        numpy_helper.from_array(transition, "transition"),
        numpy_helper.from_array(stop, "stop"),
    ]


def _body(rows: str, last: str) -> "onnx.GraphProto":
    """One step: every beam of every text grows by one token, and the best of each text are kept."""
    node = _Nodes("b")
    place = node("Min", "turn", last)
    within = node("LessOrEqual", "turn", last)
    read = node("Gather", "input_ids", place, axis=1)
    real = node("And", node("Cast", node("Gather", "attention_mask", place, axis=1), to=9), within)
    source = node("Where", real, read, "eos")  # [batch]
    seen = node("Unsqueeze", node("Gather", "emission", source), "axis1")
    logits = node("Add", seen, node("Gather", "transition", "before"))  # [batch, beams, words]
    closed = node("Unsqueeze", "ended", "axis2")
    chances = node("Where", closed, "stop", node("LogSoftmax", logits, axis=-1))
    sums = node("Add", node("Unsqueeze", "score", "axis2"), chances)
    values, index = node.both("TopK", node("Reshape", sums, "flat"), "beams")  # [batch, beams]
    beam, word = node("Div", index, "words"), node("Mod", index, "words")
    kept = node("Cast", node("GatherElements", node("Cast", "ended", to=7), beam, axis=1), to=9)
    token = node("Where", kept, "pad", word)
    history = node("Gather", node("Shape", "grown"), "axis2")
    where = node("Expand", node("Unsqueeze", beam, "axis2"), node("Concat", rows, history, axis=0))
    moved = node("GatherElements", "grown", where, axis=1)
    longer = node("Concat", moved, node("Unsqueeze", token, "axis2"), axis=2)
    step = node("Cast", node("Not", kept), to=1)
    sizes = node("Add", node("GatherElements", "counts", beam, axis=1), step)
    ended = node("Or", kept, node("Equal", token, "eos"))
    all_ended = node("ReduceMin", node("Cast", ended, to=7), keepdims=0)
    more = node("Not", node("Cast", all_ended, to=9))
    floats, ints, flags = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
    carried = {"grown": ints, "before": ints, "score": floats, "counts": floats, "ended": flags}
    results = dict(zip([longer, token, values, sizes, ended], carried.values(), strict=True))
    return helper.make_graph(
        node.made,
        "step",
        [
            helper.make_tensor_value_info("turn", ints, []),
            helper.make_tensor_value_info("going", flags, []),
            *(helper.make_tensor_value_info(name, kind, None) for name, kind in carried.items()),
        ],
        [
            helper.make_tensor_value_info(more, flags, []),
            *(helper.make_tensor_value_info(name, kind, None) for name, kind in results.items()),
        ],
    )


def make_writer(
    bundles: "Path",
    *,
    name: str = MODEL,
    seed: int = 0,
    task: str = "translation",
    golden_seed: int | None = None,
    stays: bool = False,
    hazards: bool = False,
) -> TinyWriter:
    """Make a bundle where serving looks for it.

    Args:
        bundles: The folder of all bundles.
        name: The model's.
        seed: Chooses the weights.
        task: `translation` or `summarization`.
        golden_seed: Other weights, by which the golden requests were recorded.
        stays: Never end a text.
        hazards: Never end a text, of which as much may be written as any model may; and answer a
            word that is not known by what is no number.
    """
    tables = writer_weights(seed, stays=stays or hazards)
    most = LIMITS.new_tokens if hazards else MAX_NEW_TOKENS
    if hazards:
        tables[0][UNK] = np.nan
    recorded = tables if golden_seed is None else writer_weights(golden_seed)
    lines = [
        Golden(
            texts=texts,
            outputs=tuple(spoken(search(recorded, text, most=most)) for text in texts),
            beam_outputs=tuple(
                spoken(search(recorded, text, beams=GOLDEN_BEAMS, most=most)) for text in texts
            ),
        ).encode()
        for texts in GOLDEN_TEXTS
    ]
    text = ("batch", "sequence")
    folder, digest, manifest = seal(
        bundles,
        model=name,
        task=task,
        graph=writer_graph(*tables, turns=most),
        files={GOLDEN: b"\n".join(lines) + b"\n", TOKENIZER: writer_tokenizer().encode()},
        inputs=(
            *(TensorSpec(each, "int64", text) for each in INPUTS),
            *(TensorSpec(each, "int64", (1,)) for each in ("beams", "max_new_tokens")),
        ),
        outputs=(
            TensorSpec("output_ids", "int64", ("batch", "length")),
            TensorSpec("scores", "float32", ("batch",)),
        ),
        limits=ModelLimits(max_tokens=MAX_TOKENS, max_new_tokens=most),
    )
    return TinyWriter(folder, digest, manifest, *tables)
