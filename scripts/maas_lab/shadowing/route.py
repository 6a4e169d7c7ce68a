"""The local server's own route: what is known of a model's shadows. A function has none like it.

Imports `maas` and the tallies.

    {**inference_routes(services), **shadow_routes(services, tallies)}
"""

import asyncio
from typing import TYPE_CHECKING

from maas.http.problems import encode_json
from maas.http.versions import requested_model

if TYPE_CHECKING:
    from maas.assembly import Services
    from maas.exchange import Exchange
    from maas.http.asgi import Request
    from maas.http.methods import Routes
    from maas_lab.shadowing.tallies import Tallies

SHADOWS = "/local/shadows/{model}"
"""Where the figures are."""


def shadow_routes(services: "Services", tallies: "Tallies") -> "Routes":
    """The route.

    Args:
        services: Knows which models there are.
        tallies: What is told.
    """

    async def report(request: "Request", exchange: "Exchange") -> bytes:
        model = requested_model(request)
        await asyncio.to_thread(services, model)  # raises for a name that it does not know
        exchange.model = model
        return encode_json(tallies.report(model))

    return {SHADOWS: {"GET": report}}
