"""A request, its headers, and the sending of an answer: ASGI's messages as endpoints see them.

The lowest of `maas.http`; imports nothing but the standard library. A framework would bring asyncio
and a tenth of a cold start into a function that has one request at a time (0027).

    request = Request(scope, receive)
    request.headers.get("content-type", "")
    await respond(send, 200, b"{}", {"content-type": "application/json"})
"""

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
    from typing import Any

    Scope = MutableMapping[str, Any]
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]


class Headers:
    """What a caller said of a request.

    Args:
        pairs: Names in lower case and values, as ASGI has them; a name may occur again.
    """

    __slots__ = ("_values",)

    def __init__(self, pairs: "Iterable[tuple[bytes, bytes]]") -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))

    def all(self, name: str) -> list[str]:
        """Every value of a name in lower case, in the caller's order."""
        return self._values.get(name, [])

    def get(self, name: str, default: str = "") -> str:
        """What was said by a name in lower case: all of it, joined as Lambda's events join it."""
        values = self._values.get(name)
        return default if values is None else ", ".join(values)


class Request:
    """One request, as far as it has come.

    Attributes:
        headers: Its headers.
        path: What the route's path left open, by name; percent-encoding is undone.
        receive: Where its body comes from.
        event: What Lambda was invoked with; None on a server.
    """

    __slots__ = ("_query", "event", "headers", "path", "receive")

    def __init__(
        self, scope: "Scope", receive: "Receive", path: "Mapping[str, str] | None" = None
    ) -> None:
        self.headers = Headers(scope["headers"])
        self.path = path or {}
        self.receive = receive
        self.event: object = scope.get("aws.event")
        self._query: bytes = scope["query_string"]

    def query(self) -> list[tuple[str, str]]:
        """Names and values of the query string, in the caller's order."""
        if not self._query:
            return []
        return parse_qsl(self._query.decode("latin-1"), keep_blank_values=True)


async def respond(send: "Send", status: int, body: bytes, headers: "Mapping[str, str]") -> None:
    """Send an answer that is whole.

    Args:
        send: Where it goes.
        status: Its status.
        body: Its bytes, whose length is said here.
        headers: Names in lower case and values.
    """
    await begin(send, status, {**headers, "content-length": str(len(body))})
    await send({"type": "http.response.body", "body": body})


async def begin(send: "Send", status: int, headers: "Mapping[str, str]") -> None:
    """Send the head of an answer; its body follows."""
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
