"""OpenAI's routes of one model, whose base URL is `/models/{model}/v1`: embeddings, and models.

May import `maas.http.answering` and what lies below it.

    routes = openai_routes(answering)
"""

from typing import TYPE_CHECKING

from maas.errors import FieldError
from maas.http.faces.openai_asking import asked_of
from maas.http.problems import encode_json
from maas.http.protocols.openai import version_in
from maas.http.versions import requested_version

# The wire format is imported when it is first spoken.
# ruff: noqa: PLC0415

if TYPE_CHECKING:
    from maas.exchange import Exchange
    from maas.http.answering import Answering
    from maas.http.asgi import Request
    from maas.http.methods import Routes

EMBEDS = "feature-extraction"


def openai_routes(answering: "Answering") -> "Routes":
    """The routes of whichever version answers, and of a pinned one."""
    face = _OpenAi(answering)
    below: Routes = {
        "/embeddings": {"POST": face.embeddings},
        "/models": {"GET": face.models},
        "/models/{id}": {"GET": face.model},
    }
    return {
        f"{prefix}/v1{path}": methods
        for prefix in ("/models/{model}", "/models/{model}/versions/{version}")
        for path, methods in below.items()
    }


class _OpenAi:
    def __init__(self, answering: "Answering") -> None:
        self._answering = answering

    async def embeddings(self, request: "Request", exchange: "Exchange") -> bytes:
        from maas.http.protocols.openai_embedding import embeddings_of, feeds_of
        from maas.http.protocols.openai_wire import EmbeddingsBody

        body, turn = await asked_of(EmbeddingsBody, self._answering, request, exchange)
        if turn.task_name != EMBEDS:
            raise FieldError(f"must be one whose task is {EMBEDS}", field="model")
        feeds = feeds_of(body)
        try:
            answer = await self._answering.infer(turn, feeds, exchange)
        except FieldError as error:  # which names the tensor that a field became
            raise FieldError(str(error), field="input") from None
        vectors = answer.outputs[turn.task.tensors.outputs[0].name]
        tokens = sum(answer.tokens)
        name = f"{turn.loaded.bundle.manifest.name}@{turn.version}"
        return encode_json(embeddings_of(body, vectors, tokens=tokens, model=name))

    async def models(self, request: "Request", exchange: "Exchange") -> bytes:
        from maas.http.protocols.openai_models import models_of

        service = await self._answering.service(request, exchange)
        address = requested_version(request)
        if address is not None:
            await self._answering.turn_of(service, address, exchange)
        policy = await self._answering.wait(service.policy)
        pinned = None if address is None else str(address)
        return encode_json(models_of(service.model, policy, pinned=pinned))

    async def model(self, request: "Request", exchange: "Exchange") -> bytes:
        from maas.http.protocols.openai_wire import OpenAiModel

        service = await self._answering.service(request, exchange)
        named: str = request.path["id"]
        pin = version_in(named, model=service.model)
        await self._answering.turn(request, exchange, also=pin)
        return encode_json(OpenAiModel(named))
