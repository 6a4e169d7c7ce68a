"""Hugging Face's feature extraction as structs: what is sent and what is taken apart.

May import `hf_wire` beside it and msgspec. `hf_embedding` translates. The options of this task lie
at the root, where keys that are unknown are ignored:

    body = msgspec.convert(value, EmbedBody, strict=True)
"""

from typing import Annotated

from msgspec import Meta, Struct

from maas.http.protocols.hf_wire import Text, Texts

Dimensions = Annotated[int, Meta(ge=1)]
# Known, so that what is refused is refused with its reason; described as what is accepted.
Normalize = Annotated[bool | None, Meta(extra_json_schema={"enum": [True, None]})]
Direction = Annotated[str | None, Meta(extra_json_schema={"enum": ["right", "Right", None]})]
Prompt = Annotated[str | None, Meta(extra_json_schema={"enum": [None]})]
Encoding = Annotated[str | None, Meta(extra_json_schema={"enum": ["float", None]})]


class EmbedBody(Struct, frozen=True):
    """A feature-extraction request.

    Attributes:
        inputs: One text, or 1 to 32 of them; not white space alone, and 100,000 characters in all.
        normalize: Whether vectors have length 1; they always have, so `false` is refused.
        truncate: Whether a text that is too long is cut, and not refused; it is cut when absent.
        truncation_direction: Where it is cut: its end is, so `left` is refused.
        dimensions: Numbers of a vector: its first ones, made to length 1 again; all when absent.
        prompt_name: No model has prompts, so any is refused.
        encoding_format: Numbers are answered as JSON says them, so `base64` is refused.
    """

    inputs: Text | Texts
    normalize: Normalize = None
    truncate: bool | None = None
    truncation_direction: Direction = None
    dimensions: Dimensions | None = None
    prompt_name: Prompt = None
    encoding_format: Encoding = None


EmbedAnswer = list[list[float]]
"""One vector per text, in the request's order."""
