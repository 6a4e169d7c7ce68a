"""Tokens to a caller as soon as they were written: server-sent events, on a local server.

May import `maas.http.answering`, `maas.http.methods` and what lies below them.

    events = GenerateEvents()
    stream = await streamed(answering, turn, asked, request=…, events=events, exchange=…)

The first token is awaited before the answer begins, so that what is wrong with a request is told
by a status. Lambda's managed runtime for Python takes an answer when it is whole.
"""

import time
from typing import TYPE_CHECKING, Protocol, cast

from maas.errors import FieldError, MaasError
from maas.http.answering import is_ours
from maas.http.methods import EVENTS, Stream
from maas.http.problems import dump_json

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from maas.exchange import Exchange
    from maas.http.answering import Answering
    from maas.http.asgi import Request
    from maas.service import Turn
    from maas.tasks.generate import Generator
    from maas.tasks.generation import GenerateRequest, Step


class Events(Protocol):
    """A protocol's events of one stream."""

    def step(self, step: "Step") -> list[object]:
        """What is sent of a token, each an event of JSON."""

    def failure(self, error: MaasError) -> object:
        """What is sent when something fails after the answer began."""

    def end(self) -> bytes:
        """What stands behind all events."""


async def streamed(
    answering: "Answering",
    turn: "Turn",
    asked: "GenerateRequest",
    *,
    request: "Request",
    events: Events,
    exchange: "Exchange",
) -> Stream:
    """Begin to answer.

    Args:
        answering: The models of this process.
        turn: Who answers; its task goes on with texts.
        asked: What was asked.
        request: The request.
        events: The protocol's.
        exchange: Told of the tokens.

    Raises:
        MaasError: The request is not acceptable, or its first token could not be written.
    """
    if request.event is not None:
        raise FieldError(
            "must be false here: a function of Python cannot stream its answer. Leave it out, or"
            " ask a server that `maas serve` started",
            field="stream",
        )
    exchange.texts, exchange.images, exchange.clips = asked.counts
    task = cast("Generator", turn.task)
    steps = await answering.run(lambda: task.stream(asked, deadline=exchange.deadline))
    first = await answering.run(lambda: next(steps))
    parts = _parts(answering, turn, steps, first=first, events=events, exchange=exchange)
    return Stream(parts, EVENTS)


async def _parts(
    answering: "Answering",
    turn: "Turn",
    steps: "Iterator[Step]",
    *,
    first: "Step",
    events: Events,
    exchange: "Exchange",
) -> "AsyncGenerator[bytes, None]":
    """The events. Who goes away takes no more of them, so no further step is begun."""
    started = time.perf_counter_ns()
    step: Step | None = first
    try:
        while step is not None:
            _note(step, exchange)
            for event in events.step(step):
                yield _event(event)
            step = await answering.run(lambda: next(steps, None))
        yield events.end()
    except Exception as error:  # noqa: BLE001 - the status is sent: it can only be said in here
        problem = error if isinstance(error, MaasError) else MaasError("Something failed here.")
        exchange.failure = error
        yield _event(events.failure(problem))
    finally:
        spent = time.perf_counter_ns() - started
        failure = exchange.failure
        answering.statistics.count(
            turn.digest,
            rows=1,
            nanoseconds=spent,
            done=failure is None,
            error=failure is not None and is_ours(failure),
        )


def _note(step: "Step", exchange: "Exchange") -> None:
    exchange.tokens += 1
    if step.done is not None:
        exchange.tokens += step.done.read
        exchange.truncated += step.done.cut


def _event(value: object) -> bytes:
    return b"data: " + dump_json(value) + b"\n\n"
