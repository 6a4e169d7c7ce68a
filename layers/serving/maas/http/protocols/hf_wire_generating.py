"""Hugging Face's text generation as structs: what its client sends and what it takes apart.

May import `maas.limits`, `hf_wire` beside it, and msgspec. `hf_generating` translates:

    body = msgspec.convert(value, GenerateBody, strict=True)
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from maas.http.protocols.hf_wire import Text
from maas.limits import LIMITS

NewTokens = Annotated[int, Meta(ge=1, le=LIMITS.new_tokens)]
Kept = Annotated[int, Meta(ge=1, le=LIMITS.context_tokens)]
Seed = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Temperature = Annotated[float, Meta(gt=0, le=100)]
TopK = Annotated[int, Meta(ge=1, le=2**31 - 1)]
TopP = Annotated[float, Meta(gt=0, le=1)]
Penalty = Annotated[float, Meta(ge=0.01, le=100)]
Stop = Annotated[str, Meta(min_length=1, max_length=LIMITS.stop_characters)]
Stops = Annotated[list[Stop], Meta(max_length=LIMITS.stops)]
# Described here, counted by the task, whose refusal says how many there were.
Prompts = Annotated[list[Text], Meta(extra_json_schema={"minItems": 1, "maxItems": LIMITS.prompts})]
# What the client knows and is not done here, with the one value that changes nothing.
Never = Annotated[bool, Meta(extra_json_schema={"enum": [False]})]
Zero = Annotated[int, Meta(extra_json_schema={"enum": [0]})]
One = Annotated[int, Meta(extra_json_schema={"enum": [1]})]
NoPenalty = Annotated[float, Meta(extra_json_schema={"enum": [0]})]
Whole = Annotated[float, Meta(extra_json_schema={"enum": [1]})]
NoObject = Annotated[dict[str, Any], Meta(extra_json_schema={"maxProperties": 0})]
NoText = Annotated[str, Meta(extra_json_schema={"maxLength": 0})]
Reason = Literal["length", "eos_token", "stop_sequence"]


class GeneratingParameters(Struct, frozen=True, forbid_unknown_fields=True):
    """`parameters` of a text-generation request.

    Attributes:
        max_new_tokens: Tokens to write at the most; the model's own bound when absent or lower.
        do_sample: Whether tokens are drawn and not the likeliest ones; when absent, they are where
            temperature, top_k or top_p is given.
        temperature: Below 1 likely tokens become likelier, above 1 less likely.
        top_k: Only so many of the likeliest tokens are drawn from.
        top_p: Only the likeliest tokens whose chances add up to this are drawn from.
        repetition_penalty: Above 1 tokens that were read or written are less likely.
        seed: The same seed draws the same text; one of chance when absent.
        stop: Texts at which writing ends; they are left out of the answer.
        return_full_text: Whether the text that was given is a part of the answer.
        truncate: Tokens of the text that are kept, its last ones; when absent, a text that is too
            long is refused.
        details: Whether tokens and why writing ended are answered, too.
        decoder_input_details: Refused unless false: logits are kept for what is written alone.
        top_n_tokens: Refused unless 0: only the token that was chosen is answered.
        best_of: Refused unless 1: one answer is written.
        typical_p: Refused unless 1.
        frequency_penalty: Refused unless 0; `repetition_penalty` is known.
        watermark: Refused unless false.
        grammar: Refused unless empty.
        adapter_id: Refused unless empty.
    """

    max_new_tokens: NewTokens | None = None
    do_sample: bool | None = None
    temperature: Temperature | None = None
    top_k: TopK | None = None
    top_p: TopP | None = None
    repetition_penalty: Penalty | None = None
    seed: Seed | None = None
    stop: Stops | None = None
    return_full_text: bool | None = None
    truncate: Kept | None = None
    details: bool | None = None
    decoder_input_details: Never | None = None
    top_n_tokens: Zero | None = None
    best_of: One | None = None
    typical_p: Whole | None = None
    frequency_penalty: NoPenalty | None = None
    watermark: Never | None = None
    grammar: NoObject | None = None
    adapter_id: NoText | None = None


class GenerateBody(Struct, frozen=True):
    """A text-generation request.

    Attributes:
        inputs: One text, or 1 to 8 of them; not white space alone, and 100,000 characters in all.
        parameters: Options.
        stream: Whether each token is sent when it was written, as server-sent events; for one text,
            and where answers can be streamed.
    """

    inputs: Text | Prompts
    parameters: GeneratingParameters | None = None
    stream: bool | None = None


class GeneratedToken(Struct, frozen=True):
    """A token that was written.

    Attributes:
        id: Its id.
        text: What it adds to the text: whole characters, or nothing yet.
        logprob: Its log-probability, rounded to six digits.
        special: Whether it stands for no text.
    """

    id: int
    text: str
    logprob: float
    special: bool


class GeneratedDetails(Struct, frozen=True):
    """How a text was written.

    Attributes:
        finish_reason: Why it ends: the most tokens, the model's own end, or a stop.
        generated_tokens: How many tokens were written.
        prefill: Always empty: nothing is said of the tokens that were given.
        tokens: The tokens.
        seed: By which they were drawn; null where none was.
    """

    finish_reason: Reason
    generated_tokens: int
    prefill: list[GeneratedToken]
    tokens: list[GeneratedToken]
    seed: int | None


class GeneratedText(Struct, frozen=True, omit_defaults=True):
    """What was written to one text.

    Attributes:
        generated_text: The text.
        details: How it was written, where that was asked for.
    """

    generated_text: str
    details: GeneratedDetails | None = None


class StreamedDetails(Struct, frozen=True):
    """How a streamed text was written.

    Attributes:
        finish_reason: Why it ends.
        generated_tokens: How many tokens were written.
        input_length: How many were read.
        seed: By which they were drawn; null where none was.
    """

    finish_reason: Reason
    generated_tokens: int
    input_length: int
    seed: int | None


class StreamedToken(Struct, frozen=True):
    """One event of a stream.

    Attributes:
        index: The token's place, from 1.
        token: The token.
        generated_text: All of the text, with its last token.
        details: How it was written, with its last token.
    """

    index: int
    token: GeneratedToken
    generated_text: str | None
    details: StreamedDetails | None


class StreamedFailure(Struct, frozen=True):
    """The last event of a stream that failed.

    Attributes:
        error: What is wrong, for people.
        error_type: `overloaded`, `validation` or `generation`, as the client tells them apart.
        code: What is wrong, for machines.
    """

    error: str
    error_type: str
    code: str


GenerateAnswer = list[GeneratedText]
"""One text per text, in the request's order."""
