"""A text to go on with is read whole, and what follows is handed out in whole characters."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tiny_generator import BOS, EOS, UNK, WORDS, generator_tokenizer
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from maas.errors import TokenizerError
from maas.text.generating import Detokeniser, GeneratingTokenizer, Prompt, load_generating

BROKEN = "\ufffd"


@pytest.fixture(scope="module")
def words() -> GeneratingTokenizer:
    return GeneratingTokenizer(Tokenizer.from_str(generator_tokenizer()))


@pytest.fixture(scope="module")
def by_bytes() -> GeneratingTokenizer:
    """Every byte a token, as GPT-2 has them before it merges any; and one that ends a text."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    native = Tokenizer(models.BPE({letter: i for i, letter in enumerate(letters)}, []))
    native.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    native.decoder = decoders.ByteLevel()
    native.add_special_tokens([AddedToken("<end>", special=True)])
    return GeneratingTokenizer(native)


def ids(text: str) -> tuple[int, ...]:
    return tuple(WORDS.index(word) for word in text.split())


def pieces(tokenizer: GeneratingTokenizer, before: str, after: tuple[int, ...]) -> list[str]:
    made = Detokeniser(tokenizer, tokenizer.encode(before, template=False).ids)
    return [*(made.add(number) for number in after), made.rest()]


def test_a_text_is_read_whole_and_what_is_put_in_front_is_counted(
    words: GeneratingTokenizer,
) -> None:
    long = "good " * 5_000
    prompt = words.encode(long, template=True)
    assert (len(prompt.ids), prompt.ids[:2], prompt.added) == (5_001, (BOS, *ids("▁good")), 1)
    assert words.encode("good", template=False) == Prompt(ids("▁good"))
    assert words.encode("</s> nonsense", template=False).ids == (EOS, UNK)


@pytest.mark.parametrize(
    ("most", "kept"),
    [(5, (9, 1, 2, 3)), (4, (9, 1, 2, 3)), (3, (9, 2, 3)), (2, (9, 3)), (1, (3,))],
)
def test_the_end_of_a_text_is_kept_behind_what_is_put_in_front(
    most: int, kept: tuple[int, ...]
) -> None:
    assert Prompt((9, 1, 2, 3), added=1).last(most).ids == kept
    assert Prompt((1, 2, 3)).last(2).ids == (2, 3)


def test_special_tokens_are_known_by_id_and_text(words: GeneratingTokenizer) -> None:
    assert {BOS, EOS} <= words.special_ids
    assert {"<s>", "</s>", "<|user|>"} <= set(words.special_texts)
    assert words.decode((BOS, *ids("▁a ▁film"), EOS)) == " a film"


def test_a_character_of_two_tokens_comes_with_the_second(words: GeneratingTokenizer) -> None:
    after = ids("▁good <0xC3> <0xA9> ▁film <0xF0> <0x9F> <0x99> <0x82>")
    assert pieces(words, "a", after) == [" good", "", "é", " film", "", "", "", "🙂", ""]


def test_half_a_character_at_the_end_is_no_text(words: GeneratingTokenizer) -> None:
    assert pieces(words, "a", ids("▁good <0xF0> <0x9F>")) == [" good", "", "", ""]


def test_bytes_that_never_become_a_character_do_not_hold_up_what_follows(
    words: GeneratingTokenizer,
) -> None:
    assert "".join(pieces(words, "a", ids("<0xC3> ▁film ▁so"))) == f"{BROKEN} film so"


def test_the_end_of_the_text_before_is_no_part_of_a_piece(by_bytes: GeneratingTokenizer) -> None:
    after = by_bytes.encode("é?", template=False).ids
    assert pieces(by_bytes, "naïveté", after) == ["", "é", "?", ""]
    assert pieces(by_bytes, "", after) == ["", "é", "?", ""]


@given(st.text(max_size=20), st.text(max_size=20))
def test_the_pieces_of_a_text_are_that_text(
    by_bytes: GeneratingTokenizer, before: str, after: str
) -> None:
    made = pieces(by_bytes, before, by_bytes.encode(after, template=False).ids)
    # A broken character at its very end cannot be told from one that is not whole yet.
    assert "".join(made) == after.rstrip(BROKEN)
    assert not any(BROKEN in piece for piece in made) or BROKEN in after


@given(st.lists(st.integers(0, 256), max_size=30))
def test_any_tokens_give_the_text_that_they_are_together(
    by_bytes: GeneratingTokenizer, after: list[int]
) -> None:
    made = pieces(by_bytes, "good", tuple(after))
    assert "".join(made) == by_bytes.decode(after).rstrip(BROKEN)


@pytest.mark.parametrize("data", ["", "{}", "no tokenizer"])
def test_a_file_that_is_none_is_refused(tmp_path: Path, data: str) -> None:
    (tmp_path / "tokenizer.json").write_text(data)
    with pytest.raises(TokenizerError):
        load_generating(tmp_path / "tokenizer.json")


def test_the_files_own_truncation_and_padding_are_left_out(tmp_path: Path) -> None:
    native = Tokenizer.from_str(generator_tokenizer())
    native.enable_truncation(2)
    native.enable_padding(length=8)
    native.save(str(tmp_path / "tokenizer.json"))
    prompt = load_generating(tmp_path / "tokenizer.json").encode("a good film", template=True)
    assert prompt.ids == (BOS, *ids("▁a ▁good ▁film"))
