"""TensorFlow Serving's routes of one model, KServe's first protocol: `/v1/models/{model}`.

May import `maas.http.answering` and what lies below it.

    routes = tensorflow_serving_routes(answering)
"""

from typing import TYPE_CHECKING

from maas.http.body import check_type
from maas.http.problems import encode_json
from maas.http.versions import requested_version
from maas.limits import LIMITS

# The wire format is imported when it is first spoken.
# ruff: noqa: PLC0415

if TYPE_CHECKING:
    from maas.exchange import Exchange
    from maas.http.answering import Answering
    from maas.http.asgi import Request
    from maas.http.methods import Routes


def tensorflow_serving_routes(answering: "Answering") -> "Routes":
    """The routes of whichever version answers, and of one by number or by label, our alias."""
    face = _TensorFlowServing(answering)
    below: Routes = {
        ":predict": {"POST": face.predict},  # first: a name of any letters would take it, too
        "/metadata": {"GET": face.metadata},
        "": {"GET": face.status},
    }
    model = "/v1/models/{model}"
    return {
        f"{prefix}{path}": methods
        for prefix in (f"{model}/versions/{{version}}", f"{model}/labels/{{version}}", model)
        for path, methods in below.items()
    }


class _TensorFlowServing:
    def __init__(self, answering: "Answering") -> None:
        self._answering = answering

    async def predict(self, request: "Request", exchange: "Exchange") -> bytes:
        from maas.http.protocols.tfs import decode, encode

        turn = await self._answering.turn(request, exchange)
        check_type(request.headers)
        data = await self._answering.read(request, exchange, limit=LIMITS.tensor_bytes)
        asked = decode(data, turn.task.tensors.inputs)
        answer = await self._answering.infer(turn, asked.feeds, exchange)
        return encode(asked, answer.outputs, turn.loaded.bundle.manifest.composites)

    async def status(self, request: "Request", exchange: "Exchange") -> bytes:
        from maas.http.protocols.tfs_models import status_of

        service = await self._answering.service(request, exchange)
        turn = await self._answering.turn(request, exchange)
        policy = await self._answering.wait(service.policy)
        pinned = requested_version(request) is not None
        return encode_json(status_of(service.model, turn, policy, pinned=pinned))

    async def metadata(self, request: "Request", exchange: "Exchange") -> bytes:
        from maas.http.protocols.tfs_models import metadata_of

        turn = await self._answering.turn(request, exchange)
        return encode_json(metadata_of(turn.loaded.bundle.manifest.name, turn))
