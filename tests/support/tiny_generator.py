"""A tiny real model that goes on with a text: an ONNX graph with a cache, and the same in numpy.

    bundle = make_generator(tmp_path / "bundles", seed=1)  # in <bundles>/generator/<digest16>/
    bundle.goes_on("a fine film")                          # what it must write, by numpy alone

What may come next depends on the token before, and on all tokens so far with their places, which
the graph keeps as keys and values. Words are tokens, and so are the bytes of é and of 🙂, so that a
character takes two tokens or four.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from support.graphs import INPUTS, OPSET, loop_nodes, loop_numbers
from support.task_bundles import TaskBundle, seal
from support.tiny import FOREVER_WORD, NAN_WORD
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from tokenizers.processors import TemplateProcessing

from maas.bundle.generation import Chat, Generation, Turn
from maas.bundle.golden import GOLDEN, GOLDEN_TOKENS, Golden
from maas.bundle.manifest import ModelLimits
from maas.loading import TOKENIZER
from maas.registry.records import TensorSpec

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

MODEL = "generator"
SPECIAL_TOKENS = ("<unk>", "<s>", "</s>", "<|user|>", "<|bot|>")
UNK, BOS, EOS = range(3)
BYTES = tuple(f"<0x{byte:02X}>" for byte in "é🙂".encode())
SPOKEN = ("a", "the", "film", "story", "good", "bad", "fine", "dull", ".", "so")
WORDS = (
    *SPECIAL_TOKENS,
    *BYTES,
    *(f"▁{word}" for word in (*SPOKEN, FOREVER_WORD, NAN_WORD)),
)
MAX_TOKENS = 48
MAX_NEW_TOKENS = 24
GOLDEN_TEXTS = (("a fine film",), ("bad", "the dull story"))
CHAT = Chat(
    begin="<s>",
    system=Turn("", " ."),
    user=Turn("<|user|>", ""),
    assistant=Turn("<|bot|>", "</s>"),
    answer="<|bot|>",
    trims=True,
)


@dataclass(frozen=True, slots=True)
class Tables:
    """The weights.

    Attributes:
        before: float32 `[vocabulary, vocabulary]`, by the token before.
        keys: float32 `[vocabulary, vocabulary]`, by every token.
        values: float32 `[vocabulary, vocabulary]`, by every token, times its place's number.
        places: float32 `[context, 1]`.
    """

    before: "Floats"
    keys: "Floats"
    values: "Floats"
    places: "Floats"

    def logits(self, ids: list[int]) -> "Floats":
        """What may follow these tokens, float32 `[vocabulary]`."""
        rows = self.keys[ids] + self.values[ids] * self.places[: len(ids)]
        return np.asarray(self.before[ids[-1]] + rows.sum(axis=0), dtype=np.float32)

    def greedy(self, ids: list[int], most: int) -> list[int]:
        """The likeliest tokens, the end among them, as many as there is room for."""
        new: list[int] = []
        for _ in range(min(most, len(self.places) - len(ids))):
            new.append(int(self.logits(ids + new).argmax()))
            if new[-1] == EOS:
                break
        return new


@dataclass(frozen=True, slots=True)
class TinyGenerator(TaskBundle):
    """A bundle on disk and what it must write."""

    tables: Tables

    def ids(self, text: str, *, most: int = MAX_NEW_TOKENS) -> list[int]:
        """The ids that follow a text of words and white space, greedily."""
        return self.tables.greedy(read(text), min(most, self.manifest.limits.max_new_tokens))

    def goes_on(self, text: str, *, most: int = MAX_NEW_TOKENS) -> str:
        """What follows a text of words and white space, greedily."""
        return spoken(self.ids(text, most=most))


def read(text: str) -> list[int]:
    """The ids of a text of words and white space, with what begins it."""
    words = [f"▁{word}" for word in text.split()]
    return [BOS, *(WORDS.index(word) if word in WORDS else UNK for word in words)]


def spoken(ids: list[int]) -> str:
    """The text of ids, less what is left of a character at the end."""
    data = b""
    for number in ids:
        word = WORDS[number]
        if word in BYTES:
            data += bytes.fromhex(word[3:5])
        elif word not in SPECIAL_TOKENS:
            data += word.replace("▁", " ").encode()
    return data.decode(errors="replace").rstrip("\ufffd")


def generator_tokenizer(*, words: "tuple[str, ...]" = WORDS) -> str:
    """A tokenizer.json of words and bytes, that begins each text with <s>."""
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")]
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in SPECIAL_TOKENS])
    tokenizer.post_processor = TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", BOS)]
    )
    return str(tokenizer.to_str())


def generator_weights(seed: int, *, context: int = MAX_TOKENS, stays: bool = False) -> Tables:
    """The tables; of special tokens only the end is ever written, and sooner or later it is.

    Args:
        seed: Chooses the weights.
        context: Places that there are.
        stays: Never end a text.
    """
    rng = np.random.default_rng(seed)
    size = (len(WORDS), len(WORDS))
    before, keys, values = (
        rng.normal(scale=scale, size=size).astype(np.float32) for scale in (2.0, 0.3, 0.3)
    )
    before[:, [number for number in range(len(SPECIAL_TOKENS)) if number != EOS]] = -90.0
    before[:, [WORDS.index(f"▁{word}") for word in (FOREVER_WORD, NAN_WORD)]] = -90.0
    before[:, EOS] = -90.0 if stays else 0.0
    for first, second in zip(BYTES, (*BYTES[1:], None), strict=True):
        # A byte that begins or goes on with a character is followed by the next one
        if second is not None and second not in (BYTES[0], BYTES[2]):
            before[WORDS.index(first), WORDS.index(second)] = 60.0
        if first not in (BYTES[0], BYTES[2]):
            before[:, WORDS.index(first)] -= 20.0
    places = rng.normal(scale=0.5, size=(context, 1)).astype(np.float32)
    return Tables(before, keys, values, places)


def generator_graph(
    tables: Tables, *, slow_id: int | None = None, positions: bool = False
) -> bytes:
    """The graph, for a batch whose rows have as many tokens each.

    Args:
        tables: Its weights.
        slow_id: A token that it reads for ever.
        positions: Whether it reads the places of tokens as an input.
    """
    words, slow = len(tables.before), slow_id is not None
    node = helper.make_node
    nodes = [
        *([] if positions else _places()),
        node("Gather", ["places", "position_ids"], ["number"]),
        node("Gather", ["keys", "input_ids"], ["key"]),
        node("Unsqueeze", ["key", "one"], ["key4"]),
        node("Concat", ["past_key_values.0.key", "key4"], ["present.0.key"], axis=2),
        node("Gather", ["values", "input_ids"], ["plain"]),
        node("Mul", ["plain", "number"], ["value"]),
        node("Unsqueeze", ["value", "one"], ["value4"]),
        node("Concat", ["past_key_values.0.value", "value4"], ["present.0.value"], axis=2),
        node("Add", ["present.0.key", "present.0.value"], ["rows"]),
        node("Unsqueeze", ["attention_mask", "mask_axes"], ["mask4"]),
        node("Cast", ["mask4"], ["mask"], to=TensorProto.FLOAT),
        node("Mul", ["rows", "mask"], ["masked"]),
        node("ReduceSum", ["masked", "token_axis"], ["sums"], keepdims=0),  # [batch, 1, words]
        node("Slice", ["input_ids", "minus", "endless", "one"], ["newest"]),
        node("Gather", ["before", "newest"], ["last"]),  # [batch, 1, words]
        node("Add", ["last", "sums"], ["added"]),
        *(loop_nodes("added", "looped") if slow else ()),
        node("Identity", ["looped" if slow else "added"], ["logits"]),
    ]
    specs = generator_specs(positions=positions)
    inputs, outputs = (list(map(_info, each)) for each in specs)
    graph = helper.make_graph(nodes, "generator", inputs, outputs)
    numbers: dict[str, object] = {
        "zero": [0],
        "one": [1],
        "mask_axes": [1, 3],
        "token_axis": [2],
        "step": 1,
    }
    graph.initializer.extend(
        numpy_helper.from_array(np.array(value, dtype=np.int64), name)
        for name, value in (numbers | {"minus": [-1], "endless": [2**31]}).items()
    )
    graph.initializer.extend(
        numpy_helper.from_array(getattr(tables, name), name)
        for name in ("before", "keys", "values", "places")
    )
    graph.initializer.extend([] if slow_id is None else loop_numbers(words, slow_id=slow_id))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


def _places() -> "list[onnx.NodeProto]":
    """The places of the new tokens: the last ones of all, of which the mask tells how many."""
    node = helper.make_node
    return [
        node("Shape", ["attention_mask"], ["all"], start=1, end=2),
        node("Shape", ["input_ids"], ["new"], start=1, end=2),
        node("Squeeze", ["all"], ["end"]),
        node("Squeeze", ["new"], ["count"]),
        node("Sub", ["end", "count"], ["start"]),
        node("Range", ["start", "end", "step"], ["row"]),
        node("Unsqueeze", ["row", "zero"], ["position_ids"]),
    ]


def generator_specs(
    *, positions: bool = False
) -> "tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]":
    """The graph's inputs and outputs."""
    words = len(WORDS)
    past, present = (
        [
            TensorSpec(f"{name}.0.{part}", "float32", ("batch", 1, size, words))
            for part in ("key", "value")
        ]
        for name, size in (("past_key_values", "past"), ("present", "total"))
    )
    text, whole = ("batch", "sequence"), ("batch", "total")
    ids = [
        TensorSpec(name, "int64", size) for name, size in zip(INPUTS, (text, whole), strict=True)
    ]
    places = [TensorSpec("position_ids", "int64", text)] if positions else []
    logits = TensorSpec("logits", "float32", ("batch", "last", words))
    return (*ids, *places, *past), (logits, *present)


