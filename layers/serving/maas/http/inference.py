"""What the inference function answers: predictions and what a model is.

May import everything of `maas` but the catalog and the layers above in `maas.http`.

    app = App(inference_routes(services), observer=observer, new_id=new_id)

`services` is asked by model name: a function knows one model, a laptop all that its registry has.
"""

import asyncio
import time
from typing import TYPE_CHECKING, TypeVar

from maas.http.body import check_type, is_json, parse_json, read_body
from maas.http.describe import describe
from maas.http.problems import encode_json
from maas.http.protocols.hf import wire_of
from maas.http.versions import requested_model, requested_version
from maas.registry.records import DEFAULT_ALIAS

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from maas.assembly import Services
    from maas.exchange import Exchange
    from maas.http.describe import ModelDescription
    from maas.http.methods import Routes
    from maas.http.protocols.hf import Wire
    from maas.registry.addresses import VersionAddress
    from maas.service import Service
    from maas.tasks.task import Response

ResultT = TypeVar("ResultT")


def inference_routes(services: "Services", *, threads: bool = False) -> "Routes":
    """The routes of a model's function.

    Args:
        services: The service of a model; raises ModelNotFoundError for a name it does not know.
        threads: Run the model in a thread, for a server with many requests at a time. Lambda gives
            a process one request at a time, where a thread would only cost.
    """
    inference = _Inference(services, threads=threads)
    methods = {"GET": inference.describe, "POST": inference.predict}
    return {
        "/models/{model}": methods,
        "/models/{model}/versions/{version}": methods,
    }


def check_promoted(services: "Services", exchange: "Exchange") -> None:
    """Ask every promoted model whether it can answer; `/health` of a laptop does.

    Args:
        services: The service of each model.
        exchange: Told the model that cannot.

    Raises:
        MaasError: The first that cannot.
    """
    for model in services.models():
        exchange.model = model
        service = services(model)
        if DEFAULT_ALIAS in service.policy().aliases:
            service.turn(None, deadline=exchange.deadline)
    exchange.model = None


class _Inference:
    def __init__(self, services: "Services", *, threads: bool) -> None:
        self._services = services
        self._threads = threads

    async def predict(self, request: "Request", exchange: "Exchange") -> bytes:
        service, address = await self._addressed(request, exchange)
        # Who answers comes first: what is read of a body, and how much of it, depends on the task.
        turn = await self._run(lambda: service.turn(address, deadline=exchange.deadline))
        exchange.turn = turn
        wire = wire_of(turn.task_name)
        asked = wire.decode(await _read(request, exchange, wire))
        exchange.texts, exchange.images = asked.counts
        answer: Response = await self._run(
            lambda: turn.task.predict(asked, deadline=exchange.deadline)
        )
        exchange.tokens = sum(answer.tokens)
        exchange.truncated = sum(answer.truncated)
        exchange.seconds.update(answer.seconds)
        return encode_json(wire.encode(answer))

    async def describe(self, request: "Request", exchange: "Exchange") -> bytes:
        service, address = await self._addressed(request, exchange)

        def work() -> "ModelDescription":
            exchange.turn = service.turn(address, deadline=exchange.deadline)
            return describe(service.model, exchange.turn, service.policy())

        return encode_json(await self._run(work))

    async def _addressed(
        self, request: "Request", exchange: "Exchange"
    ) -> "tuple[Service, VersionAddress | None]":
        """Which service and which version the path, header and query name."""
        model = requested_model(request)
        service = await self._run(lambda: self._services(model))
        exchange.model = model
        return service, requested_version(request)

    async def _run(self, work: "Callable[[], ResultT]") -> ResultT:
        """Whatever may wait, for a disk, a lock or the registry, waits off the event loop."""
        return await asyncio.to_thread(work) if self._threads else work()


async def _read(request: "Request", exchange: "Exchange", wire: "Wire") -> object:
    """The body as the task reads it: what JSON says, or the bytes of another media type."""
    media_type = check_type(request.headers, wire.media_types)
    data = await read_body(
        request.receive,
        request.headers,
        limit=wire.body_bytes,
        seconds=exchange.deadline - time.monotonic(),
    )
    if wire.media_types and not is_json(media_type, data):
        return data
    return parse_json(data)
