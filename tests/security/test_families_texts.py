"""Odd texts that are good requests: families 11, 12, 14, 15 and 16 (trust.md 7), S9 and S12.

P3, P5, P11: any text is only a text. It is answered within a second of work, as the same text in
its composed form, nothing of it is in a log, and it changes no other row of its batch.
"""

import io
import json
import time
import unicodedata
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.effort import count, examples
from support.hostile import GOOD, Doors, open_doors
from support.tiny import make_home

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST = {
    "one word": "a" * 20_000,
    "one known word": "good" * 5_000,
    "words": "good " * 4_000,
    "letters": "a b " * 5_000,
    "spaces": " " * 19_999 + "a",
    "lines": "\n" * 19_999 + "a",
    "punctuation": ".,;:!?" * 3_333,
    "digits": "1 " * 10_000,
}
POINTS = {
    "nul": "a\x00b",
    "control": "good\x01\x02\x7f\x9f",
    "bidi": "\u202egood\u202c \u2066bad\u2069",
    "zero width": "go\u200bod\u200d\ufeff",
    "private use": "\ue000\U000f0000",
    "unassigned": "\u0378\U000e0fff",
    "not a character": "\ufffe\uffff\U0010ffff",
    "tags": "\U000e0001\U000e0067",
    "variation": "a\ufe0f\U000e0100",
    "soft hyphen": "go\u00adod",
}
EXPANDING = {
    "family": "\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466" * 100,
    "flag": "\U0001f3f3\ufe0f\u200d\U0001f308" * 100,
    "skin": "\U0001f44d\U0001f3ff" * 1_000,
    "accents": "e" + "\u0301" * 1_000,
    "accents in disorder": "e" + "\u0301\u0323" * 9_999,
    "ligature of a sentence": "\ufdfa" * 5_000,
    "longest ligature": "\ufdfa" * 20_000,
    "hangul": "\u1100\u1161\u11a8" * 6_666,
    "angstrom": "\u212b" * 20_000,
}
WRITTEN = {
    "hebrew": "סרט טוב",
    "arabic": "فيلم جيد",
    "chinese": "影片很好",
    "thai": "หนังดี",
    "mixed": "good 好 טוב جيد",
    "code": "import os; os.system('rm -rf /')",
    "url": "http://169.254.169.254/latest/meta-data/iam",
    "file": "file:///etc/passwd",
    "bucket": "s3://bucket/key",
    "html": "<script>alert(1)</script><!--",
    "sql": "'; DROP TABLE items; --",
    "template": "{{7*7}} ${jndi:ldap://x} %(x)s {0} %s%n",
    "lines": "good\r\nINFO forged line\r\n\r\n{}",
    "ansi": "\x1b[31mred\x1b]0;title\x07\x1b[2J",
    "json": '{"level":"ERROR","message":"forged"}',
    "long path": "../" * 6_000,
}


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Doors]":
    with open_doors(make_home(tmp_path_factory.mktemp("home"))) as doors:
        yield doors


def check_answered(doors: Doors, text: str) -> None:
    """A 200 by every door, in time, and as the composed text is."""
    count("inputs")
    started = time.process_time()  # of all threads: the tokenizer has its own
    answer = doors.accept({"inputs": text})
    assert (time.process_time() - started) / 3 < 1.0
    (row,) = answer.json
    assert sum(pair["score"] for pair in row) == pytest.approx(1.0, abs=2e-6)
    assert doors.accept({"inputs": unicodedata.normalize("NFC", text)}).body == answer.body
    doors.good()


@pytest.mark.parametrize("name", LONGEST)
def test_p3_family_11_the_longest(doors: Doors, name: str) -> None:
    check_answered(doors, LONGEST[name])


@pytest.mark.parametrize("name", POINTS)
def test_p5_family_12_code_points_that_few_send(doors: Doors, name: str) -> None:
    check_answered(doors, POINTS[name])


@pytest.mark.parametrize("name", EXPANDING)
def test_p3_family_14_what_grows(doors: Doors, name: str) -> None:
    check_answered(doors, EXPANDING[name])


@settings(max_examples=examples(60, 3_000))
@given(st.text(min_size=1, max_size=60).filter(str.strip))
def test_p5_families_12_14_15_any_text(doors: Doors, text: str) -> None:
    check_answered(doors, text)


@settings(max_examples=examples(15, 300))
@given(st.text(min_size=1, max_size=4).filter(str.strip), st.integers(1, 5_000))
def test_p3_families_11_14_any_text_again_and_again(doors: Doors, text: str, times: int) -> None:
    check_answered(doors, text * times)


@pytest.mark.parametrize("name", WRITTEN)
def test_p11_family_15_nothing_of_a_text_is_logged(
    doors: Doors, name: str, log: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    check_answered(doors, f"{WRITTEN[name]} canary7391")
    written = log.getvalue() + "".join(capfd.readouterr())
    assert written
    for line in written.splitlines():
        assert isinstance(json.loads(line), dict)
    assert "canary7391" not in written
    assert WRITTEN[name] not in written
    assert "forged" not in written


# ---- Family 16 ----------------------------------------------------------------------------------

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<s>", "</s>", "[PAD] " * 15, "[pad]good"]


@pytest.mark.parametrize("text", SPECIAL)
def test_p5_family_16_a_special_token_changes_no_other_row(doors: Doors, text: str) -> None:
    count("inputs")
    alone = doors.accept(GOOD).json[0]
    for batch, place in (([GOOD["inputs"], text], 0), ([text, GOOD["inputs"], text], 1)):
        assert doors.accept({"inputs": batch}).json[place] == alone


@settings(max_examples=examples(40, 1_000))
@given(st.lists(st.sampled_from([*SPECIAL, "good", "a fine film"]), min_size=1, max_size=8))
def test_p5_family_16_any_batch_of_them(doors: Doors, texts: list[str]) -> None:
    count("inputs")
    rows = doors.accept({"inputs": [*texts, GOOD["inputs"]]}).json
    assert rows[-1] == doors.accept(GOOD).json[0]
    for text, row in zip(texts, rows, strict=False):
        assert row == doors.accept({"inputs": text}).json[0]
