"""Bad bodies by every door: families 1–6, 18, 19 and the body's own limits of 20 (trust.md 7).

P3, P4, P5: each is refused by ASGI and by both kinds of events alike, by a 4xx with the one error
body, within 50 ms of work (tests allow 250), and a good request by the same process follows.
"""

import gzip
import json
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.effort import examples
from support.families import BODIES, DEPTH, each_of, nested
from support.hostile import GOOD, JSON, Doors, Sent, open_doors
from support.tiny import make_home

from maas.limits import LIMITS

if TYPE_CHECKING:
    from collections.abc import Iterator

BODY = json.dumps(GOOD).encode()


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Doors]":
    with open_doors(make_home(tmp_path_factory.mktemp("home"))) as doors:
        yield doors


@pytest.mark.parametrize("body", each_of(BODIES))
def test_p4_families_1_2_4_5_6_what_is_no_json_of_ours(doors: Doors, body: bytes) -> None:
    doors.refuse(body, 400, "bad_request")


@pytest.mark.parametrize("body", ["null", "true", "0", "1.5", '"inputs"', "[]", '[{"inputs":"a"}]'])
def test_p4_family_3_no_object(doors: Doors, body: str) -> None:
    doors.refuse(body.encode(), 422, "invalid_field")


@settings(max_examples=examples(60, 2_000))
@given(st.binary(max_size=64))
def test_p4_family_2_any_bytes(doors: Doors, body: bytes) -> None:
    doors.refuse(body, {400, 422})


@settings(max_examples=examples(60, 2_000))
@given(st.integers(0, len(BODY) - 1), st.binary(min_size=0, max_size=3))
def test_p4_family_2_a_good_body_cut_and_mended(doors: Doors, at: int, other: bytes) -> None:
    body = BODY[:at] + other
    try:
        value = json.loads(body)
    except ValueError:
        doors.refuse(body, 400, "bad_request")
        return
    assert not isinstance(value, dict)
    doors.refuse(body, {400, 422})


@settings(max_examples=examples(30, 500))
@given(st.integers(DEPTH + 1, 5_000), st.sampled_from(["[", '{"a":']), st.booleans())
def test_p4_family_4_nesting(doors: Doors, depth: int, opening: str, closed: bool) -> None:
    closing = {"[": "]", '{"a":': "}"}[opening] * depth
    body = f'{{"inputs":"a","x":{opening * depth}1{closing if closed else ""}}}'
    doors.refuse(body.encode(), 400, "bad_request")


@settings(max_examples=examples(30, 500))
@given(st.integers(1, DEPTH - 2))
def test_family_4_nesting_within_the_limit_is_a_key_that_nobody_knows(
    doors: Doors, depth: int
) -> None:
    doors.accept({"inputs": "a", "x": json.loads(nested(depth))})


@settings(max_examples=examples(40, 1_000))
@given(
    st.integers(21, 5_000).map(lambda digits: "7" * digits)
    | st.integers(309, 10**15).map(lambda power: f"1e{power}")
    | st.sampled_from(
        ["NaN", "Infinity", "-Infinity", "01", "+1", ".5", "1.", "0x1", "1_000", "1,"]
    )
)
def test_p4_family_5_numbers(doors: Doors, number: str) -> None:
    for body in (f'{{"inputs":{number}}}', f'{{"inputs":"a","parameters":{{"top_k":{number}}}}}'):
        doors.refuse(body.encode(), 400, "bad_request")


@settings(max_examples=examples(40, 1_000))
@given(st.text(max_size=8), st.integers(2, 5))
def test_p4_family_6_keys_that_occur_twice(doors: Doors, key: str, times: int) -> None:
    pairs = ",".join([f"{json.dumps(key)}:1"] * times)
    doors.refuse(f'{{"inputs":"a","x":{{{pairs}}}}}'.encode(), 400, "bad_request")


# ---- Families 18 and 19: what the headers say of a body -----------------------------------------

