"""F28, as far as the app: callers who go away, dawdle or are cancelled hurt nobody else."""

import asyncio
import io
import json
import time
from typing import Any

import pytest
from msgspec.structs import replace
from support.tiny import Client, Home, make_home

from maas.http.app import App
from maas.http.inference import inference_routes
from maas.limits import LIMITS
from maas.observe import Observer


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_home(tmp_path_factory.mktemp("home"), versions=1)


SCOPE: dict[str, Any] = {
    "type": "http",
    "http_version": "1.1",
    "method": "POST",
    "path": "/models/sentiment",
    "query_string": b"",
    "headers": [],
    "root_path": "",
}


def call(app: App, *messages: dict[str, Any], wait: bool = False) -> tuple[int, dict[str, Any]]:
    """One POST whose body comes in these messages; `wait` lets it never end."""
    left = list(messages)
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if left:
            return left.pop(0)
        if wait:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:  # noqa: ANN401
        sent.append(message)

    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(app(SCOPE, receive, send))
    finally:
        loop.close()
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    return sent[0]["status"], json.loads(sent[1]["body"])


def part(body: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


@pytest.fixture
def app(shared: Home, log: io.StringIO) -> App:
    """An app that answers one request at a time, so none may stay counted when it has ended."""
    return App(
        inference_routes(shared.services()),
        observer=Observer("INFO", metrics=False),
        new_id=lambda: "request-1",
        concurrency=1,
    )


def test_a_body_that_never_ends_is_given_up_in_time(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maas.http.app.LIMITS", replace(LIMITS, deadline_seconds=0.05))
    started = time.monotonic()
    status, body = call(app, part(b'{"inputs"', more=True), part(b":", more=True), wait=True)
    assert (status, body["error"]) == (400, "The body did not arrive in time.")
    assert time.monotonic() - started < 0.05 + 0.25


def test_a_caller_who_goes_away_hurts_nobody(app: App) -> None:
    for _ in range(200):
        status, body = call(app, part(b'{"inputs":"go', more=True))
        assert (status, body["code"]) == (400, "bad_request")
    status, _ = call(app, part(b'{"inputs":"go', more=True), part(b'od"}', more=False))
    assert status == 200


def test_a_request_that_is_cancelled_is_not_answered(app: App) -> None:
    async def cancelled() -> None:
        async def receive() -> Any:  # noqa: ANN401
            raise asyncio.CancelledError

        async def send(_: object) -> None:
            raise AssertionError("answered")

        await app(SCOPE, receive, send)

    loop = asyncio.new_event_loop()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(cancelled())
    loop.close()
    assert call(app, part(b'{"inputs":"good"}', more=False))[0] == 200


def test_what_is_not_http_is_left_alone(app: App) -> None:
    async def never(*_: object) -> Any:  # noqa: ANN401
        raise AssertionError("answered")

    loop = asyncio.new_event_loop()
    for kind in ("lifespan", "websocket"):
        loop.run_until_complete(app({"type": kind}, never, never))
    loop.close()


def test_a_thousand_bad_requests_leave_the_good_one_as_it_was(client: Client) -> None:
    before = client.predict("a good film").content
    bad: tuple[bytes, ...] = (
        b"",
        b"{",
        b"[]",
        b'{"inputs":[]}',
        b'{"inputs":"\\ud800"}',
        b"[" * 99,
    )
    for number in range(1_000):
        response = client.post("/models/sentiment", content=bad[number % len(bad)])
        assert 400 <= response.status_code < 500
    assert client.predict("a good film").content == before
