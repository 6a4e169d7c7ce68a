"""Hugging Face's routes, and what a model is: `/models/{model}`.

May import `maas.http.answering` and what lies below it.

    routes = hugging_face_routes(answering)
"""

from typing import TYPE_CHECKING, cast

from maas.http.body import check_type, is_json, parse_json
from maas.http.callers import requested_caller
from maas.http.describe import describe
from maas.http.problems import encode_json
from maas.http.protocols.hf import TENSOR, tensors_error, wire_of
from maas.http.versions import requested_version

if TYPE_CHECKING:
    from maas.exchange import Exchange
    from maas.http.answering import Answering
    from maas.http.asgi import Request
    from maas.http.describe import ModelDescription
    from maas.http.methods import Routes, Stream
    from maas.http.protocols.hf import Wire
    from maas.service import Turn
    from maas.tasks.generation import GenerateRequest
    from maas.tasks.task import Request as Asked


def hugging_face_routes(answering: "Answering") -> "Routes":
    """The routes under a model's own name."""
    face = _HuggingFace(answering)
    methods = {"GET": face.describe, "POST": face.predict}
    return {"/models/{model}": methods, "/models/{model}/versions/{version}": methods}


class _HuggingFace:
    def __init__(self, answering: "Answering") -> None:
        self._answering = answering

    async def predict(self, request: "Request", exchange: "Exchange") -> "bytes | Stream":
        # Who answers comes first: what is read of a body, and how much of it, depends on the task.
        turn = await self._answering.turn(request, exchange)
        wire = wire_of(turn.task_name)
        if turn.task_name == TENSOR:
            raise tensors_error(turn.loaded.bundle.manifest.name)
        body = await self._read(request, exchange, wire)
        asked = wire.decode(body)
        return await answer_asked(
            self._answering, turn, wire, asked, request=request, exchange=exchange
        )

    async def describe(self, request: "Request", exchange: "Exchange") -> bytes:
        service = await self._answering.service(request, exchange)
        address, caller = requested_version(request), requested_caller(request)

        def work() -> "ModelDescription":
            exchange.turn = service.turn(address, caller=caller, deadline=exchange.deadline)
            return describe(service.model, exchange.turn, service.policy())

        return encode_json(await self._answering.wait(work))

    async def _read(self, request: "Request", exchange: "Exchange", wire: "Wire") -> object:
        """The body as the task reads it: what JSON says, or the bytes of another media type."""
        media_type = check_type(request.headers, wire.media_types)
        data = await self._answering.read(request, exchange, limit=wire.body_bytes)
        if wire.media_types and not is_json(media_type, data):
            return data
        return parse_json(data)


async def answer_asked(
    answering: "Answering",
    turn: "Turn",
    wire: "Wire",
    asked: "Asked",
    *,
    request: "Request",
    exchange: "Exchange",
) -> "bytes | Stream":
    """The answer to a task's own request, in this wire format.

    Args:
        answering: The models of this process.
        turn: Who answers.
        wire: The wire format of its task.
        asked: What that has decoded.
        request: Where it came from.
        exchange: Told of what is answered.
    """
    if wire.events is not None and cast("GenerateRequest", asked).streamed:
        from maas.http.streaming import streamed  # noqa: PLC0415 - on a local server alone

        return await streamed(
            answering,
            turn,
            cast("GenerateRequest", asked),
            request=request,
            events=wire.events(),
            exchange=exchange,
        )
    return encode_json(wire.encode(await answering.predict(turn, asked, exchange)))