TYPES = [
    *("text/plain", "text/csv", "application/x-www-form-urlencoded", "multipart/form-data"),
    *("application/octet-stream", "application/x-pickle", "application/jsonx", "json", "*/*"),
    *("application/json, application/json", "application/json;charset=utf-16", "x" * 8_192),
    *('application/json; charset="latin-1"', "application/json; charset=utf-7", "a/b c", "/"),
]
PACKED = {
    "gzip": gzip.compress(BODY),
    "deflate": zlib.compress(BODY),
    "br": BODY,
    "zstd": BODY,
    "gzip, gzip": gzip.compress(gzip.compress(BODY)),
    "identity, gzip": BODY,
    "GZIP": gzip.compress(b" " * 50_000_000, compresslevel=9),  # a bomb: 50 MB of 50 KB
    "x-unknown": BODY,
}


@pytest.mark.parametrize("content_type", TYPES)
def test_p4_family_18_a_type_that_is_not_read(doors: Doors, content_type: str) -> None:
    sent = Sent(BODY, headers={"content-type": content_type})
    doors.refuse(sent, 415, "unsupported_media_type")


@settings(max_examples=examples(40, 1_000))
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40))
def test_p4_family_18_any_type(doors: Doors, content_type: str) -> None:
    if content_type.partition(";")[0].strip().lower() in ("", "application/json"):
        return
    doors.refuse(Sent(BODY, headers={"content-type": content_type}), 415)


def test_family_18_a_body_without_a_type_is_taken_for_json(doors: Doors) -> None:
    for headers in ({}, {"content-type": ""}, {"content-type": ";"}):
        for answer in doors.send(Sent(BODY, headers=headers)):
            assert answer.status == 200
    doors.refuse(Sent(b"a=1&b=2", headers={}), 400, "bad_request")


@pytest.mark.parametrize("encoding", PACKED)
def test_p4_family_19_a_packed_body_is_not_unpacked(doors: Doors, encoding: str) -> None:
    headers = JSON | {"content-encoding": encoding}
    doors.refuse(Sent(PACKED[encoding], headers=headers), 415, "unsupported_media_type")


@settings(max_examples=examples(30, 1_000))
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20))
def test_p4_family_19_any_encoding(doors: Doors, encoding: str) -> None:
    if encoding.lower() != "identity":
        doors.refuse(Sent(BODY, headers=JSON | {"content-encoding": encoding}), 415)


@pytest.mark.parametrize("said", ["-1", "1.5", "x", "", "1e2", "0x10", "1, 1", "9" * 400])
def test_p4_family_20_a_length_that_is_none(doors: Doors, said: str) -> None:
    headers = JSON | {"content-length": said}
    doors.refuse(Sent(BODY, headers=headers), 413 if set(said) == {"9"} else 400)


@pytest.mark.parametrize("more", [-1, 0, 1, 100_000, 4_000_000])
def test_p3_family_20_a_body_at_its_limit(doors: Doors, more: int) -> None:
    body = BODY + b" " * (LIMITS.body_bytes - len(BODY) + more)
    if more > 0:
        doors.refuse(body, 413, "too_large")
        return
    for answer in doors.send(Sent(body)):
        assert answer.status == 200


@pytest.mark.parametrize(
    "body",
    [
        *('{"inputs":"' + "\\u0041" * 170_000 + '"}', '{"inputs":["' + '","' * 300_000 + '"]}'),
        *('{"x":{' + '"a":{' * 20 + "}" * 100, '{"inputs":"a"' + " " * 1_000_000 + "x"),
        *('{"' + "k" * 1_000_000 + '":1}', '{"inputs":[' + "[]," * 6_000 + "[]]}"),
        *("{" + ",".join(f'"{n}":0' for n in range(9_000)) + "}", '{"inputs":"' + "\\" * 999_999),
    ],
    ids=["escapes", "texts", "cut", "spaces", "key", "lists", "keys", "backslashes"],
)
def test_p3_a_megabyte_of_anything_is_no_more_work(doors: Doors, body: str) -> None:
    doors.refuse(body.encode(), {400, 422})
