"""Who asks, in words that stay the same: so that an alias of several versions answers alike.

May import `maas.errors`. What is found here chooses a version and goes nowhere else: it is neither
kept nor logged.

    caller = requested_caller(request)        # None where nobody says
"""

import re
from typing import TYPE_CHECKING

from maas.errors import FieldError

if TYPE_CHECKING:
    from maas.http.asgi import Request

CLIENT = "x-maas-client"
"""The header by which a caller says who it is, where the gateway does not know."""
# No comma: an event of Lambda's joins by one what was sent twice.
_NAME = re.compile(r"[!-+\--~]{1,128}")


def requested_caller(request: "Request") -> str | None:
    """The id of the API key that the gateway has checked, else what the header says.

    Raises:
        FieldError: The header is given twice, or is no name.
    """
    if request.event is not None and (key := _api_key_id(request.event)) is not None:
        return key
    sent = request.headers.all(CLIENT)
    if not sent:
        return None
    if len(sent) > 1 or not _NAME.fullmatch(sent[0]):
        raise FieldError(
            "must be given once, as 1 to 128 visible characters of ASCII and no comma",
            field=CLIENT,
        )
    return sent[0]


def _api_key_id(event: object) -> str | None:
    """Never the key itself, which is a secret; and nothing of an event is taken for granted."""
    found: object = event
    for name in ("requestContext", "identity", "apiKeyId"):
        held: dict[str, object] = found if isinstance(found, dict) else {}
        found = held.get(name)
    return found if isinstance(found, str) and found else None
