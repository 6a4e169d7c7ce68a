"""OpenAI's completions and chat: bodies to the task's requests, and its answers to theirs.

May import `maas.errors`, `maas.tasks`, `maas.http.problems` and the wire's structs beside it.
Translates only.

    request = completion_request(body)
    answer = CompletionAnswer(request, named, usage=True)
    answer.whole(generator.predict(request, deadline=deadline))      # or of a stream, each
    answer.step(step)
"""

from typing import TYPE_CHECKING, NamedTuple

from maas.errors import FieldError
from maas.http.problems import dump_json
from maas.http.protocols.hf_wire import listed
from maas.http.protocols.openai_errors import openai_problem
from maas.http.protocols.openai_wire_completions import (
    ChatAnswer,
    ChatChoice,
    ChatChunk,
    ChatChunkChoice,
    ChatCompletion,
    ChatDelta,
    Completion,
    CompletionChoice,
    Usage,
)
from maas.tasks.chat import Message
from maas.tasks.generation import GenerateRequest
from maas.tasks.sampling import Sampling

if TYPE_CHECKING:
    from maas.errors import MaasError
    from maas.http.protocols.openai_wire_completions import (
        ChatBody,
        ChatMessage,
        CompletionBody,
        Ending,
    )
    from maas.tasks.generation import Generated, GenerateResponse, Step

_MAX_TOKENS = 16  # as OpenAI has it
_DONE = b"data: [DONE]\n\n"
_NO_TOOLS = "must be empty: the model calls none"
_NOT_DONE: dict[str, tuple[object, str]] = {
    "n": (1, "must be 1: one answer is written"),
    "best_of": (1, "must be 1: one answer is written"),
    "logprobs": (False, "must be false: only texts are answered"),
    "top_logprobs": (0, "must be 0: only texts are answered"),
    "suffix": ("", "must be empty: the model goes on with what stands before"),
    "presence_penalty": (0, "must be 0; use repetition_penalty"),
    "frequency_penalty": (0, "must be 0; use repetition_penalty"),
    "logit_bias": ({}, "must be empty"),
    "tools": ([], _NO_TOOLS),
    "functions": ([], _NO_TOOLS),
}
"""What the client knows and no model here does: the one value that changes nothing, and why."""


class Named(NamedTuple):
    """What every answer says of itself.

    Attributes:
        id: Which request it was.
        created: When, in seconds since 1970.
        model: Who answered, such as `writer@2`.
    """

    id: str
    created: int
    model: str


def completion_request(body: "CompletionBody") -> GenerateRequest:
    """Turn a body into the task's request.

    Raises:
        FieldError: What is asked for is not done.
    """
    _check(body)
    return GenerateRequest(
        texts=listed(body.prompt),
        how=_sampling(body),
        max_new_tokens=_MAX_TOKENS if body.max_tokens is None else body.max_tokens,
        stop=listed(body.stop or []),
        seed=body.seed,
        whole=bool(body.echo),
        field="prompt",
        streamed=bool(body.stream),
    )


def chat_request(body: "ChatBody") -> GenerateRequest:
    """Turn a body into the task's request.

    Raises:
        FieldError: What is asked for is not done.
    """
    _check(body)
    if not body.messages:
        raise FieldError("must be one message at least", field="messages")
    most = body.max_completion_tokens
    return GenerateRequest(
        messages=tuple(_message(each, at) for at, each in enumerate(body.messages)),
        how=_sampling(body),
        max_new_tokens=body.max_tokens if most is None else most,
        stop=listed(body.stop or []),
        seed=body.seed,
        field="messages",
        streamed=bool(body.stream),
    )


def wants_usage(body: "CompletionBody | ChatBody") -> bool:
    """Whether a stream's last chunk says how many tokens there were."""
    return bool(body.stream_options and body.stream_options.include_usage)


