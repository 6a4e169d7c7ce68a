"""The bounded reader: what it takes, and the families of bodies that it refuses in time."""

import asyncio
import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.families import BODIES, each_of, nested

from maas.errors import BadRequestError, MediaTypeError, TooLargeError
from maas.http.asgi import Headers
from maas.http.body import check_type, parse_json, read_body
from maas.limits import LIMITS

if TYPE_CHECKING:
    from maas.http.asgi import Message

LIMIT = 100
DEPTH = LIMITS.json_depth


def said(headers: dict[str, str]) -> Headers:
    return Headers((name.encode(), value.encode()) for name, value in headers.items())


def read(*chunks: bytes, headers: dict[str, str] | None = None, end: bool = True) -> bytes:
    """Read a body that comes in these chunks; without `end` the caller goes away after them."""
    messages: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": not end or index < len(chunks) - 1}
        for index, chunk in enumerate(chunks)
    ]
    messages.append({"type": "http.disconnect"})
    left = iter(messages)

    async def receive() -> "Message":
        return next(left)

    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(read_body(receive, said(headers or {}), limit=LIMIT))
    finally:
        loop.close()


@pytest.mark.parametrize("size", [0, 1, LIMIT - 1, LIMIT])
def test_a_body_up_to_the_limit_is_read(size: int) -> None:
    body = b"x" * size
    assert read(body) == body
    assert read(body[:40], body[40:], headers={"content-length": str(size)}) == body
    assert read(*(bytes([byte]) for byte in body), b"") == body


def test_a_body_above_the_limit_is_refused_at_its_first_byte_too_many() -> None:
    with pytest.raises(TooLargeError, match="at most 100 bytes"):
        read(b"x" * (LIMIT + 1))
    # Given a caller who says less than he sends, and one who goes away after too much
    with pytest.raises(TooLargeError):
        read(b"x" * LIMIT, b"x", headers={"content-length": "5"}, end=False)


@pytest.mark.parametrize("length", [str(LIMIT + 1), "9" * 15, "9" * 5000])
def test_a_body_that_says_it_is_too_large_is_not_read_at_all(length: str) -> None:
    with pytest.raises(TooLargeError):
        read(end=False, headers={"content-length": length})


@pytest.mark.parametrize("length", ["-1", "1.5", "x", "", "²", "1e2", "0x10", "1, 1"])
def test_a_length_that_is_no_number_is_refused(length: str) -> None:
    with pytest.raises(BadRequestError, match="content-length is not a number"):
        read(b"{}", headers={"content-length": length})


def test_a_caller_who_goes_away_is_a_bad_request() -> None:
    with pytest.raises(BadRequestError, match="went away"):
        read(b"{", end=False)


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/json ; charset = utf8",
        "",
    ],
)
def test_json_by_any_of_its_names_is_taken(content_type: str | None) -> None:
    check_type(said({} if content_type is None else {"content-type": content_type}))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("content-type", ("application/json", "application/json")),
        ("content-type", ("application/json", "text/plain")),
        ("content-encoding", ("identity", "gzip")),
    ],
)
def test_what_is_said_twice_is_not_read_as_the_first(name: str, values: tuple[str, ...]) -> None:
    with pytest.raises(MediaTypeError):
        check_type(Headers([(name.encode(), value.encode()) for value in values]))


