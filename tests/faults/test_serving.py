"""Faults while requests are served: each is contained, and the next request is answered."""

import asyncio
import io
import json
import resource
import sqlite3
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any, cast

import pytest
from support.doors import LambdaContext, rest_event
from support.tiny import (
    FOREVER_WORD,
    NAN_WORD,
    PANIC_TEXT,
    Client,
    Home,
    make_home,
    open_client,
)

from maas.http.app import App
from maas.http.entry import build_handler
from maas.http.inference import inference_routes
from maas.limits import LIMITS
from maas.loaded import REFUSED_SECONDS
from maas.observe import Observer
from maas.service import Service, Turn
from maas.tasks.classify import Classifier, ClassifyRequest, ClassifyResponse, LabelScore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from maas.assembly import Services
    from maas.registry.addresses import VersionAddress

GOOD = {"inputs": "a good film"}


class Panic(BaseException):
    """What a native library raises: no Exception."""


class FaultyServices:
    """Real services, of which one hop fails while it is told to.

    Attributes:
        fault: What is raised, or None for none.
        hop: Where: services, turn, predict or answer.
    """

    def __init__(self, services: "Services") -> None:
        self._services = services
        self.fault: BaseException | None = None
        self.hop = ""

    def __call__(self, model: str) -> Service:
        self.reach("services")
        return cast("Service", FaultyService(self, self._services(model)))

    def models(self) -> list[str]:
        return self._services.models()

    def reach(self, hop: str) -> None:
        if self.fault is not None and self.hop == hop:
            raise self.fault


class FaultyService:
    """A real service behind a fault."""

    def __init__(self, faults: FaultyServices, service: Service) -> None:
        self._faults = faults
        self._service = service
        self.model = service.model

    def turn(self, address: "VersionAddress | None", *, deadline: float) -> Turn:
        self._faults.reach("turn")
        turn = self._service.turn(address, deadline=deadline)
        task = cast("Classifier", FaultyTask(self._faults, turn.task))
        return replace(turn, loaded=replace(turn.loaded, task=task))


class FaultyTask:
    """A real task behind a fault."""

    def __init__(self, faults: FaultyServices, task: Classifier) -> None:
        self._faults = faults
        self._task = task

    def predict(self, request: ClassifyRequest, *, deadline: float) -> ClassifyResponse:
        self._faults.reach("predict")
        answer = self._task.predict(request, deadline=deadline)
        if self._faults.fault is None:
            return answer
        # A label that is no text: the encoder is the last hop.
        rows = ((LabelScore(cast("str", Panic), 0.5),),)
        return replace(answer, rows=rows)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_home(tmp_path_factory.mktemp("home"), versions=1)


