"""The methods of one route.

May import `maas.errors`, `maas.exchange`, `maas.http.problems` and `maas.http.asgi`.

    await Methods({"GET": health}, observer)(scope, receive, send, path)
"""

from typing import TYPE_CHECKING

from msgspec import Struct, field

from maas.errors import MaasError, MethodNotAllowedError
from maas.http.asgi import Request, begin, respond
from maas.http.problems import JSON

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

    from maas.exchange import Exchange
    from maas.http.asgi import Receive, Scope, Send
    from maas.observe import Observer

    Endpoint = Callable[[Request, Exchange], Awaitable["bytes | Answer | Stream"]]
    Routes = Mapping[str, Mapping[str, Endpoint]]


EVENTS = "text/event-stream"
"""The media type of a `Stream` of server-sent events."""


class Answer(Struct, frozen=True):
    """A 200 that is not just JSON.

    Attributes:
        body: Its bytes.
        media_type: What they are.
        headers: Headers beside those that every answer carries.
    """

    body: bytes
    media_type: str = JSON
    headers: "Mapping[str, str]" = field(default_factory=dict)


class Stream(Struct, frozen=True):
    """A 200 whose bytes come one part after the other; on a local server only.

    Attributes:
        parts: The bytes; what fails while they come is for whoever makes them to say in them.
        media_type: What they are.
    """

    parts: "AsyncGenerator[bytes, None]"
    media_type: str


class Methods:
    """Asks the endpoint of a method for a 200: JSON's bytes, or more than that.

    Args:
        methods: Endpoints by method; GET answers HEAD too.
        observer: Told of every answer.
    """

    def __init__(self, methods: "Mapping[str, Endpoint]", observer: "Observer") -> None:
        self._methods = methods
        self._observer = observer

    async def __call__(
        self, scope: "Scope", receive: "Receive", send: "Send", path: "Mapping[str, str]"
    ) -> None:
        """Answer a request, or raise for the guard.

        Args:
            scope: The request, less its body.
            receive: Its body.
            send: Where the answer goes.
            path: What the route's path left open.

        Raises:
            MethodNotAllowedError: The route does not answer this method.
        """
        exchange: Exchange = scope["exchange"]
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        allowed = tuple(self._methods)  # a dict would fail on what an odd event calls its method
        if method not in allowed:
            raise MethodNotAllowedError(", ".join(allowed))
        answer = await self._methods[method](Request(scope, receive, path), exchange)
        if isinstance(answer, Stream):
            await self._stream(answer, exchange, receive, send)
            return
        if isinstance(answer, bytes):
            answer = Answer(answer)
        self._observer.answered(exchange, status=200)
        headers = {**exchange.headers(), "content-type": answer.media_type, **answer.headers}
        await respond(send, 200, answer.body, headers)

    async def _stream(
        self, stream: Stream, exchange: "Exchange", receive: "Receive", send: "Send"
    ) -> None:
        """Send the parts as they come; one that nobody reads any more is given up.

        What fails is not raised: the head is sent, and the guard could answer no more.
        """
        from maas.http.parts import send_parts  # noqa: PLC0415 - on a server alone

        headers = {
            **exchange.headers(),
            "cache-control": "no-store",
            "content-type": f"{stream.media_type}; charset=utf-8",
        }
        try:
            await begin(send, 200, headers)
            broken = await send_parts(send, receive, stream.parts)
            exchange.failure = exchange.failure or broken
        finally:
            await stream.parts.aclose()
            failure = exchange.failure
            if failure is not None and getattr(failure, "status", 500) >= 500:
                self._observer.failed(exchange, failure.__cause__ or failure)
            code = None if failure is None else getattr(failure, "code", MaasError.code)
            self._observer.answered(exchange, status=200, code=code)