def _info(spec: TensorSpec) -> "onnx.ValueInfoProto":
    kind = TensorProto.INT64 if spec.dtype == "int64" else TensorProto.FLOAT
    return helper.make_tensor_value_info(spec.name, kind, spec.shape)


def make_generator(
    bundles: "Path",
    *,
    name: str = MODEL,
    seed: int = 0,
    golden_seed: int | None = None,
    stays: bool = False,
    positions: bool = False,
    chat: Chat | None = CHAT,
    context: int = MAX_TOKENS,
    hazards: bool = False,
) -> TinyGenerator:
    """Make a bundle where serving looks for it.

    Args:
        bundles: The folder of all bundles.
        name: The model's.
        seed: Chooses the weights.
        golden_seed: Other weights, by which the golden requests were recorded.
        stays: Never end a text.
        positions: Whether the graph reads the places of tokens as an input.
        chat: How it is talked to.
        context: Tokens that it reads and writes together.
        hazards: Whether FOREVER_WORD never ends and NAN_WORD is answered by what is no number.
    """
    tables = generator_weights(seed, context=context, stays=stays)
    recorded = tables if golden_seed is None else generator_weights(golden_seed)
    lines = [
        Golden(
            texts=texts,
            outputs=tuple(spoken(recorded.greedy(read(text), GOLDEN_TOKENS)) for text in texts),
        ).encode()
        for texts in GOLDEN_TEXTS
    ]
    if hazards:
        tables.keys[WORDS.index(f"▁{NAN_WORD}")] = np.nan
    slow_id = WORDS.index(f"▁{FOREVER_WORD}") if hazards else None
    inputs, outputs = generator_specs(positions=positions)
    folder, digest, manifest = seal(
        bundles,
        model=name,
        task="text-generation",
        graph=generator_graph(tables, slow_id=slow_id, positions=positions),
        files={GOLDEN: b"\n".join(lines) + b"\n", TOKENIZER: generator_tokenizer().encode()},
        inputs=inputs,
        outputs=outputs,
        limits=ModelLimits(max_tokens=context, max_new_tokens=MAX_NEW_TOKENS),
        generation=Generation(end_ids=(EOS,), chat=chat),
    )
    return TinyGenerator(folder, digest, manifest, tables)
