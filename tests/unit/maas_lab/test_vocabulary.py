"""The vocabulary: learned from the given texts alone, always the same."""

from pathlib import Path

from maas.text.tokenizer import Tokenizer, load_tokenizer
from maas_lab.recipe import VocabularyRecipe
from maas_lab.vocabulary import PAD_ID, UNKNOWN_ID, train_vocabulary


def wide(text: str) -> str:
    """The same letters as Japanese keyboards may type them."""
    return "".join(chr(ord(sign) + 0xFEE0) if sign.isalpha() else sign for sign in text)


TEXTS = ["A fine, fine film.", "A bad film!", wide("A FINE day")]


def loaded(folder: Path, content: bytes, max_tokens: int = 16) -> Tokenizer:
    (folder / "tokenizer.json").write_bytes(content)
    return load_tokenizer(folder / "tokenizer.json", max_tokens=max_tokens)


def test_two_trainings_give_the_same_bytes() -> None:
    texts = [f"word{i % 97} other{i % 31}" for i in range(2000)]

    first = train_vocabulary(texts, VocabularyRecipe(size=100))

    assert train_vocabulary(iter(texts), VocabularyRecipe(size=100)) == first
    assert train_vocabulary(texts[::-1], VocabularyRecipe(size=100)) == first


def test_case_width_and_punctuation_are_told_from_words(tmp_path: Path) -> None:
    tokenizer = loaded(tmp_path, train_vocabulary(TEXTS, VocabularyRecipe(size=50)))

    plain, typed = tokenizer.encode(["a fine film.", wide("A FINE") + "\u3000film ."]).input_ids

    assert list(plain) == list(typed)
    assert UNKNOWN_ID not in plain


def test_a_word_that_was_not_in_the_texts_is_unknown(tmp_path: Path) -> None:
    tokenizer = loaded(tmp_path, train_vocabulary(TEXTS, VocabularyRecipe(size=50)))

    encoded = tokenizer.encode(["a splendid film", ""])

    assert encoded.input_ids[0][1] == UNKNOWN_ID
    assert list(encoded.input_ids[1]) == [PAD_ID] * 3
    assert encoded.tokens == (3, 0)


def test_the_size_counts_padding_and_unknown_and_keeps_the_frequent_words(tmp_path: Path) -> None:
    tokenizer = loaded(tmp_path, train_vocabulary(TEXTS, VocabularyRecipe(size=5)))

    assert tokenizer.vocabulary_size == 5
    assert list(tokenizer.encode(["a fine film bad"]).input_ids[0]).count(UNKNOWN_ID) == 1
