"""Errors and values to bytes: the one error body, and JSON that is always valid.

May import `maas.errors`, `maas.limits`, `maas.exchange` and msgspec.

    body = encode_json(value)              # a struct, or what JSON can say
    body = encode_error(error, exchange)
"""

import json
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from maas.errors import (
    FieldError,
    MaasError,
    ModelOutputError,
    RegistryUnavailableError,
    SettingsError,
)
from maas.limits import LIMITS

if TYPE_CHECKING:
    from maas.exchange import Exchange

JSON = "application/json"
"""Exactly this: clients compare it as a whole before they read an error."""


class Problem(Struct, frozen=True):
    """The one error body.

    Attributes:
        error: What is wrong, for people.
        code: What is wrong, for machines; stable.
        field: The field at fault, in dotted form, or null.
        request_id: Which request it was, as in the header `x-request-id`.
    """

    error: str
    code: str
    field: str | None
    request_id: str


def dump_json(value: object) -> bytes:
    """Encode what may be of any size.

    Raises:
        ModelOutputError: It holds NaN or infinity, which msgspec itself would send as null.
    """
    data = msgspec.json.encode(value)
    # No null, nor a number that is not finite: ten times as fast as json's own look. By `find`, for
    # `in` first tries whether the bytes are a number, and raises.
    if data.find(b"null") < 0:
        return data
    plain = msgspec.to_builtins(value, str_keys=True)
    try:
        text = json.dumps(plain, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except ValueError:
        raise ModelOutputError("The answer holds a number that is not finite.") from None
    return text.encode()


def encode_json(value: object, *, limit: int | None = None) -> bytes:
    """Encode an answer.

    Args:
        value: A struct, or what JSON can say.
        limit: Bytes; those of a text task's answer when None.

    Raises:
        ModelOutputError: It holds NaN or infinity.
        FieldError: It is above the limit, because too much was asked for.
    """
    most = LIMITS.response_bytes if limit is None else limit
    body = dump_json(value)
    if len(body) > most:
        raise FieldError(f"The answer is above {most} bytes; ask for fewer texts or labels.")
    return body


def told(error: MaasError) -> tuple[str, str | None]:
    """What a caller is told of an error, and the field at fault.

    What is wrong with the settings or the registry is for whoever runs the function: a caller is
    told no variable, no table and no remedy that only they could apply.
    """
    if isinstance(error, SettingsError):
        return "The service is not set up as it should be; its log says how.", None
    if isinstance(error, RegistryUnavailableError):
        return "The registry does not answer; try again.", None
    return error.described(), error.field


def encode_error(error: MaasError, exchange: "Exchange") -> bytes:
    """Encode an error as the body that all our own routes use.

    Returns:
        A `Problem` as JSON.
    """
    text, field = told(error)
    return dump_json(
        Problem(error=text, code=error.code, field=field, request_id=exchange.request_id)
    )
