"""How versions are named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maas.errors import FieldError
from maas.registry.addresses import (
    ByAlias,
    ByDigest,
    ByNumber,
    VersionAddress,
    parse_address,
    parse_alias,
    parse_model,
    parse_reference,
)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("1", ByNumber(1)),
        ("99999999", ByNumber(99_999_999)),
        ("production", ByAlias("production")),
        ("a", ByAlias("a")),
        ("sha256", ByAlias("sha256")),
        ("v2-" + "x" * 29, ByAlias("v2-" + "x" * 29)),
        ("sha256:0123456789ab", ByDigest("sha256:0123456789ab")),
        ("sha256:" + "f" * 64, ByDigest("sha256:" + "f" * 64)),
    ],
)
def test_the_three_forms_are_told_apart(text: str, address: VersionAddress) -> None:
    assert parse_address(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "0", "01", "-1", "+1", "1.0", "1e3", "100000000", "1\n", " 1", "1_0",
        "\u0661", "\uff11", "\u00b2",
        "Production", "production\n", "-a", "1a", "a_b", "a.b", "a/b", "a#b", "é", "a" * 33,
        "sha256:", "sha256:0123456789a", "sha256:" + "f" * 65, "sha256:0123456789AB",
        "sha256:0123456789ag", "sha256:0123456789ab\n", "SHA256:0123456789ab", "md5:0123456789ab",
        "__proto__", "..", "%2e",
    ],
)  # fmt: skip
def test_all_else_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(FieldError) as refusal:
        parse_address(text)
    assert refusal.value.field == "version"
    assert len(text) < 8 or text not in str(refusal.value)


@given(st.text(max_size=80))
def test_any_text_is_an_address_that_prints_as_itself_or_is_refused(text: str) -> None:
    try:
        address = parse_address(text)
    except FieldError:
        return
    assert str(address) == text


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("sentiment", ("sentiment", None)),
        ("sentiment@2", ("sentiment", ByNumber(2))),
        ("sentiment@canary", ("sentiment", ByAlias("canary"))),
        ("ab@sha256:0123456789ab", ("ab", ByDigest("sha256:0123456789ab"))),
    ],
)
def test_a_reference_names_a_model_and_perhaps_a_version(
    text: str, reference: tuple[str, VersionAddress | None]
) -> None:
    assert parse_reference(text) == reference


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "model"),
        ("a", "model"),
        ("Sentiment", "model"),
        ("@2", "model"),
        ("sentiment\n", "model"),
        ("x" * 33, "model"),
        ("sentiment@", "version"),
        ("sentiment@2@3", "version"),
        ("sentiment@0", "version"),
    ],
)
def test_a_malformed_reference_names_the_part_at_fault(text: str, field: str) -> None:
    with pytest.raises(FieldError) as refusal:
        parse_reference(text)
    assert refusal.value.field == field


def test_names_are_checked_by_themselves_too() -> None:
    assert parse_model("ab") == "ab"
    assert parse_alias("a") == "a"
    for parse, text in ((parse_model, "a"), (parse_model, "a#b"), (parse_alias, "7")):
        with pytest.raises(FieldError):
            parse(text)
