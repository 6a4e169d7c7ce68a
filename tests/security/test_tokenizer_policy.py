"""S22: a tokenizer.json is refused by its bytes, with a reason, before the native library sees it.

What is admitted loads, and encodes the worst texts in time without a panic.
"""

import base64
import copy
import json
import random
import time
from typing import TYPE_CHECKING, Any

import pytest
from support.effort import count, examples
from support.tiny import LABELS, WORDS, tiny_tokenizer
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)

from maas.bundle.tokenizer_policy import check_tokenizer
from maas.errors import BundleError
from maas.limits import LIMITS
from maas.text.tokenizer import load_tokenizer
from maas_lab.recipes.recipe import VocabularyRecipe
from maas_lab.vocabulary import train_vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    File = dict[str, Any]

TINY: "File" = json.loads(tiny_tokenizer())
WORST = (
    *("", "a fine film", "x" * 20_000, " " * 20_000, "ab " * 6_000, "\ufdfa" * 1_000),
    *("e" + "\u0301" * 1_000, "\U0001f469\u200d" * 500, "[PAD] [CLS] <s>", "\x00\r\n\x1b[31m"),
)


def encoded(file: "File") -> bytes:
    return json.dumps(file).encode()


def check(file: "File | bytes", *, rows: int | None = None) -> int:
    data = file if isinstance(file, bytes) else encoded(file)
    return check_tokenizer(data, labels=LABELS, rows=rows)


def refusal(file: "File | bytes", *, rows: int | None = None) -> str:
    with pytest.raises(BundleError) as refused:
        check(file, rows=rows)
    count("attacks")
    return str(refused.value)


# ---- What is admitted ---------------------------------------------------------------------------


def _bert() -> Tokenizer:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "film", "##s", "x", "##x"]
    ids = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=200))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    tokenizer.enable_truncation(64)
    tokenizer.enable_padding()
    return tokenizer


def _gpt() -> Tokenizer:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    ids = {"[PAD]": 0} | {letter: number for number, letter in enumerate(alphabet, 1)}
    ids["xx"] = len(ids)
    tokenizer = Tokenizer(models.BPE(ids, [("x", "x")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.RobertaProcessing(("x", ids["x"]), ("a", ids["a"]))
    tokenizer.add_special_tokens([AddedToken("<extra>", lstrip=True)])
    return tokenizer


def _unigram() -> Tokenizer:
    pieces = [
        ("[PAD]", 0.0),
        ("<unk>", 0.0),
        ("\u2581", -1.0),
        *(("x" * n, -n) for n in range(1, 99)),
    ]
    tokenizer = Tokenizer(models.Unigram(pieces, 1))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Strip()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Digits(), pre_tokenizers.Punctuation()]
    )
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


def _plain() -> Tokenizer:
    tokenizer = Tokenizer.from_str(tiny_tokenizer())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Replace("``", '"'), normalizers.Prepend("a "), normalizers.StripAccents()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "removed")
    return tokenizer


def _trained() -> str:
    recipe = VocabularyRecipe(size=50, max_tokens=16)
    return train_vocabulary(["a fine film", "a dull story"] * 9, recipe).decode()


@pytest.mark.parametrize(
    "make",
    [
        tiny_tokenizer,
        _trained,
        *(lambda m=m: m().to_str() for m in (_bert, _gpt, _unigram, _plain)),
    ],
    ids=["tiny", "trained", "BERT", "GPT", "Unigram", "plain"],
)
def test_s22_the_usual_kinds_are_admitted_and_take_the_worst_texts(
    make: "Callable[[], str]", tmp_path: "Path"
) -> None:
    data = make().encode()
    size = check_tokenizer(data, labels=LABELS, rows=None)
    (tmp_path / "tokenizer.json").write_bytes(data)
    tokenizer = load_tokenizer(tmp_path / "tokenizer.json", max_tokens=64)
    assert size == tokenizer.vocabulary_size
    started = time.process_time()
    for text in WORST:
        assert tokenizer.encode([text]).input_ids.max() < size
    assert time.process_time() - started < 5  # seen: 0.2 s at the most


