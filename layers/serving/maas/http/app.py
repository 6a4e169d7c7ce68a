"""The one ASGI app: routes, versions, headers, errors. On Lambda and under uvicorn it is the same.

May import everything of `maas` but `maas.http.entry`.

    app = App(services, observer=observer, new_id=new_id)
    await app(scope, receive, send)

`services` is asked by model name: a function knows one model, a laptop all that its registry has.
"""

import asyncio
import math
import time
from typing import TYPE_CHECKING, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router

from maas.errors import (
    MaasError,
    MethodNotAllowedError,
    NotFoundError,
    OverloadedError,
    TryAgainError,
)
from maas.exchange import Exchange
from maas.http.body import check_json_type, parse_json, read_body
from maas.http.describe import describe
from maas.http.methods import Methods
from maas.http.problems import JSON, encode_error, encode_json
from maas.http.protocols import hf
from maas.http.versions import requested_model, requested_version
from maas.limits import LIMITS
from maas.registry.records import DEFAULT_ALIAS

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Receive, Scope, Send

    from maas.assembly import Services
    from maas.http.methods import Endpoint
    from maas.observe import Observer
    from maas.registry.addresses import VersionAddress
    from maas.service import Service
    from maas.tasks.classify import ClassifyResponse

ResultT = TypeVar("ResultT")


class App:
    """Routes inside a guard that turns every outcome into an answer and one observation.

    Args:
        services: The service of a model; raises ModelNotFoundError for a name it does not know.
        observer: Told of every answer.
        new_id: Makes a request id where Lambda gives none.
        base_path: A stage or domain prefix that is stripped, such as `/prod`.
        threads: Run the model in a thread, for a server with many requests at a time. Lambda gives
            a process one request at a time, where a thread would only cost.
        concurrency: Requests that are answered at a time; those above are told to come again. None
            is without a bound, for Lambda, which has its own.
    """

    def __init__(
        self,
        services: "Services",
        *,
        observer: "Observer",
        new_id: "Callable[[], str]",
        base_path: str = "",
        threads: bool = False,
        concurrency: int | None = None,
    ) -> None:
        self._services = services
        self._observer = observer
        self._new_id = new_id
        self._base_path = base_path
        self._threads = threads
        self._concurrency = math.inf if concurrency is None else concurrency
        self._answering = 0
        model, version = "/models/{model}", "/models/{model}/versions/{version}"
        self._router = Router(
            [
                self._route(model, GET=self._describe, POST=self._predict),
                self._route(version, GET=self._describe, POST=self._predict),
                self._route("/health", GET=self._health),
            ],
            redirect_slashes=False,
            default=_no_route,
        )

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer one request; anything but HTTP is left unanswered."""
        if scope["type"] != "http":
            return
        context = scope.get("aws.context")
        exchange = Exchange(
            request_id=getattr(context, "aws_request_id", None) or self._new_id(),
            deadline=time.monotonic() + LIMITS.deadline_seconds,
        )
        scope = {**scope, "app": self, "exchange": exchange, "path": self._stripped(scope["path"])}
        self._answering += 1
        try:
            self._check_load()
            _limit_to_remaining(exchange, context)
            await self._router(scope, receive, send)
        except (KeyboardInterrupt, SystemExit, asyncio.CancelledError):
            raise
        except BaseException as error:  # noqa: BLE001 - the guard; a Rust panic is no Exception
            await self._refuse(error, exchange, scope, receive, send)
        finally:
            self._answering -= 1

    def _check_load(self) -> None:
        if self._answering > self._concurrency:
            raise OverloadedError("Too many requests at a time; try again.")

    def _stripped(self, path: str) -> str:
        inside = path == self._base_path or path.startswith(self._base_path + "/")
        return path[len(self._base_path) :] or "/" if inside else path

    def _route(self, path: str, **methods: "Endpoint") -> Route:
        return Route(path, Methods(methods, self._observer))

    async def _refuse(
        self,
        error: BaseException,
        exchange: Exchange,
        scope: "Scope",
        receive: "Receive",
        send: "Send",
    ) -> None:
        problem = _as_maas_error(error)
        if problem.status >= 500:
            self._observer.failed(exchange, error.__cause__ or error)
        headers = exchange.headers()
        if problem.retry_after is not None:
            headers["retry-after"] = str(problem.retry_after)
        if isinstance(problem, MethodNotAllowedError):
            headers["allow"] = problem.allowed
        self._observer.answered(exchange, status=problem.status, code=problem.code)
        response = Response(
            encode_error(problem, exchange), problem.status, headers=headers, media_type=JSON
        )
        await response(scope, receive, send)

    async def _predict(self, request: Request, exchange: Exchange) -> bytes:
        service, address = await self._addressed(request, exchange)
        check_json_type(request.headers)
        data = await read_body(
            request.receive,
            request.headers,
            limit=LIMITS.body_bytes,
            seconds=LIMITS.deadline_seconds,
        )
        asked = hf.decode_classify(parse_json(data))
        exchange.texts = len(asked.texts)

        def work() -> "ClassifyResponse":
            exchange.turn = service.turn(address, deadline=exchange.deadline)
            return exchange.turn.task.predict(asked, deadline=exchange.deadline)

        answer = await self._run(work)
        exchange.tokens = sum(answer.tokens)
        exchange.truncated = sum(answer.truncated)
        exchange.seconds.update(answer.seconds)
        return encode_json(hf.encode_classify(answer))

    async def _describe(self, request: Request, exchange: Exchange) -> bytes:
        service, address = await self._addressed(request, exchange)

        def work() -> dict[str, object]:
            exchange.turn = service.turn(address, deadline=exchange.deadline)
            return describe(service.model, exchange.turn, service.policy())

        return encode_json(await self._run(work))

    async def _health(self, _: Request, exchange: Exchange) -> bytes:
        """Whether every promoted model can answer; the first that cannot makes it 503."""
        await self._run(lambda: self._check_promoted(exchange))
        return encode_json({"status": "ok"})

    def _check_promoted(self, exchange: Exchange) -> None:
        for model in self._services.models():
            exchange.model = model
            service = self._services(model)
            if DEFAULT_ALIAS in service.policy().aliases:
                service.turn(None, deadline=exchange.deadline)
        exchange.model = None

    async def _addressed(
        self, request: Request, exchange: Exchange
    ) -> "tuple[Service, VersionAddress | None]":
        """Which service and which version the path, header and query name."""
        model = requested_model(request)
        service = await self._run(lambda: self._services(model))
        exchange.model = model
        return service, requested_version(request)

    async def _run(self, work: "Callable[[], ResultT]") -> ResultT:
        """Whatever may wait, for a disk, a lock or the registry, waits off the event loop."""
        return await asyncio.to_thread(work) if self._threads else work()


async def _no_route(_scope: "Scope", _receive: "Receive", _send: "Send") -> None:
    raise NotFoundError("No route answers this path.")


def _limit_to_remaining(exchange: Exchange, context: object) -> None:
    """Shorten the deadline to what Lambda leaves, less the time to answer."""
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    if remaining is None:
        return
    left = remaining() / 1000 - LIMITS.deadline_margin_seconds
    if left <= 0:
        raise TryAgainError("Too little time is left for this request.")
    exchange.deadline = min(exchange.deadline, time.monotonic() + left)


def _as_maas_error(error: BaseException) -> MaasError:
    if isinstance(error, MaasError):
        return error
    return MaasError("Something failed on our side; the request id says which request it was.")
