"""What the catalog function answers: models, versions, aliases, history, deployments, health.

Read-only. May import everything of `maas` that the registry's reader needs, and what lies below in
`maas.http`; never a model's libraries, whose cold start the catalog must not pay.

    app = App(catalog_routes(reader), observer=observer, new_id=new_id)
"""

import asyncio
import functools
from typing import TYPE_CHECKING, TypeVar

from maas.errors import ModelNotFoundError, VersionNotServedError
from maas.http import views
from maas.http.faces.open_inference_server import open_inference_server_routes
from maas.http.openapi import build_document
from maas.http.problems import dump_json, encode_json
from maas.http.queries import ModelsQuery, NoQuery, NumbersQuery, decode_query
from maas.http.reading import Reading
from maas.http.versions import requested_model, unknown_model
from maas.limits import LIMITS
from maas.registry.addresses import parse_address
from maas.registry.deployment_records import DEPLOYMENTS_MAX
from maas.registry.store import ITEM_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from msgspec import Struct

    from maas.exchange import Exchange
    from maas.http.asgi import Request
    from maas.http.methods import Routes
    from maas.registry.reader import Reader
    from maas.registry.records import ModelRecord, VersionRecord

ResultT = TypeVar("ResultT")
RecordT = TypeVar("RecordT")

# These lists have no pages: they are whole or of no use, and this is the most that they can be.
_LIST_BYTES = DEPLOYMENTS_MAX * ITEM_BYTES


def catalog_routes(
    reader: "Reader",
    *,
    ready: "Callable[[Exchange], None] | None" = None,
    seconds: float = LIMITS.catalog_seconds,
) -> "Routes":
    """The routes of the catalog.

    Args:
        reader: The registry.
        ready: What `/health` asks beside the registry; raises where something cannot answer.
        seconds: Time that one read of the registry may take.
    """
    reading = Reading(reader, seconds=seconds)
    catalog = _Catalog(reading, ready)
    model = "/catalog/models/{model}"
    return {
        "/health": {"GET": catalog.health},
        "/catalog/models": {"GET": catalog.models},
        model: {"GET": catalog.model},
        f"{model}/versions": {"GET": catalog.versions},
        f"{model}/versions/{{version}}": {"GET": catalog.version},
        f"{model}/aliases": {"GET": catalog.aliases},
        f"{model}/history": {"GET": catalog.history},
        f"{model}/deployments": {"GET": catalog.deployments},
        "/catalog/openapi.json": {"GET": catalog.openapi},
        **open_inference_server_routes(reading, ready=catalog.check),
    }


class _Catalog:
    def __init__(self, reading: Reading, ready: "Callable[[Exchange], None] | None") -> None:
        self._reading = reading
        self._ready = ready

    async def health(self, request: "Request", exchange: "Exchange") -> bytes:
        decode_query(request, NoQuery)
        await self.check(exchange)
        return encode_json(views.Health())

    async def check(self, exchange: "Exchange") -> None:
        """Raise where the registry, or what is asked beside it, cannot answer."""
        await self._reading.read(lambda: self._reading.reader.models(limit=1))
        if self._ready is not None:
            await asyncio.to_thread(self._ready, exchange)

    async def models(self, request: "Request", _: "Exchange") -> bytes:
        query = decode_query(request, ModelsQuery)
        found = await self._reading.read(
            lambda: self._reading.reader.models(limit=query.limit, after=query.after)
        )
        seen = [views.seen_model(record) for record in found.records]

        def page(records: "Sequence[ModelRecord]", *, more: bool) -> views.ModelPage:
            return views.ModelPage(tuple(records), more, records[-1].name if more else None)

        return _encode_page(page, seen, more=found.more)

    async def model(self, request: "Request", exchange: "Exchange") -> bytes:
        decode_query(request, NoQuery)
        found = await self._of_model(request, exchange, self._reading.reader.model)
        return encode_json(views.seen_model(found))

    async def versions(self, request: "Request", exchange: "Exchange") -> bytes:
        query = decode_query(request, NumbersQuery)
        found = await self._of_model(
            request,
            exchange,
            lambda model: self._reading.reader.versions(
                model, limit=query.limit, after=query.after
            ),
        )
        seen = [views.seen_version(record) for record in found.records]

        def page(records: "Sequence[VersionRecord]", *, more: bool) -> views.VersionPage:
            return views.VersionPage(tuple(records), more, records[-1].number if more else None)

        return _encode_page(page, seen, more=found.more)

    async def version(self, request: "Request", exchange: "Exchange") -> bytes:
        decode_query(request, NoQuery)
        requested_model(request)  # an unknown model is said to be so before an odd version is
        address = parse_address(request.path["version"])
        found = await self._of_model(
            request, exchange, lambda model: self._reading.reader.version(model, address)
        )
        return encode_json(views.seen_version(found))

    async def aliases(self, request: "Request", exchange: "Exchange") -> bytes:
        decode_query(request, NoQuery)
        found = await self._of_model(request, exchange, self._reading.reader.aliases)
        seen = views.Aliases(tuple(views.seen_alias(record) for record in found))
        return encode_json(seen, limit=_LIST_BYTES)

    async def history(self, request: "Request", exchange: "Exchange") -> bytes:
        query = decode_query(request, NumbersQuery)
        found = await self._of_model(
            request,
            exchange,
            lambda model: self._reading.reader.history(model, limit=query.limit, after=query.after),
        )
        seen = [views.seen_event(record) for record in found.records]

        def page(records: "Sequence[views.Event]", *, more: bool) -> views.EventPage:
            return views.EventPage(tuple(records), more, records[-1].revision if more else None)

        return _encode_page(page, seen, more=found.more)

    async def deployments(self, request: "Request", exchange: "Exchange") -> bytes:
        decode_query(request, NoQuery)
        found = await self._of_model(request, exchange, self._reading.reader.deployments)
        seen = views.Deployments(tuple(views.seen_deployment(record) for record in found))
        return encode_json(seen, limit=_LIST_BYTES)

    async def openapi(self, request: "Request", _: "Exchange") -> bytes:
        decode_query(request, NoQuery)
        return _document()

    async def _of_model(
        self, request: "Request", exchange: "Exchange", read: "Callable[[str], ResultT]"
    ) -> ResultT:
        """What the registry has of the model in the path."""
        model = requested_model(request)
        try:
            found = await self._reading.read(lambda: read(model))
        except ModelNotFoundError:
            raise unknown_model() from None
        except VersionNotServedError:
            raise VersionNotServedError(
                "The model has no such version, alias or digest.", field="version"
            ) from None
        exchange.model = model
        return found


@functools.cache
def _document() -> bytes:
    return encode_json(build_document())


def _encode_page(
    page: "Callable[..., Struct]", records: "Sequence[RecordT]", *, more: bool
) -> bytes:
    """Encode a page, of fewer records where it would be above the limit of an answer.

    A caller sees `more` and goes on behind the last record; one record always fits.
    """
    body = dump_json(page(records, more=more))
    while len(body) > LIMITS.response_bytes and len(records) > 1:
        records, more = records[: len(records) // 2], True
        body = dump_json(page(records, more=more))
    return body
