"""OpenAI's completions and chat as structs: what its client sends and takes apart.

May import `maas.limits`, the structs beside it, and msgspec. `openai_completions` translates:

    body = msgspec.convert(value, ChatBody, strict=True)

Beyond OpenAI's own, both take `top_k` and `repetition_penalty`, which a client sends as its
`extra_body`. What is not known is ignored, as clients send more with each release; what would make
another answer than the one that is given is known, and refused.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from maas.http.protocols.hf_wire import Text
from maas.http.protocols.hf_wire_generating import (
    Never,
    NewTokens,
    NoObject,
    NoPenalty,
    NoText,
    One,
    Penalty,
    Prompts,
    Seed,
    Stop,
    Stops,
    TopK,
    TopP,
    Zero,
)
from maas.http.protocols.openai_wire import ModelId
from maas.limits import LIMITS

Temperature = Annotated[float, Meta(ge=0, le=2)]
Ending = Literal["stop", "length"]
Said = Annotated[str, Meta(extra_json_schema={"maxLength": LIMITS.text_characters})]
NoItems = Annotated[list[Any], Meta(extra_json_schema={"maxItems": 0})]
_MESSAGES = {"minItems": 1, "maxItems": LIMITS.messages}


class StreamOptions(Struct, frozen=True):
    """How an answer is streamed.

    Attributes:
        include_usage: Whether a chunk behind all others says how many tokens there were.
        include_obfuscation: Ignored: nothing is added to chunks.
    """

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class CompletionBody(Struct, frozen=True):
    """A request to go on with texts.

    Attributes:
        model: The model's name, or a version of it such as `writer@2` or `writer@production`.
        prompt: One text, or 1 to 8 of them; not white space alone, and 100,000 characters in all.
        max_tokens: Tokens to write at the most; 16 when absent, and the model's own bound if lower.
        temperature: 0 takes the likeliest token each time; 1 when absent.
        top_p: Only the likeliest tokens whose chances add up to this are drawn from.
        top_k: Only so many of the likeliest tokens are drawn from.
        repetition_penalty: Above 1 tokens that were read or written are less likely.
        seed: The same seed draws the same text; one of chance when absent.
        stop: A text at which writing ends, or up to 4; it is left out of the answer.
        echo: Whether the prompt is a part of the answer.
        stream: Whether each token is sent when it was written, as server-sent events; where answers
            can be streamed.
        stream_options: How.
        n: Refused unless 1: one answer is written.
        best_of: Refused unless 1.
        logprobs: Refused: only texts are answered.
        suffix: Refused unless empty: the model goes on with what stands before.
        presence_penalty: Refused unless 0; `repetition_penalty` is known.
        frequency_penalty: Refused unless 0; `repetition_penalty` is known.
        logit_bias: Refused unless empty.
        user: Ignored.
    """

    model: ModelId
    prompt: Text | Prompts
    max_tokens: NewTokens | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    top_k: TopK | None = None
    repetition_penalty: Penalty | None = None
    seed: Seed | None = None
    stop: Stop | Stops | None = None
    echo: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: One | None = None
    best_of: One | None = None
    logprobs: None = None
    suffix: NoText | None = None
    presence_penalty: NoPenalty | None = None
    frequency_penalty: NoPenalty | None = None
    logit_bias: NoObject | None = None
    user: str | None = None


class ContentPart(Struct, frozen=True):
    """A part of what somebody said.

    Attributes:
        text: The text.
        type: What it is.
    """

    text: Said
    type: Literal["text"]


class ChatMessage(Struct, frozen=True):
    """What somebody said.

    Attributes:
        role: Who: `developer` is another word for `system`.
        content: What: a text, or parts that are put one behind the other.
        name: Ignored.
        refusal: Ignored.
        tool_calls: Refused unless empty: no tools are known.
        function_call: Refused.
        audio: Refused: only texts are read.
    """

    role: Literal["system", "developer", "user", "assistant"]
    content: Said | list[ContentPart]
    name: str | None = None
    refusal: str | None = None
    tool_calls: NoItems | None = None
    function_call: None = None
    audio: None = None


class ResponseFormat(Struct, frozen=True):
    """What an answer is.

    Attributes:
        type: A text.
    """

    type: Literal["text"]


class ChatBody(Struct, frozen=True):
    """A request to answer a conversation.

    Attributes:
        model: The model's name, or a version of it such as `writer@2` or `writer@production`.
        messages: 1 to 128 of them, 20,000 characters in all: the system's first if there is one,
            the user's last.
        max_completion_tokens: Tokens to write at the most; the model's own bound when absent or
            lower.
        max_tokens: The same by its older name; `max_completion_tokens` comes first.
        temperature: 0 takes the likeliest token each time; 1 when absent.
        top_p: Only the likeliest tokens whose chances add up to this are drawn from.
        top_k: Only so many of the likeliest tokens are drawn from.
        repetition_penalty: Above 1 tokens that were read or written are less likely.
        seed: The same seed draws the same text; one of chance when absent.
        stop: A text at which writing ends, or up to 4; it is left out of the answer.
        stream: Whether each token is sent when it was written, as server-sent events; where answers
            can be streamed.
        stream_options: How.
        n: Refused unless 1: one answer is written.
        logprobs: Refused unless false: only texts are answered.
        top_logprobs: Refused unless 0.
        presence_penalty: Refused unless 0; `repetition_penalty` is known.
        frequency_penalty: Refused unless 0; `repetition_penalty` is known.
        logit_bias: Refused unless empty.
        response_format: A text; no other is known.
        tools: Refused unless empty.
        tool_choice: Refused unless `none`.
        functions: Refused unless empty, the older name of tools.
        function_call: Refused unless `none`.
        modalities: `text` alone.
        audio: Refused: only texts are answered.
        web_search_options: Refused: nothing is searched.
        user: Ignored.
        metadata: Ignored.
        store: Ignored: nothing is stored.
        service_tier: Ignored.
    """

    model: ModelId
    messages: Annotated[list[ChatMessage], Meta(extra_json_schema=_MESSAGES)]
    max_completion_tokens: NewTokens | None = None
    max_tokens: NewTokens | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    top_k: TopK | None = None
    repetition_penalty: Penalty | None = None
    seed: Seed | None = None
    stop: Stop | Stops | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: One | None = None
    logprobs: Never | None = None
    top_logprobs: Zero | None = None
    presence_penalty: NoPenalty | None = None
    frequency_penalty: NoPenalty | None = None
    logit_bias: NoObject | None = None
    response_format: ResponseFormat | None = None
    tools: NoItems | None = None
    tool_choice: Literal["none"] | None = None
    functions: NoItems | None = None
    function_call: Literal["none"] | None = None
    modalities: list[Literal["text"]] | None = None
    audio: None = None
    web_search_options: None = None
    user: str | None = None
    metadata: dict[str, Any] | None = None
    store: bool | None = None
    service_tier: str | None = None


class Usage(Struct, frozen=True):
    """How many tokens there were.

    Attributes:
        prompt_tokens: Tokens that the model read.
        completion_tokens: Tokens that it wrote, the one that ends a text included.
        total_tokens: Both.
    """

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class CompletionChoice(Struct, frozen=True):
    """What follows one prompt; of a stream, what one token adds to it.

    Attributes:
        index: The prompt's place in the request.
        text: The text.
        finish_reason: Why it ends: `stop` is the model's own end or a stop; null before the end.
        logprobs: Always null.
    """

    index: int
    text: str
    finish_reason: Ending | None
    logprobs: None = None


class Completion(Struct, frozen=True):
    """An answer, or a part of one.

    Attributes:
        id: Which request it was.
        created: When it was answered, in seconds since 1970.
        model: The version that answered, such as `writer@2`.
        choices: One per prompt; of a stream the one that goes on, or none beside the usage.
        usage: How many tokens there were; of a stream, null but for the last chunk.
        object: What this is.
    """

    id: str
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: Usage | None
    object: Literal["text_completion"] = "text_completion"


class ChatAnswer(Struct, frozen=True):
    """What the model said.

    Attributes:
        content: The text.
        role: Who said it.
    """

    content: str
    role: Literal["assistant"] = "assistant"


class ChatChoice(Struct, frozen=True):
    """The answer to a conversation.

    Attributes:
        index: 0.
        message: What the model said.
        finish_reason: Why it ends: `stop` is the model's own end or a stop.
        logprobs: Always null.
    """

    index: int
    message: ChatAnswer
    finish_reason: Ending
    logprobs: None = None


class ChatCompletion(Struct, frozen=True):
    """An answer.

    Attributes:
        id: Which request it was.
        created: When it was answered, in seconds since 1970.
        model: The version that answered, such as `writer@2`.
        choices: The one answer.
        usage: How many tokens there were.
        object: What this is.
    """

    id: str
    created: int
    model: str
    choices: list[ChatChoice]
    usage: Usage
    object: Literal["chat.completion"] = "chat.completion"


class ChatDelta(Struct, frozen=True, omit_defaults=True):
    """What a token adds to an answer.

    Attributes:
        role: Who says it; in the first chunk.
        content: The text.
    """

    role: Literal["assistant"] | None = None
    content: str | None = None


class ChatChunkChoice(Struct, frozen=True):
    """A part of an answer.

    Attributes:
        index: 0.
        delta: What it adds.
        finish_reason: Why the answer ends; null before the end.
        logprobs: Always null.
    """

    index: int
    delta: ChatDelta
    finish_reason: Ending | None
    logprobs: None = None


class ChatChunk(Struct, frozen=True):
    """A part of a streamed answer.

    Attributes:
        id: Which request it was.
        created: When it was answered, in seconds since 1970.
        model: The version that answered.
        choices: The one part; none beside the usage.
        usage: How many tokens there were; null but for the last chunk.
        object: What this is.
    """

    id: str
    created: int
    model: str
    choices: list[ChatChunkChoice]
    usage: Usage | None
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
