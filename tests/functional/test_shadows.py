"""Shadows behind Lambda: a message at the end of a request, and what its reader says of it."""

import base64
import io
import json
import math
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from support.canary import CANARY
from support.doors import LambdaContext, rest_event
from support.dynamo_standin import StandIn
from support.function import function_environ, pack, routed, run_function
from support.kinds import KINDS, home_of_kind
from support.tiny import Home, make_home

from maas.assembly import utc_now
from maas.errors import SettingsError
from maas.http.entry import build_handler
from maas.http.shadow_entry import build_shadow_handler
from maas.registry.addresses import ByNumber
from maas.registry.records import Policy, Shadow
from maas.settings import Settings
from maas.shadow.message import MESSAGE_BYTES, Message
from maas.shadow.sender import SEND_WAIT, Sender
from maas.tasks.classify import ClassifyRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.task_bundles import TaskHome

    from maas.http.gateway import Handler

TOLERANCE = 0.8
"""Seconds that a busy machine may add."""
PATHS = {
    "/models/sentiment": {"inputs": ["a good film", "bad"]},
    "/v2/models/sentiment/infer": {
        "inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["a good film"]}]
    },
    "/v1/models/sentiment:predict": {"instances": ["a good film"]},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_home(tmp_path_factory.mktemp("home"), versions=3)


@pytest.fixture(scope="module")
def models(made: Home, tmp_path_factory: pytest.TempPathFactory) -> "Path":
    return pack(made, tmp_path_factory.mktemp("opt") / "models", shadowed(made), carried=(1, 2))


@pytest.fixture
def table(made: Home) -> "Iterator[StandIn]":
    with StandIn() as server:
        server.policy = replace(shadowed(made), revision=6)
        yield server


@pytest.fixture
def queue() -> "Iterator[StandIn]":
    with StandIn() as server:
        server.answer = (200, {"MessageId": "1"})
        yield server


def shadowed(home: "Home | TaskHome", *, version: int = 2, sample: int = 10_000) -> Policy:
    """Production is version 1, and another sees its requests too."""
    return replace(routed(home, 5, v1=100), shadows={"production": Shadow(version, sample)})


def settings_of(
    models: "Path", table: StandIn, queue: StandIn | None, *, model: str = "sentiment"
) -> Settings:
    environ = function_environ(models, endpoint=table.url, model=model)
    if queue is not None:
        environ |= {"MAAS_SHADOW_QUEUE": f"{queue.url}/123456789012/shadow"}
    return Settings.parse(environ)


def ask(handler: "Handler", path: str = "/models/sentiment", **event: Any) -> float:  # noqa: ANN401
    """Send one good request; answers with the seconds that it took."""
    body = event.pop("body", PATHS.get(path))
    started = time.monotonic()
    answer = handler(rest_event(path=path, body=body, **event), LambdaContext())
    assert answer["statusCode"] == 200, answer
    return time.monotonic() - started


def until(true: "Callable[[], bool]", seconds: float = 5.0) -> None:
    """Wait for what happens in another thread."""
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.005)


def message_of(queue: StandIn) -> str:
    """The text of the newest message."""
    text: str = json.loads(queue.requests[-1].body)["MessageBody"]
    return text


def event_of(*texts: str) -> dict[str, Any]:
    """What Lambda hands to a queue's reader."""
    return {"Records": [{"messageId": "1", "eventSource": "aws:sqs", "body": t} for t in texts]}


def lines(log: io.StringIO, message: str) -> list[dict[str, Any]]:
    records = (json.loads(line) for line in log.getvalue().splitlines())
    return [record for record in records if record["message"] == message]


