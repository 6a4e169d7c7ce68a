"""Files that a request carries: as the body itself, or in base64 where JSON has them.

May import `maas.errors`.

    file = file_of(text, field="inputs")               # bytes
    files, alone = files_of(body.inputs)               # one may come without its list
"""

import base64
import binascii

from maas.errors import FieldError


def file_of(text: str, *, field: str) -> bytes:
    """The bytes of a file in base64.

    Raises:
        FieldError: It is not base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):  # a character beyond ASCII is the latter
        raise FieldError(
            "is not a file in base64: send it in one line, with nothing such as data: before it",
            field=field,
        ) from None


def files_of(inputs: str | list[str]) -> tuple[tuple[bytes, ...], bool]:
    """The files of a body, and whether one came alone, not in a list.

    Raises:
        FieldError: One is not base64.
    """
    if isinstance(inputs, str):
        return (file_of(inputs, field="inputs"),), True
    return tuple(file_of(text, field=f"inputs[{at}]") for at, text in enumerate(inputs)), False
