"""The vocabulary: learned from the given texts alone, always the same, of admitted parts."""

import json
from pathlib import Path
from typing import Literal

import pytest
from tokenizers import Tokenizer as NativeTokenizer

from maas.bundle.tokenizer_policy import check_tokenizer
from maas.errors import FieldError, RefusedError
from maas.text.tokenizer import Tokenizer, load_tokenizer
from maas_lab.recipes.recipe import VocabularyRecipe
from maas_lab.vocabulary import BEGIN_ID, END_ID, PAD_ID, UNKNOWN_ID, train_vocabulary

Kind = Literal["words", "subwords", "characters", "checkpoint"]
KINDS: tuple[Kind, ...] = ("words", "subwords", "characters")


def wide(text: str) -> str:
    """The same letters as Japanese keyboards may type them."""
    return "".join(chr(ord(sign) + 0xFEE0) if sign.isalpha() else sign for sign in text)


TEXTS = ["A fine, fine film.", "A bad film!", wide("A FINE day")]
CHINESE = ["这个东西很好、我很喜欢。", "质量不好、很不喜欢。", "东西不错、质量好", "Very good 东西"]
MANY = [f"Word{i % 97} 其他{i % 31} naïve, x{i}" for i in range(2000)]


def loaded(folder: Path, content: bytes, max_tokens: int = 16) -> Tokenizer:
    (folder / "tokenizer.json").write_bytes(content)
    return load_tokenizer(folder / "tokenizer.json", max_tokens=max_tokens)


# ---- All kinds ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_two_trainings_give_the_same_bytes(kind: Kind) -> None:
    recipe = VocabularyRecipe(kind=kind, size=100)
    first = train_vocabulary(MANY, recipe)

    assert train_vocabulary(iter(MANY), recipe) == first
    assert train_vocabulary(MANY[::-1], recipe) == first


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [10, 60, 100])
def test_the_size_is_never_exceeded(kind: Kind, size: int) -> None:
    content = train_vocabulary(MANY, VocabularyRecipe(kind=kind, size=size))

    assert NativeTokenizer.from_str(content.decode()).get_vocab_size() <= size


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("special", ["classify", "seq2seq"])
@pytest.mark.parametrize("texts", [MANY, CHINESE, [""], ["\u200b", "a"]])
def test_all_parts_are_admitted(
    kind: Kind, special: Literal["classify", "seq2seq"], texts: list[str]
) -> None:
    content = train_vocabulary(texts, VocabularyRecipe(kind=kind, size=90), special=special)

    found = check_tokenizer(content, labels=("good", "bad"), rows=None)

    assert found >= (4 if special == "seq2seq" else 2)


@pytest.mark.parametrize("kind", KINDS)
def test_special_tokens_have_their_ids(kind: Kind) -> None:
    recipe = VocabularyRecipe(kind=kind, size=60)
    plain = NativeTokenizer.from_str(train_vocabulary(MANY, recipe).decode())
    writer = NativeTokenizer.from_str(train_vocabulary(MANY, recipe, special="seq2seq").decode())

    assert [plain.id_to_token(at) for at in (PAD_ID, UNKNOWN_ID)] == ["[PAD]", "[UNK]"]
    assert plain.token_to_id("[EOS]") is None
    assert [writer.id_to_token(at) for at in (PAD_ID, UNKNOWN_ID, BEGIN_ID, END_ID)] == [
        "[PAD]",
        "[UNK]",
        "[BOS]",
        "[EOS]",
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_to_become_another_text_ends_with_an_end(kind: Kind, tmp_path: Path) -> None:
    content = train_vocabulary(MANY, VocabularyRecipe(kind=kind, size=60), special="seq2seq")

    encoded = loaded(tmp_path, content, max_tokens=4).encode(["word1 word2 word3 word4", "", "x"])

    last = [row[count - 1] for row, count in zip(encoded.input_ids, encoded.tokens, strict=True)]
    assert last == [END_ID] * 3
    assert encoded.tokens[:2] == (4, 1)
    assert encoded.truncated == (True, False, False)


# ---- Words --------------------------------------------------------------------------------------


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


# ---- Characters ---------------------------------------------------------------------------------


def tokens(content: bytes, text: str) -> list[str]:
    return NativeTokenizer.from_str(content.decode()).encode(text).tokens


def test_characters_that_often_stand_side_by_side_are_one_token() -> None:
    recipe = VocabularyRecipe(kind="characters", size=60)

    content = train_vocabulary(CHINESE, recipe)

    assert tokens(content, "东西好") == ["东西", "好"]
    known = NativeTokenizer.from_str(content.decode()).get_vocab()
    assert max(map(len, known.keys() - {"[PAD]", "[UNK]"})) == 2


def test_a_character_that_was_seen_once_is_unknown() -> None:
    content = train_vocabulary(CHINESE, VocabularyRecipe(kind="characters", size=60))

    assert tokens(content, "错好") == ["[UNK]", "好"]


# ---- Subwords -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["Word1 其他2 naïve, x3", "x", "Word96,其他 x", "x  x", "naïve naïve,, 12", "wordWord"],
)
def test_decoding_gives_the_text_back(text: str) -> None:
    recipe = VocabularyRecipe(kind="subwords", size=120)
    tokenizer = NativeTokenizer.from_str(
        train_vocabulary([*MANY, "word", "word"], recipe, special="seq2seq").decode()
    )

    assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_frequent_words_are_one_piece_and_digits_stand_alone() -> None:
    content = train_vocabulary(MANY, VocabularyRecipe(kind="subwords", size=120))

    assert tokens(content, "Word12") == ["▁Word", "1", "2"]


# ---- A checkpoint's -----------------------------------------------------------------------------

CHECKPOINT = VocabularyRecipe(kind="checkpoint")


def write(folder: Path, **changes: object) -> bytes:
    file = json.loads(train_vocabulary(TEXTS, VocabularyRecipe(size=50))) | changes
    content = json.dumps(file).encode()
    (folder / "tokenizer.json").write_bytes(content)
    return content


def test_a_checkpoints_vocabulary_is_taken_as_it_is(tmp_path: Path) -> None:
    content = write(tmp_path)

    assert train_vocabulary((), CHECKPOINT, checkpoint=tmp_path) == content


def test_its_cutting_and_padding_are_left_out(tmp_path: Path) -> None:
    content = write(tmp_path)
    native = NativeTokenizer.from_str(content.decode())
    native.enable_truncation(4)
    native.enable_padding(length=4, pad_token="[PAD]")
    native.save(str(tmp_path / "tokenizer.json"))

    taken = train_vocabulary((), CHECKPOINT, checkpoint=tmp_path)

    assert json.loads(taken) == json.loads(content)
    assert NativeTokenizer.from_str(taken.decode()).encode("a " * 9).ids == [2] * 9


def test_a_part_that_is_not_admitted_is_refused(tmp_path: Path) -> None:
    write(tmp_path, decoder={"type": "CTC"})

    with pytest.raises(RefusedError, match=r"tokenizer\.json is not admitted: decoder is or holds"):
        train_vocabulary((), CHECKPOINT, checkpoint=tmp_path)


def test_a_checkpoint_without_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=r"has no tokenizer\.json"):
        train_vocabulary((), CHECKPOINT, checkpoint=tmp_path)


def test_a_recipe_without_checkpoint_is_refused() -> None:
    with pytest.raises(FieldError, match="Only a network with a checkpoint"):
        train_vocabulary(TEXTS, CHECKPOINT)