@pytest.mark.parametrize("path", PATHS)
def test_a_request_goes_to_the_queue_and_its_reader_compares_the_answers(
    models: "Path", table: StandIn, queue: StandIn, log: io.StringIO, path: str
) -> None:
    ask(build_handler(settings_of(models, table, queue)), path)
    until(lambda: len(queue.requests) == 1)
    # Then one signed request went to the queue, and nothing of who asked
    (sent,) = queue.requests
    assert sent.headers["x-amz-target"] == "AmazonSQS.SendMessage"
    assert "/eu-west-1/sqs/aws4_request" in sent.headers["authorization"]
    assert json.loads(sent.body)["QueueUrl"].endswith("/123456789012/shadow")
    # When the shadow's function reads it, with no registry at all
    handler = build_shadow_handler(settings_of(models, table, None))
    reads = len(table.requests)
    assert handler(event_of(message_of(queue)), LambdaContext()) == {}
    assert len(table.requests) == reads
    # Then it says how far the answers are apart, as metrics of the shadow's version
    (line,) = lines(log, "shadowed")
    assert (line["model"], line["version"], line["service"]) == ("sentiment", "2", "maas")
    assert (line["ShadowRequests"], line["ShadowErrors"]) == (1, 0)
    assert 0 <= line["ShadowAgreed"] <= line["ShadowRows"]
    assert line["ShadowDrift"] > 0.001
    assert line["ShadowLatency"] > 0
    assert line["ShadowAnsweredLatency"] > 0
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["service", "model", "version"]]
    assert {metric["Name"] for metric in directive["Metrics"]} <= line.keys()
    # And the shadow's answer counts as nobody's
    assert len(lines(log, "answered")) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_shadow_with_the_same_weights_agrees_with_every_kind_of_answer(
    tmp_path: "Path", queue: StandIn, log: io.StringIO, kind: str
) -> None:
    home = home_of_kind(tmp_path / "home", kind)
    bundle = home.bundle
    home.bundles[2] = bundle  # the same, so that nothing may differ
    models = pack(home, tmp_path / "models", routed(home, 5, v1=100), carried=(1,))
    name = bundle.manifest.name
    with StandIn() as table:
        table.policy = replace(shadowed(home), revision=6)
        settings = settings_of(models, table, queue, model=name)
        ask(build_handler(settings), f"/models/{name}", body=KINDS[kind].body)
        until(lambda: len(queue.requests) == 1)
        build_shadow_handler(settings)(event_of(message_of(queue)), LambdaContext())
    (line,) = lines(log, "shadowed")
    assert line["ShadowErrors"] == 0
    assert line["ShadowAgreed"] == line["ShadowRows"]
    assert line.get("ShadowDrift", 0.0) == pytest.approx(0.0, abs=1e-6)
    assert line["ShadowRows"] > 0 or "ShadowDrift" in line


def test_a_sample_is_sent_and_what_is_pinned_is_not(
    made: Home, models: "Path", table: StandIn, queue: StandIn
) -> None:
    handler = build_handler(settings_of(models, table, queue))
    ask(handler, headers={"x-maas-version": "1"})
    ask(handler, headers={"x-maas-version": made.bundles[1].digest})
    refused = handler(rest_event(body={"inputs": 7}), LambdaContext())
    assert refused["statusCode"] == 422
    assert handler(rest_event("GET", "/models/sentiment"), LambdaContext())["statusCode"] == 200
    time.sleep(0.05)
    assert queue.requests == []
    ask(handler, headers={"x-maas-version": "production"})
    until(lambda: len(queue.requests) == 1)


def test_without_a_queue_or_a_shadow_nothing_is_sent(
    made: Home, models: "Path", table: StandIn, queue: StandIn
) -> None:
    ask(build_handler(settings_of(models, table, None)))
    table.policy = routed(made, 7, v1=100)
    ask(build_handler(settings_of(models, table, queue)))
    time.sleep(0.05)
    assert queue.requests == []


@pytest.mark.parametrize("way", ["hang", "reset", "503", "garbage", "half", "drip", "silent"])
def test_a_queue_that_fails_costs_ten_milliseconds_and_no_request(
    models: "Path", table: StandIn, queue: StandIn, log: io.StringIO, way: str
) -> None:
    queue.way = way
    handler = build_handler(settings_of(models, table, queue))
    ask(handler)
    for _ in range(3):
        assert ask(handler) < SEND_WAIT + TOLERANCE
    queue.way = "answer"
    until(lambda: len(queue.requests) > 1 and not ask(handler) > TOLERANCE)
    assert CANARY not in log.getvalue()


