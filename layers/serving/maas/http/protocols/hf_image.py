"""Image classification in Hugging Face's wire format.

May import `maas.tasks`, `maas.http.fields`, `hf_files` and the wire's structs beside it. Translates
only.

    request = decode_image(data)                       # the file itself
    request = decode_image(parse_json(body))           # base64, and options
    answer = encode_labels(classifier.predict(request, deadline=deadline))    # of hf_files
"""

from maas.http.fields import convert_fields
from maas.http.protocols.hf_files import files_of, whole_body
from maas.http.protocols.hf_wire_image import MEDIA_TYPES, ImageBody, ImageParameters
from maas.tasks.image import ImageRequest

__all__ = ["MEDIA_TYPES", "decode_image"]


def decode_image(value: object) -> ImageRequest:
    """Check a body and turn it into the task's request.

    Args:
        value: The bytes of a file, or what JSON says.

    Raises:
        BadRequestError: The file is empty.
        FieldError: A field is missing, unknown or of the wrong type, or is not base64.
    """
    if isinstance(value, bytes):
        return ImageRequest(images=(whole_body(value, what="an image"),), alone=True)
    body = convert_fields(value, ImageBody, choices="must be softmax, sigmoid or none")
    options = body.parameters or ImageParameters()
    images, alone = files_of(body.inputs)
    return ImageRequest(
        images=images,
        top_k=options.top_k,
        function=options.function_to_apply or "softmax",
        alone=alone,
    )
