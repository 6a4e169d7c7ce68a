"""An answer in parts that breaks off: said in the log once, without a second head or a text."""

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, cast

import pytest

from maas.exchange import Exchange
from maas.http.app import App
from maas.http.asgi import Request
from maas.http.methods import EVENTS, Stream

if TYPE_CHECKING:
    from maas.observe import Observer

SCOPE = {
    "type": "http",
    "method": "GET",
    "path": "/stream",
    "query_string": b"",
    "headers": [],
}


class Panic(BaseException):
    """As a native library's is: no Exception."""


class Seen:
    """An observer that keeps what it was told."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, str | None]] = []
        self.failures: list[BaseException] = []

    def answered(self, _: Exchange, *, status: int, code: str | None = None) -> None:
        self.answers.append((status, code))

    def failed(self, _: Exchange, error: BaseException) -> None:
        self.failures.append(error)


def asked(fault: BaseException | None, *, stays: bool = True) -> tuple[Seen, list[Any]]:
    """What was seen and sent of a stream that fails after its first part."""
    seen, sent = Seen(), []

    async def parts() -> AsyncGenerator[bytes, None]:
        yield b"one"
        if not stays:
            await asyncio.Event().wait()
        if fault is not None:
            raise fault

    async def endpoint(_request: Request, _exchange: Exchange) -> Stream:
        return Stream(parts(), EVENTS)

    async def receive() -> Any:  # noqa: ANN401
        await asyncio.sleep(60 if stays else 0.01)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:  # noqa: ANN401
        sent.append(message)

    app = App(
        {"/stream": {"GET": endpoint}}, observer=cast("Observer", seen), new_id=lambda: "an id"
    )
    asyncio.run(app(dict(SCOPE), receive, send))
    return seen, sent


@pytest.mark.parametrize("fault", [Panic("canary"), RuntimeError("canary")], ids=["panic", "error"])
def test_what_breaks_a_body_off_is_logged_and_answered_no_second_time(fault: BaseException) -> None:
    seen, sent = asked(fault)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[-1] == {"type": "http.response.body", "body": b"one", "more_body": True}
    assert seen.failures == [fault]
    assert seen.answers == [(200, "internal")]


def test_a_whole_body_has_an_end() -> None:
    seen, sent = asked(None)
    assert sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
    assert (seen.answers, seen.failures) == ([(200, None)], [])


def test_who_goes_away_is_no_failure() -> None:
    seen, sent = asked(None, stays=False)
    assert sent[-1]["more_body"] is True
    assert (seen.answers, seen.failures) == ([(200, None)], [])
