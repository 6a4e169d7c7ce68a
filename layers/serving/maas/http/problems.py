"""Errors and values to bytes: the one error body, and JSON that is always valid.

May import `maas.errors`, `maas.limits` and `maas.exchange`.
"""

import json
from typing import TYPE_CHECKING

from maas.errors import FieldError, MaasError, ModelOutputError
from maas.limits import LIMITS

if TYPE_CHECKING:
    from maas.exchange import Exchange

JSON = "application/json"
"""Exactly this: clients compare it as a whole before they read an error."""


def encode_json(value: object, *, limit: int = LIMITS.response_bytes) -> bytes:
    """Encode an answer.

    Raises:
        ModelOutputError: It holds NaN or infinity.
        FieldError: It is above the limit, because too much was asked for.
    """
    try:
        data = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except ValueError:
        raise ModelOutputError("The answer holds a number that is not finite.") from None
    body = data.encode()
    if len(body) > limit:
        raise FieldError(f"The answer is above {limit} bytes; ask for fewer texts or labels.")
    return body


def encode_error(error: MaasError, exchange: "Exchange") -> bytes:
    """Encode an error as the body that all our own routes use.

    Returns:
        JSON with `error` (text), `code`, `field` and `request_id`.
    """
    return encode_json(
        {
            "error": error.described(),
            "code": error.code,
            "field": error.field,
            "request_id": exchange.request_id,
        }
    )
