"""Bad inputs through every door: ASGI as uvicorn calls it, and Lambda's events of both APIs.

    with open_doors(home) as doors:
        doors.refuse(b"{", 400, "bad_request")          # by each door, and a good one after it
        answer = doors.accept({"inputs": "good"})       # 200 by each door, with the same bytes
    with open_doors(home, good=Sent(png, path="/models/pictures", headers=PNG)) as doors: ...

Doors must agree: what one refuses, the others refuse by the same status, code and field. Work is
measured as the processor's time; the promise is 50 ms, and tests allow a busy machine more.
"""

import asyncio
import base64
import json
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from support.doors import REQUEST_ID, LambdaContext, http_event, rest_event
from support.effort import count

from maas.http.app import App
from maas.http.entry import build_handler
from maas.http.inference import inference_routes
from maas.observe import Observer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.task_bundles import TaskHome
    from support.tiny import Home

    Event = dict[str, Any]

MODEL = "/models/sentiment"
GOOD = {"inputs": "a good film"}
JSON = {"content-type": "application/json"}
PNG = {"content-type": "image/png"}
WORK_SECONDS = 0.25
"""Processor time that a refusal may take: five times the promise of 50 ms."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whichever door it came from."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Sent:
    """A request before it is of any door.

    Attributes:
        body: As the client sent it.
        method: The method.
        path: The path, percent-encoded.
        query: The query string, without its question mark.
        headers: Names and values.
    """

    body: bytes = b""
    method: str = "POST"
    path: str = MODEL
    query: str = ""
    headers: dict[str, str] = field(default_factory=lambda: dict(JSON))


@dataclass
class Doors:
    """The doors of one home, all in this process.

    Attributes:
        home: What is served.
        sample: A good request.
        loop: Where the app runs.
        slowest: The most processor time that a refusal took, in seconds.
    """

    home: Any
    app: "App"
    handler: "Callable[[Any, object], Event]"
    sample: Sent
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    slowest: float = 0.0

    def __post_init__(self) -> None:
        self._good = self._accept(self.sample)
        if self.sample.path == MODEL and (one := getattr(self.home, "bundles", {}).get(1)):
            scores = {pair["label"]: pair["score"] for pair in self._good.json[0]}
            wanted = one.probabilities(GOOD["inputs"])
            assert all(abs(scores[label] - wanted[label]) < 2e-6 for label in wanted)

    def send(self, sent: Sent) -> "list[Answer]":
        """The answers of all doors to one request."""
        return [self._asgi(sent), self._event(_rest(sent)), self._event(_http(sent))]

    def good(self) -> None:
        """A good request is answered by the same process, by every door, as it ever was."""
        for answer in self.send(self.sample):
            assert (answer.status, answer.body) == (200, self._good.body)

    def accept(self, body: object, *, query: str = "", **headers: str) -> Answer:
        """A 200 by every door, with the same bytes."""
        return self._accept(self._predicting(body, query=query, headers=headers))

    def _accept(self, sent: Sent) -> Answer:
        answers = self.send(sent)
        for answer in answers:
            assert answer.status == 200, answer.body
            assert answer.body == answers[0].body
        return answers[0]

    def refuse(
        self,
        sent: "Sent | bytes | object",
        status: "int | set[int]",
        code: str | None = None,
        field: str | None = None,
    ) -> Answer:
        """Send what must be refused, by every door alike, in time; a good request follows.

        Args:
            sent: A request; bytes or a JSON value are the body of a prediction.
            status: What it may be answered by.
            code: The one that is expected; None is any.
            field: Checked where a code is given.
        """
        if not isinstance(sent, Sent):
            path = self.sample.path
            sent = Sent(sent, path=path) if isinstance(sent, bytes) else self._predicting(sent)
        allowed = status if isinstance(status, set) else {status}
        count("inputs")
        started = time.thread_time()
        answers = self.send(sent)
        self._spent((time.thread_time() - started) / len(answers))
        said = [(a.status, a.json["code"], a.json["field"], a.json["error"]) for a in answers]
        assert len(set(said)) == 1, said
        assert said[0][0] in allowed, said
        if code is not None:
            assert said[0][1:3] == (code, field), said
        for answer in answers:
            check_problem(answer)
        self.good()
        return answers[0]

    def _predicting(
        self, body: object, *, query: str = "", headers: "dict[str, str] | None" = None
    ) -> Sent:
        whole = JSON | (headers or {})
        data = json.dumps(body).encode()
        return Sent(data, path=self.sample.path, query=query, headers=whole)

    def _spent(self, seconds: float) -> None:
        self.slowest = max(self.slowest, seconds)
        assert seconds < WORK_SECONDS

    def _asgi(self, sent: Sent) -> Answer:
        """As uvicorn calls an app: httpx would mend the path, the method and the headers first."""
        count("requests")
        messages: list[Event] = []

        async def receive() -> "Event":
            return {"type": "http.request", "body": sent.body, "more_body": False}

        async def send(message: Any) -> None:  # noqa: ANN401
            messages.append(message)

        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": sent.method,
            "path": unquote(sent.path),
            "raw_path": sent.path.encode(),
            "query_string": sent.query.encode(),
            "root_path": "",
            "headers": [(n.lower().encode(), v.encode()) for n, v in sent.headers.items()],
        }
        self.loop.run_until_complete(self.app(scope, receive, send))
        start, body = messages
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        return Answer(start["status"], headers, body["body"])

    def _event(self, event: "Event") -> Answer:
        count("requests")
        answer = self.handler(event, LambdaContext())
        assert answer["isBase64Encoded"] is False
        return Answer(answer["statusCode"], answer["headers"], answer["body"].encode())


def check_problem(answer: Answer) -> None:
    """The one error body, and nothing of ours in it."""
    body = answer.json
    assert body.keys() == {"error", "code", "field", "request_id"}
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"] == body["request_id"]
    assert 0 < len(body["error"]) < 300
    for ours in ("Traceback", "Error(", ".py", "/opt/", "site-packages"):
        assert ours not in answer.body.decode()


@contextmanager
def open_doors(
    home: "Home | TaskHome", *, base_path: str = "", good: Sent | None = None
) -> "Iterator[Doors]":
    """All doors over a home, whose settings have the base path too; nobody may change it.

    Args:
        home: What is served.
        base_path: A stage's prefix.
        good: A good request of its model; GOOD for the text classifier's.
    """
    app = App(
        inference_routes(home.services()),
        observer=Observer("INFO", metrics=False),
        new_id=lambda: REQUEST_ID,
        base_path=base_path,
    )
    sample = good or Sent(json.dumps(GOOD).encode())
    doors = Doors(home, app, build_handler(home.settings), sample)
    yield doors
    doors.loop.close()


def _rest(sent: Sent) -> "Event":
    body, flag = _as_text(sent.body)
    return rest_event(
        sent.method, sent.path, body, headers=sent.headers, query=sent.query, base64=flag
    ) | ({} if "content-type" in sent.headers else _without_type(sent))


def _http(sent: Sent) -> "Event":
    body, flag = _as_text(sent.body)
    event = http_event(
        sent.method, sent.path, body, headers=sent.headers, query=sent.query, base64=flag
    )
    event["rawPath"] = unquote(sent.path)
    return event | ({} if "content-type" in sent.headers else {"headers": dict(sent.headers)})


def _without_type(sent: Sent) -> "Event":
    return {
        "headers": dict(sent.headers),
        "multiValueHeaders": {name: [value] for name, value in sent.headers.items()},
    }


def _as_text(body: bytes) -> "tuple[str | None, bool]":
    """A body as the gateway hands it over: text where it is some, base64 where it is not."""
    try:
        return body.decode() or None, False
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), True
