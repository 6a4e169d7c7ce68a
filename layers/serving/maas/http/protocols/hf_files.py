"""Files that a request carries, as the body itself or in base64, and the labels of each.

May import `maas.errors` and `hf_wire` beside it.

    file = file_of(text, field="inputs")               # bytes
    files, alone = files_of(body.inputs)               # one may come without its list
    answer = encode_labels(response)                   # and is answered without one
"""

import base64
import binascii
from typing import TYPE_CHECKING

from maas.errors import BadRequestError, FieldError
from maas.http.protocols.hf_wire import ScoredLabel

if TYPE_CHECKING:
    from maas.tasks.audio_classify import AudioResponse
    from maas.tasks.image import ImageResponse


def whole_body(data: bytes, *, what: str) -> bytes:
    """A body that is the file itself.

    Raises:
        BadRequestError: There is none.
    """
    if not data:
        raise BadRequestError(f"The body is empty; send {what}.")
    return data


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


def encode_labels(
    response: "ImageResponse | AudioResponse",
) -> list[ScoredLabel] | list[list[ScoredLabel]]:
    """Turn a response into the flat list that the client takes apart; of more, one each."""
    rows = [[ScoredLabel(s.label, s.score) for s in row] for row in response.rows]
    return rows[0] if response.alone else rows
