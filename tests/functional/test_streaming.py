"""Tokens as they are written, by a real server: in order, in time, and for nobody who went away."""

import io
import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from support.doors import LambdaContext, rest_event
from support.task_bundles import TaskHome, home_with, serving
from support.tiny_generator import MAX_NEW_TOKENS, make_generator

from maas.engine.session import Session
from maas.errors import DeadlineError, ModelError
from maas.http.entry import build_handler
from maas.limits import LIMITS

STREAM = {"inputs": "a film", "stream": True}


class Watch:
    """Counts the steps of all sessions, holds up all but those that read a text, or fails one."""

    def __init__(self) -> None:
        self.steps = 0
        self.fault: BaseException | None = None
        self.fault_at = 0
        self.go = threading.Event()
        self.go.set()

    def step(self, original: Any, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        self.steps += 1
        assert arguments[1]["input_ids"].shape[1] > 1 or self.go.wait(5)
        if self.fault is not None and self.steps >= self.fault_at:
            raise self.fault
        return original(*arguments, **options)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    watch, original = Watch(), Session.step
    monkeypatch.setattr(Session, "step", lambda *a, **o: watch.step(original, *a, **o))
    return watch


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> TaskHome:
    return home_with(tmp_path_factory.mktemp("home"), make_generator, seed=3, stays=True)


@pytest.fixture(scope="module")
def url(home: TaskHome) -> Iterator[str]:
    with serving(home) as server:
        httpx.post(server + home.path, json={"inputs": "a film"})  # opens it, before any is held up
        yield server + home.path


def events(response: httpx.Response) -> list[Any]:
    """What a whole stream said."""
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.text.endswith("\n\n")
    parts = response.text.removesuffix("\n\n").split("\n\n")
    assert all(part.startswith("data: ") for part in parts)
    return [json.loads(part.removeprefix("data: ")) for part in parts]


def until(seen: Any, wanted: Any, seconds: float = 5) -> None:  # noqa: ANN401
    """Wait for something that happens in the server's thread."""
    limit = time.monotonic() + seconds
    while seen() != wanted:
        assert time.monotonic() < limit, (seen(), wanted)
        time.sleep(0.005)


def test_the_pieces_are_the_answer_that_is_given_whole(url: str, home: TaskHome) -> None:
    response = httpx.post(url, json=STREAM)
    assert response.status_code == 200
    assert response.headers["x-maas-version"] == "1"
    assert response.headers["cache-control"] == "no-store"
    told = events(response)
    assert [each["index"] for each in told] == list(range(1, MAX_NEW_TOKENS + 1))
    text = "".join(each["token"]["text"] for each in told)
    assert text == told[-1]["generated_text"] == home.bundle.goes_on("a film")
    assert httpx.post(url, json={"inputs": "a film"}).json() == [{"generated_text": text}]


def test_a_token_comes_before_the_next_is_written(url: str, watch: Watch) -> None:
    watch.go.clear()
    with httpx.stream("POST", url, json=STREAM) as response:
        lines = response.iter_lines()
        first = json.loads(next(lines).removeprefix("data: "))
        assert first["index"] == 1
        assert watch.steps <= 2
        watch.go.set()
        assert sum(line.startswith("data: ") for line in lines) == MAX_NEW_TOKENS - 1


def test_who_goes_away_ends_the_writing(url: str, watch: Watch, log: io.StringIO) -> None:
    watch.go.clear()
    with httpx.stream("POST", url, json=STREAM) as response:
        lines = response.iter_lines()  # which is held: one that is let go closes the connection
        next(lines)
        until(lambda: watch.steps, 2)
    # The log says that the request ended, though a step of it is still being taken
    until(lambda: response.headers["x-request-id"] in log.getvalue(), True)
    watch.go.set()
    # And the next request is answered; of the first no other step was taken
    assert len(events(httpx.post(url, json=STREAM))) == MAX_NEW_TOKENS
    assert watch.steps == 2 + MAX_NEW_TOKENS


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"inputs": "", "stream": True}, 422, "inputs"),
        ({"inputs": "a " * 100, "stream": True}, 422, "inputs"),
        ({"inputs": "a", "stream": True, "parameters": {"top_k": 0}}, 422, "parameters.top_k"),
    ],
)
def test_what_is_wrong_with_a_request_is_told_by_a_status(
    url: str, body: object, status: int, field: str
) -> None:
    response = httpx.post(url, json=body)
    assert (response.status_code, response.json()["field"]) == (status, field)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (ModelError("The model failed on this input."), ("model_failed", "The model failed")),
        (DeadlineError("The model did not finish."), ("deadline_exceeded", "did not finish")),
        (RuntimeError("canary"), ("internal", "Something failed")),
    ],
)
def test_what_fails_after_the_first_token_is_the_last_event(
    url: str, watch: Watch, log: io.StringIO, fault: Exception, said: tuple[str, str]
) -> None:
    code, text = said
    watch.fault, watch.fault_at = fault, 4
    told = events(httpx.post(url, json=STREAM))
    assert [each.get("index") for each in told] == [1, 2, 3, None]
    assert (told[-1]["code"], text in told[-1]["error"]) == (code, True)
    assert "canary" not in json.dumps(told)
    until(lambda: f'"code":"{code}"' in log.getvalue(), True)
    assert '"failed"' in log.getvalue()
    assert "canary" not in log.getvalue()
    watch.fault = None
    assert len(events(httpx.post(url, json=STREAM))) == MAX_NEW_TOKENS


def test_what_fails_before_the_first_token_is_told_by_a_status(url: str, watch: Watch) -> None:
    watch.fault = ModelError("The model failed on this input.")
    response = httpx.post(url, json=STREAM)
    assert (response.status_code, response.json()["code"]) == (500, "model_failed")


def test_the_deadline_holds_while_tokens_come(
    url: str, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maas.http.app.LIMITS", replace(LIMITS, deadline_seconds=0.25))
    watch.go.clear()
    with httpx.stream("POST", url, json=STREAM) as response:
        lines = response.iter_lines()
        next(lines)
        time.sleep(0.3)  # longer than this request may take
        watch.go.set()
        told = [json.loads(line[6:]) for line in lines if line]
    assert told[-1]["code"] == "deadline_exceeded"


@contextmanager
def streaming(url: str) -> Iterator[httpx.Response]:
    with httpx.stream("POST", url, json=STREAM) as response:
        yield response


def test_a_stream_counts_as_a_request_until_it_ends(
    home: TaskHome, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maas_lab.serving.LIMITS", replace(LIMITS, concurrency=2))
    with serving(home) as server, ExitStack() as stack:
        url = server + home.path
        assert httpx.post(url, json={"inputs": "a film"}).status_code == 200  # it is loaded
        watch.go.clear()
        held = [stack.enter_context(streaming(url)) for _ in range(2)]
        refused = httpx.post(url, json=STREAM)
        assert (refused.status_code, refused.json()["code"]) == (429, "overloaded")
        watch.go.set()
        for each in held:
            each.read()
        until(lambda: httpx.post(url, json={"inputs": "a film"}).status_code, 200)


def test_a_function_says_that_it_cannot_stream(home: TaskHome) -> None:
    handler = build_handler(home.settings)
    answer = handler(rest_event("POST", home.path, STREAM), LambdaContext())
    body = json.loads(answer["body"])
    assert (answer["statusCode"], body["code"], body["field"]) == (422, "invalid_field", "stream")
    assert "maas serve" in body["error"]
    whole = rest_event("POST", home.path, STREAM | {"stream": False})
    assert handler(whole, LambdaContext())["statusCode"] == 200
