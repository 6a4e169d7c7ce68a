"""The Open Inference Protocol's routes of one model: `/v2/models/{model}`.

May import `maas.http.answering` and what lies below it.

    routes = open_inference_routes(answering)

Server-wide ones are the catalog's.
"""

import zlib
from typing import TYPE_CHECKING

from maas.errors import BadRequestError
from maas.http.body import check_encoding, check_type
from maas.http.methods import Answer
from maas.http.problems import JSON, encode_json
from maas.limits import LIMITS

# The wire format is imported when it is first spoken.
# ruff: noqa: PLC0415

if TYPE_CHECKING:
    from maas.exchange import Exchange
    from maas.http.answering import Answering
    from maas.http.asgi import Request
    from maas.http.methods import Routes

HEADER_BYTES = "inference-header-content-length"
"""The header that says how many bytes of a body are JSON."""
BINARY = "application/octet-stream"
_PACKED_FROM = 1_024
_DIGITS = 12


def open_inference_routes(answering: "Answering") -> "Routes":
    """The routes of a model, of whichever version answers and of a pinned one."""
    face = _OpenInference(answering)
    below: Routes = {
        "": {"GET": face.metadata},
        "/ready": {"GET": face.ready},
        "/infer": {"POST": face.infer},
        "/config": {"GET": face.config},
        "/stats": {"GET": face.stats},
    }
    model = "/v2/models/{model}"
    return {
        f"{prefix}{path}": methods
        for prefix in (model, model + "/versions/{version}")
        for path, methods in below.items()
    }


class _OpenInference:
    def __init__(self, answering: "Answering") -> None:
        self._answering = answering

    async def infer(self, request: "Request", exchange: "Exchange") -> Answer:
        from maas.http.protocols.oip import decode
        from maas.http.protocols.oip_answer import encode

        turn = await self._answering.turn(request, exchange)
        check_type(request.headers, (BINARY,), packed=True)
        encoding = check_encoding(request.headers)
        header_bytes = _header_bytes(request)
        data = await self._answering.read(
            request, exchange, limit=LIMITS.tensor_bytes, encoding=encoding
        )
        tensors = turn.task.tensors
        asked = decode(data, header_bytes, tensors.inputs, outputs=tensors.outputs)
        answer = await self._answering.infer(turn, asked.feeds, exchange)
        body, json_bytes = encode(
            asked,
            answer.outputs,
            model=turn.loaded.bundle.manifest.name,
            version=turn.version,
            labels=turn.loaded.bundle.manifest.labels,
        )
        return _packed(body, json_bytes, request.headers.get("accept-encoding"))

    async def metadata(self, request: "Request", exchange: "Exchange") -> bytes:
        from maas.http.protocols.oip_models import metadata_of

        service = await self._answering.service(request, exchange)
        turn = await self._answering.turn(request, exchange)
        return encode_json(metadata_of(service.model, turn, service.policy()))

    async def ready(self, request: "Request", exchange: "Exchange") -> bytes:
        from maas.http.protocols.oip_wire import ModelReady

        turn = await self._answering.turn(request, exchange)
        return encode_json(ModelReady(turn.loaded.bundle.manifest.name))

    async def config(self, request: "Request", exchange: "Exchange") -> bytes:
        from maas.http.protocols.oip_models import config_of

        return encode_json(config_of(await self._answering.turn(request, exchange)))

    async def stats(self, request: "Request", exchange: "Exchange") -> bytes:
        from maas.http.protocols.oip_models import statistics_of

        turn = await self._answering.turn(request, exchange)
        return encode_json(statistics_of(turn, self._answering.statistics.of(turn.digest)))


def _header_bytes(request: "Request") -> int | None:
    if not request.headers.all(HEADER_BYTES):
        return None
    said = request.headers.get(HEADER_BYTES)
    if not (said.isascii() and said.isdigit() and len(said) <= _DIGITS):
        raise BadRequestError("Inference-Header-Content-Length is not a number.")
    return int(said)


def _coding(said: str) -> str:
    """One of `accept-encoding`'s codings; none where it is said to be not acceptable."""
    name, _, weight = said.replace(" ", "").partition(";q=")
    return "" if weight and not weight.strip("0.") else name


def _packed(body: bytes, json_bytes: int | None, accepted: str) -> Answer:
    """The answer, packed where the client asks for it and it is worth it."""
    headers = {} if json_bytes is None else {HEADER_BYTES: str(json_bytes)}
    media_type = JSON if json_bytes is None else BINARY
    wanted = set(map(_coding, accepted.lower().split(",")))
    if len(body) >= _PACKED_FROM and "gzip" in wanted:
        headers["content-encoding"], body = "gzip", _gzip(body)
    elif len(body) >= _PACKED_FROM and "deflate" in wanted:
        headers["content-encoding"], body = "deflate", zlib.compress(body, 1)
    return Answer(body, media_type, headers)


def _gzip(body: bytes) -> bytes:
    packing = zlib.compressobj(1, wbits=16 + zlib.MAX_WBITS)  # the module gzip costs a cold start
    return packing.compress(body) + packing.flush()
