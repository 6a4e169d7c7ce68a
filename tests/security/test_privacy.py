"""P11, S34: a marked text in every place of a request is in no log, metric, file or answer.

The one echo there is: a plain name of an option that is not known is named to whoever sent it.
"""

import gzip
import io
import json
import logging
import os
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.pretty import pretty_repr
from support.canary import CANARY, MODEL, Plant, bodies, events, found, plants
from support.doors import LambdaContext, http_event, rest_event
from support.dynamo_standin import StandIn
from support.effort import count, examples
from support.function import function_environ, pack, routed
from support.kinds import KINDS
from support.task_bundles import home_with
from support.tensors import tensor_of, tensors_of, text, with_bytes
from support.tiny import FOREVER_WORD, Client, Home, make_home, open_client
from support.tiny_audio import make_sounds, make_speech, spoken
from support.tiny_embedding import make_embedding
from support.tiny_image import chunk, in_base64, jpeg, make_image, picture, png
from support.tiny_pairs import make_question, make_zero_shot
from support.tiny_tensor import make_tensor, tensor_feeds
from support.tiny_tokens import make_tokens
from support.tiny_writer import make_writer
from support.wav import fmt, riff, wav

from maas.errors import MaasError
from maas.exchange import Exchange
from maas.http.app import App
from maas.http.catalog_entry import build_catalog_handler
from maas.http.entry import build_handler
from maas.observe import Observer
from maas.registry.sigv4 import Credentials
from maas.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from maas.http.asgi import Request

    Event = dict[str, Any]
    Handler = Callable[[Any, object], Event]

ROOT = Path(__file__).parents[2]
CONTEXT = LambdaContext()
SHORT = LambdaContext(remaining_milliseconds=560)  # for what would run until its deadline
GOOD = {"inputs": "a good film"}


class Everything(logging.Handler):
    """Keeps all that any logger of the process is told, with arguments and chains of errors."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        self.seen.append(record.getMessage() + repr(vars(record)))
        if record.exc_info and record.exc_info[1]:
            self.seen += traceback.format_exception(record.exc_info[1])


class Watched:
    """All places where something may be left behind."""

    def __init__(self, folder: Path, output: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._output = output
        self.records = Everything()
        self.log = io.StringIO()
        self.threads: list[str] = []

    def check(self, *answers: object) -> None:
        """Nothing of it is in answers, logs, standard output and error, and files."""
        for answer in answers:
            assert not found(json.dumps(answer, default=str)), answer
        out, err = self._output.readouterr()
        for line in (*self.records.seen, *self.threads, self.log.getvalue(), out, err):
            assert not found(line), line
        self.records.seen.clear()
        self.log.truncate(self.log.seek(0))
        search(self.folder)


def search(folder: Path) -> None:
    """No file below, and no file's name, holds it."""
    for path in folder.rglob("*"):
        assert not found(path.name), path
        if path.is_file():
            assert not found(path.read_bytes().decode("latin-1")), path


