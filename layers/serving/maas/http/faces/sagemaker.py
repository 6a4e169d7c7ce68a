"""The routes that SageMaker asks of a container, and MLflow's clients of a server, of one model.

May import `maas.http.answering` and what lies below it.

    routes = sagemaker_routes(answering)

What is sent under `inputs` is Hugging Face's, as its containers read it, and so is a file.
"""

from typing import TYPE_CHECKING

from maas.errors import FieldError
from maas.http.body import check_type, is_json, parse_json
from maas.http.faces.hugging_face import answer_asked
from maas.http.problems import encode_json
from maas.http.protocols.hf import wire_of
from maas.limits import LIMITS

# The wire format is imported when it is first spoken.
# ruff: noqa: PLC0415

if TYPE_CHECKING:
    from maas.exchange import Exchange
    from maas.http.answering import Answering
    from maas.http.asgi import Request
    from maas.http.methods import Routes, Stream
    from maas.http.protocols.sagemaker import TableAsked
    from maas.http.protocols.tfs import Asked
    from maas.service import Turn


def sagemaker_routes(answering: "Answering") -> "Routes":
    """The routes of whichever version answers, and of a pinned one."""
    face = _SageMaker(answering)
    below: Routes = {"/ping": {"GET": face.ping}, "/invocations": {"POST": face.invoke}}
    return {
        f"{prefix}{path}": methods
        for prefix in ("/models/{model}", "/models/{model}/versions/{version}")
        for path, methods in below.items()
    }


class _SageMaker:
    def __init__(self, answering: "Answering") -> None:
        self._answering = answering

    async def ping(self, request: "Request", exchange: "Exchange") -> bytes:
        from maas.http.protocols.sagemaker_wire import Ping

        await self._answering.turn(request, exchange)
        return encode_json(Ping())

    async def invoke(self, request: "Request", exchange: "Exchange") -> "bytes | Stream":
        from maas.http.protocols.sagemaker import (
            CSV,
            Reads,
            decode_csv,
            decode_rows,
            is_hugging_face,
        )
        from maas.http.protocols.tfs import JSON_LIMITS

        turn = await self._answering.turn(request, exchange)
        reads = Reads(turn.task.tensors.inputs, turn.loaded.bundle.manifest.columns)
        wire = wire_of(turn.task_name)
        media_type = check_type(request.headers, (*wire.media_types, CSV))
        data = await self._answering.read(request, exchange, limit=LIMITS.tensor_bytes)
        if media_type == CSV:
            return await self._predictions(turn, decode_csv(data, reads), exchange)
        file = wire.media_types and not is_json(media_type, data)
        value = data if file else parse_json(data, limits=JSON_LIMITS)
        if file or is_hugging_face(value, task=turn.task_name):
            asked = wire.decode(value)
            return await answer_asked(
                self._answering, turn, wire, asked, request=request, exchange=exchange
            )
        return await self._predictions(turn, decode_rows(value, reads), exchange)

    async def _predictions(
        self, turn: "Turn", asked: "Asked | TableAsked", exchange: "Exchange"
    ) -> bytes:
        from maas.http.protocols.sagemaker_wire import Predicted
        from maas.http.protocols.tfs import Asked, answer_of

        if isinstance(asked, Asked):
            answer = await self._answering.infer(turn, asked.feeds, exchange)
            composites = turn.loaded.bundle.manifest.composites
            value = answer_of(asked, answer.outputs, composites)
        else:
            value = await self._of_table(turn, asked, exchange)
        return encode_json(Predicted(value), limit=LIMITS.tensor_bytes)

    async def _of_table(self, turn: "Turn", asked: "TableAsked", exchange: "Exchange") -> object:
        try:
            answer = await self._answering.predict(turn, asked.request, exchange)
        except FieldError as error:  # which names the table as the task does
            field = asked.field + (error.field or "").removeprefix("table")
            raise FieldError(str(error), field=field) from None
        return wire_of(turn.task_name).encode(answer)
