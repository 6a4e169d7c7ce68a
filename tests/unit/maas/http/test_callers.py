"""Who asks: the gateway's API key id, else a header; whatever else an event holds is nobody."""

from typing import Any, NoReturn

import pytest

from maas.errors import FieldError
from maas.http.asgi import Request
from maas.http.callers import requested_caller


async def unread() -> NoReturn:
    raise AssertionError("who asks is not in the body")


def request(*clients: bytes, event: object = None) -> Request:
    scope: dict[str, Any] = {
        "query_string": b"",
        "headers": [(b"x-api-key", b"secret"), *((b"x-maas-client", name) for name in clients)],
    }
    return Request(scope if event is None else {**scope, "aws.event": event}, unread)


def event(key: object) -> dict[str, Any]:
    return {"requestContext": {"identity": {"apiKeyId": key, "apiKey": "secret"}}}


def test_the_key_that_the_gateway_checked_is_who_asks_whatever_the_header_says() -> None:
    assert requested_caller(request(event=event("k1234"))) == "k1234"
    assert requested_caller(request(b"somebody", event=event("k1234"))) == "k1234"


@pytest.mark.parametrize(
    "odd",
    [
        *({}, [], "text", 7, {"requestContext": None}, {"requestContext": []}),
        *({"requestContext": {"identity": None}}, {"requestContext": {"identity": "text"}}),
        *(event(None), event(""), event(7), event(["k"]), event({"a": 1})),
    ],
)
def test_where_the_gateway_says_nothing_the_header_does(odd: object) -> None:
    assert requested_caller(request(event=odd)) is None
    assert requested_caller(request(b"somebody", event=odd)) == "somebody"


@pytest.mark.parametrize("name", [b"a", b"user-7", b"~!{}:/=", b"x" * 128])
def test_a_header_is_who_asks(name: bytes) -> None:
    assert requested_caller(request(name)) == name.decode()


def test_without_a_header_nobody_says() -> None:
    assert requested_caller(request()) is None


@pytest.mark.parametrize(
    "names",
    [
        *([b""], [b"x" * 129], [b"a b"], [b"a,b"], [b"a\tb"], [b"a\nb"], [b"\x00"], [b"\x7f"]),
        *([b"\xc3\xa4"], [b"a", b"a"], [b"a", b"b"]),
    ],
    ids=repr,
)
def test_what_is_no_name_is_refused_and_not_repeated(names: list[bytes]) -> None:
    with pytest.raises(FieldError, match="1 to 128 visible") as refused:
        requested_caller(request(*names))
    assert refused.value.field == "x-maas-client"
