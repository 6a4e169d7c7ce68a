"""The Open Inference Protocol's routes that are of no one model: the catalog answers them.

May import `maas.http.reading` and what lies below it; never a model's libraries.

    routes = open_inference_server_routes(reading, ready=ready)

Models are loaded by a release, not by a request: the repository's load and unload are refused.
"""

from functools import partial
from typing import TYPE_CHECKING, NoReturn

from maas import __version__
from maas.errors import MethodNotAllowedError
from maas.http.body import check_type, parse_json, read_body
from maas.http.fields import convert_fields
from maas.http.problems import encode_json
from maas.http.protocols.oip_wire import (
    IndexBody,
    IndexEntry,
    ModelNames,
    ServerHealth,
    ServerMetadata,
)
from maas.http.queries import NoQuery, decode_query
from maas.limits import LIMITS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from maas.exchange import Exchange
    from maas.http.asgi import Request
    from maas.http.methods import Routes
    from maas.http.reading import Reading
    from maas.registry.records import Policy

EXTENSIONS = (
    "binary_tensor_data",
    "classification",
    "model_configuration",
    "model_repository",
    "statistics",
)
"""What is answered beside the protocol itself, by Triton's names."""


def open_inference_server_routes(
    reading: "Reading", *, ready: "Callable[[Exchange], Awaitable[None]]"
) -> "Routes":
    """The routes.

    Args:
        reading: The registry.
        ready: Raises where something cannot answer.
    """
    face = _Server(reading, ready)
    return {
        "/v2": {"GET": face.metadata},
        "/v2/health/live": {"GET": face.live},
        "/v2/health/ready": {"GET": face.ready},
        "/v2/models": {"GET": face.models},
        "/v2/repository/index": {"POST": face.index},
        "/v2/repository/models/{model}/load": {"POST": face.refuse},
        "/v2/repository/models/{model}/unload": {"POST": face.refuse},
    }


class _Server:
    def __init__(self, reading: "Reading", ready: "Callable[[Exchange], Awaitable[None]]") -> None:
        self._reading = reading
        self._ready = ready

    async def metadata(self, request: "Request", _: "Exchange") -> bytes:
        decode_query(request, NoQuery)
        return encode_json(ServerMetadata("maas", __version__, list(EXTENSIONS)))

    async def live(self, request: "Request", _: "Exchange") -> bytes:
        decode_query(request, NoQuery)
        return encode_json(ServerHealth())

    async def ready(self, request: "Request", exchange: "Exchange") -> bytes:
        decode_query(request, NoQuery)
        await self._ready(exchange)
        return encode_json(ServerHealth())

    async def models(self, request: "Request", _: "Exchange") -> bytes:
        decode_query(request, NoQuery)
        return encode_json(ModelNames(await self._names()))

    async def index(self, request: "Request", _: "Exchange") -> bytes:
        decode_query(request, NoQuery)
        only_ready = await _only_ready(request)
        entries: list[IndexEntry] = []
        for name in await self._names():
            policy = await self._reading.read(partial(self._reading.reader.policy, name))
            entries += _entries(policy)
        return encode_json([e for e in entries if e.state == "READY" or not only_ready])

    async def refuse(self, _request: "Request", _exchange: "Exchange") -> NoReturn:
        raise MethodNotAllowedError(
            "", "Models are not loaded by request. Release a version with: maas promote MODEL@N"
        )

    async def _names(self) -> list[str]:
        names: list[str] = []
        more = True
        while more:
            after = names[-1] if names else None
            page = await self._reading.read(
                partial(self._reading.reader.models, limit=LIMITS.page_records, after=after)
            )
            names += [record.name for record in page.records]
            more = page.more
        return names


async def _only_ready(request: "Request") -> bool:
    """What the body asks for; clients send none, too, and name any type for it."""
    data = await read_body(request.receive, request.headers, limit=LIMITS.body_bytes)
    if not data.strip():
        return False
    check_type(request.headers)
    return bool(convert_fields(parse_json(data), IndexBody).ready)


def _entries(policy: "Policy") -> list[IndexEntry]:
    routed = {route.version for routes in policy.aliases.values() for route in routes}
    return [
        IndexEntry(policy.model, str(number), "READY")
        if number in routed
        else IndexEntry(policy.model, str(number), "UNAVAILABLE", "No alias routes to it.")
        for number in policy.numbers
    ]
