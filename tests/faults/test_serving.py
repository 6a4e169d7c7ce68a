"""F18, F20, F22, F23, F26: a model that never ends, panics or answers NaN; and events of others.

Through both doors, with real libraries: a function's handler, and the laptop's server on a socket.
Requests beside a failing one, and the next one, are answered as ever. So are those to models of
other kinds, whose work is long because much is asked of them: beams, or pictures to decode.
"""

import io
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import uvicorn
from msgspec.structs import replace
from support import effort
from support.doors import LambdaContext, rest_event
from support.kinds import KINDS, check_kind, home_of_kind
from support.tiny import (
    FOREVER_WORD,
    NAN_WORD,
    PANIC_TEXT,
    Home,
    TinyBundle,
    make_home,
)

from maas.bundle.verify import Bundle, verify_bundle
from maas.http.catalog_entry import build_catalog_handler
from maas.http.entry import build_handler
from maas.limits import LIMITS
from maas_lab.serving import build_local_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from support.task_bundles import TaskHome

GOOD = "a good film"
LATE = 0.25
"""Seconds after its deadline at which an answer must be there."""
BUSY = 0.75
"""Seconds that a busy machine may add to what a client measures."""


@dataclass(frozen=True, slots=True)
class Said:
    """An answer.

    Attributes:
        status: HTTP status.
        headers: Names in lower case.
        body: Its JSON.
        seconds: How long it took.
    """

    status: int
    headers: dict[str, str]
    body: Any
    seconds: float

    @property
    def code(self) -> str:
        """The error's code; empty where it is none."""
        return "" if self.status == 200 else str(self.body["code"])

    def scores(self) -> dict[str, float]:
        """Score by label, of the first text."""
        return {pair["label"]: pair["score"] for pair in self.body[0]}


if TYPE_CHECKING:
    Ask = Callable[..., Said]  # inputs or a body, path=
    Door = Callable[[Home, float], AbstractContextManager[Ask]]


@contextmanager
def function(home: "Home | TaskHome", deadline: float) -> "Iterator[Ask]":
    """A function whose requests have so many seconds."""
    handler = build_handler(home.settings)
    remaining = int((deadline + LIMITS.deadline_margin_seconds) * 1000)

    def ask(inputs: object, path: str = "/models/sentiment") -> Said:
        body = inputs if isinstance(inputs, dict) else {"inputs": inputs}
        event, started = rest_event(path=path, body=body), time.monotonic()
        answer = handler(event, LambdaContext(remaining_milliseconds=remaining))
        spent = time.monotonic() - started
        return Said(answer["statusCode"], answer["headers"], json.loads(answer["body"]), spent)

    yield ask


@contextmanager
def server(home: Home, deadline: float) -> "Iterator[Ask]":
    """The laptop's server on a socket of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("maas.http.app.LIMITS", replace(LIMITS, deadline_seconds=deadline))
        app, _ = build_local_app(home.settings)
        config = uvicorn.Config(
            app, port=0, lifespan="off", access_log=False, log_level="error", log_config=None
        )
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run)
        thread.start()
        try:
            while not running.started:
                time.sleep(0.005)
            port = running.servers[0].sockets[0].getsockname()[1]
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:

                def ask(inputs: object, path: str = "/models/sentiment") -> Said:
                    started = time.monotonic()
                    answer = client.post(path, json={"inputs": inputs})
                    spent = time.monotonic() - started
                    effort.count("requests")
                    return Said(answer.status_code, dict(answer.headers), answer.json(), spent)

                yield ask
        finally:
            running.should_exit = True
            thread.join(10)


DOORS: "tuple[Door, ...]" = (function, server)
HAZARDS = (
    (PANIC_TEXT, 500, "tokenizer_failed"),
    (NAN_WORD, 500, "model_output_invalid"),
    (FOREVER_WORD, 504, "deadline_exceeded"),
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_home(tmp_path_factory.mktemp("home"), versions=1)


@pytest.fixture(scope="module")
def hazardous(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A model that can be made to panic, to answer NaN and to run for ever."""
    return make_home(tmp_path_factory.mktemp("home"), versions=1, hazards=True)