# ---- What is refused ----------------------------------------------------------------------------


def changed(**fields: object) -> "File":
    return copy.deepcopy(TINY) | fields


def model(**fields: object) -> "File":
    return changed(model=TINY["model"] | fields)


def word_piece(**fields: object) -> "File":
    piece = {"type": "WordPiece", "continuing_subword_prefix": "##", "max_input_chars_per_word": 9}
    return model(**(piece | fields))


def bpe(merges: list[Any], **fields: object) -> "File":
    return changed(
        model={"type": "BPE", "vocab": {"[PAD]": 0, "a": 1, "b": 2}, "merges": merges} | fields
    )


def template(**fields: object) -> "File":
    text = {"Sequence": {"id": "A", "type_id": 0}}
    pair = [text, {"Sequence": {"id": "B", "type_id": 1}}]
    whole = {"single": [text], "pair": pair, "special_tokens": {}} | fields
    return changed(post_processor={"type": "TemplateProcessing"} | whole)


def added(content: str, number: int, **fields: object) -> "File":
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": number, "content": content, "special": True} | flags | fields


def charsmap(data: bytes) -> "File":
    table = base64.b64encode(data).decode()
    return {"type": "Precompiled", "precompiled_charsmap": table}


def replaced(old: str, new: str) -> "File":
    return {"type": "Replace", "pattern": {"String": old}, "content": new}


def sequence(*parts: object) -> "File":
    return {"type": "Sequence", "normalizers": list(parts)}


