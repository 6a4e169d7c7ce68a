"""Image classification in Hugging Face's wire format.

May import `maas.errors`, `maas.tasks`, `maas.http.fields`, `hf_files` and the wire's structs beside
it. Translates only.

    request = decode_image(data)                       # the file itself
    request = decode_image(parse_json(body))           # base64, and options
    answer = encode_image(classifier.predict(request, deadline=deadline))
"""

from typing import TYPE_CHECKING

from maas.errors import BadRequestError
from maas.http.fields import convert_fields
from maas.http.protocols.hf_files import files_of
from maas.http.protocols.hf_wire import ScoredLabel
from maas.http.protocols.hf_wire_image import MEDIA_TYPES, ImageBody, ImageParameters
from maas.tasks.image import ImageRequest

if TYPE_CHECKING:
    from maas.http.protocols.hf_wire_image import ImageAnswer, ImagesAnswer
    from maas.tasks.image import ImageResponse

__all__ = ["MEDIA_TYPES", "decode_image", "encode_image"]


def decode_image(value: object) -> ImageRequest:
    """Check a body and turn it into the task's request.

    Args:
        value: The bytes of a file, or what JSON says.

    Raises:
        BadRequestError: The file is empty.
        FieldError: A field is missing, unknown or of the wrong type, or is not base64.
    """
    if isinstance(value, bytes):
        if not value:
            raise BadRequestError("The body is empty; send an image.")
        return ImageRequest(images=(value,), alone=True)
    body = convert_fields(value, ImageBody, choices="must be softmax, sigmoid or none")
    options = body.parameters or ImageParameters()
    images, alone = files_of(body.inputs)
    return ImageRequest(
        images=images,
        top_k=options.top_k,
        function=options.function_to_apply or "softmax",
        alone=alone,
    )


def encode_image(response: "ImageResponse") -> "ImageAnswer | ImagesAnswer":
    """Turn a task's response into the flat list that the client takes apart; of more, one each."""
    rows = [[ScoredLabel(s.label, s.score) for s in row] for row in response.rows]
    return rows[0] if response.alone else rows
