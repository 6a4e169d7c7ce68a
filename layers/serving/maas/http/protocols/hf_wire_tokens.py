"""Hugging Face's token classification as structs: what is sent and what is taken apart.

May import `maas.limits`, `hf_wire` beside it, and msgspec. `hf_tokens` translates:

    body = msgspec.convert(value, TokensBody, strict=True)
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from maas.http.protocols.hf_wire import Text, Texts
from maas.limits import LIMITS

StrategyName = Literal["none", "simple", "first", "average", "max"]
Stride = Annotated[int, Meta(ge=0, le=LIMITS.tokens)]
Ignored = Annotated[list[str], Meta(max_length=LIMITS.labels)]


class TokensParameters(Struct, frozen=True, forbid_unknown_fields=True):
    """`parameters` of a token-classification request.

    Attributes:
        aggregation_strategy: How tokens become entities; tokens are answered as they are when
            absent or `none`. `simple` joins neighbours of one label; `first`, `average` and `max`
            let the tokens of a word agree before.
        ignore_labels: Labels that are left out; `O` when absent.
        stride: Tokens that the parts of a long text have in common, for an answer about all of it;
            its end is cut off when absent. Not with `none`.
    """

    aggregation_strategy: StrategyName | None = None
    ignore_labels: Ignored | None = None
    stride: Stride | None = None


class TokensBody(Struct, frozen=True):
    """A token-classification request.

    Attributes:
        inputs: One text, or 1 to 32 of them; not white space alone, and 100,000 characters in all.
        parameters: Options.
    """

    inputs: Text | Texts
    parameters: TokensParameters | None = None


class ClassifiedToken(Struct, frozen=True):
    """A token and what the model takes it for.

    Attributes:
        entity: The label.
        score: How sure the model is, rounded to six digits.
        word: The token as the vocabulary writes it.
        start: Its first character in the text, in code points.
        end: The one behind its last.
    """

    entity: str
    score: float
    word: str
    start: int
    end: int


class FoundEntity(Struct, frozen=True):
    """Tokens that are one entity.

    Attributes:
        entity_group: What it is, without the `B-` or `I-` of its label.
        score: How sure the model is, rounded to six digits.
        word: The tokens as the tokenizer joins them.
        start: Its first character in the text, in code points.
        end: The one behind its last.
    """

    entity_group: str
    score: float
    word: str
    start: int
    end: int


TokensAnswer = list[ClassifiedToken]
"""The tokens of one text, in its order."""
EntitiesAnswer = list[FoundEntity]
"""The entities of one text, in its order."""
TokenListsAnswer = list[list[ClassifiedToken]]
"""One list of tokens per text of a list, in the request's order."""
EntityListsAnswer = list[list[FoundEntity]]
"""One list of entities per text of a list, in the request's order."""
TOKEN_ANSWERS = (TokensAnswer, EntitiesAnswer, TokenListsAnswer, EntityListsAnswer)
"""All that a text, or a list of them, may be answered with."""