CATASTROPHE = {"Regex": "(x+x+)+y"}
CLS = {"SpecialToken": {"id": "[CLS]", "type_id": 0}}
TEXT_B = {"Sequence": {"id": "B", "type_id": 0}}
SIZE = len(WORDS)


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        # a catastrophic pattern, wherever one may stand
        (
            changed(
                pre_tokenizer={"type": "Split", "pattern": CATASTROPHE}
                | {"behavior": "Isolated", "invert": False}
            ),
            "pattern",
        ),
        (changed(normalizer=replaced("a", "b") | {"pattern": CATASTROPHE}), "pattern"),
        (changed(decoder=replaced("a", "b") | {"pattern": CATASTROPHE}), "pattern"),
        # a normaliser that panics, or a text that grows without end
        (changed(normalizer=charsmap(b"")), "Precompiled"),
        (changed(normalizer=charsmap(b"\x04\0\0\0\xff\xff\xff\xff")), "Precompiled"),
        (changed(normalizer=sequence(charsmap(b"\x04\0\0\0\xff\xff\xff\xff"))), "Precompiled"),
        (changed(normalizer=replaced("", "x")), "length >= 1"),
        (changed(normalizer=replaced("x", "x" * 33)), "length <= 32"),
        (changed(normalizer=sequence(*[replaced("x", "x" * 5)] * 2)), "times longer"),
        (changed(normalizer=sequence(*[replaced("x", "xx")] * 5)), "times longer"),
        (changed(normalizer=sequence(*[{"type": "NFC"}] * 17)), "more than 16 parts"),
        (changed(normalizer=sequence(sequence({"type": "NFC"}))), "'Sequence', which is not"),
        (changed(normalizer={"type": "Sequence", "normalizers": {}}), "no sequence of parts"),
        (changed(normalizer={"type": "Sequence"}), "no sequence of parts"),
        (changed(normalizer={"type": "NFC", "x": 1}), "has, or lacks, 'x'"),
        (changed(normalizer={"type": "Strip"}), "has, or lacks, 'strip_left'"),
        (changed(normalizer={"type": "NoSuch"}), "'NoSuch', which is not admitted"),
        (changed(normalizer={"type": ["NFC"]}), "which is not admitted"),
        (changed(normalizer={}), "which is not admitted"),
        (changed(normalizer="NFC"), "which is not admitted"),
        (changed(pre_tokenizer={"type": "FixedLength", "length": 0}), "FixedLength"),
        # tokens that are too many, or not what they are called
        (
            changed(added_tokens=[added(f"<{n}>", SIZE + n) for n in range(1_001)]),
            "adds more than 1000 tokens",
        ),
        (changed(added_tokens=[added("positive", SIZE)]), "'positive' is called like a label"),
        (changed(added_tokens=[added("", SIZE)]), "length >= 1"),
        (changed(added_tokens=[added("x" * 129, SIZE)]), "length <= 128"),
        (changed(added_tokens=[added("good", SIZE)]), "'good' has two ids"),
        (changed(added_tokens=[added("<new>", 3)]), "numbers from 0 on"),
        (changed(added_tokens=[added("<new>", SIZE + 1)]), "numbers from 0 on"),
        (changed(added_tokens=[added("<new>", SIZE, code="x")]), "unknown field `code`"),
        (changed(added_tokens={}), "Expected `array`"),
        # models whose words do not fit
        (model(vocab={"[PAD]": 0, "[UNK]": 2}), "numbers from 0 on"),
        (model(vocab={"[PAD]": 0, "[UNK]": 0}), "numbers from 0 on"),
        (model(vocab={"[PAD]": 0, "[UNK]": -1}), ">= 0"),
        (model(vocab={"[PAD]": 0, "[UNK]": 2**31}), "<= 2147483647"),
        (model(vocab={"[PAD]": 0, "[UNK]": 1.0}), "Expected `int`"),
        (model(vocab={"[PAD]": 0, "[UNK]": True}), "Expected `int`"),
        (model(vocab={"[UNK]": 0}), "no [PAD] token"),
        (model(vocab=["[PAD]", "[UNK]"]), "Expected `object`"),
        (model(unk_token="absent"), "unknown token is not in its vocabulary"),
        (model(type="CharBased"), "'CharBased', which is not admitted"),
        (word_piece(max_input_chars_per_word=201), "<= 200"),
        (word_piece(max_input_chars_per_word=0), ">= 1"),
        (word_piece(unk_token="absent"), "unknown token is not in its vocabulary"),
        (changed(model={"type": "WordPiece", "vocab": {}, "unk_token": "x"}), "has, or lacks"),
        (bpe([["a", "b"]]), "the merge 'a' 'b' is not in the vocabulary"),
        (bpe(["a b"]), "the merge 'a' 'b' is not in the vocabulary"),
        (bpe([["a", "b"]], continuing_subword_prefix="##"), "is not in the vocabulary"),
        (bpe(["ab"]), "is not in the vocabulary"),
        (bpe([["a", "b", "c"]]), "length 2"),
        (bpe([], dropout=0.5), "Expected `null`"),
        (bpe([], unk_token="absent"), "unknown token is not in its vocabulary"),
        (
            changed(model={"type": "Unigram", "vocab": [["[PAD]", 0.0]], "unk_id": 1}),
            "unknown token is not in its vocabulary",
        ),
        (
            changed(model={"type": "Unigram", "vocab": [["[PAD]", 0.0]] * 2, "unk_id": 0}),
            "numbers from 0 on",
        ),
        (changed(model=None), "which is not admitted"),
        # templates that panic on every text
        (template(single=[CLS, *template()["post_processor"]["single"]]), "the template single"),
        (template(single=[TEXT_B]), "the template single"),
        (template(single=template()["post_processor"]["single"] * 2), "the template single"),
        (template(single=template()["post_processor"]["single"] * 17), "length <= 16"),
        (template(single=[{"SpecialToken": None}]), "Expected `object`"),
        (template(single=[{}]), "a piece of the template single"),
        (template(pair=[TEXT_B]), "the template pair"),
        (
            template(special_tokens={"[CLS]": {"id": "[CLS]", "ids": [9], "tokens": ["[CLS]"]}}),
            "another id than its own",
        ),
        (
            changed(post_processor={"type": "BertProcessing", "sep": ["a", 9], "cls": ["a", 2]}),
            "another id than its own",
        ),
        # the file itself
        (changed(version="2.0"), "is not version 1.0"),
        (changed(extra=1), "is not version 1.0 with exactly"),
        ({}, "is not version 1.0 with exactly"),
        (changed(truncation={"max_length": -1, "stride": 0, "strategy": "x"}), "truncation"),
        (changed(truncation=False), "truncation is not an object"),
        (changed(padding={}), "padding has, or lacks"),
        (changed(truncation=[1]), "truncation is not an object"),
        (changed(padding={"pad_id": 0}), "padding has, or lacks"),
        (b"", "not JSON"),
        (b"[]", "is not version 1.0"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "nested too deep"),
        (b'{"a":1,"a":2}', "a key stands twice"),
        (b'{"a":NaN}', "NaN is no number"),
        (b"9" * 5_000, "not JSON"),
        (b"\x80\x04\x95.", "not JSON"),
    ],
)
def test_s22_what_is_not_known_or_does_not_fit_is_refused(
    file: "File | bytes", reason: str
) -> None:
    assert reason in refusal(file)


