"""Limits on requests and answers where they bite: limit − 1, limit, limit + 1 (P3, family 20).

A limit without a test of its name fails here; so does a test of a limit that is gone.
"""

import asyncio
import json
import re
import threading
import time
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec.structs import fields, replace
from PIL import Image
from support.doors import LambdaContext, rest_event
from support.effort import count
from support.resealed import home_of
from support.task_bundles import home_with
from support.tiny import (
    MAX_TOKENS,
    Client,
    Home,
    make_bundle,
    make_home,
    open_client,
)
from support.tiny_generator import make_generator
from support.tiny_image import encoded, in_base64, make_image, picture, png
from support.tiny_pairs import make_question, make_zero_shot
from support.tiny_tokens import make_tokens
from support.tiny_writer import make_writer

from maas.bundle.verify import verify_bundle
from maas.errors import BundleError
from maas.http.app import App
from maas.http.catalog import catalog_routes
from maas.http.gateway import guarded
from maas.limits import LIMITS, Limits
from maas.observe import Observer
from maas.registry.reader import Reader
from maas.registry.stores import open_store
from maas_lab.recipes.data import TextData
from maas_lab.serving import build_local_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from maas.exchange import Exchange
    from maas.http.asgi import Request
    from maas.registry.reader import Listing
    from maas.registry.records import ModelRecord

MODEL = "/models/sentiment"
GOOD = {"inputs": "a good film"}
edge = pytest.mark.parametrize("step", [-1, 0, 1])


ELSEWHERE = {
    "columns": "test_table",
    "table_rows": "test_table",
}
"""Limits of one task alone, whose edges its own tests in tests/unit/maas/tasks try."""


def test_p3_the_limits_of_one_task_are_tried_beside_it() -> None:
    folder = Path(__file__).parents[1] / "unit/maas/tasks"
    for name, module in ELSEWHERE.items():
        assert f"LIMITS.{name}" in (folder / f"{module}.py").read_text("utf-8"), name


def test_p3_every_limit_has_a_test() -> None:
    """In this module, or in the one beside it, which has the limits of bundles."""
    files = Path(__file__).parent.glob("test_limits*.py")
    tests = [re.findall(r"^def test_limit_(\w+)\(", file.read_text(), re.M) for file in files]
    assert sorted([*ELSEWHERE, *(name for names in tests for name in names)]) == sorted(
        field.name for field in fields(Limits)
    )


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_home(tmp_path_factory.mktemp("home"), versions=1)


@pytest.fixture
def client(shared: Home) -> "Iterator[Client]":
    with open_client(shared.services(), reader=shared.registry()) as client:
        yield client


def check(client: Client, response: "httpx.Response", step: int, status: int, said: str) -> None:
    """Up to the limit 200; above it a refusal that names the limit, and a good answer after it."""
    if step <= 0:
        assert response.status_code == 200, response.text
        return
    count("inputs")
    assert response.status_code == status
    assert said in response.json()["error"]
    assert client.post(MODEL, json=GOOD).status_code == 200


# ---- Bodies -------------------------------------------------------------------------------------


@edge
@pytest.mark.parametrize("whole", [True, False], ids=["declared", "in parts"])
def test_limit_body_bytes(client: Client, step: int, *, whole: bool) -> None:
    body = json.dumps(GOOD).encode()
    body += b" " * (LIMITS.body_bytes - len(body) + step)

    async def parts() -> Any:  # noqa: ANN401
        for at in range(0, len(body), 65_537):
            yield body[at : at + 65_537]

    response = client.post(MODEL, content=body if whole else parts())
    assert ("content-length" in response.request.headers) is whole
    check(client, response, step, 413, f"at most {LIMITS.body_bytes} bytes")


@edge
def test_limit_json_depth(client: Client, step: int) -> None:
    lists = LIMITS.json_depth - 1 + step  # and the object around them
    body = '{"inputs":"a good film","x":' + "[" * lists + "]" * lists + "}"
    response = client.post(MODEL, content=body)
    check(client, response, step, 400, f"deeper than {LIMITS.json_depth} levels")


@edge
def test_limit_json_values(client: Client, step: int) -> None:
    body = GOOD | {"x": [0] * (LIMITS.json_values - 3 + step)}  # the object, the text, the list
    check(client, client.post(MODEL, json=body), step, 400, f"than {LIMITS.json_values} values")


