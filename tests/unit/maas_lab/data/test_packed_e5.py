"""The packed multilingual-e5-small: what comes out is a checkpoint for Chinese."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from maas.bundle.tokenizer_policy import check_tokenizer
from maas.errors import RefusedError
from maas.text.tokenizer import load_tokenizer
from maas_lab.data.packed_e5 import chinese_e5, is_chinese
from maas_lab.networks.bert import Encoder
from maas_lab.networks.bert_checkpoint import load_weights, read_sizes

WIDTH, INNER, POSITIONS = 32, 64, 16
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", "很好", "a", "▁good", "、", "酒店", "が", "▁2"]
SCORES = [0.0] * 4 + [-2.0 - place / 4 for place in range(len(PIECES) - 4)]
KEPT = ["[PAD]", "[UNK]", "<s>", "</s>", "▁", "很好", "a", "、", "酒店", "▁2"]
ROWS = len(PIECES) + 1  # the table also has a row for a mask
MATRICES = {
    **dict.fromkeys(("q", "k", "v", "ao"), (WIDTH, WIDTH)),
    **{"fi": (INNER, WIDTH), "fo": (WIDTH, INNER)},
}


def packed(rng: np.random.Generator, numbers: int) -> tuple[bytes, list[float]]:
    """Blocks of 4 bits, and one after the other the numbers that they stand for."""
    content, values = b"", []
    for _ in range(numbers // 32):
        scale = np.float16(rng.uniform(0.01, 0.1))
        halves = [int(half) for half in rng.integers(0, 16, 32)]
        pairs = zip(halves[:16], halves[16:], strict=True)
        content += scale.tobytes() + bytes(low | high << 4 for low, high in pairs)
        values += [(half - 8) * float(scale) for half in halves]
    return content, values


def plain(rng: np.random.Generator, numbers: int) -> tuple[bytes, list[float]]:
    values = rng.standard_normal(numbers).astype("<f4")
    return values.tobytes(), values.tolist()


def made_up() -> tuple[bytes, dict[str, list[float]]]:
    """A packed file of one tiny layer, and what its tensors hold."""
    rng = np.random.default_rng(1)
    tensors = {"emb.word": (1, *packed(rng, ROWS * WIDTH))}
    tensors["emb.pos"] = (0, *plain(rng, POSITIONS * WIDTH))
    tensors["emb.type"] = (0, *plain(rng, 2 * WIDTH))
    for name, (outputs, inputs) in MATRICES.items():
        tensors[f"l0.{name}.w"] = (1, *packed(rng, outputs * inputs))
        tensors[f"l0.{name}.b"] = (0, *plain(rng, outputs))
    for name in ("emb.ln", "l0.aln", "l0.oln"):
        tensors[f"{name}.w"] = (0, *plain(rng, WIDTH))
        tensors[f"{name}.b"] = (0, *plain(rng, WIDTH))

    letters = [piece.encode() for piece in PIECES]
    places = np.cumsum([0, *map(len, letters)])
    head = b"E5S1" + struct.pack("<I7ifi", 1, WIDTH, 1, 2, INNER, ROWS, POSITIONS, 2, 1e-12, 32)
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, places[-1])
    head += struct.pack(f"<{len(places)}I", *places) + struct.pack(f"<{len(SCORES)}f", *SCORES)
    head += b"".join(letters) + struct.pack("<iI", 1, 9) + b"\0" * 9
    head += struct.pack("<i", len(tensors))
    at = len(head) + sum(2 + len(name) + 21 for name in tensors)
    body = b""
    for name, (kind, content, values) in tensors.items():
        head += struct.pack(f"<H{len(name)}sB", len(name), name.encode(), kind)
        head += struct.pack("<IQQ", len(values), at + len(body), len(content))
        body += content
    return head + body, {name: values for name, (_, _, values) in tensors.items()}


CONTENT, VALUES = made_up()


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    for name, content in chinese_e5(CONTENT).items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_the_weights_are_what_the_blocks_stand_for(checkpoint: Path) -> None:
    weights = safetensors.numpy.load_file(checkpoint / "model.safetensors")

    layer = "encoder.layer.0"
    np.testing.assert_allclose(
        weights[f"{layer}.intermediate.dense.weight"],
        np.reshape(VALUES["l0.fi.w"], (INNER, WIDTH)),
        rtol=1e-6,
    )
    np.testing.assert_allclose(
        weights[f"{layer}.output.LayerNorm.bias"], VALUES["l0.oln.b"], rtol=1e-6
    )
    words = np.reshape(VALUES["emb.word"], (ROWS, WIDTH))
    # The special ones come first, in the order that the product has them
    order = [1, 3, 0, 2, *(PIECES.index(piece) for piece in KEPT[4:])]
    found = weights["embeddings.word_embeddings.weight"]
    np.testing.assert_allclose(found, words[order], rtol=1e-6)


def test_they_are_all_that_an_encoder_needs(checkpoint: Path) -> None:
    sizes = read_sizes(checkpoint)

    load_weights(Encoder(sizes, dropout=0.0), checkpoint)

    assert (sizes.vocabulary, sizes.layers, sizes.feedforward) == (len(KEPT), 1, INNER)


def test_the_tokenizer_is_admitted_and_knows_the_pieces_of_chinese(checkpoint: Path) -> None:
    content = (checkpoint / "tokenizer.json").read_bytes()

    assert check_tokenizer(content, labels=("good", "bad"), rows=len(KEPT)) == len(KEPT)
    vocabulary = json.loads(content)["model"]["vocab"]
    assert [piece for piece, _ in vocabulary] == KEPT


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("酒店很好", ["<s>", "▁", "酒店", "很好", "</s>"]),
        ("酒店  很好", ["<s>", "▁", "酒店", "▁", "很好", "</s>"]),
        ("\uff12、\uff41", ["<s>", "▁2", "、", "a", "</s>"]),  # of full width
        ("が", ["<s>", "▁", "[UNK]", "</s>"]),
    ],
)
def test_texts_are_cut_as_the_encoder_learned(
    checkpoint: Path, text: str, pieces: list[str]
) -> None:
    tokenizer = load_tokenizer(checkpoint / "tokenizer.json", max_tokens=16)

    encoded = tokenizer.encode([text])

    assert encoded.input_ids[0].tolist() == [KEPT.index(piece) for piece in pieces]


@pytest.mark.parametrize("piece", ["", "很好", "、", "!!!", "2019年", "a", "3.5", "㈠"])
def test_chinese_is_written_with(piece: str) -> None:
    assert is_chinese(piece)


@pytest.mark.parametrize("piece", ["good", "é", "が", "的が", "한", "ि", "да"])
def test_chinese_is_not_written_with(piece: str) -> None:
    assert not is_chinese(piece)


def test_another_file_is_refused() -> None:
    with pytest.raises(RefusedError, match="no packed"):
        chinese_e5(b"GGUF" + CONTENT[4:])

    blocks_of_64 = CONTENT[:40] + struct.pack("<i", 64) + CONTENT[44:]
    with pytest.raises(RefusedError, match="not 64"):
        chinese_e5(blocks_of_64)