@pytest.fixture
def watched(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> "Iterator[Watched]":
    """Every logger at DEBUG and heard, and the folders of temporary files and of work our own."""
    watched = Watched(tmp_path, capfd)
    (tmp_path / "tmp").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(
        threading,
        "excepthook",
        lambda raised: watched.threads.extend(traceback.format_exception(raised.exc_value)),
    )
    Observer("DEBUG", metrics=False)  # a process has one log
    ours = [h for h in logging.getLogger("maas").handlers if isinstance(h, logging.StreamHandler)]
    for handler in ours:
        monkeypatch.setattr(handler, "stream", watched.log)
    # As AWS_LAMBDA_LOG_LEVEL=DEBUG does; httpx is the caller's
    levels = {"": logging.DEBUG, "httpx": logging.WARNING, "httpcore": logging.WARNING}
    before = {name: logging.getLogger(name).level for name in levels}
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    for name in ("", "maas"):
        logging.getLogger(name).addHandler(watched.records)
    yield watched
    for name in ("", "maas"):
        logging.getLogger(name).removeHandler(watched.records)
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture(scope="module")
def hazardous(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A model that can be made to panic, to answer NaN and to run for ever."""
    return make_home(tmp_path_factory.mktemp("home"), versions=1, hazards=True)


def context_of(event: object) -> LambdaContext:
    return SHORT if FOREVER_WORD in str(event) else CONTEXT


def send(handler: "Handler", event: Any) -> "Event":  # noqa: ANN401
    count("requests")
    count("inputs")
    return handler(event, context_of(event))


# ---- The doors ----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [Plant.rest, Plant.http, Plant.balancer])
@pytest.mark.parametrize("function", ["inference", "catalog"])
def test_s34_nothing_of_a_request_stays_in_or_comes_out_of_a_function(
    hazardous: Home, watched: Watched, function: str, shape: "Callable[[Plant], Event]"
) -> None:
    settings = Settings.parse(hazardous.environ | {"MAAS_LOG_LEVEL": "DEBUG"})
    build: Callable[[Settings], Handler] = (
        build_handler if function == "inference" else build_catalog_handler
    )
    handler = build(settings)
    statuses = set()
    for plant in plants():
        answer = send(handler, shape(plant))
        statuses.add(answer["statusCode"])
        watched.check(answer)
    assert statuses >= ({200, 404, 405, 422} if function == "catalog" else {200, 400, 404, 405})
    search(hazardous.settings.home)
    good = rest_event(body=GOOD) if function == "inference" else rest_event("GET", "/health")
    assert handler(good, CONTEXT)["statusCode"] == 200


@pytest.mark.parametrize("function", ["inference", "catalog"])
def test_s34_nothing_of_an_event_of_another_shape_either(
    hazardous: Home, watched: Watched, function: str
) -> None:
    settings = hazardous.settings
    handler: Handler = (
        build_handler(settings) if function == "inference" else build_catalog_handler(settings)
    )
    for event in events():
        watched.check(send(handler, event))


def images() -> "list[bytes]":
    """Files with the mark beside the picture, in what is no picture, and in the last pixels."""
    mark, whole, stream = CANARY.encode(), png(picture()), jpeg(picture())
    comment = b"\xff\xfe" + (len(mark) + 2).to_bytes(2, "big") + mark
    names = (b"tEXt", b"eXIf", b"iCCP", b"acTL")
    return [
        *(whole[:33] + chunk(name, mark) + whole[33:] for name in names),
        *(whole + mark, mark + whole, mark, whole[:40] + mark, whole[:60] + mark + whole[60:]),
        *(stream[:2] + comment + stream[2:], stream + mark, stream[:200] + mark, stream[:2] + mark),
    ]


def test_s34_nothing_of_an_image_stays_in_or_comes_out_of_a_function(
    tmp_path: Path, watched: Watched
) -> None:
    home = home_with(tmp_path / "home", make_image)
    handler = build_handler(home.settings)
    statuses = set()
    for data in images():
        for body, kind in (
            (data, "image/png"),
            (data, ""),
            (json.dumps({"inputs": in_base64(data)}).encode(), "application/json"),
            (json.dumps({"inputs": in_base64(data)[:-2] + "!" + CANARY}).encode(), ""),
        ):
            coded = in_base64(body)
            for event_of in (rest_event, http_event):
                event = event_of(
                    "POST", home.path, coded, headers={"content-type": kind}, base64=True
                )
                answer = send(handler, event)
                statuses.add(answer["statusCode"])
                watched.check(answer)
    assert statuses == {200, 422}
    search(home.settings.home)


def clips() -> "list[bytes]":
    """Files with the mark beside the sound, in what is no sound, and in the last samples."""
    mark, whole = CANARY.encode(), wav(spoken("a film"))
    return [
        *(
            riff((name, mark), fmt(), (b"data", whole[44:]), (name, mark))
            for name in (b"LIST", b"id3 ")
        ),
        *(whole + mark, mark + whole, mark, b"fLaC" + mark, whole[:20] + mark, whole[:40] + mark),
        whole[: len(whole) - len(mark)] + mark,
    ]


@pytest.mark.parametrize("make", [make_sounds, make_speech])
def test_s34_nothing_of_a_clip_stays_in_or_comes_out_of_a_function(
    tmp_path: Path, watched: Watched, make: "Callable[..., Any]"
) -> None:
    home = home_with(tmp_path / "home", make)
    handler = build_handler(home.settings)
    statuses = set()
    for data in clips():
        for body, kind in (
            (data, "audio/wav"),
            (data, ""),
            (json.dumps({"inputs": in_base64(data)}).encode(), "application/json"),
            (json.dumps({"inputs": in_base64(data)[:-2] + "!" + CANARY}).encode(), ""),
        ):
            for event_of in (rest_event, http_event):
                event = event_of(
                    "POST", home.path, in_base64(body), headers={"content-type": kind}, base64=True
                )
                answer = send(handler, event)
                statuses.add(answer["statusCode"])
                watched.check(answer)
    assert statuses == {200, 422}
    search(home.settings.home)


@pytest.mark.parametrize("make", [make_writer, make_embedding])
def test_s34_nothing_of_a_text_stays_with_a_model_that_writes_or_embeds(
    tmp_path: Path, watched: Watched, make: "Callable[..., Any]"
) -> None:
    home = home_with(tmp_path / "home", make)
    handler = build_handler(home.settings)
    statuses = set()
    for body in bodies():
        answer = send(handler, Plant(path=home.path, body=body).rest())
        statuses.add(answer["statusCode"])
        watched.check(answer)
    assert statuses >= {200, 400, 422}
    search(home.settings.home)


LABELLED = {"candidate_labels": [CANARY, "good"], "hypothesis_template": f"{CANARY} {{}}"}
ASKED = {"question": CANARY, "context": f"good {CANARY}"}


@pytest.mark.parametrize(
    ("make", "good", "bad"),
    [
        (make_tokens, {"inputs": CANARY}, {"parameters": {"ignore_labels": [CANARY, 1]}}),
        (
            make_zero_shot,
            {"inputs": CANARY, "parameters": LABELLED},
            {"parameters": {"candidate_labels": [CANARY, ""]}},
        ),
        (
            make_zero_shot,
            {"inputs": "good", "parameters": LABELLED},
            {"parameters": LABELLED | {"hypothesis_template": CANARY}},
        ),
        (make_question, {"inputs": ASKED}, {"inputs": {"question": CANARY, "context": " "}}),
        (
            make_question,
            {"inputs": ASKED},
            {"inputs": {"question": f"{CANARY} " * 20, "context": "a"}},
        ),
    ],
)
def test_s34_labels_questions_and_entities_are_told_to_who_sent_them_alone(
    tmp_path: Path,
    watched: Watched,
    make: "Callable[..., Any]",
    good: dict[str, Any],
    bad: dict[str, Any],
) -> None:
    home = home_with(tmp_path / "home", make)
    handler = build_handler(home.settings)
    # Given an answer, which may well hold what was sent
    answer = send(handler, Plant(path=home.path, body=json.dumps(good).encode()).rest())
    assert answer["statusCode"] == 200, answer["body"]
    watched.check(answer["headers"])
    # Then a refusal does not
    answer = send(handler, Plant(path=home.path, body=json.dumps(good | bad).encode()).rest())
    assert answer["statusCode"] == 422
    watched.check(answer)
    search(home.settings.home)


def tensors(good: "list[dict[str, Any]]") -> "Iterator[tuple[bytes, str]]":
    """Requests by tensors with the mark in every place, and how long their JSON is."""
    mark = text("text", f"a {CANARY} film")
    first = good[0]
    for body in (
        *({"inputs": each} for each in (CANARY, {CANARY: CANARY}, [CANARY], [text(CANARY, "a")])),
        *({"inputs": [*good, {**mark, "name": name}]} for name in (CANARY, f"{CANARY}\n", "text")),
        *({"inputs": [first | {name: CANARY}, *good[1:]]} for name in first),
        *({"inputs": [first | {name: [CANARY]}, *good[1:]]} for name in first),
        {"inputs": [first | {CANARY: CANARY, "parameters": {CANARY: CANARY}}, *good[1:]]},
        {"inputs": [first | {"parameters": {"content_type": CANARY}}, *good[1:]]},
        {"inputs": [first | {"parameters": {"binary_data_size": CANARY}}, *good[1:]]},
        {"inputs": [mark]},
        {"inputs": [mark | {"shape": [2]}]},
        {"inputs": [text("text", CANARY, "")]},
        {"inputs": [text("text", CANARY * 2_500)]},
        {"inputs": [text("text", CANARY + "\ud800")]},
        {"inputs": [text("image", CANARY)]},
        {"inputs": [text("image", CANARY) | {"parameters": {"content_type": "base64"}}]},
        {"inputs": good, CANARY: CANARY, "parameters": {CANARY: CANARY}, "model_name": CANARY},
        {"inputs": good, "id": [CANARY]},
        {"inputs": good, "id": CANARY * 30},
        *({"inputs": good, "outputs": each} for each in (CANARY, [CANARY], [{"name": CANARY}])),
        {"inputs": good, "outputs": [{"name": f"{CANARY} `$.x`"}]},
        {"inputs": good, "parameters": {"binary_data_output": CANARY}},
    ):
        data = json.dumps(body).encode()
        yield data, ""
        yield data + CANARY.encode(), str(len(data))
        yield data, CANARY
    packed, length = with_bytes({"inputs": [mark]})
    yield packed, str(length)
    yield packed[:-2], str(length)
    yield packed + b"x", str(length)
    yield packed, str(length - 1)
    yield CANARY.encode(), "0"
    yield b"\xff" + CANARY.encode(), "0"


@pytest.mark.parametrize(
    "kind", ["text-classification", "image-classification", "translation", "tensor"]
)
def test_s34_nothing_of_tensors_stays_in_or_comes_out_of_a_function(
    tmp_path: Path, watched: Watched, kind: str
) -> None:
    home = home_with(tmp_path / "home", make_tensor if kind == "tensor" else KINDS[kind].make)
    handler = build_handler(Settings.parse(home.environ | {"MAAS_LOG_LEVEL": "DEBUG"}))
    good = (
        [tensor_of(name, array) for name, array in tensor_feeds(1).items()]
        if kind == "tensor"
        else tensors_of(kind)
    )
    statuses = set()
    for data, length in tensors(good):
        for encoding in ("", "gzip", CANARY):
            body = gzip.compress(data) if encoding == "gzip" else data
            headers = {"inference-header-content-length": length} if length else {}
            headers |= {"content-encoding": encoding} if encoding else {}
            for event_of in (rest_event, http_event):
                event = event_of(
                    "POST", f"/v2{home.path}/infer", in_base64(body), headers=headers, base64=True
                )
                answer = send(handler, event)
                statuses.add(answer["statusCode"])
                watched.check(answer)
    assert statuses == {200, 400, 415, 422}
    search(home.settings.home)


def test_p11_the_one_echo_of_tensors_is_an_id_to_its_sender(
    hazardous: Home, watched: Watched
) -> None:
    handler = build_handler(hazardous.settings)
    body = {"inputs": [text("text", "a good film")], "id": CANARY}
    answer = send(handler, rest_event("POST", f"/v2{MODEL}/infer", body))
    assert json.loads(answer["body"])["id"] == CANARY
    assert not found(json.dumps(answer["headers"]))
    watched.check()


def test_s34_nothing_on_a_laptop_either(hazardous: Home, watched: Watched) -> None:
    with open_client(
        hazardous.services(), reader=hazardous.registry(), threads=True, metrics=True
    ) as client:
        for plant in plants():
            if FOREVER_WORD.encode() in plant.body:
                continue
            response = client.request(
                plant.method,
                f"{plant.path}?{plant.query}",
                headers=plant.headers,
                content=plant.body,
            )
            count("inputs")
            watched.check(response.status_code, list(response.headers.items()), response.text)
        assert client.predict("good").status_code == 200


def test_p11_the_one_echo_is_a_plain_name_of_an_unknown_option_to_its_sender(
    hazardous: Home, watched: Watched
) -> None:
    with open_client(hazardous.services(), reader=hazardous.registry()) as client:
        asked: list[httpx.Response] = [
            client.post(MODEL, json=GOOD | {"parameters": {CANARY: CANARY}}),
            client.get(f"/catalog/models?{CANARY}={CANARY}x"),
        ]
        for response in asked:
            assert response.status_code == 422
            assert response.json()["field"].rpartition(".")[2] == CANARY
            assert CANARY not in str(response.headers)
            assert f"{CANARY}x" not in response.text
        for name in (f"{CANARY} ", f"{CANARY}\n", f"{CANARY}<b>", CANARY * 7, f"é{CANARY}"):
            response = client.post(MODEL, json=GOOD | {"parameters": {name: 1}})
            watched.check(response.text)
    watched.check()


# ---- When something fails -----------------------------------------------------------------------


def chained() -> Exception:
    """An error whose text, notes, cause and context hold what the caller sent."""
    error = KeyError(CANARY)
    error.__cause__ = UnicodeError(CANARY)
    error.__context__ = ValueError(CANARY)
    error.add_note(CANARY)
    return error


class Panic(BaseException):
    """What a native library raises: no Exception."""


@pytest.mark.parametrize("kind", ["foreign", "ours", "panic"])
def test_p11_an_error_that_holds_the_request_is_told_without_it(
    watched: Watched, kind: str
) -> None:
    async def endpoint(request: "Request", _: Exchange) -> bytes:
        await request.receive()
        cause = chained()
        if kind == "foreign":
            raise cause
        if kind == "panic":
            raise Panic(CANARY) from cause
        raise MaasError("Something of ours failed.") from cause

    observer = Observer("DEBUG", metrics=True)
    app = App({"/": {"POST": endpoint}}, observer=observer, new_id=lambda: "request-1")
    with Client(app) as client:
        response = client.post("/", content=CANARY)
        count("faults")
    assert response.status_code == 500
    assert '"failed"' in watched.log.getvalue()
    watched.check(response.text, list(response.headers.items()))


AWAY = ("hang", "reset", "refuse", "throttle", "500", "garbage")


@pytest.mark.parametrize("way", ["answer", *AWAY])
def test_s34_nothing_while_the_registry_is_a_table_that_is_away(
    hazardous: Home, watched: Watched, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    # Given a table that fails in its way, and AWS's library at DEBUG
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    policy = routed(hazardous, 1, v1=100)
    models = pack(hazardous, watched.folder / "models", policy)
    with StandIn() as table:
        table.policy = policy
        environ = function_environ(models, endpoint=table.url, policy_ttl=0)
        for name, value in environ.items():
            if name.startswith("AWS_"):
                monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        table.way = way
        settings = Settings.parse(environ | {"MAAS_LOG_LEVEL": "DEBUG"})
        inference = build_handler(settings)
        catalog = build_catalog_handler(settings)
        asked = [
            (inference, Plant(body=bodies()[0], headers={"x-api-key": CANARY})),
            (inference, Plant(path=f"{MODEL}/versions/{CANARY}")),
            (inference, Plant(path=f"/models/{CANARY}")),
        ]
        if way != "hang":  # where each would take two seconds
            asked += [
                (catalog, Plant("GET", f"/catalog/models/{CANARY}")),
                (catalog, Plant("GET", f"/catalog/models/{CANARY}/versions/{CANARY}")),
                (catalog, Plant("GET", f"/catalog/models/{CANARY}/history")),
                (catalog, Plant("GET", "/catalog/models", f"after={CANARY}")),
            ]
        # When it is asked, then what came of the caller is in no log of either
        for handler, plant in asked:
            watched.check(send(handler, plant.rest()))
        count("faults", way != "answer")


# ---- Processes ----------------------------------------------------------------------------------

DRIVER = """
import json, logging, runpy, sys

class Context:
    aws_request_id = "request-of-lambda"
    @staticmethod
    def get_remaining_time_in_millis():
        return 5_000

logging.basicConfig(level=logging.DEBUG)  # as Lambda's own runtime, told to log all
answers = open(sys.argv[2], "w")
handler = runpy.run_path(sys.argv[1])["handler"]
for line in sys.stdin:
    answers.write(json.dumps(handler(json.loads(line), Context())) + "\\n")
answers.write(json.dumps([name for name in sys.modules if "xray" in name or "trac" in name]))
"""
# Each of these makes a library or Python write more than is good for it
LOUD = {
    "AWS_LAMBDA_LOG_LEVEL": "DEBUG",
    "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:1",
    "_X_AMZN_TRACE_ID": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
    "MAAS_LOG_LEVEL": "DEBUG",
}


@pytest.mark.parametrize("function", ["inference", "catalog"])
def test_s34_a_function_told_to_write_all_it_can_writes_nothing_of_a_request(
    hazardous: Home, tmp_path: Path, function: str
) -> None:
    # Given a function in a process whose folders are its own, with every switch for more output on
    place, answers = tmp_path / "place", tmp_path / "answers.jsonl"
    (place / "tmp").mkdir(parents=True)
    own = {"TMPDIR": str(place / "tmp"), "HOME": str(place)}
    asked = [plant.rest() for plant in plants()] + events()
    asked = [event for event in asked if FOREVER_WORD not in str(event)]
    asked = asked[:: examples(3, 1)]
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, ROOT / f"functions/{function}/app.py", answers],
        env=hazardous.environ | LOUD | own,
        cwd=place,
        input="".join(json.dumps(event) + "\n" for event in asked),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    # Then it answers all of them and nothing of them is left anywhere
    assert done.returncode == 0, done.stderr
    *said, modules = answers.read_text().splitlines()
    count("requests", len(asked))
    count("inputs", len(asked))
    assert len(said) == len(asked)
    assert "aws_xray_sdk" not in modules  # what is not loaded annotates no trace
    for line in (*said, *done.stdout.splitlines(), *done.stderr.splitlines()):
        assert not found(line), line
    search(place)
    assert list(place.iterdir()) == [place / "tmp"]
    assert list((place / "tmp").iterdir()) == []


RAW = (
    f"{CANARY}\r\n\r\n",
    f"GET /{CANARY}\r\n\r\n",
    f"GET / HTTP/{CANARY}\r\n\r\n",
    f"GET /health HTTP/1.1\r\nHost: x\r\n{CANARY}\r\n\r\n",
    f"GET /health HTTP/1.1\r\nHost: x\r\nx: {CANARY}\x00\r\n\r\n",
    f"GET /{CANARY} HTTP/1.1\r\nHost: {CANARY}\r\nHost: {CANARY}\r\n\r\n",
    f"GET /{CANARY * 8_000} HTTP/1.1\r\nHost: x\r\n\r\n",
    f"GET /health HTTP/1.1\r\nHost: x\r\nx: {CANARY * 8_000}\r\n\r\n",
    f"GET /{CANARY} HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
    f"Sec-WebSocket-Key: {CANARY}\r\nSec-WebSocket-Version: 13\r\n\r\n",
    f"GET /{CANARY} HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: {CANARY}\r\n\r\n",
    f"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{CANARY}",
    f"POST {MODEL} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n{CANARY}",
    f"POST {MODEL} HTTP/1.1\r\nHost: x\r\nContent-Length: {CANARY}\r\n\r\n{CANARY}",
    f"POST {MODEL} HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{CANARY}",
    f"POST {MODEL} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{CANARY}\r\n",
    f"POST {MODEL} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: {CANARY}\r\n\r\n{CANARY}",
    f"POST {MODEL} HTTP/1.1\r\nHost: x\r\nExpect: {CANARY}\r\nContent-Length: 2\r\n\r\n{{}}",
    f"{CANARY.upper()} {MODEL} HTTP/1.1\r\nHost: x\r\n\r\n",
    f"GET http://{CANARY}/{CANARY} HTTP/1.1\r\nHost: x\r\n\r\n",
    f"CONNECT {CANARY}:443 HTTP/1.1\r\nHost: {CANARY}\r\n\r\n",
)


def test_s34_maas_serve_and_uvicorn_write_nothing_of_a_request(
    hazardous: Home, tmp_path: Path
) -> None:
    own = {"TMPDIR": str(tmp_path / "tmp"), "HOME": str(tmp_path), "PATH": ""}
    (tmp_path / "tmp").mkdir()
    environ = {name: value for name, value in hazardous.environ.items() if name != "MAAS_MODEL"}
    with (
        (tmp_path / "out.log").open("w") as out,
        subprocess.Popen(
            [sys.executable, "-m", "maas_lab.cli", "serve", "--port", "0", "--json"],
            env=environ | LOUD | own,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=out,
            text=True,
        ) as server,
    ):
        try:
            assert server.stdout is not None
            said = next(line for line in server.stdout if '"url"' in line)
            port = int(json.loads(said)["url"].rpartition(":")[2])
            for request in (*map(str.encode, RAW), *map(raw, plants()[:: examples(7, 1)])):
                count("requests")
                count("inputs")
                answer = exchange(port, request)
                assert not found(answer), answer
            good = raw(Plant(headers={"content-type": "application/json"}))
            assert exchange(port, good).startswith("HTTP/1.1 200 ")
        finally:
            server.terminate()
            rest, _ = server.communicate(timeout=15)
    assert '"answered"' in (tmp_path / "out.log").read_text()
    assert not found(rest)
    search(tmp_path)
    search(hazardous.settings.home)


def raw(plant: Plant) -> bytes:
    """A request as bytes, whose connection ends with it."""
    headers = {"host": "x", "content-length": str(len(plant.body))} | plant.headers
    head = f"{plant.method} {plant.path}?{plant.query} HTTP/1.1\r\nconnection: close\r\n"
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{head}{lines}\r\n".encode() + plant.body


def exchange(port: int, request: bytes) -> str:
    """Send bytes as they are and read what comes, for as long as it comes without a pause."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        connection.settimeout(0.05 if b"connection: close" not in request else 10)
        with suppress(OSError):  # refused before all was read, or waiting for more
            while part := connection.recv(65_536):
                received += part
    return received.decode("latin-1")


# ---- Libraries ----------------------------------------------------------------------------------


@pytest.mark.parametrize("module", ["maas.engine.session", "maas_lab.optimise"])
def test_p11_onnx_runtime_tells_nobody_of_a_machine_or_a_model(tmp_path: Path, module: str) -> None:
    # Given nothing in the environment that stops it; it is silent in CI by itself
    code = f"import {module}, onnxruntime as ort; ort.SessionOptions()"
    environ = {"HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environ, cwd=tmp_path, check=True, timeout=60)
    # Then its import makes no id of the machine and no queue of what is to be sent
    assert list(tmp_path.iterdir()) == []


# ---- Settings -----------------------------------------------------------------------------------

SECRETS = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
)


def test_p11_no_print_of_the_settings_shows_a_secret() -> None:
    secrets = dict.fromkeys(SECRETS, CANARY)
    settings = Settings.parse({"MAAS_HOME": "/srv", "MAAS_ACTOR": "ada", **secrets})
    keys = Credentials(CANARY, CANARY, CANARY)
    for shown in (repr(settings), str(settings), f"{settings.aws}", pretty_repr(settings)):
        assert not found(shown)
    assert not found(repr(keys) + pretty_repr(keys))