@edge
@pytest.mark.parametrize("number", ["{}", "-{}", "0.{}", "1e-{}"])
def test_limit_number_digits(client: Client, number: str, step: int) -> None:
    digits = LIMITS.number_digits - number.count("1") + step  # zeros in front are none
    body = '{"inputs":"a good film","x":' + number.format("1" * digits) + "}"
    response = client.post(MODEL, content=body)
    check(client, response, step, 400, f"more than {LIMITS.number_digits} digits")


# ---- Texts --------------------------------------------------------------------------------------


@edge
def test_limit_texts(client: Client, step: int) -> None:
    response = client.predict(["good"] * (LIMITS.texts + step))
    check(client, response, step, 422, f"must be 1 to {LIMITS.texts} texts")


@pytest.mark.parametrize(("number", "status"), [(0, 422), (1, 200), (10_000, 422)])
def test_p3_no_text_at_all_and_very_many_are_refused(
    client: Client, number: int, status: int
) -> None:
    assert client.predict(["good"] * number).status_code == status


@edge
@pytest.mark.parametrize("character", ["a", "é", "\U0001f600", " b"])
def test_limit_text_characters(client: Client, character: str, step: int) -> None:
    characters = LIMITS.text_characters + step
    text = (character * characters)[:characters]
    for inputs in (text, ["good", text]):
        response = client.predict(inputs)
        check(client, response, step, 422, f"at most {LIMITS.text_characters} characters")


@edge
def test_limit_request_characters(client: Client, step: int) -> None:
    each = LIMITS.text_characters - 1
    number, rest = divmod(LIMITS.request_characters + step, each)
    response = client.predict(["a" * each] * number + ["a" * rest])
    check(client, response, step, 422, f"at most {LIMITS.request_characters} characters in all")


# ---- Images -------------------------------------------------------------------------------------


def asked_of(make: "Callable[..., Any]") -> Any:  # noqa: ANN401 - a fixture
    """A fixture: a client of one model that is served."""

    @pytest.fixture(scope="module")
    def client_of(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Client]":
        home = home_with(tmp_path_factory.mktemp("home"), make)
        with open_client(home.services()) as client:
            yield client

    return client_of


pictures = asked_of(make_image)
writer = asked_of(make_writer)
entities = asked_of(make_tokens)
topics = asked_of(make_zero_shot)
answers = asked_of(make_question)

TOPICS, ANSWERS = "/models/topics", "/models/answers"
QUESTION = {"question": "the film", "context": "a gripping story told with wit"}
PICTURES, WRITER, ENTITIES = "/models/pictures", "/models/writer", "/models/entities"
IMAGE = png(picture(1))
AS_PNG = {"content-type": "image/png"}


def check_of(client: Client, response: "httpx.Response", step: int, status: int, said: str) -> None:
    """As `check`, of the model that was asked."""
    path = response.request.url.path
    if step <= 0:
        assert response.status_code == 200, response.text
        return
    count("inputs")
    assert response.status_code == status
    assert said in response.json()["error"]
    good = {PICTURES: {"inputs": in_base64(IMAGE)}, TOPICS: scored(["bad"])}
    good[ANSWERS] = {"inputs": QUESTION}
    assert client.post(path, json=good.get(path, GOOD)).status_code == 200


def scored(labels: list[str], **options: object) -> dict[str, Any]:
    """A request of labels for a text."""
    return GOOD | {"parameters": {"candidate_labels": labels} | options}


@edge
@pytest.mark.parametrize("form", ["file", "JSON"])
def test_limit_image_bytes(pictures: Client, form: str, step: int) -> None:
    # Given a picture behind which there is as much as may be, for what follows it is left out
    size = LIMITS.image_bytes + step
    if form == "file":
        response = pictures.post(PICTURES, content=IMAGE.ljust(size, b"x"), headers=AS_PNG)
    else:
        body = json.dumps({"inputs": in_base64(IMAGE)}).encode()
        response = pictures.post(PICTURES, content=body.ljust(size))
    check_of(pictures, response, step, 413, f"at most {LIMITS.image_bytes} bytes")


def test_p3_the_largest_image_is_below_what_lambda_takes() -> None:
    envelope = json.dumps(rest_event("POST", PICTURES, ""))
    assert len(envelope) + LIMITS.image_bytes * 4 / 3 < 6_000_000


@edge
def test_limit_images(pictures: Client, step: int) -> None:
    response = pictures.post(PICTURES, json={"inputs": [in_base64(IMAGE)] * (LIMITS.images + step)})
    check_of(pictures, response, step, 422, f"1 to {LIMITS.images} images")


