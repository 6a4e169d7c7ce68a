"""The query strings of our own routes, as structs that refuse what they do not know.

May import `maas.errors`, `maas.limits`, `maas.registry.records`, `maas.http.fields`, msgspec and
`maas.http.asgi`'s requests.

    query = decode_query(request, VersionsQuery)
    reader.versions(model, limit=query.limit, after=query.after)
"""

import re
from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from maas.errors import BadRequestError
from maas.http.fields import field_error
from maas.limits import LIMITS
from maas.registry.records import ModelName, VersionNumber

if TYPE_CHECKING:
    from maas.http.asgi import Request

# Only a number as we write it; msgspec's own lax mode would take 1.0, 1e2 and null as well.
_NUMBER = re.compile(r"0|[1-9][0-9]{0,14}")
Limit = Annotated[int, Meta(ge=1, le=LIMITS.page_records)]

QueryT = TypeVar("QueryT", bound=Struct)


class NoQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """A route that reads no query string."""


class ModelsQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which page of the models.

    Attributes:
        limit: Records of the page at the most.
        after: Begin behind this model: the `next` of the page before.
    """

    limit: Limit = 100
    after: ModelName | None = None


class NumbersQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which page of what is numbered: versions, or changes by the model's revision.

    Attributes:
        limit: Records of the page at the most.
        after: Begin behind this number: the `next` of the page before.
    """

    limit: Limit = 100
    after: VersionNumber | None = None


def decode_query(request: "Request", kind: type[QueryT]) -> QueryT:
    """Read a request's query string.

    Raises:
        BadRequestError: A key occurs twice.
        FieldError: A key is unknown or its value not acceptable.
    """
    pairs = request.query()
    asked = dict(pairs)
    if len(asked) != len(pairs):
        raise BadRequestError("A key occurs twice in the query.")
    value = {name: int(text) if _NUMBER.fullmatch(text) else text for name, text in asked.items()}
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        raise field_error(_for_texts(str(error))) from None


def _for_texts(message: str) -> str:
    """What msgspec says of types, in the words of a query string, where all are texts."""
    message = re.sub(r"^Expected `int(?: \| null)?`(, got `str`)?", "must be a number", message)
    return re.sub(r"^Expected `str.*?(?= - at)", "must be a name", message)
