"""Hugging Face's translation and summarization as structs: what is sent and what is taken apart.

May import `maas.limits`, `hf_wire` beside it, and msgspec. `hf_writing` translates:

    body = msgspec.convert(value, TranslateBody, strict=True)
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from maas.http.protocols.hf_wire import Text, Texts
from maas.limits import LIMITS

Beams = Annotated[int, Meta(ge=1, le=LIMITS.beams)]
NewTokens = Annotated[int, Meta(ge=1, le=LIMITS.new_tokens)]
Language = Annotated[str, Meta(min_length=1, max_length=64)]
Truncation = Literal["longest_first", "only_first", "only_second", "do_not_truncate"]


class GenerateParameters(Struct, frozen=True, forbid_unknown_fields=True):
    """How a text is written.

    Attributes:
        max_new_tokens: Tokens to write at the most; the model's own bound when absent or lower.
        max_length: The same by its older name; `max_new_tokens` comes first.
        num_beams: Texts that are written side by side, of which the likeliest is answered; 1 when
            absent.
    """

    max_new_tokens: NewTokens | None = None
    max_length: NewTokens | None = None
    num_beams: Beams | None = None


class SummarizeParameters(Struct, frozen=True, forbid_unknown_fields=True):
    """`parameters` of a summarization request.

    Attributes:
        clean_up_tokenization_spaces: Accepted without an effect: none are left in an answer.
        truncation: What becomes of a text that is too long: it is cut when absent, `longest_first`
            or `only_first`, and refused otherwise.
        generate_parameters: How the answer is written.
    """

    clean_up_tokenization_spaces: bool | None = None
    truncation: Truncation | None = None
    generate_parameters: GenerateParameters | None = None


class TranslateParameters(SummarizeParameters, frozen=True, forbid_unknown_fields=True):
    """`parameters` of a translation request.

    Attributes:
        src_lang: Accepted, with `tgt_lang`, without an effect: a model has one pair of languages.
        tgt_lang: Accepted, with `src_lang`, without an effect.
        clean_up_tokenization_spaces: Accepted without an effect: none are left in an answer.
        truncation: What becomes of a text that is too long: it is cut when absent, `longest_first`
            or `only_first`, and refused otherwise.
        generate_parameters: How the answer is written.
    """

    src_lang: Language | None = None
    tgt_lang: Language | None = None


class SummarizeBody(Struct, frozen=True):
    """A summarization request.

    Attributes:
        inputs: One text, or 1 to 32 of them; not white space alone, and 100,000 characters in all.
        parameters: Options.
    """

    inputs: Text | Texts
    parameters: SummarizeParameters | None = None


class TranslateBody(Struct, frozen=True):
    """A translation request.

    Attributes:
        inputs: One text, or 1 to 32 of them; not white space alone, and 100,000 characters in all.
        parameters: Options.
    """

    inputs: Text | Texts
    parameters: TranslateParameters | None = None


class Summary(Struct, frozen=True):
    """What was written of one text.

    Attributes:
        summary_text: The summary.
    """

    summary_text: str


class Translation(Struct, frozen=True):
    """What was written for one text.

    Attributes:
        translation_text: The translation.
    """

    translation_text: str


SummarizeAnswer = list[Summary]
"""One summary per text, in the request's order."""
TranslateAnswer = list[Translation]
"""One translation per text, in the request's order."""