@pytest.mark.parametrize("number", [0, 1_000])
def test_p3_no_image_at_all_and_very_many_are_refused(pictures: Client, number: int) -> None:
    response = pictures.post(PICTURES, json={"inputs": [in_base64(IMAGE)] * number})
    assert (response.status_code, response.json()["field"]) == (422, "inputs")


@edge
@pytest.mark.parametrize("tall", [False, True])
def test_limit_image_side(pictures: Client, step: int, *, tall: bool) -> None:
    side = LIMITS.image_side + step
    data = encoded(Image.new("L", (1, side) if tall else (side, 1)))
    response = pictures.post(PICTURES, content=data, headers=AS_PNG)
    check_of(pictures, response, step, 422, f"1 to {LIMITS.image_side} pixels")


@edge
def test_limit_image_pixels(pictures: Client, step: int) -> None:
    height = LIMITS.image_pixels // 4_096
    assert 4_096 * height == LIMITS.image_pixels
    data = encoded(Image.new("L", (4_096, height + step)), compress_level=1)
    response = pictures.post(PICTURES, content=data, headers=AS_PNG)
    check_of(pictures, response, step, 422, f"at most {LIMITS.image_pixels} pixels")


@edge
def test_limit_request_pixels(pictures: Client, step: int) -> None:
    rows = LIMITS.request_pixels // 8_192
    assert 8_192 * rows == LIMITS.request_pixels
    halves = [encoded(Image.new("L", (8_192, n))) for n in (rows // 2, rows // 2 + step)]
    if step > 0:  # each alone is small enough
        halves = [encoded(Image.new("L", (8_192, n))) for n in (rows // 2, rows // 2 - 1, 2)]
    body = {"inputs": [in_base64(half) for half in halves]}
    response = pictures.post(PICTURES, json=body)
    said = f"at most {LIMITS.request_pixels} pixels in all"
    check_of(pictures, response, step, 422, said)


# ---- Parts of texts -----------------------------------------------------------------------------


@edge
def test_limit_windows(entities: Client, step: int) -> None:
    text = "good " * (MAX_TOKENS * (LIMITS.windows + step))
    how = {"aggregation_strategy": "simple", "stride": 0}
    response = entities.post(ENTITIES, json={"inputs": text, "parameters": how})
    check_of(entities, response, step, 422, f"at most {LIMITS.windows} parts")


@edge
def test_limit_candidate_labels(topics: Client, step: int) -> None:
    body = scored(["good"] * (LIMITS.candidate_labels + step))
    said = f"must be 1 to {LIMITS.candidate_labels} labels"
    check_of(topics, topics.post(TOPICS, json=body), step, 422, said)


@edge
def test_limit_label_characters(topics: Client, step: int) -> None:
    body = scored(["good", "x" * (LIMITS.label_characters + step)])
    said = f"1 to {LIMITS.label_characters} characters"
    check_of(topics, topics.post(TOPICS, json=body), step, 422, said)


@edge
def test_limit_template_characters(topics: Client, step: int) -> None:
    template = "{}".ljust(LIMITS.template_characters + step, "x")
    body = scored(["good"], hypothesis_template=template)
    said = f"at most {LIMITS.template_characters} characters"
    check_of(topics, topics.post(TOPICS, json=body), step, 422, said)


@edge
def test_limit_context_characters(answers: Client, step: int) -> None:
    characters = LIMITS.context_characters + step
    body = {"inputs": {"question": "good", "context": f"good {'x' * (characters - 5)}"}}
    said = f"at most {LIMITS.context_characters} characters"
    check_of(answers, answers.post(ANSWERS, json=body), step, 422, said)


@edge
def test_limit_answers(answers: Client, step: int) -> None:
    body = {"inputs": QUESTION, "parameters": {"top_k": LIMITS.answers + step}}
    response = answers.post(ANSWERS, json=body)
    check_of(answers, response, step, 422, f"<= {LIMITS.answers}")


# ---- What is written ----------------------------------------------------------------------------


def written(client: Client, **how: int) -> "httpx.Response":
    return client.post(WRITER, json=GOOD | {"parameters": {"generate_parameters": how}})


@edge
def test_limit_beams(writer: Client, step: int) -> None:
    response = written(writer, num_beams=LIMITS.beams + step)
    check_of(writer, response, step, 422, f"<= {LIMITS.beams}")
    assert written(writer, num_beams=0).status_code == 422


@edge
def test_limit_new_tokens(writer: Client, step: int) -> None:
    for name in ("max_new_tokens", "max_length"):
        response = written(writer, **{name: LIMITS.new_tokens + step})
        check_of(writer, response, step, 422, f"<= {LIMITS.new_tokens}")
        assert written(writer, **{name: 0}).status_code == 422


# ---- What goes on with a text -------------------------------------------------------------------


generator = asked_of(make_generator)
GENERATOR = "/models/generator"


@edge
def test_limit_prompts(generator: Client, step: int) -> None:
    body = {"inputs": ["a film"] * (LIMITS.prompts + step), "parameters": {"max_new_tokens": 1}}
    said = f"must be 1 to {LIMITS.prompts} texts"
    check_of(generator, generator.post(GENERATOR, json=body), step, 422, said)


@edge
def test_limit_stops(generator: Client, step: int) -> None:
    body = GOOD | {"parameters": {"stop": ["x"] * (LIMITS.stops + step)}}
    said = f"length <= {LIMITS.stops}"
    check_of(generator, generator.post(GENERATOR, json=body), step, 422, said)


@edge
def test_limit_stop_characters(generator: Client, step: int) -> None:
    body = GOOD | {"parameters": {"stop": ["é" * (LIMITS.stop_characters + step)]}}
    said = f"length <= {LIMITS.stop_characters}"
    check_of(generator, generator.post(GENERATOR, json=body), step, 422, said)


@edge
def test_limit_messages(tmp_path: Path, step: int) -> None:
    # Given a model with room for as many, each of them two tokens
    home = home_with(tmp_path, make_generator, context=2 * LIMITS.messages + 4)
    with open_client(home.services()) as client:
        messages = [{"role": "user", "content": "a"}] * (LIMITS.messages + step)
        body = {"model": "generator", "messages": messages, "max_tokens": 1}
        response = client.post(f"{GENERATOR}/v1/chat/completions", json=body)
        if step <= 0:
            assert response.status_code == 200, response.text
            return
        count("inputs")
        assert response.status_code == 422
        assert f"1 to {LIMITS.messages} messages" in response.json()["error"]["message"]
        assert client.post(GENERATOR, json=GOOD).status_code == 200


# ---- Answers ------------------------------------------------------------------------------------


@edge
def test_limit_response_bytes(client: Client, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    # Given an answer of known size, whose limit is just that, or one byte to either side
    whole = client.predict(["a good film", "bad"])
    limits = replace(LIMITS, response_bytes=len(whole.content) - step)
    with monkeypatch.context() as patch:
        patch.setattr("maas.http.problems.LIMITS", limits)
        response = client.predict(["a good film", "bad"])
    check(client, response, step, 422, f"above {limits.response_bytes} bytes")


def test_p3_the_largest_answer_that_can_be_asked_for_is_refused(tmp_path: Path) -> None:
    labels = [f"{number:0128d}" for number in range(LIMITS.labels)]
    with open_client(home_of(tmp_path, labels=labels).services()) as client:
        large = client.predict(["good"] * LIMITS.texts)
        assert (large.status_code, large.json()["code"]) == (422, "invalid_field")
        assert f"above {LIMITS.response_bytes} bytes" in large.json()["error"]
        asked = {"inputs": ["good"] * LIMITS.texts, "parameters": {"top_k": 100}}
        assert client.post(MODEL, json=asked).status_code == 200


@edge
def test_limit_page_records(client: Client, step: int) -> None:
    for route in ("models", "models/sentiment/versions", "models/sentiment/history"):
        response = client.get(f"/catalog/{route}?limit={LIMITS.page_records + step}")
        check(client, response, step, 422, f"<= {LIMITS.page_records}")
        assert client.get(f"/catalog/{route}?limit=0").status_code == 422


@edge
def test_limit_labels(client: Client, tmp_path: Path, step: int) -> None:
    # Given a caller who asks for so many
    asked = GOOD | {"parameters": {"top_k": LIMITS.labels + step}}
    check(client, client.post(MODEL, json=asked), step, 422, f"<= {LIMITS.labels}")
    # And a bundle, and a recipe, that have so many
    labels = tuple(f"label {number}" for number in range(LIMITS.labels + step))
    bundle = make_bundle(tmp_path, labels=labels)
    asked_for = {"source": "x.csv", "labels": labels}
    if step <= 0:
        assert verify_bundle(bundle.folder).manifest.labels == labels
        assert msgspec.convert(asked_for, TextData).labels == labels
        return
    with pytest.raises(BundleError, match=f"2 to {LIMITS.labels} labels"):
        verify_bundle(bundle.folder)
    with pytest.raises(msgspec.ValidationError, match=f"<= {LIMITS.labels}"):
        msgspec.convert(asked_for, TextData)


# ---- Time and load ------------------------------------------------------------------------------


def probe(remaining_seconds: float) -> tuple[int, float, float]:
    """The status of a request with so much time, and between what its deadline must have come.

    Returns:
        The status; seconds from before the request to its deadline; and from within it.
    """
    seen: list[tuple[float, float]] = []

    async def endpoint(_: "Request", exchange: "Exchange") -> bytes:
        seen.append((exchange.deadline, time.monotonic()))
        return b"{}"

    observer = Observer("INFO", metrics=False)
    app = App({"/": {"GET": endpoint}}, observer=observer, new_id=lambda: "request-1")
    milliseconds = round(remaining_seconds * 1000)
    before = time.monotonic()
    answer = guarded(app, observer)(rest_event("GET", "/"), LambdaContext("id", milliseconds))
    deadline, inside = seen[0] if seen else (before, before)
    return answer["statusCode"], deadline - before, deadline - inside


@edge
@pytest.mark.usefixtures("log")
def test_limit_deadline_seconds(step: int) -> None:
    left = LIMITS.deadline_seconds + step * 0.1
    status, longest, shortest = probe(left + LIMITS.deadline_margin_seconds)
    assert status == 200
    assert shortest <= min(left, LIMITS.deadline_seconds) <= longest


@edge
@pytest.mark.usefixtures("log")
def test_limit_deadline_margin_seconds(step: int) -> None:
    status, longest, shortest = probe(LIMITS.deadline_margin_seconds + step * 0.001)
    assert status == (200 if step > 0 else 503)
    if step > 0:
        assert shortest <= 0.001 <= longest


class Slow(Reader):
    """A registry that answers when it is told to."""

    def __init__(self, home: Home) -> None:
        super().__init__(open_store(home.settings.registry, aws=home.settings.aws))
        self.answer = threading.Event()

    def models(self, *, limit: int = 100, after: str | None = None) -> "Listing[ModelRecord]":
        """Wait, and list the models."""
        assert self.answer.wait(10)
        return super().models(limit=limit, after=after)


@pytest.mark.usefixtures("log")
def test_limit_catalog_seconds(shared: Home) -> None:
    assert signature(catalog_routes).parameters["seconds"].default == LIMITS.catalog_seconds < 2
    reader = Slow(shared)
    for seconds, in_time in ((10.0, True), (0.05, False), (10.0, True)):
        reader.answer.set() if in_time else reader.answer.clear()
        app = App(
            catalog_routes(reader, seconds=seconds),
            observer=Observer("INFO", metrics=False),
            new_id=lambda: "request-1",
        )
        with Client(app) as client:
            response = client.get("/catalog/models")
            reader.answer.set()
        assert response.status_code == (200 if in_time else 503)


@edge
def test_limit_concurrency(shared: Home, step: int) -> None:
    # Given the laptop's server, and requests whose bodies wait until all of them have begun
    app, services = build_local_app(shared.settings)
    services("sentiment").warm_up()

    async def all_at_once(number: int) -> list[int]:
        begun = asyncio.Event()

        async def one() -> int:
            async def receive() -> dict[str, object]:
                await begun.wait()
                return {"type": "http.request", "body": json.dumps(GOOD).encode()}

            sent: list[Any] = []

            async def send(message: object) -> None:
                sent.append(message)

            scope = {"type": "http", "method": "POST", "path": MODEL, "headers": []}
            await app({**scope, "query_string": b""}, receive, send)
            assert sent[0]["status"] == 200 or (b"retry-after", b"1") in sent[0]["headers"]
            return int(sent[0]["status"])

        tasks = [asyncio.create_task(one()) for _ in range(number)]
        await asyncio.sleep(0)  # each runs until it waits
        begun.set()
        return await asyncio.gather(*tasks)

    # When they come at the same time, then what is above the limit is told to come again
    number = LIMITS.concurrency + step
    count("requests", number)
    statuses = asyncio.run(all_at_once(number))
    assert sorted(statuses) == [200] * (number - max(step, 0)) + [429] * max(step, 0)
