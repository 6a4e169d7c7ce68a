"""OpenAI's completions and chat of a model that goes on with texts, whole or streamed.

May import `maas.http.answering`, `maas.http.streaming` and what lies below them.

    routes = openai_completions_routes(answering, now=time.time)
"""

from typing import TYPE_CHECKING, cast

from maas.errors import FieldError
from maas.http.faces.openai_asking import asked_of
from maas.http.problems import encode_json

# The wire format is imported when it is first spoken.
# ruff: noqa: PLC0415

if TYPE_CHECKING:
    from collections.abc import Callable

    from maas.exchange import Exchange
    from maas.http.answering import Answering
    from maas.http.asgi import Request
    from maas.http.methods import Routes, Stream
    from maas.http.protocols.openai_completions import CompletionAnswer, Named
    from maas.service import Turn
    from maas.tasks.generation import GenerateRequest, GenerateResponse

GENERATES = "text-generation"


def openai_completions_routes(answering: "Answering", *, now: "Callable[[], float]") -> "Routes":
    """The routes of whichever version answers, and of a pinned one.

    Args:
        answering: The models of this process.
        now: Seconds since 1970.
    """
    face = _Completions(answering, now)
    below: Routes = {
        "/completions": {"POST": face.completions},
        "/chat/completions": {"POST": face.chat},
    }
    return {
        f"{prefix}/v1{path}": methods
        for prefix in ("/models/{model}", "/models/{model}/versions/{version}")
        for path, methods in below.items()
    }


class _Completions:
    def __init__(self, answering: "Answering", now: "Callable[[], float]") -> None:
        self._answering = answering
        self._now = now

    async def completions(self, request: "Request", exchange: "Exchange") -> "bytes | Stream":
        from maas.http.protocols import openai_completions as wire
        from maas.http.protocols.openai_wire_completions import CompletionBody

        body, turn = await asked_of(CompletionBody, self._answering, request, exchange)
        named = self._named("cmpl", turn, exchange)
        asked = wire.completion_request(body)
        answer = wire.CompletionAnswer(asked, named, usage=wire.wants_usage(body))
        return await self._answered(turn, asked, answer, request, exchange)

    async def chat(self, request: "Request", exchange: "Exchange") -> "bytes | Stream":
        from maas.http.protocols import openai_completions as wire
        from maas.http.protocols.openai_wire_completions import ChatBody

        body, turn = await asked_of(ChatBody, self._answering, request, exchange)
        named = self._named("chatcmpl", turn, exchange)
        asked = wire.chat_request(body)
        answer = wire.ChatCompletionAnswer(asked, named, usage=wire.wants_usage(body))
        return await self._answered(turn, asked, answer, request, exchange)

    async def _answered(
        self,
        turn: "Turn",
        asked: "GenerateRequest",
        answer: "CompletionAnswer",
        request: "Request",
        exchange: "Exchange",
    ) -> "bytes | Stream":
        if asked.streamed:
            from maas.http.streaming import streamed

            return await streamed(
                self._answering, turn, asked, request=request, events=answer, exchange=exchange
            )
        response = await self._answering.predict(turn, asked, exchange)
        return encode_json(answer.whole(cast("GenerateResponse", response)))

    def _named(self, kind: str, turn: "Turn", exchange: "Exchange") -> "Named":
        """What the answer is called; only a model that goes on with texts has one."""
        from maas.http.protocols.openai_completions import Named

        if turn.task_name != GENERATES:
            raise FieldError(f"must be one whose task is {GENERATES}", field="model")
        name = f"{turn.loaded.bundle.manifest.name}@{turn.version}"
        return Named(f"{kind}-{exchange.request_id}", int(self._now()), name)
