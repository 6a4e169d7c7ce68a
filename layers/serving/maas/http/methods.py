"""The methods of one route. Starlette's own refusal of the others would be plain text.

May import `maas.errors`, `maas.exchange`, `maas.http.problems` and starlette.

    Route("/health", Methods({"GET": health}, observer))
"""

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from maas.errors import MethodNotAllowedError
from maas.http.problems import JSON

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.types import Receive, Scope, Send

    from maas.exchange import Exchange
    from maas.observe import Observer

    Endpoint = Callable[[Request, Exchange], Awaitable[bytes]]
    Routes = Mapping[str, Mapping[str, Endpoint]]


class Methods:
    """An ASGI app that asks the endpoint of a method for the body of a 200.

    Args:
        methods: Endpoints by method; GET answers HEAD too.
        observer: Told of every answer.
    """

    def __init__(self, methods: "Mapping[str, Endpoint]", observer: "Observer") -> None:
        self._methods = methods
        self._observer = observer

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer a request, or raise for the guard.

        Raises:
            MethodNotAllowedError: The route does not answer this method.
        """
        exchange: Exchange = scope["exchange"]
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        allowed = tuple(self._methods)  # a dict would fail on what an odd event calls its method
        if method not in allowed:
            raise MethodNotAllowedError(", ".join(allowed))
        body = await self._methods[method](Request(scope, receive), exchange)
        self._observer.answered(exchange, status=200)
        await Response(body, media_type=JSON, headers=exchange.headers())(scope, receive, send)
