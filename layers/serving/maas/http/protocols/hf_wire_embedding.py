"""Hugging Face's feature extraction and sentence similarity as structs: what is sent and answered.

May import `maas.limits`, `hf_wire` beside it, and msgspec. `hf_embedding` translates. The options
of this task lie at the root, where keys that are unknown are ignored:

    body = msgspec.convert(value, EmbedBody, strict=True)
"""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from maas.http.protocols.hf_wire import Text, Texts
from maas.limits import LIMITS

Dimensions = Annotated[int, Meta(ge=1)]
# Known, so that what is refused is refused with its reason; described as what is accepted.
Normalize = Annotated[bool | None, Meta(extra_json_schema={"enum": [True, None]})]
Direction = Annotated[str | None, Meta(extra_json_schema={"enum": ["right", "Right", None]})]
Prompt = Annotated[str | None, Meta(extra_json_schema={"enum": [None]})]
Encoding = Annotated[str | None, Meta(extra_json_schema={"enum": ["float", None]})]


_OTHERS = {"minItems": 1, "maxItems": LIMITS.texts - 1}  # with the source, as many as texts
Sentences = Annotated[list[Text], Meta(extra_json_schema=_OTHERS)]


class Comparison(Struct, frozen=True):
    """Texts whose nearness is asked for: 100,000 characters in all.

    Attributes:
        source_sentence: The text that the others are compared with; not white space alone.
        sentences: The others, 1 to 31; none white space alone.
    """

    source_sentence: Text
    sentences: Sentences


class EmbedBody(Struct, frozen=True):
    """A feature-extraction request, or a sentence-similarity one.

    Attributes:
        inputs: One text, or 1 to 32 of them; not white space alone, and 100,000 characters in all.
            Or texts to compare.
        normalize: Whether vectors have length 1; they always have, so `false` is refused.
        truncate: Whether a text that is too long is cut, and not refused; it is cut when absent.
        truncation_direction: Where it is cut: its end is, so `left` is refused.
        dimensions: Numbers of a vector: its first ones, made to length 1 again; all when absent.
        prompt_name: No model has prompts, so any is refused.
        encoding_format: Numbers are answered as JSON says them, so `base64` is refused.
    """

    inputs: Text | Texts | Comparison
    normalize: Normalize = None
    truncate: bool | None = None
    truncation_direction: Direction = None
    dimensions: Dimensions | None = None
    prompt_name: Prompt = None
    encoding_format: Encoding = None


EmbedAnswer = Sequence[Sequence[float]]
"""One vector per text, in the request's order."""
SimilarityAnswer = Sequence[float]
"""Per text that was compared, the cosine of its vector and the source's, in the request's order."""