def is_well(said: Said, bundle: TinyBundle, text: str = GOOD) -> None:
    """It is the answer to this text, and by this version's weights."""
    assert said.status == 200, said.body
    assert said.scores() == pytest.approx(bundle.probabilities(text), abs=2e-6)


# ---- F18, F22, F23: real failures of real libraries ----------------------------------------------


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("hazard", HAZARDS)
def test_f18_f22_f23_a_model_that_fails_on_a_text_answers_the_next_one(
    hazardous: Home,
    log: io.StringIO,
    capfd: pytest.CaptureFixture[str],
    door: "Door",
    hazard: tuple[str, int, str],
) -> None:
    text, status, code = hazard
    with door(hazardous, 0.3) as ask:
        is_well(ask(GOOD), hazardous.bundles[1])
        for inputs in (text, ["good", text]):
            said = ask(inputs)
            assert (said.status, said.code) == (status, code)
            assert said.seconds < 0.3 + LATE + BUSY * (door is server)
            assert said.headers["x-maas-version"] == "1"
            assert said.headers.get("retry-after") == ("1" if status == 504 else None)
            assert said.body["request_id"] == said.headers["x-request-id"]
            # Neither the answer nor the log holds the text, or a trace of Rust or of Python
            for trace in (text, "NaN", "panicked", ".rs:", "Traceback", ".py"):
                assert trace not in json.dumps(said.body)
            is_well(ask(GOOD), hazardous.bundles[1])
            effort.count("faults")
        written = capfd.readouterr()
        assert text not in written.out + written.err + log.getvalue()
    if door is function:  # which counts what it answered
        metrics = [json.loads(line) for line in log.getvalue().splitlines() if '"Errors"' in line]
        assert [metric["Errors"] for metric in metrics[-4:]] == [1, 0, 1, 0]


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize("kind", KINDS)
def test_f18_f23_every_kind_of_model_that_fails_answers_the_next_one(
    tmp_path: "Path", kind: str
) -> None:
    home = home_of_kind(tmp_path, kind, hazards=True)
    with function(home, 10) as plenty, function(home, 0.15) as ask:
        check_kind(kind, home.bundle, plenty(KINDS[kind].body, home.path).body)
        for body, (status, code) in KINDS[kind].hazards:
            said = (ask if status == 504 else plenty)(body, home.path)
            assert (said.status, said.code) == (status, code)
            assert status != 504 or said.seconds < 0.15 + LATE
            assert said.headers.get("retry-after") == ("1" if status == 504 else None)
            check_kind(kind, home.bundle, plenty(KINDS[kind].body, home.path).body)
            effort.count("faults")


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(("text", "status", "code"), HAZARDS)
def test_f18_f22_f23_requests_beside_a_failing_one_are_answered(
    hazardous: Home, text: str, status: int, code: str
) -> None:
    with server(hazardous, 0.5) as ask, ThreadPoolExecutor(8) as pool:
        ask(GOOD)
        failing = [pool.submit(ask, text) for _ in range(2)]
        beside = [pool.submit(ask, GOOD) for _ in range(24)]
        for answer in beside:
            is_well(answer.result(), hazardous.bundles[1])
        assert [each.result().status for each in failing] == [status] * 2
        assert [each.result().code for each in failing] == [code] * 2
        is_well(ask(GOOD), hazardous.bundles[1])
    effort.count("faults", 2)


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize("door", DOORS)
def test_f18_a_version_that_takes_too_long_to_open_is_504_and_opened_for_the_next_request(
    home: Home, monkeypatch: pytest.MonkeyPatch, door: "Door"
) -> None:
    disk = threading.Event()
    disk.set()

    def slow(*arguments: Any, **options: Any) -> Bundle:  # noqa: ANN401
        assert disk.wait(10)
        return verify_bundle(*arguments, **options)

    monkeypatch.setattr("maas.loaded.verify_bundle", slow)
    other = "/models/sentiment/versions/2"
    with door(home, 0.2) as ask:
        is_well(ask(GOOD), home.bundles[1])
        # Given a disk that hangs when a version is first asked for
        disk.clear()
        for _ in range(2):
            said = ask(GOOD, other)
            assert (said.status, said.code) == (504, "deadline_exceeded")
            assert said.headers["retry-after"] == "1"
            assert said.seconds < 0.2 + LATE + BUSY * (door is server)
            is_well(ask(GOOD), home.bundles[1])
        # When it goes on, then what was begun is there
        disk.set()
        until = time.monotonic() + 5
        while (said := ask(GOOD, other)).status != 200:
            assert time.monotonic() < until
        is_well(said, home.bundles[2])
    effort.count("faults")


