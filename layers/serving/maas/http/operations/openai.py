"""OpenAI's routes of a model, below its base URL.

Imports the structs that the routes themselves decode and encode, and nothing that serves.
"""

from typing import TYPE_CHECKING, Any

from maas.http.methods import EVENTS
from maas.http.operations.operation import DESCRIBED, INFERENCE, PREDICTED, Operation
from maas.http.protocols.openai_errors import OpenAiProblem
from maas.http.protocols.openai_wire import Embeddings, EmbeddingsBody, OpenAiModel, OpenAiModels
from maas.http.protocols.openai_wire_completions import (
    ChatBody,
    ChatCompletion,
    Completion,
    CompletionBody,
)

if TYPE_CHECKING:
    from msgspec import Struct


def told(name: str, summary: str, answer: Any) -> dict[str, Operation]:  # noqa: ANN401 - a type
    """A GET below a base URL.

    Args:
        name: The operation's id.
        summary: What it does.
        answer: What a 200 holds.
    """
    return {
        "GET": Operation(
            name=name,
            summary=summary,
            tag=INFERENCE,
            answers=(answer,),
            errors=DESCRIBED,
            problem=OpenAiProblem,
        )
    }


def asked(
    name: str,
    summary: str,
    body: "type[Struct]",
    *answers: Any,  # noqa: ANN401 - types
    answer_types: tuple[str, ...] = (),
) -> dict[str, Operation]:
    """A POST below a base URL.

    Args:
        name: The operation's id.
        summary: What it does.
        body: What the request holds.
        answers: What a 200 holds, one of these.
        answer_types: What a 200 may be beside JSON.
    """
    return {
        "POST": Operation(
            name=name,
            summary=summary,
            tag=INFERENCE,
            answers=answers,
            errors=PREDICTED,
            bodies=(body,),
            answer_types=answer_types,
            problem=OpenAiProblem,
        )
    }


def _below(base: str, what: str, suffix: str) -> dict[str, dict[str, Operation]]:
    return {
        f"{base}/embeddings": asked(
            f"embed{suffix}",
            f"Ask {what} for vectors, as OpenAI's client does",
            EmbeddingsBody,
            Embeddings,
        ),
        f"{base}/completions": asked(
            f"complete{suffix}",
            f"Ask {what} to go on with a text, as OpenAI's client does",
            CompletionBody,
            Completion,
            answer_types=(EVENTS,),
        ),
        f"{base}/chat/completions": asked(
            f"chat{suffix}",
            f"Ask {what} to answer a conversation, as OpenAI's client does",
            ChatBody,
            ChatCompletion,
            answer_types=(EVENTS,),
        ),
        f"{base}/models": told(
            f"listNames{suffix}", "List what may be sent as `model`", OpenAiModels
        ),
        f"{base}/models/{{id}}": told(
            f"getName{suffix}", "Ask whether a name may be sent as `model`", OpenAiModel
        ),
    }


OPERATIONS: dict[str, dict[str, Operation]] = {
    **_below("/models/{model}/v1", "whichever version answers", "Model"),
    **_below("/models/{model}/versions/{version}/v1", "one version", "Version"),
}
"""Operations by path and method."""
