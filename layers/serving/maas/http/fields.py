"""What msgspec says of a value that it refuses, as a field and a text of ours.

Imports `maas.errors` alone. Nothing of the value is repeated, and a key only if it is a plain one:

    raise field_error("Expected `int` >= 1 - at `$.parameters.top_k`")     # parameters.top_k: …
"""

import re

from maas.errors import FieldError

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")


def field_error(message: str, *, choices: str = "is not one of those known here") -> FieldError:
    """Turn the text of a `msgspec.ValidationError` into an error for the caller.

    Args:
        message: Such as "Expected … - at `$.parameters.top_k`".
        choices: What to say of a value that is none of a fixed few; msgspec would echo it.
    """
    text, _, path = message.rpartition(" - at `$")  # the last: a key of the body may look like one
    if not text:
        text, path = message, ""
    field = path.rstrip("`").lstrip(".")
    if unknown := re.search(r"unknown field `(.*)`$", text, re.DOTALL):
        name = unknown[1] if _PLAIN_KEY.fullmatch(unknown[1]) else "?"
        whole = f"{field}.{name}" if field else name
        return FieldError("is not known here; remove it", field=whole)
    if missing := re.search(r"missing required field `(\w+)`$", text):
        return FieldError("is required", field=missing[1])
    if text.startswith("Invalid enum value"):
        text = choices
    return FieldError(text, field=field or None)
