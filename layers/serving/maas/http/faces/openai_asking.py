"""A request of OpenAI's protocol up to who answers it: its body first, for that names a version.

May import `maas.http.answering` and what lies below it.

    body, turn = await asked_of(EmbeddingsBody, answering, request, exchange)
"""

from typing import TYPE_CHECKING, Protocol, TypeVar

from maas.http.body import check_type, parse_json
from maas.http.fields import convert_fields
from maas.http.protocols.openai import version_in

if TYPE_CHECKING:
    from maas.exchange import Exchange
    from maas.http.answering import Answering
    from maas.http.asgi import Request
    from maas.service import Turn


class NamesModel(Protocol):
    """A body that names a model."""

    @property
    def model(self) -> str:
        """As `sentiment`, or `sentiment@2`."""


BodyT = TypeVar("BodyT", bound=NamesModel)


async def asked_of(
    kind: type[BodyT], answering: "Answering", request: "Request", exchange: "Exchange"
) -> "tuple[BodyT, Turn]":
    """Read a body and choose who answers it.

    Args:
        kind: The body's struct.
        answering: The models of this process.
        request: The request.
        exchange: Told of the model and the turn.

    Raises:
        MaasError: The body is not acceptable, or there is no such model or version.
    """
    service = await answering.service(request, exchange)
    check_type(request.headers)
    body = convert_fields(parse_json(await answering.read(request, exchange)), kind)
    pin = version_in(body.model, model=service.model)
    return body, await answering.turn(request, exchange, also=pin)
