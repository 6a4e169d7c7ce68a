"""Query strings: read strictly, refused by name, and nothing of their values repeated."""

from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maas.errors import BadRequestError, FieldError
from maas.http.asgi import Request
from maas.http.queries import ModelsQuery, NoQuery, NumbersQuery, decode_query


async def unread() -> NoReturn:
    raise AssertionError("a query is not in the body")


def request(query: str) -> Request:
    return Request({"headers": [], "query_string": query.encode()}, unread)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", NumbersQuery(limit=100, after=None)),
        ("limit=1", NumbersQuery(limit=1)),
        ("limit=1000&after=99999999", NumbersQuery(limit=1000, after=99_999_999)),
        ("after=%31", NumbersQuery(after=1)),
    ],
)
def test_numbers_are_read_as_we_write_them(query: str, expected: NumbersQuery) -> None:
    assert decode_query(request(query), NumbersQuery) == expected


def test_a_models_name_is_read_as_a_text() -> None:
    assert decode_query(request("after=sentiment&limit=2"), ModelsQuery) == ModelsQuery(
        limit=2, after="sentiment"
    )


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("limit=0", "limit: must be a number >= 1"),
        ("limit=1001", "limit: must be a number <= 1000"),
        ("limit=ten", "limit: must be a number"),
        ("limit=null", "limit: must be a number"),
        ("after=1.0", "after: must be a number"),
        ("after=100000000", "after: must be a number <= 99999999"),
        ("page=2", "page: is not known here; remove it"),
        ("pa%20ge=2", "?: is not known here; remove it"),
    ],
)
def test_a_refusal_names_the_field_and_what_it_must_be(query: str, text: str) -> None:
    with pytest.raises(FieldError) as refused:
        decode_query(request(query), NumbersQuery)
    assert refused.value.described() == text


def test_a_malformed_name_is_said_to_be_one() -> None:
    with pytest.raises(FieldError) as refused:
        decode_query(request("after=7"), ModelsQuery)
    assert refused.value.described() == "after: must be a name"


@pytest.mark.parametrize("query", ["limit=1&limit=1", "x=1&x=2", "limit=1&%6Cimit=2"])
def test_a_key_that_occurs_twice_is_refused_before_it_is_read(query: str) -> None:
    with pytest.raises(BadRequestError):
        decode_query(request(query), NumbersQuery)


@given(name=st.text(st.characters(codec="latin-1", exclude_characters="&#"), max_size=20))
def test_whatever_comes_is_refused_without_repeating_its_value(name: str) -> None:
    with pytest.raises(FieldError) as refused:
        decode_query(request(f"x{name}=canary7391"), NoQuery)
    assert "canary7391" not in str(refused.value)
