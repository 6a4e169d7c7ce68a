"""The caps on texts, each at its edge: one below, at the limit, one above."""

import pytest
from msgspec.structs import replace

from maas.errors import FieldError
from maas.limits import LIMITS
from maas.text.check import check_texts

AT = LIMITS.text_characters


def refusal(texts: list[str]) -> tuple[str | None, str]:
    with pytest.raises(FieldError) as refused:
        check_texts(texts, field="inputs")
    return refused.value.field, str(refused.value)


@pytest.mark.parametrize(
    "texts",
    [
        ["a"],
        ["a"] * 31,
        ["a"] * 32,
        ["a" * (AT - 1)],
        ["a" * AT],
        ["\U0001f600" * AT],  # characters, not bytes
        ["a" * AT] * 4 + ["a" * (AT - 1)],
        ["a" * AT] * 5,
        [" a"],
        ["\u200b"],  # zero width, and no white space
        ["\x00"],
    ],
    ids=lambda texts: f"{len(texts)} x {len(texts[-1])}",
)
def test_texts_within_the_caps_pass(texts: list[str]) -> None:
    check_texts(texts, field="inputs")


@pytest.mark.parametrize(
    ("texts", "field", "reason"),
    [
        ([], "inputs", "must be 1 to 32 texts, got 0"),
        (["a"] * 33, "inputs", "must be 1 to 32 texts, got 33"),
        (["a"] * 10_000, "inputs", "must be 1 to 32 texts, got 10000"),
        (["a" * (AT + 1)], "inputs", "must be at most 20000 characters, got 20001"),
        (["a", "a" * (AT + 1)], "inputs[1]", "must be at most 20000 characters, got 20001"),
        (["a" * AT] * 5 + ["b"], "inputs", "must be at most 100000 characters in all, got 100001"),
        *(([text], "inputs", "must not be empty") for text in ("", " ", "\n\t ", "\u3000", "\x1f")),
        (["a", " " * 100], "inputs[1]", "must not be empty"),
        *(
            ([text], "inputs", "holds half of a surrogate pair, which is not a character")
            for text in ("\ud800", "a\udfff", "\ude00\ud83d")
        ),
        (["a", "\udc00"], "inputs[1]", "holds half of a surrogate pair, which is not a character"),
    ],
)
def test_texts_outside_the_caps_are_refused_by_field_and_limit(
    texts: list[str], field: str, reason: str
) -> None:
    assert refusal(texts) == (field, reason)


def test_other_limits_may_be_given() -> None:
    check_texts(["abc"], field="inputs", limits=replace(LIMITS, texts=1, text_characters=3))
    with pytest.raises(FieldError, match="at most 2 characters"):
        check_texts(["abc"], field="inputs", limits=replace(LIMITS, text_characters=2))
