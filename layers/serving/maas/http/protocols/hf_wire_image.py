"""Hugging Face's image classification as structs: what is sent and what is taken apart.

May import `maas.limits`, `hf_wire` beside it, and msgspec. `hf_image` translates. A body may also
be the file itself, of one of MEDIA_TYPES or of no type at all:

    body = msgspec.convert(value, ImageBody, strict=True)
"""

from typing import Annotated

from msgspec import Meta, Struct

from maas.http.protocols.hf_wire import ScoredLabel, ScoreName, TopK
from maas.limits import LIMITS

MEDIA_TYPES = frozenset(("image/png", "image/jpeg", "application/octet-stream"))
"""What a body may be beside JSON."""
_BASE64 = {"minLength": 1, "contentEncoding": "base64"}
Image = Annotated[str, Meta(extra_json_schema=_BASE64)]
Images = Annotated[list[Image], Meta(extra_json_schema={"minItems": 1, "maxItems": LIMITS.images})]


class ImageParameters(Struct, frozen=True, forbid_unknown_fields=True):
    """`parameters` of an image-classification request.

    Attributes:
        top_k: Labels to answer per image, best first; all when absent.
        function_to_apply: What turns logits into scores; softmax when absent.
    """

    top_k: TopK | None = None
    function_to_apply: ScoreName | None = None


class ImageBody(Struct, frozen=True):
    """An image-classification request; without options the file alone may be sent instead.

    Attributes:
        inputs: One PNG or JPEG in base64, or 1 to 32 of them.
        parameters: Options.
    """

    inputs: Image | Images
    parameters: ImageParameters | None = None


ImageAnswer = list[ScoredLabel]
"""The labels of one image, best first."""
ImagesAnswer = list[list[ScoredLabel]]
"""One list per image of a list, in the request's order; in it the labels, best first."""