@pytest.fixture(scope="module")
def hazardous(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A model that can be made to panic, to answer NaN and to run for ever."""
    return make_home(tmp_path_factory.mktemp("home"), versions=1, hazards=True)


@contextmanager
def no_more_files() -> "Iterator[None]":
    """Nothing can be opened any more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def full_disk() -> "Iterator[None]":
    """Nothing can be written any more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# ---- F21, F22: anything, anywhere ---------------------------------------------------------------


@pytest.mark.parametrize("threads", [False, True])
@pytest.mark.parametrize("hop", ["services", "turn", "predict", "answer"])
@pytest.mark.parametrize(
    "fault",
    [
        RuntimeError("canary /srv/secret"),
        MemoryError("canary"),
        RecursionError("canary"),
        KeyError("canary"),
        OSError(28, "canary", "/srv/secret"),
        Panic("canary"),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_what_nobody_foresaw_is_a_500_that_tells_nothing(
    shared: Home,
    log: io.StringIO,
    hop: str,
    fault: BaseException,
    *,
    threads: bool,
) -> None:
    services = FaultyServices(shared.services())
    with open_client(cast("Services", services), threads=threads) as client:
        assert client.post("/models/sentiment", json=GOOD).status_code == 200
        # Given a fault at one hop
        services.fault, services.hop = fault, hop
        # When a request comes there
        response = client.post("/models/sentiment", json=GOOD)
        # Then it is answered, with an id and without the reason
        body = response.json()
        assert (response.status_code, body["code"]) == (500, "internal")
        assert body["request_id"] == response.headers["x-request-id"]
        assert response.headers["content-type"] == "application/json"
        # And the next request is answered as ever
        services.fault = None
        assert client.post("/models/sentiment", json=GOOD).status_code == 200
    failed = [json.loads(line) for line in log.getvalue().splitlines() if '"failed"' in line]
    assert [line["request_id"] for line in failed] == [body["request_id"]]
    for secret in ("canary", "/srv", "Traceback"):
        assert secret not in response.text + log.getvalue()


# ---- Real failures of real libraries ------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        (PANIC_TEXT, 500, "tokenizer_failed"),
        (NAN_WORD, 500, "model_output_invalid"),
        (FOREVER_WORD, 504, "deadline_exceeded"),
    ],
)
def test_a_model_that_fails_on_a_text_answers_the_next_one(
    hazardous: Home,
    capfd: pytest.CaptureFixture[str],
    text: str,
    status: int,
    code: str,
) -> None:
    handler = build_handler(hazardous.settings)
    # Given 150 ms beside the margin that is kept for the answer
    margin = LIMITS.deadline_margin_seconds
    context = LambdaContext(remaining_milliseconds=int(margin * 1000) + 150)
    started = time.monotonic()
    answer = handler(rest_event(body={"inputs": ["good", text]}), context)
    assert time.monotonic() - started < 0.15 + 0.25
    body = json.loads(answer["body"])
    assert (answer["statusCode"], body["code"]) == (status, code)
    assert answer["headers"]["x-maas-version"] == "1"
    assert text not in answer["body"] + "".join(capfd.readouterr())
    assert handler(rest_event(body=GOOD), LambdaContext())["statusCode"] == 200


def test_requests_beside_one_without_end_are_answered(
    hazardous: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maas.http.app.LIMITS", replace(LIMITS, deadline_seconds=0.2))
    with open_client(hazardous.services(), threads=True) as client:
        slow, *others = client.together(FOREVER_WORD, *["good"] * 20)
    assert slow.json()["code"] == "deadline_exceeded"
    assert slow.headers["retry-after"] == "1"
    assert [response.status_code for response in others] == [200] * 20


@pytest.mark.usefixtures("log")
def test_above_its_bound_it_refuses_at_once_and_answers_again_when_others_have_ended(
    shared: Home,
) -> None:
    # Given a service that answers only when five requests have come
    ids, all_here = count(1), threading.Event()
    services = shared.services()

    def new_id() -> str:
        number = next(ids)
        if number == 5:
            all_here.set()
        return f"request-{number}"

    def slow(model: str) -> Service:
        assert all_here.wait(5)
        return services(model)

    app = App(
        inference_routes(cast("Services", slow), threads=True),
        observer=Observer("INFO", metrics=False),
        new_id=new_id,
        concurrency=2,
    )
    with Client(app) as client:
        # When they come together
        responses = client.together(*["good"] * 5)
        # Then as many as may be are answered, and the others are told so in our own words
        assert sorted(response.status_code for response in responses) == [200, 200, 429, 429, 429]
        for response in responses:
            if response.status_code == 429:
                body = response.json()
                assert (body["code"], body["field"]) == ("overloaded", None)
                assert response.headers["retry-after"] == "1"
                assert response.headers["x-request-id"] == body["request_id"]
                assert response.headers["content-type"] == "application/json"
        # And nothing of it stays
        assert [each.status_code for each in client.together("good", "good")] == [200, 200]


# ---- The machine fails --------------------------------------------------------------------------


@pytest.mark.parametrize("failing", [no_more_files, full_disk])
def test_a_machine_that_fails_stops_no_loaded_model(
    home: Home,
    log: io.StringIO,
    failing: "Callable[[], Any]",
) -> None:
    # Given a loaded version, and a policy that is read for every request
    always = replace(home, settings=replace(home.settings, policy_ttl=0.0))
    with open_client(always.services()) as client:
        assert client.predict("good").status_code == 200
        # When the machine can open or write no file
        with failing():
            responses = [client.predict("good") for _ in range(3)]
        # Then answers go on, by the last known policy if need be
        assert [response.status_code for response in responses] == [200] * 3
        assert {response.headers["x-maas-policy"] for response in responses} <= {"live", "stale"}
        assert client.predict("good").status_code == 200


def test_a_version_that_cannot_be_opened_now_is_not_ready_and_is_later(home: Home) -> None:
    later = [0.0]
    services = home.services(clock=lambda: time.monotonic() + later[0])
    with open_client(services) as client:
        assert client.predict("good").status_code == 200
        with no_more_files():
            response = client.post("/models/sentiment/versions/2", json=GOOD)
        assert (response.status_code, response.json()["code"]) == (503, "model_not_ready")
        assert str(home.settings.home) not in response.text
        later[0] = REFUSED_SECONDS
        assert client.post("/models/sentiment/versions/2", json=GOOD).status_code == 200


def test_a_registry_that_is_locked_or_lost_stops_no_answer(home: Home) -> None:
    always = replace(home, settings=replace(home.settings, policy_ttl=0.0))
    file = home.settings.home / "registry.sqlite"
    with open_client(always.services()) as client:
        client.predict("good")
        # Given a writer that holds the file, then a file that is none, then no file
        locked = sqlite3.connect(file, isolation_level=None)
        locked.execute("BEGIN EXCLUSIVE")
        assert client.predict("good").status_code == 200
        locked.execute("ROLLBACK")
        locked.close()
        for other in home.settings.home.glob("registry.sqlite*"):
            other.unlink()
        file.write_bytes(b"this is no database" * 1000)
        response = client.predict("good")
        assert (response.status_code, response.headers["x-maas-policy"]) == (200, "stale")
        file.unlink()
        response = client.predict("good")
        assert (response.status_code, response.headers["x-maas-policy"]) == (200, "stale")


# ---- The caller fails ---------------------------------------------------------------------------


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
