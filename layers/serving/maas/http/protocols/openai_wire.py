"""OpenAI's embeddings and list of models as structs: what its client sends and takes apart.

May import `maas.limits` and msgspec, so that whoever only describes the format loads no model's
libraries. `openai_embedding` and `openai_models` translate:

    body = msgspec.convert(value, EmbeddingsBody, strict=True)
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from maas.http.protocols.hf_wire import Text
from maas.limits import LIMITS

Token = Annotated[int, Meta(ge=0, le=2**31)]
_TOKENS = {"minItems": 1, "maxItems": LIMITS.tokens}
Tokens = Annotated[list[Token], Meta(extra_json_schema=_TOKENS)]
# msgspec knows no union of lists: that elements are of one kind is described here, and checked by
# whoever translates.
_KINDS = [
    {"items": {"type": "string"}, "maxItems": LIMITS.texts},
    {"items": {"type": "integer"}, "maxItems": LIMITS.tokens},
    {"items": {"type": "array"}, "maxItems": LIMITS.texts},
]
Inputs = Annotated[
    list[Text | Token | Tokens], Meta(extra_json_schema={"minItems": 1, "anyOf": _KINDS})
]
Dimensions = Annotated[int, Meta(ge=1)]
# As long as a model's longest name, an @ and a whole digest.
ModelId = Annotated[str, Meta(min_length=1, max_length=104)]


class EmbeddingsBody(Struct, frozen=True):
    """A request for embeddings.

    Attributes:
        model: The model's name, or a version of it such as `vectors@2` or `vectors@production`.
        input: One text, or 1 to 32 of them; not white space alone, and 100,000 characters in all.
            Or the ids of one text's tokens, or a list of such for 1 to 32 texts.
        encoding_format: `base64` of float32, little-endian; or `float`, numbers as JSON says them,
            which it is when absent.
        dimensions: Numbers of a vector: its first ones, made to length 1 again; all when absent.
        user: Ignored.
    """

    model: ModelId
    input: Text | Inputs
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Dimensions | None = None
    user: str | None = None


class Embedding(Struct, frozen=True):
    """One text's vector.

    Attributes:
        index: The text's place in the request.
        embedding: The vector: numbers, or base64 of float32, little-endian.
        object: What this is.
    """

    index: int
    embedding: list[float] | str
    object: Literal["embedding"] = "embedding"


class EmbeddingsUsage(Struct, frozen=True):
    """What was read.

    Attributes:
        prompt_tokens: Tokens that the model read.
        total_tokens: The same.
    """

    prompt_tokens: int
    total_tokens: int


class Embeddings(Struct, frozen=True):
    """One vector per text, in the request's order.

    Attributes:
        model: The version that answered, such as `vectors@2`.
        data: The vectors.
        usage: What was read.
        object: What this is.
    """

    model: str
    data: list[Embedding]
    usage: EmbeddingsUsage
    object: Literal["list"] = "list"


class OpenAiModel(Struct, frozen=True):
    """What may be sent as `model`.

    Attributes:
        id: The model's name, or one of its versions or aliases, such as `vectors@production`.
        created: 0: whoever answers is not told when a version was made; the catalog is.
        owned_by: Always `maas`.
        object: What this is.
    """

    id: str
    created: int = 0
    owned_by: str = "maas"
    object: Literal["model"] = "model"


class OpenAiModels(Struct, frozen=True):
    """All that may be sent as `model` at this base URL.

    Attributes:
        data: The model's own name first, then its aliases and versions.
        object: What this is.
    """

    data: list[OpenAiModel]
    object: Literal["list"] = "list"
