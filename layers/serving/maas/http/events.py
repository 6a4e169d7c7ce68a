"""Lambda's HTTP events to ASGI and back: API Gateway's two payloads, and a load balancer's.

May import `maas.errors`.

    scope, body = request_of(event, context)
    answer_of(event, messages)                # what Lambda hands back, of what an app has sent

A function can be invoked with anything; a field of a wrong type raises here, as it comes.
"""

import base64
import binascii
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, unquote_plus, urlencode

from maas.errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from maas.http.asgi import Message, Scope

    Event = dict[str, Any]

_HTTP_API = "2.0"
"""The payload that only API Gateway's HTTP APIs send."""
_SMALL_BYTES = 2**20
"""Bytes of a text that fits, however many of its characters are escaped."""
_TEXT = ("text/", "application/json")


def request_of(event: "Event", context: object) -> tuple["Scope", bytes]:
    """The request in an event, as the scope and the body of an ASGI app.

    Raises:
        BadRequestError: The body is marked as base64 and is not.
        ValueError, TypeError, KeyError, AttributeError: The event is none of the three.
    """
    read = _of_http if event.get("version") == _HTTP_API else _of_rest
    method, path, query, headers = read(event)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": unquote(path) or "/",
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
        "aws.event": event,
        "aws.context": context,
    }
    return scope, _body_of(event)


def _of_http(event: "Event") -> "tuple[str, str, str, Iterable[tuple[str, str]]]":
    asked = event["requestContext"]["http"]
    headers: dict[str, str] = event.get("headers") or {}
    return asked["method"], asked["path"], event.get("rawQueryString", ""), headers.items()


def _of_rest(event: "Event") -> "tuple[str, str, str, Iterable[tuple[str, str]]]":
    headers: dict[str, str] = {}
    for name, value in (event.get("headers") or {}).items():
        headers[name.lower()] = value
    for name, values in (event.get("multiValueHeaders") or {}).items():
        headers[name.lower()] = ", ".join(values)
    asked = event.get("multiValueQueryStringParameters") or event.get("queryStringParameters")
    query = _query(event, asked) if asked else ""
    return event["httpMethod"], event["path"], query, headers.items()


def _query(event: "Event", asked: "Mapping[str, str | list[str]]") -> str:
    pairs = list(asked.items())
    if "elb" in event["requestContext"]:  # a balancer leaves them encoded
        pairs = [(unquote_plus(name), _decoded(value)) for name, value in pairs]
    return urlencode(pairs, doseq=True)


def _decoded(value: str | list[str]) -> str | list[str]:
    return unquote_plus(value) if isinstance(value, str) else [unquote_plus(each) for each in value]


def _body_of(event: "Event") -> bytes:
    body: str = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return body.encode()
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise BadRequestError("The body is marked as base64 and is not.") from None


def _grows(body: bytes) -> bool:
    """Whether a text, escaped in Lambda's own JSON of 6 MB, takes more of it than base64 would."""
    if len(body) <= _SMALL_BYTES:
        return False
    return 3 * (body.count(b'"') + body.count(b"\\")) > len(body)


def answer_of(event: "Event", messages: "Iterable[Message]") -> "Event":
    """What Lambda hands back: text as it is, all else in base64, which no caller sees.

    Args:
        event: What was asked.
        messages: What the app has sent: a head, and a body in one part or more.
    """
    head, *parts = messages
    body = b"".join([part.get("body", b"") for part in parts])
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head["headers"]}
    is_text = headers.get("content-type", "").startswith(_TEXT)
    is_plain = is_text and "content-encoding" not in headers and not _grows(body)
    answer = {
        "statusCode": head["status"],
        "headers": headers,
        "body": body.decode() if is_plain else base64.b64encode(body).decode(),
        "isBase64Encoded": bool(body) and not is_plain,
    }
    if "elb" in event["requestContext"]:  # one that sends lists reads no others
        answer["multiValueHeaders"] = {name: [value] for name, value in headers.items()}
    return answer
