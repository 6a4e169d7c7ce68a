"""Batches: every row once, an order that follows from seed and epoch, little padding."""

from pathlib import Path

import numpy as np

from maas.text.tokenizer import Tokenizer, load_tokenizer
from maas_lab.batches import batch_order, encode_texts, lengths_of, padded
from maas_lab.recipes.recipe import VocabularyRecipe
from maas_lab.vocabulary import train_vocabulary

LENGTHS = np.random.default_rng(0).integers(0, 40, size=1003)


def tokenizer_of(folder: Path, texts: list[str]) -> Tokenizer:
    path = folder / "tokenizer.json"
    path.write_bytes(train_vocabulary(texts, VocabularyRecipe(size=100)))
    return load_tokenizer(path, max_tokens=4)


def test_every_row_comes_once_in_batches_of_the_right_size() -> None:
    order = batch_order(LENGTHS, batch_size=32, seed=1, epoch=0)

    assert sorted(np.concatenate(order).tolist()) == list(range(1003))
    assert sorted(len(batch) for batch in order) == [11] + [32] * 31


def test_the_order_follows_from_seed_and_epoch() -> None:
    def first(seed: int, epoch: int) -> list[list[int]]:
        order = batch_order(LENGTHS, batch_size=32, seed=seed, epoch=epoch)
        return [batch.tolist() for batch in order]

    assert first(1, 0) == first(1, 0)
    assert first(1, 0) != first(1, 1)
    assert first(1, 0) != first(2, 0)


def test_rows_of_a_batch_are_about_equally_long() -> None:
    def padding(batches: list[np.ndarray]) -> int:
        return sum(int(LENGTHS[b].max() * len(b) - LENGTHS[b].sum()) for b in batches)

    shuffled = np.random.default_rng(1).permutation(len(LENGTHS))
    plain = [shuffled[at : at + 32] for at in range(0, len(shuffled), 32)]

    assert padding(batch_order(LENGTHS, batch_size=32, seed=1, epoch=0)) < padding(plain) / 3


def test_tokens_bound_a_batch_too() -> None:
    order = batch_order(LENGTHS, batch_size=64, batch_tokens=200, seed=1, epoch=0)

    assert sorted(np.concatenate(order).tolist()) == list(range(1003))
    assert all(len(batch) * LENGTHS[batch].max() <= 200 for batch in order)
    assert all(len(batch) <= 64 for batch in order)
    assert np.mean([len(batch) for batch in order]) > 5


def test_a_row_that_is_longer_than_a_batch_is_one_by_itself() -> None:
    lengths = np.array([5, 500, 5])

    order = batch_order(lengths, batch_size=8, batch_tokens=20, seed=1, epoch=0)

    assert sorted(batch.tolist() for batch in order) in ([[0, 2], [1]], [[1], [2, 0]])


def test_rows_are_encoded_as_serving_encodes_them(tmp_path: Path) -> None:
    texts = ["one two three", "one", "", "one two three one two three"]
    tokenizer = tokenizer_of(tmp_path, texts)

    rows = encode_texts(texts, tokenizer)
    ids, mask = padded(rows)

    served = tokenizer.encode(texts)
    assert lengths_of(rows).tolist() == [3, 1, 0, 4]
    assert ids.tolist() == served.input_ids.tolist()
    assert mask.tolist() == served.attention_mask.tolist()


def test_many_rows_are_encoded_in_their_order(tmp_path: Path) -> None:
    texts = [f"w{number % 50} " * (number % 4 + 1) for number in range(2500)]
    tokenizer = tokenizer_of(tmp_path, texts)

    rows = encode_texts(texts, tokenizer)

    assert lengths_of(rows).tolist() == [number % 4 + 1 for number in range(2500)]
    alone = tokenizer.encode([texts[2499]]).input_ids[0]
    assert rows[2499].tolist() == alone.tolist()


def test_a_batch_of_empty_rows_has_one_column_of_padding() -> None:
    ids, mask = padded([np.array([], dtype=np.int32)] * 2)

    assert ids.tolist() == [[0], [0]]
    assert mask.tolist() == [[0], [0]]
