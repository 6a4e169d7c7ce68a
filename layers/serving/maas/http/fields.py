"""Parsed values to structs; what msgspec says of those that it refuses, as a field and a text.

Imports `maas.errors` and msgspec. Nothing of the value is repeated, and a key only if it is a plain
one:

    body = convert_fields(parse_json(data), ClassifyBody)
    raise field_error("Expected `int` >= 1 - at `$.parameters.top_k`")     # parameters.top_k: …
"""

import re
from typing import TypeVar

import msgspec

from maas.errors import FieldError

KindT = TypeVar("KindT")

_CHOICES = "is not one of those known here"
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")


def convert_fields(value: object, kind: type[KindT], *, choices: str = _CHOICES) -> KindT:
    """Turn a parsed body into a struct, strictly.

    Args:
        value: What JSON can say.
        kind: The struct.
        choices: What to say of a value that is none of a fixed few.

    Raises:
        FieldError: A field is missing, unknown or of the wrong type; its name is given.
    """
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        raise field_error(str(error), choices=choices) from None
    except UnicodeEncodeError:  # JSON lets it pass, msgspec looks no key or choice up by it
        raise FieldError(
            "A key or an option holds half of a surrogate pair, which is not a character."
        ) from None


def field_error(message: str, *, choices: str = _CHOICES) -> FieldError:
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
        return FieldError("is required", field=f"{field}.{missing[1]}".lstrip("."))
    if text.startswith("Invalid enum value"):
        text = choices
    return FieldError(text, field=field or None)