@pytest.mark.parametrize(
    "headers",
    [
        *(
            {"content-type": value}
            for value in (
                *("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "json"),
                *("application/jsonx", "application/json, text/plain", "image/png"),
                *("application/json; charset=utf-16", 'application/json; charset="latin-1"'),
            )
        ),
        *({"content-encoding": value} for value in ("gzip", "br", "deflate", "GZIP", "x, gzip")),
    ],
)
def test_any_other_type_or_encoding_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(MediaTypeError):
        check_type(said({"content-type": "application/json"} | headers))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_json_comes_back_as_it_was_written(value: object) -> None:
    assert parse_json(json.dumps(value).encode()) == value
    text = json.dumps(value, ensure_ascii=False, indent=1)
    try:
        data = text.encode()
    except UnicodeEncodeError:
        return
    assert parse_json(data) == value


@pytest.mark.parametrize("data", each_of(BODIES))
def test_the_families_of_bad_bodies_are_refused_in_time(data: bytes) -> None:
    started = time.thread_time()
    with pytest.raises(BadRequestError) as refused:
        parse_json(data)
    assert time.thread_time() - started < 0.05
    assert refused.value.status == 400
    assert len(str(refused.value)) < 100


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_is_taken_as_python_writes_it(number: float) -> None:
    assert parse_json(json.dumps([number, -number]).encode()) == [number, -number]


@pytest.mark.parametrize(
    "data",
    [
        b'\n\n  {"a":1,}',
        b' \t{"a"',
        b"{} x",
        b"{}\n\n{}",
        b'{"a":1   ',
        b'"a\n',
        b"\x0b1",
        b"1\x0c",
    ],
)
def test_what_is_wrong_and_where_is_told_as_the_standard_library_tells_it(data: bytes) -> None:
    with pytest.raises(json.JSONDecodeError) as wrong:
        json.loads(data)
    with pytest.raises(BadRequestError) as refused:
        parse_json(data)
    where = f"{wrong.value.msg} at character {wrong.value.pos}."
    assert str(refused.value) == f"The body is not JSON: {where}"


@pytest.mark.parametrize(("more", "accepted"), [(-1, True), (0, True), (1, False)])
def test_values_are_counted_and_not_those_in_strings(more: int, *, accepted: bool) -> None:
    numbers = [1] * (LIMITS.json_values - 3 + more)  # the object, the string and the list count too
    data = json.dumps({"a": '[{,"' * 30_000, "b": numbers}).encode()
    if accepted:
        assert parse_json(data) == json.loads(data)
        return
    with pytest.raises(BadRequestError, match="more than 20000 values"):
        parse_json(data)


@given(st.text('[]{},:"\\ a', max_size=120))
def test_depth_is_what_a_parser_would_come_to(text: str) -> None:
    # Given brackets, quotes and backslashes in any order, and a limit of three levels
    few = replace(LIMITS, json_depth=3)
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        with pytest.raises(BadRequestError):
            parse_json(text.encode(), limits=few)
        return
    # Then what is refused is too deep, or has its key twice
    with suppress(BadRequestError):
        assert depth(parse_json(text.encode(), limits=few)) <= 3
        return
    assert depth(value) > 3 or text.count(":") > 1


def depth(value: object) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (nested(DEPTH), None),
        (nested(DEPTH - 1), None),
        ("[" + ",".join(["[]"] * 200) + "]", [[]] * 200),
        ('"' + "[" * 100 + '"', "[" * 100),
        ('"' + '\\"[' * 100 + '"', '"[' * 100),
        ('["' + "{" * 40 + '\\\\", "' + "[" * 40 + '"]', ["{" * 40 + "\\", "[" * 40]),
        ("9" * 20, int("9" * 20)),
        ("9" * 19, int("9" * 19)),
        ("-0", 0),
        ("1e5", 100_000.0),
        ("-1.25E-3", -0.00125),
        ('"\\ud83d\\ude00"', "\U0001f600"),
        ('"\\ud800"', "\ud800"),  # a lone surrogate is JSON; the caps on texts refuse it
        (" {} \n", {}),
        ('{"":1}', {"": 1}),
    ],
)
def test_what_is_unusual_but_within_the_limits_is_taken(body: str, value: object) -> None:
    parsed = parse_json(body.encode())
    assert parsed == value or value is None
    assert type(parsed) is type(value) or value is None


@pytest.mark.parametrize(
    "body",
    [
        "[]," * 33 + '"' + '\\"' * 340_000,
        "[]," * 33 + '"' * 1_000_000,
        "[]," * 33 + "\\" * 1_000_000,
        '"' + "[]{}" * 250_000,
        "[]," * 340_000,
        "[]," * 33 + "1" * 1_000_000,
        "[]," * 33 + " " * 1_000_000,
    ],
    ids=["escaped quotes", "quotes", "backslashes", "brackets", "lists", "digits", "spaces"],
)
def test_a_megabyte_of_anything_is_refused_in_time(body: str) -> None:
    started = time.thread_time()
    with pytest.raises(BadRequestError):
        parse_json(body.encode())
    assert time.thread_time() - started < 0.5


def test_nothing_of_a_body_is_repeated_in_its_refusal() -> None:
    for body in (
        '{"a":"secret" "b"}',
        '{"secret":1,"secret":1}',
        '"secret\\q"',
        "secret",
        "[-secret]",
    ):
        with pytest.raises(BadRequestError) as refused:
            parse_json(body.encode())
        assert "secret" not in str(refused.value)