def test_a_send_that_fails_is_told_once_and_by_a_metric(
    models: "Path", table: StandIn, queue: StandIn, log: io.StringIO
) -> None:
    queue.answer = (403, {"__type": "AccessDeniedException"})
    handler = build_handler(settings_of(models, table, queue))
    for number in range(1, 4):
        ask(handler)
        until(lambda number=number: len(queue.requests) >= number)  # type: ignore[misc]
    until(lambda: len(lines(log, "failed")) == 1)
    (line,) = lines(log, "failed")
    assert line["reason"] == "The shadow's queue refuses (status 403)."
    assert (line["model"], line["code"], line["Faults"]) == (
        "sentiment",
        "registry_unavailable",
        1,
    )


def test_one_connection_is_kept_until_a_snapshot_is_restored(
    tmp_path: "Path", table: StandIn, queue: StandIn
) -> None:
    home = make_home(tmp_path / "home")
    with home.registry() as registry:
        registry.shadow("sentiment", ByNumber(2), sample=10_000)
    turn = home.services()("sentiment").turn(None)
    answer = turn.task.predict(ClassifyRequest(texts=("good",)), deadline=math.inf)
    settings = settings_of(tmp_path, table, queue)
    sender = Sender(settings.shadow_queue, settings.aws, now=utc_now, notice=lambda _, __: None)

    def answered(_event: object, _context: object) -> dict[str, Any]:
        sender.note(turn, None, answer, 1)
        return {}

    handler = sender.around(answered)
    for sent, connections in ((1, 1), (2, 1)):
        handler(rest_event(body="{}"), None)
        until(lambda sent=sent: len(queue.requests) == sent)  # type: ignore[misc]
        assert queue.connections == connections
    sender.renew()
    handler(rest_event(body="{}"), None)
    until(lambda: len(queue.requests) == 3)
    assert queue.connections == 2


