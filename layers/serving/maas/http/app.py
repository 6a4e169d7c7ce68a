"""The one ASGI app: routes, versions, headers, errors. On Lambda and under uvicorn it is the same.

May import everything of `maas` but `maas.http.entry`.

    app = App(services, observer=observer, new_id=new_id)
    await app(scope, receive, send)

`services` is asked by model name: a function knows one model, a laptop all that its registry has.
"""

import asyncio
import functools
import time
from typing import TYPE_CHECKING, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router

from maas.errors import (
    BadRequestError,
    MaasError,
    MethodNotAllowedError,
    ModelNotFoundError,
    NotFoundError,
    TryAgainError,
)
from maas.exchange import Exchange
from maas.http.body import check_json_type, parse_json, read_body
from maas.http.problems import JSON, encode_error, encode_json
from maas.http.protocols import hf
from maas.limits import LIMITS
from maas.registry.addresses import VersionAddress, parse_address
from maas.registry.records import DEFAULT_ALIAS
from maas.settings import MODEL_NAME

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import Receive, Scope, Send

    from maas.assembly import Services
    from maas.observe import Observer
    from maas.service import Service
    from maas.tasks.classify import ClassifyResponse

    Endpoint = Callable[[Request, Exchange], Awaitable[bytes]]

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
    """

    def __init__(
        self,
        services: "Services",
        *,
        observer: "Observer",
        new_id: "Callable[[], str]",
        base_path: str = "",
        threads: bool = False,
    ) -> None:
        self._services = services
        self._observer = observer
        self._new_id = new_id
        self._base_path = base_path
        self._threads = threads
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
        try:
            _limit_to_remaining(exchange, context)
            await self._router(scope, receive, send)
        except (KeyboardInterrupt, SystemExit, asyncio.CancelledError):
            raise
        except BaseException as error:  # noqa: BLE001 - the guard; a Rust panic is no Exception
            await self._refuse(error, exchange, scope, receive, send)

    def _stripped(self, path: str) -> str:
        inside = path == self._base_path or path.startswith(self._base_path + "/")
        return path[len(self._base_path) :] or "/" if inside else path

    def _route(self, path: str, **methods: "Endpoint") -> Route:
        return Route(path, _Methods(methods, self._observer))

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
        service, address = self._addressed(request, exchange)
        check_json_type(request.headers)
        data = await _read_in_time(request)
        asked = hf.decode_classify(parse_json(data))
        exchange.texts = len(asked.texts)

        def work() -> "ClassifyResponse":
            exchange.turn = service.turn(address)
            return exchange.turn.task.predict(asked, deadline=exchange.deadline)

        answer = await self._run(work)
        exchange.tokens = sum(answer.tokens)
        exchange.truncated = sum(answer.truncated)
        exchange.seconds.update(answer.seconds)
        return encode_json(hf.encode_classify(answer))

    async def _describe(self, request: Request, exchange: Exchange) -> bytes:
        service, address = self._addressed(request, exchange)
        turn = exchange.turn = await self._run(lambda: service.turn(address))
        manifest = turn.loaded.bundle.manifest
        return encode_json(
            {
                "name": service.model,
                "task": manifest.task,
                "version": turn.version,
                "digest": turn.digest,
                "form": turn.loaded.form,
                "labels": manifest.labels,
                "max_tokens": manifest.limits.max_tokens,
                "metrics": manifest.metrics,
                "aliases": {
                    alias: [
                        {"version": route.version, "weight": route.weight / 100} for route in routes
                    ]
                    for alias, routes in service.policy().aliases.items()
                },
                "versions": sorted(service.policy().digests),
            }
        )

    async def _health(self, _: Request, exchange: Exchange) -> bytes:
        """Whether every promoted model can answer; the first that cannot makes it 503."""
        for model in self._services.models():
            exchange.model = model
            await self._run(functools.partial(_check_promoted, self._services(model)))
        exchange.model = None
        return encode_json({"status": "ok"})

    def _addressed(
        self, request: Request, exchange: Exchange
    ) -> "tuple[Service, VersionAddress | None]":
        """Which service and which version the path, header and query name."""
        model = request.path_params["model"]
        if not MODEL_NAME.fullmatch(model):
            raise ModelNotFoundError("No model of this name is served here.")
        service = self._services(model)
        exchange.model = model
        return service, _requested_version(request)

    async def _run(self, work: "Callable[[], ResultT]") -> ResultT:
        return await asyncio.to_thread(work) if self._threads else work()


async def _read_in_time(request: Request) -> bytes:
    """Read the body, but do not wait for ever for a caller who sends it byte by byte."""
    try:
        async with asyncio.timeout(LIMITS.deadline_seconds):
            return await read_body(request.receive, request.headers, limit=LIMITS.body_bytes)
    except TimeoutError:
        raise BadRequestError("The body did not arrive in time.") from None


def _requested_version(request: Request) -> VersionAddress | None:
    """The version by path, header or query; what names it twice must say the same."""
    queried = request.query_params.getlist("version")
    if len(queried) > 1:
        raise BadRequestError("version occurs twice in the query.", field="version")
    path = request.path_params.get("version")
    named = [*request.headers.getlist("x-maas-version"), *queried]
    wanted = named if path is None else [path, *named]
    if len(set(wanted)) > 1:
        raise BadRequestError(
            "The path, x-maas-version and ?version= name different versions.", field="version"
        )
    return parse_address(wanted[0]) if wanted else None


def _check_promoted(service: "Service") -> None:
    if DEFAULT_ALIAS in service.policy().aliases:
        service.turn(None)


class _Methods:
    """The methods of one route; Starlette's own refusal of the others would be plain text."""

    def __init__(self, methods: "dict[str, Endpoint]", observer: "Observer") -> None:
        self._methods = methods
        self._observer = observer

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer a request, or raise for the guard."""
        exchange: Exchange = scope["exchange"]
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        allowed = tuple(self._methods)  # a dict would fail on what an odd event calls its method
        if method not in allowed:
            raise MethodNotAllowedError(", ".join(allowed))
        body = await self._methods[method](Request(scope, receive), exchange)
        self._observer.answered(exchange, status=200)
        await Response(body, media_type=JSON, headers=exchange.headers())(scope, receive, send)


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
