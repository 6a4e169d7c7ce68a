"""Texts become padded arrays; whatever the native library does becomes an error of ours."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.tiny import MAX_TOKENS, PANIC_TEXT, WORDS, tiny_tokenizer
from tokenizers import Tokenizer as NativeTokenizer

from maas.errors import TokenizerError
from maas.text.tokenizer import Tokenizer, load_tokenizer

PAD, UNKNOWN = WORDS.index("[PAD]"), WORDS.index("[UNK]")


def ids(text: str) -> list[int]:
    return [WORDS.index(word) for word in text.split()]


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    return load(tmp_path, tiny_tokenizer(panics=True))


def load(folder: Path, text: str | bytes) -> Tokenizer:
    file = folder / "tokenizer.json"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_tokenizer(file, max_tokens=MAX_TOKENS)


def test_a_batch_is_padded_on_the_right_and_masked(tokenizer: Tokenizer) -> None:
    encoded = tokenizer.encode(["a fine film", "good", "nonsense Film"])
    assert encoded.input_ids.dtype == encoded.attention_mask.dtype == "int64"
    assert encoded.input_ids.tolist() == [
        ids("a fine film"),
        [*ids("good"), PAD, PAD],
        [UNKNOWN, *ids("film"), PAD],
    ]
    assert encoded.attention_mask.tolist() == [[1, 1, 1], [1, 0, 0], [1, 1, 0]]
    assert encoded.tokens == (3, 1, 2)
    assert encoded.truncated == (False, False, False)


@pytest.mark.parametrize(
    ("words", "kept", "truncated"),
    [
        (MAX_TOKENS - 1, MAX_TOKENS - 1, False),
        (MAX_TOKENS, MAX_TOKENS, False),
        (MAX_TOKENS + 1, MAX_TOKENS, True),
        (MAX_TOKENS * 20, MAX_TOKENS, True),
    ],
)
def test_a_text_is_cut_at_the_limit_and_says_so(
    tokenizer: Tokenizer, words: int, kept: int, *, truncated: bool
) -> None:
    # When a long text comes in a batch with a short one
    encoded = tokenizer.encode(["good " * words, "film"])
    # Then each says for itself whether it was cut
    assert encoded.tokens == (kept, 1)
    assert encoded.truncated == (truncated, False)
    assert encoded.input_ids.tolist()[0] == ids("good") * kept


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_a_text_of_which_nothing_is_left_is_a_row_of_padding(
    tokenizer: Tokenizer, text: str
) -> None:
    alone = tokenizer.encode([text])
    assert (alone.input_ids.tolist(), alone.attention_mask.tolist()) == ([[PAD]], [[0]])
    beside = tokenizer.encode([text, "a film"])
    assert beside.attention_mask.tolist() == [[0, 0], [1, 1]]
    assert beside.tokens == (0, 2)


def test_the_files_own_truncation_and_padding_are_replaced(tmp_path: Path) -> None:
    native = NativeTokenizer.from_str(tiny_tokenizer())
    native.enable_truncation(2)
    native.enable_padding(length=9, pad_id=UNKNOWN)
    encoded = load(tmp_path, native.to_str()).encode(["a fine film"])
    assert encoded.input_ids.tolist() == [ids("a fine film")]


def test_special_words_of_one_row_do_not_change_another(tokenizer: Tokenizer) -> None:
    alone = tokenizer.encode(["good film"]).input_ids.tolist()
    assert tokenizer.encode(["good film", "[PAD] [UNK]"]).input_ids.tolist()[:1] == alone


def test_a_panic_of_the_native_library_is_an_error_and_leaves_the_tokenizer_good(
    tokenizer: Tokenizer, capfd: pytest.CaptureFixture[str]
) -> None:
    for texts in ([PANIC_TEXT], ["good", PANIC_TEXT], [PANIC_TEXT] * 2):
        with pytest.raises(TokenizerError, match=r"^The tokenizer failed on a text\.$") as failed:
            tokenizer.encode(texts)
        assert failed.value.__cause__ is None
        assert tokenizer.encode(["good"]).input_ids.tolist() == [ids("good")]
    assert PANIC_TEXT not in "".join(capfd.readouterr())


def test_a_text_that_is_not_unicode_is_an_error(tokenizer: Tokenizer) -> None:
    with pytest.raises(TokenizerError):
        tokenizer.encode(["\ud800"])


def test_threads_share_a_tokenizer(tokenizer: Tokenizer) -> None:
    def encode(number: int) -> bool:
        text = " ".join(WORDS[2 + (number + step) % 10] for step in range(number % 7 + 1))
        return bool(tokenizer.encode([text]).input_ids.tolist() == [ids(text)])

    with ThreadPoolExecutor(max_workers=8) as pool:
        assert all(pool.map(encode, range(300)))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"null",
        b"\xff\xfe",
        b"garbage",
        tiny_tokenizer().encode()[:-30],
        tiny_tokenizer().replace("WordLevel", "NoSuchModel").encode(),
        tiny_tokenizer().replace('"NFC"', '"NoSuchNormalizer"').encode(),
        tiny_tokenizer(panics=True).replace("(x+x+)+y", "(").encode(),
    ],
    ids=["empty", "{}", "null", "bytes", "text", "cut", "model", "normalizer", "regex"],
)
def test_a_file_that_is_no_tokenizer_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(TokenizerError, match=r"^tokenizer\.json cannot be loaded\.$"):
        load(tmp_path, data)


def test_an_absent_file_is_refused_without_its_path(tmp_path: Path) -> None:
    with pytest.raises(TokenizerError) as refused:
        load_tokenizer(tmp_path / "tokenizer.json", max_tokens=8)
    assert str(tmp_path) not in str(refused.value)


def test_a_tokenizer_without_padding_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match=r"no \[PAD\] token"):
        load(tmp_path, tiny_tokenizer(words=WORDS[1:]))


@pytest.mark.parametrize(
    "text",
    ["a" * 20_000, "good " * 4_000, " " * 19_999 + "a", "\n" * 19_999 + "a", "\ufdfa" * 5_000],
    ids=["one word", "words", "spaces", "lines", "expanding"],
)
def test_the_longest_texts_are_encoded_within_a_second(tmp_path: Path, text: str) -> None:
    tokenizer = load(tmp_path, tiny_tokenizer())
    started = time.monotonic()
    tokenizer.encode([text] * 5)
    assert time.monotonic() - started < 1.0
