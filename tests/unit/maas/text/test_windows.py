"""Windows of texts are what the native library makes of them, token by token and place by place."""

import tracemalloc
from pathlib import Path

import pytest
from tokenizers import Encoding, Tokenizer, models, pre_tokenizers, processors

from maas.errors import FieldError, TokenizerError
from maas.limits import LIMITS
from maas.text.windows import Window, WindowTokenizer, load_windows

TEXTS = (
    "My name  is Wölfgang.",
    " I live in Berlin, in a café(there)! ",
    "\U0001f468\u200d\U0001f469 e\u0301\tand\nunknowable",
)
ROBERTA = (("</s>", 2), ("<s>", 1))
PROCESSORS = {
    "none": None,
    "gpt2": processors.ByteLevel(trim_offsets=False),
    "trimming": processors.ByteLevel(trim_offsets=True),
    "roberta": processors.RobertaProcessing(*ROBERTA, trim_offsets=True, add_prefix_space=False),
    "prefixed": processors.RobertaProcessing(*ROBERTA, trim_offsets=True, add_prefix_space=True),
}


@pytest.fixture(params=PROCESSORS)
def native(request: pytest.FixtureRequest) -> Tokenizer:
    """One that reads bytes, a few pairs of them at once, with and without the space before."""
    merges = [("Ġ", "i"), ("i", "n"), ("l", "i"), ("li", "v"), ("Ġ", "Ġ"), ("a", "n")]
    words = ["[PAD]", "<s>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    words += [left + right for left, right in merges]
    ids = {word: at for at, word in enumerate(words)}
    tokenizer = Tokenizer(models.BPE(ids, merges))
    tokenizer.add_special_tokens(["[PAD]", "<s>", "</s>"])
    prefixed = request.param == "prefixed"
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefixed)
    tokenizer.post_processor = PROCESSORS[request.param]
    return tokenizer


@pytest.fixture
def windows(native: Tokenizer, tmp_path: Path) -> WindowTokenizer:
    native.save(str(tmp_path / "tokenizer.json"))
    return load_windows(tmp_path / "tokenizer.json")


def wanted(row: Encoding, number: int) -> Window:
    own = tuple(each == number for each in row.sequence_ids)
    return Window(tuple(row.ids), tuple(row.type_ids), tuple(row.offsets), tuple(row.word_ids), own)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("overlap", [None, 0, 3])
def test_a_text_is_cut_as_the_library_does(
    native: Tokenizer, windows: WindowTokenizer, text: str, overlap: int | None
) -> None:
    native.enable_truncation(9, stride=overlap or 0)
    row = native.encode(text)
    cut = windows.cut(text, most=9, overlap=overlap)
    rows = [row] if overlap is None else [row, *row.overflowing]
    assert cut.windows == tuple(wanted(each, 0) for each in rows)
    assert cut.truncated is (overlap is None)


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_behind_another_is_cut_as_the_library_does(
    native: Tokenizer, windows: WindowTokenizer, text: str
) -> None:
    native.enable_truncation(18, stride=2, strategy="only_second")
    row = native.encode(" who is it", text)
    cut = windows.cut(text, most=18, overlap=2, before=" who is it")
    assert [window.ids for window in cut.windows] == [
        tuple(each.ids) for each in (row, *row.overflowing)
    ]
    assert [window.spans for window in cut.windows] == [
        tuple(each.offsets) for each in (row, *row.overflowing)
    ]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_before_others_is_cut_as_the_library_does(
    native: Tokenizer, windows: WindowTokenizer, text: str
) -> None:
    native.enable_truncation(16, strategy="only_first")
    others = (" a", " not a")
    for cut, other in zip(windows.pairs(text, others, most=16), others, strict=True):
        assert cut.windows == (wanted(native.encode(text, other), 0),)


def test_windows_are_as_many_as_were_counted(native: Tokenizer, windows: WindowTokenizer) -> None:
    # Given texts of a token for each letter: those whose windows are at the limit are cut
    letters = 9 - windows.room()
    put_before = len(native.encode("z", add_special_tokens=False)) - 1
    for overlap in range(letters):
        step = letters - overlap
        longest = letters + step * (LIMITS.windows - 1) - put_before
        cut = windows.cut("z" * longest, most=9, overlap=overlap)
        assert len(cut.windows) == LIMITS.windows
        assert len(windows.cut("z" * (longest - step), most=9, overlap=overlap).windows) == (
            LIMITS.windows - 1
        )
        # Then those of one letter more are refused, as are those beside another text's
        with pytest.raises(FieldError, match=f"got {LIMITS.windows + 1};") as refused:
            windows.cut("z" * (longest + 1), most=9, overlap=overlap, field="inputs.context")
        assert refused.value.field == "inputs.context"
        with pytest.raises(FieldError, match=f"got {LIMITS.windows + 1};"):
            windows.cut("z" * longest, most=9, overlap=overlap, others=1)


def test_windows_that_are_too_many_are_not_made(windows: WindowTokenizer) -> None:
    # Given a text whose windows overlap by all but one token, each as wide as a model may read
    tracemalloc.start()
    with pytest.raises(FieldError, match="got 19"):
        windows.cut("z" * 20_000, most=512, overlap=511 - windows.room())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Then none of them was made
    assert peak < 1_000_000


def test_what_is_put_in_takes_room(native: Tokenizer, windows: WindowTokenizer) -> None:
    for pair in (False, True):
        assert windows.room(pair=pair) == native.num_special_tokens_to_add(pair)


@pytest.mark.parametrize(
    ("model", "unknown"),
    [
        (models.WordLevel({"[PAD]": 0, "<unk>": 1, "what": 2}, unk_token="what"), 2),
        (models.Unigram([("[PAD]", 0.0), ("a", -1.0), ("<unk>", 0.0)], 2), 2),
        (models.Unigram([("[PAD]", 0.0), ("a", -1.0), ("[UNK]", 0.0)], 2), 2),
        (models.BPE({"[PAD]": 0, "a": 1}, []), None),
    ],
)
def test_which_token_stands_for_any_other(
    tmp_path: Path, model: models.Model, unknown: int | None
) -> None:
    Tokenizer(model).save(str(tmp_path / "tokenizer.json"))
    assert load_windows(tmp_path / "tokenizer.json").unknown_id == unknown


def test_a_file_without_padding_is_refused(tmp_path: Path) -> None:
    Tokenizer(models.BPE({"a": 0}, [])).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(TokenizerError, match=r"no \[PAD\] token"):
        load_windows(tmp_path / "tokenizer.json")