def test_s22_more_ids_than_the_table_of_weights_has_rows_are_refused() -> None:
    assert check(TINY, rows=SIZE) == SIZE
    assert f"has {SIZE} ids, and the graph a table of {SIZE - 1} rows" in refusal(
        TINY, rows=SIZE - 1
    )


def test_s22_five_hundred_megabytes_are_refused_unread() -> None:
    started = time.process_time()
    assert f"more than {LIMITS.tokenizer_bytes} bytes" in refusal(bytes(500_000_000))
    assert time.process_time() - started < 1


def test_s22_ten_million_added_tokens_are_refused_by_their_bytes() -> None:
    one = json.dumps(added("<x>", 1)).encode() + b","
    data = encoded(TINY).replace(b'"added_tokens": []', b'"added_tokens": [' + one)
    assert data != encoded(TINY)
    padded = data.replace(one, one * (10_000_000 // 100))  # a hundredth is enough
    assert "bytes" in refusal(padded * 4)


PARTS: list[Any] = [
    *(None, {}, [], "", "x", -1, 0, 1, 2**31, 1.5, True, {"type": "NFC"}, {"String": "a"}),
    *({"type": "Sequence", "normalizers": []}, {"type": "ByteLevel"}, [["a", 1.0]], {"Regex": "a"}),
]


def _places(value: object) -> "list[tuple[Any, Any]]":
    """Every place in a file where something else could stand."""
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = list(enumerate(value))
    else:
        return []
    return [(value, key) for key, _ in pairs] + [
        place for _, inner in pairs for place in _places(inner)
    ]


def test_s22_what_is_admitted_never_panics(tmp_path: "Path") -> None:
    # Given files of which some places hold something else, from a file or from this list
    rng = random.Random(22)
    wholes = [TINY, *(json.loads(m().to_str()) for m in (_bert, _gpt, _unigram, _plain))]
    pool = PARTS + [holder[key] for whole in wholes for holder, key in _places(whole)[:60]]
    admitted = 0
    for _ in range(examples(1_500, 30_000)):
        file = copy.deepcopy(rng.choice(wholes))
        for _ in range(rng.randint(1, 2)):
            holder, key = rng.choice(_places(file)[:120])
            if rng.random() < 0.1:
                del holder[key]
            else:
                holder[key] = copy.deepcopy(rng.choice(pool))
        count("inputs")
        # When the policy admits one
        try:
            size = check(file)
        except BundleError:
            continue
        admitted += 1
        # Then it loads, and encodes anything
        (tmp_path / "tokenizer.json").write_bytes(encoded(file))
        tokenizer = load_tokenizer(tmp_path / "tokenizer.json", max_tokens=64)
        assert tokenizer.vocabulary_size == size
        for text in ("a fine film", "x" * 300, "\ufdfa \u0301", ""):
            assert tokenizer.encode([text]).input_ids.max() < size
    assert admitted > 50