def _check(body: "CompletionBody | ChatBody") -> None:
    for name, (harmless, said) in _NOT_DONE.items():
        if getattr(body, name, None) not in (None, harmless):
            raise FieldError(said, field=name)
    if body.stream_options is not None and not body.stream:
        raise FieldError("may only be given where stream is true", field="stream_options")


def _message(message: "ChatMessage", at: int) -> Message:
    if message.tool_calls:
        raise FieldError(_NO_TOOLS, field=f"messages[{at}].tool_calls")
    content = message.content
    text = content if isinstance(content, str) else "".join(part.text for part in content)
    return Message("system" if message.role == "developer" else message.role, text)


def _sampling(body: "CompletionBody | ChatBody") -> Sampling:
    temperature = 1.0 if body.temperature is None else body.temperature
    return Sampling(
        sample=temperature > 0,
        temperature=temperature or 1.0,
        top_k=body.top_k,
        top_p=1.0 if body.top_p is None else body.top_p,
        repetition_penalty=body.repetition_penalty or 1.0,
    )


def _ending(row: "Generated") -> "Ending":
    return "length" if row.ending == "length" else "stop"


def _usage(rows: "list[Generated]") -> Usage:
    read, wrote = sum(row.read for row in rows), sum(len(row.tokens) for row in rows)
    return Usage(read, wrote, read + wrote)


class CompletionAnswer:
    """The answer to prompts, as a whole or as the events of a stream.

    Args:
        asked: The request.
        named: What the answer, or each event, says of itself.
        usage: Whether the last event says how many tokens there were.
    """

    def __init__(self, asked: GenerateRequest, named: Named, *, usage: bool) -> None:
        self._asked, self._named, self._usage = asked, named, usage
        self._begun = -1
        self._done: list[Generated] = []

    def whole(self, response: "GenerateResponse") -> object:
        """What is sent of everything at once."""
        rows = list(response.rows)
        choices = [CompletionChoice(at, row.text, _ending(row)) for at, row in enumerate(rows)]
        return Completion(*self._named, choices, _usage(rows))

    def step(self, step: "Step") -> list[object]:
        """What is sent of a token."""
        begins, self._begun = step.row != self._begun, step.row
        if step.done is not None:
            self._done.append(step.done)
        return self._told(step, begins=begins)

    def failure(self, error: "MaasError") -> object:
        """What is sent when something fails after the first token."""
        return openai_problem(error)

    def end(self) -> bytes:
        """The usage where it was asked for, and what says that nothing follows."""
        usage = b"data: " + dump_json(self._last(_usage(self._done))) + b"\n\n"
        return (usage if self._usage else b"") + _DONE

    def _told(self, step: "Step", *, begins: bool) -> list[object]:
        before = self._asked.texts[step.row] if begins and self._asked.whole else ""
        ending = None if step.done is None else _ending(step.done)
        choice = CompletionChoice(step.row, before + step.token.text, ending)
        return [Completion(*self._named, [choice], None)]

    def _last(self, usage: Usage) -> object:
        return Completion(*self._named, [], usage)


class ChatCompletionAnswer(CompletionAnswer):
    """The answer to a conversation."""

    def whole(self, response: "GenerateResponse") -> object:
        """What is sent of everything at once."""
        (row,) = response.rows
        choices = [ChatChoice(0, ChatAnswer(row.text), _ending(row))]
        return ChatCompletion(*self._named, choices, _usage([row]))

    def _told(self, step: "Step", *, begins: bool) -> list[object]:
        deltas: list[tuple[ChatDelta, Ending | None]] = []
        if begins:
            deltas.append((ChatDelta("assistant", ""), None))
        if step.token.text:
            deltas.append((ChatDelta(content=step.token.text), None))
        if step.done is not None:
            deltas.append((ChatDelta(), _ending(step.done)))
        return [ChatChunk(*self._named, [ChatChunkChoice(0, *each)], None) for each in deltas]

    def _last(self, usage: Usage) -> object:
        return ChatChunk(*self._named, [], usage)
