"""The one ASGI app: a guard around routes. On Lambda and under uvicorn it is the same.

May import `maas.errors`, `maas.exchange`, `maas.limits` and what all routes share in `maas.http`.

    app = App(inference_routes(services), observer=observer, new_id=new_id)
    await app(scope, receive, send)
"""

import math
import re
import sys
import time
from typing import TYPE_CHECKING

from maas.errors import (
    BadRequestError,
    MaasError,
    MethodNotAllowedError,
    NotFoundError,
    OverloadedError,
    RegistryUnavailableError,
    SettingsError,
    TryAgainError,
)
from maas.exchange import Exchange
from maas.http.asgi import respond
from maas.http.methods import Methods
from maas.http.problems import JSON, encode_error
from maas.http.router import Router
from maas.limits import LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from maas.http.asgi import Receive, Scope, Send
    from maas.http.methods import Routes
    from maas.observe import Observer

START_SECONDS = 1.0
"""Who asks later than this after a process has started did not wait for it."""
_OPENAI = re.compile(r"/models/[^/]+(/versions/[^/]+)?/v1(/.*)?", re.DOTALL)
"""Where errors are OpenAI's, be there a route or not."""


class App:
    """Routes inside a guard that turns every outcome into an answer and one observation.

    Args:
        routes: Endpoints by path and method.
        observer: Told of every answer.
        new_id: Makes a request id where Lambda gives none.
        base_path: A stage or domain prefix that is stripped, such as `/prod`.
        concurrency: Requests that are answered at a time; those above are told to come again. None
            is without a bound, for Lambda, which has its own.
    """

    def __init__(
        self,
        routes: "Routes",
        *,
        observer: "Observer",
        new_id: "Callable[[], str]",
        base_path: str = "",
        concurrency: int | None = None,
    ) -> None:
        self._observer = observer
        self._new_id = new_id
        self._base_path = base_path
        self._concurrency = math.inf if concurrency is None else concurrency
        self._answering = 0
        self._start: tuple[float, float] | None = None
        self._router = Router(
            {path: Methods(methods, observer) for path, methods in routes.items()}
        )

    def started(self, seconds: float) -> None:
        """Let the first answer say how long its process took to start, if it follows at once.

        A function that was made ready ahead of its requests lets none of them wait.
        """
        self._start = (seconds, time.monotonic())

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer one request; anything but HTTP is left unanswered."""
        if scope["type"] != "http":
            return
        context = scope.get("aws.context")
        exchange = Exchange(
            request_id=getattr(context, "aws_request_id", None) or self._new_id(),
            deadline=time.monotonic() + LIMITS.deadline_seconds,
        )
        if self._start is not None:
            (spent, at), self._start = self._start, None
            if time.monotonic() - at <= START_SECONDS:
                exchange.seconds["init"] = spent
        scope = {**scope, "exchange": exchange, "path": self._stripped(scope["path"])}
        self._answering += 1
        try:
            self._admit(scope)
            _limit_to_remaining(exchange, context)
            methods, path = self._found(scope["path"])
            await methods(scope, receive, send, path)
        except BaseException as error:  # the guard; a Rust panic is no Exception
            if _is_end(error):
                raise
            await self._refuse(error, exchange, scope, send)
        finally:
            self._answering -= 1

    def _admit(self, scope: "Scope") -> None:
        if self._answering > self._concurrency:
            raise OverloadedError("Too many requests at a time; try again.")
        if _is_framed_twice(scope):
            raise BadRequestError("Both content-length and transfer-encoding are given; send one.")

    def _found(self, path: str) -> "tuple[Methods, Mapping[str, str]]":
        found = self._router.find(path)
        if found is None:
            raise NotFoundError("No route answers this path.")
        return found

    def _stripped(self, path: str) -> str:
        inside = path == self._base_path or path.startswith(self._base_path + "/")
        return path[len(self._base_path) :] or "/" if inside else path

    async def _refuse(
        self, error: BaseException, exchange: Exchange, scope: "Scope", send: "Send"
    ) -> None:
        problem = _as_maas_error(error)
        if problem.status >= 500:
            self._observer.failed(exchange, _reason(error))
        headers = {**exchange.headers(), "content-type": JSON}
        if problem.retry_after is not None:
            headers["retry-after"] = str(problem.retry_after)
        if isinstance(problem, MethodNotAllowedError):
            headers["allow"] = problem.allowed
        if _is_framed_twice(scope):
            headers["connection"] = "close"
        self._observer.answered(exchange, status=problem.status, code=problem.code)
        body = encode_error(problem, exchange)
        if _OPENAI.fullmatch(scope["path"]):
            from maas.http.protocols import openai_errors  # noqa: PLC0415 - only who speaks it pays

            body = openai_errors.encode_openai_error(problem)
            headers |= openai_errors.retry_headers(problem)
        await respond(send, problem.status, body, headers)


def _is_end(error: BaseException) -> bool:
    """Whether the process or the request is at its end, and nobody waits for an answer."""
    loop = sys.modules.get("asyncio")  # whoever cancels has imported it
    cancelled = loop is not None and isinstance(error, loop.CancelledError)
    return cancelled or isinstance(error, (KeyboardInterrupt, SystemExit, GeneratorExit))


def _is_framed_twice(scope: "Scope") -> bool:
    """Whether a server before us may see a body's end elsewhere: a request could hide in it.

    Never behind Lambda, whose events hold a body that is whole.
    """
    if "aws.event" in scope:
        return False
    return {b"content-length", b"transfer-encoding"} <= {name for name, _ in scope["headers"]}


def _limit_to_remaining(exchange: Exchange, context: object) -> None:
    """Shorten the deadline to what Lambda leaves, less the time to answer."""
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    if remaining is None:
        return
    left = remaining() / 1000 - LIMITS.deadline_margin_seconds
    if left <= 0:
        raise TryAgainError("Too little time is left for this request.")
    exchange.deadline = min(exchange.deadline, time.monotonic() + left)


def _reason(error: BaseException) -> BaseException:
    """What to log: what lies behind an error, or the error where it says the remedy itself."""
    if isinstance(error, (SettingsError, RegistryUnavailableError)):
        return error
    return error.__cause__ or error


def _as_maas_error(error: BaseException) -> MaasError:
    if isinstance(error, MaasError):
        return error
    return MaasError("Something failed on our side; the request id says which request it was.")