def test_what_was_frozen_on_its_way_is_sent_once_more_and_is_no_failure(
    models: "Path",
    table: StandIn,
    queue: StandIn,
    log: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a first send that outlasts its time, as one does that Lambda froze for a while
    monkeypatch.setattr("maas.shadow.sender.SEND_SECONDS", 0.2)
    monkeypatch.setattr("maas.shadow.sender.FREEZE_SECONDS", -0.2)
    queue.way = "hang"

    def mend() -> None:
        if len(queue.requests) == 2:
            queue.way = "answer"

    queue.heard = mend
    handler = build_handler(settings_of(models, table, queue))
    ask(handler)
    until(lambda: len(queue.requests) == 2)
    # Then it is sent once more, nobody is told of a failure, and the next one follows
    ask(handler)
    until(lambda: len(queue.requests) == 3)
    assert lines(log, "failed") == []
    assert json.loads(queue.requests[0].body) == json.loads(queue.requests[1].body)


def test_a_connection_that_was_idle_for_long_is_not_used_again(
    models: "Path", table: StandIn, queue: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maas.shadow.sender.KEEP_SECONDS", -1.0)
    handler = build_handler(settings_of(models, table, queue))
    for sent in (1, 2):
        ask(handler)
        until(lambda sent=sent: len(queue.requests) == sent)  # type: ignore[misc]
    assert queue.connections == 2


def test_a_queue_that_speaks_no_tls_gets_nothing_and_costs_no_request(
    models: "Path", table: StandIn, queue: StandIn, log: io.StringIO
) -> None:
    environ = function_environ(models, endpoint=table.url)
    url = queue.url.replace("http:", "https:")
    handler = build_handler(Settings.parse(environ | {"MAAS_SHADOW_QUEUE": f"{url}/1/shadow"}))
    assert ask(handler) < SEND_WAIT + TOLERANCE
    until(lambda: "The shadow's queue does not answer" in log.getvalue())
    assert not any(received.body for received in queue.requests)  # a handshake, and no message


def test_without_a_thread_nothing_is_sent_and_the_request_is_answered(
    models: "Path", table: StandIn, queue: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    handler = build_handler(settings_of(models, table, queue))
    with monkeypatch.context() as patch:
        patch.setattr("threading.Thread.start", no_thread)
        ask(handler)
    assert queue.requests == []
    ask(handler)
    until(lambda: len(queue.requests) == 1)


def test_a_queue_that_is_none_ends_the_start(models: "Path", table: StandIn) -> None:
    for url, region in (("shadow", "eu-west-1"), ("https://sqs", "")):
        environ = function_environ(models, endpoint=table.url) | {"MAAS_SHADOW_QUEUE": url}
        settings = Settings.parse(environ | {"AWS_REGION": region})
        with pytest.raises(SettingsError):
            Sender(settings.shadow_queue, settings.aws, now=utc_now, notice=lambda _, __: None)
    with pytest.raises(SettingsError, match="MAAS_MODEL"):
        build_shadow_handler(Settings.parse({}))


def test_nothing_of_a_request_but_its_body_is_sent_and_nothing_is_logged(
    models: "Path", table: StandIn, queue: StandIn, log: io.StringIO
) -> None:
    handler = build_handler(settings_of(models, table, queue))
    sent = ("x-api-key", "authorization", "cookie", "user-agent", "x-maas-client")
    ask(handler, body={"inputs": CANARY}, headers=dict.fromkeys(sent, "secret-of-mine"))
    until(lambda: len(queue.requests) == 1)
    data = base64.b64decode(message_of(queue))
    assert b"secret-of-mine" not in data
    assert CANARY.encode() in data
    build_shadow_handler(settings_of(models, table, None))(
        event_of(message_of(queue)), LambdaContext()
    )
    assert CANARY not in log.getvalue()


def test_a_request_that_is_too_large_for_a_message_has_no_shadow(
    models: "Path", table: StandIn, queue: StandIn
) -> None:
    handler = build_handler(settings_of(models, table, queue))
    ask(handler, body=json.dumps({"inputs": "good"}) + " " * MESSAGE_BYTES)
    time.sleep(0.05)
    assert queue.requests == []
    ask(handler)
    until(lambda: len(queue.requests) == 1)


def test_a_shadow_that_cannot_answer_is_an_error_and_the_next_message_is_read(
    models: "Path", table: StandIn, queue: StandIn, log: io.StringIO
) -> None:
    # Given a shadow that the function does not carry
    ask(build_handler(settings_of(models, table, queue)))
    until(lambda: len(queue.requests) == 1)
    good = message_of(queue)
    message = Message.parse(good)
    assert message is not None
    absent = replace(message, version=3, digest="sha256:" + "3" * 64).encode()
    other = replace(message, model="topics").encode()
    handler = build_shadow_handler(settings_of(models, table, None))
    handler(event_of(absent, other, good), LambdaContext())
    told = lines(log, "shadowed")
    assert [(line["version"], line["ShadowErrors"]) for line in told] == [
        ("3", 1),
        ("2", 1),
        ("2", 0),
    ]
    assert all("ShadowLatency" not in line for line in told[:2])


@pytest.mark.parametrize(
    "event",
    [
        *({}, [], None, "text", {"Records": None}, {"Records": [None, 7, {}]}, event_of("", "!")),
        event_of(base64.b64encode(b"garbage").decode()),
        {"Records": [{"body": {"a": 1}}, {"body": None}]},
    ],
    ids=repr,
)
def test_what_is_no_message_is_forgotten(
    models: "Path", table: StandIn, log: io.StringIO, event: object
) -> None:
    handler = build_shadow_handler(settings_of(models, table, None))
    assert handler(event, LambdaContext()) == {}
    assert lines(log, "shadowed") == []


def test_without_a_queue_nothing_of_shadows_is_imported(
    models: "Path", table: StandIn, tmp_path: "Path"
) -> None:
    environ = function_environ(models, endpoint=table.url)
    loaded = "import sys; print([name for name in sys.modules if name.startswith('maas.shadow')])"
    ended = run_function("inference", environ, rest_event(body="{}"), loaded, cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[-1] == "[]"


def test_the_shadows_function_starts_with_its_own_variables_alone(
    models: "Path", table: StandIn, queue: StandIn, tmp_path: "Path"
) -> None:
    ask(build_handler(settings_of(models, table, queue)))
    until(lambda: len(queue.requests) == 1)
    environ = {"MAAS_MODEL": "sentiment", "MAAS_BUNDLES": str(models)}
    ended = run_function("shadow", environ, event_of(message_of(queue)), cwd=tmp_path)
    assert (ended.returncode, ended.answers, ended.stderr) == (0, [{}], "")
    line = json.loads(ended.stdout.splitlines()[-1])
    assert (line["message"], line["version"], line["ShadowErrors"]) == ("shadowed", "2", 0)