# ---- F20, F26: no time, and events of others -----------------------------------------------------


@pytest.fixture(scope="module")
def handlers(shared: Home) -> "dict[str, Callable[[Any, object], dict[str, Any]]]":
    """Both functions."""
    return {
        "inference": build_handler(shared.settings),
        "catalog": build_catalog_handler(shared.settings),
    }


EVENTS = {
    "inference": rest_event(body={"inputs": GOOD}),
    "catalog": rest_event("GET", "/catalog/models"),
}
OTHERS: tuple[Any, ...] = (
    *({}, [], None, "", "text", 7, 1.5, True, [{}], {"Records": []}),
    {"Records": [{"eventSource": "aws:sqs", "body": "{}", "messageId": "1"}]},
    {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": "canary"}}]},
    {"Records": [{"eventSource": "aws:s3", "s3": {"bucket": {"name": "canary"}}}]},
    {"detail-type": "Scheduled Event", "source": "aws.s3", "detail": {}},
    {"inputs": GOOD},
    {"requestContext": {"connectionId": "x", "routeKey": "$connect", "eventType": "CONNECT"}},
    {"type": "TOKEN", "methodArn": "arn:aws:execute-api:x", "authorizationToken": "canary"},
    {"awslogs": {"data": "canary"}},
)


@pytest.mark.parametrize("name", EVENTS)
@pytest.mark.parametrize("milliseconds", [-1, 0, 1, 499, 500])
def test_f20_with_too_little_time_it_says_so_at_once(
    handlers: Any,  # noqa: ANN401
    log: io.StringIO,
    name: str,
    milliseconds: int,
) -> None:
    answer = handlers[name](EVENTS[name], LambdaContext(remaining_milliseconds=milliseconds))
    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (503, "try_again")
    assert answer["headers"]["retry-after"] == "1"
    assert "x-maas-version" not in answer["headers"]
    (line,) = [json.loads(each) for each in log.getvalue().splitlines() if '"answered"' in each]
    assert line["tokens"] == 0
    assert handlers[name](EVENTS[name], LambdaContext())["statusCode"] == 200
    effort.count("faults")


@pytest.mark.parametrize("name", EVENTS)
def test_f26_what_is_no_http_event_has_a_defined_answer(
    handlers: Any,  # noqa: ANN401
    log: io.StringIO,
    name: str,
) -> None:
    for event in ({"source": "warm-up"}, {"source": "aws.events", "detail-type": "Scheduled"}):
        assert handlers[name](event, LambdaContext()) == {"statusCode": 204}
    for event in OTHERS:
        answer = handlers[name](event, LambdaContext())
        assert answer["statusCode"] == 400
        assert answer["headers"]["content-type"] == "application/json"
        assert json.loads(answer["body"])["code"] == "bad_request"
        assert handlers[name](EVENTS[name], LambdaContext())["statusCode"] == 200
        effort.count("faults")
    assert "canary" not in log.getvalue()
