"""Lambda's events to ASGI and back, and headers and queries as endpoints read them."""

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from support.doors import LambdaContext, http_event, rest_event

from maas.http.asgi import Headers, Request, respond
from maas.http.events import answer_of, request_of
from maas.http.gateway import guarded
from maas.observe import Observer

if TYPE_CHECKING:
    from collections.abc import Generator

CONTEXT = object()


async def unread() -> Any:  # noqa: ANN401
    raise AssertionError("nobody reads the body here")


def request(event: dict[str, Any]) -> Request:
    scope, _ = request_of(event, CONTEXT)
    return Request(scope, unread)


def sent(body: bytes, *parts: bytes, status: int = 200, **headers: str) -> list[dict[str, Any]]:
    pairs = [(name.replace("_", "-").encode(), said.encode()) for name, said in headers.items()]
    head = {"type": "http.response.start", "status": status, "headers": pairs}
    return [head, *({"type": "http.response.body", "body": part} for part in (body, *parts))]


@pytest.mark.parametrize("make", [rest_event, http_event])
def test_an_event_is_a_request(make: Any) -> None:  # noqa: ANN401
    event = make("PUT", "/models/a%20b", "text", headers={"X-One": "1"}, query="a=1&a=2&b=x%20y&c=")
    scope, body = request_of(event, CONTEXT)
    assert (scope["type"], scope["method"], scope["path"]) == ("http", "PUT", "/models/a b")
    assert scope["aws.event"] is event
    assert scope["aws.context"] is CONTEXT
    assert body == b"text"
    asked = request(event)
    assert asked.query() == [("a", "1"), ("a", "2"), ("b", "x y"), ("c", "")]
    assert asked.headers.get("x-one") == "1"
    assert asked.headers.get("content-type") == "application/json"
    assert asked.event is event


def test_a_header_that_was_sent_twice_is_joined_and_names_have_no_case() -> None:
    event = rest_event() | {
        "headers": {"X-Maas-Version": "2", "Only-Here": "1"},
        "multiValueHeaders": {"X-Maas-Version": ["1", "2"]},
    }
    headers = request(event).headers
    assert headers.all("x-maas-version") == ["1, 2"]
    assert headers.all("only-here") == ["1"]
    assert headers.all("x-nothing") == []
    assert headers.get("x-nothing", "else") == "else"


@pytest.mark.parametrize("make", [rest_event, http_event])
@pytest.mark.parametrize("headers", [{}, {"headers": None}], ids=["absent", "null"])
def test_a_request_may_have_no_headers(make: Any, headers: dict[str, None]) -> None:  # noqa: ANN401
    event = {name: value for name, value in make().items() if "eaders" not in name} | headers
    assert request_of(event, CONTEXT)[0]["headers"] == []


def test_a_query_of_single_values_is_read_where_there_are_no_lists() -> None:
    event = rest_event() | {"queryStringParameters": {"version": "2"}}
    assert request(event).query() == [("version", "2")]


def test_a_balancer_leaves_a_query_encoded_and_reads_lists_of_headers() -> None:
    event = {
        "requestContext": {"elb": {}},
        "httpMethod": "GET",
        "path": "/models",
        "multiValueHeaders": {"host": ["x"]},
        "multiValueQueryStringParameters": {"a%20b": ["1%2B1", "x+y"]},
    }
    assert request(event).query() == [("a b", "1+1"), ("a b", "x y")]
    answer = answer_of(event, sent(b"{}", content_type="application/json"))
    assert answer["multiValueHeaders"] == {"content-type": ["application/json"]}


def test_a_body_may_be_base64_or_nothing() -> None:
    data = bytes(range(256))
    event = rest_event(body=base64.b64encode(data).decode(), base64=True)
    assert request_of(event, CONTEXT)[1] == data
    assert request_of(rest_event(), CONTEXT)[1] == b""
    assert request_of(rest_event(body="ä"), CONTEXT)[1] == "ä".encode()


def test_text_goes_back_as_it_is_and_all_else_in_base64() -> None:
    event = rest_event()
    text = answer_of(event, sent('{"a":"ä"}'.encode(), content_type="application/json"))
    assert text == {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": '{"a":"ä"}',
        "isBase64Encoded": False,
    }
    parts = answer_of(event, sent(b"\x00\xff", b"\x01", content_type="application/octet-stream"))
    assert (parts["body"], parts["isBase64Encoded"]) == ("AP8B", True)
    packed = answer_of(
        event, sent(b"\x1f\x8b", content_type="application/json", content_encoding="gzip")
    )
    assert (packed["body"], packed["isBase64Encoded"]) == ("H4s=", True)
    assert answer_of(event, sent(b"", status=404))["isBase64Encoded"] is False


def test_a_large_text_goes_back_as_what_takes_less_of_lambdas_own_json() -> None:
    # Given as much text as is answered at the most, plain and in quotes that are escaped again
    for text in (b'"' + b"a" * 4_200_000 + b'"', json.dumps('"\\' * 1_000_000).encode()):
        answer = answer_of(rest_event(), sent(text, content_type="application/json"))
        # Then what Lambda sends is within its 6 MB, and is the same text
        assert len(json.dumps(answer)) < 6_291_556
        body = answer["body"].encode()
        assert (base64.b64decode(body) if answer["isBase64Encoded"] else body) == text


@pytest.mark.parametrize("fault", ["waits", "no text"])
def test_a_fault_of_ours_is_not_called_the_callers(fault: str) -> None:
    class Never:
        def __await__(self) -> "Generator[None, None, None]":
            yield  # to a loop, which is not there

    class Broken:
        async def __call__(self, _scope: object, _receive: object, send: Any) -> None:  # noqa: ANN401
            if fault == "waits":
                await Never()
            await respond(send, 200, b"\xff", {"content-type": "text/plain"})

    handler = guarded(Broken(), Observer("INFO", metrics=False))  # type: ignore[arg-type]
    answer = handler(rest_event(), LambdaContext())
    assert answer["statusCode"] == 500
    assert json.loads(answer["body"])["code"] == "internal"


def test_headers_are_told_apart_by_their_whole_name() -> None:
    headers = Headers([(b"a", b"1"), (b"ab", b"2"), (b"a", b"\xe4")])
    assert headers.all("a") == ["1", "ä"]
    assert headers.get("ab") == "2"
    assert headers.get("b") == ""
