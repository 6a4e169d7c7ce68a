"""Every task over HTTP and through Lambda's events, as Hugging Face's client asks it."""

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from support.doors import LambdaContext, http_event, rest_event
from support.task_bundles import TaskHome, home_with
from support.tiny import open_client
from support.tiny_embedding import DIMENSION, make_embedding
from support.tiny_image import HEIGHT, LABELS, WIDTH, in_base64, jpeg, make_image, picture, png
from support.tiny_writer import MAX_NEW_TOKENS, MAX_TOKENS, make_writer

from maas.http.entry import build_handler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.doors import Client

    Event = dict[str, Any]

LEVELS = picture(7)
FILE = png(LEVELS)
TEXT = "a fine film"


@dataclass(frozen=True, slots=True)
class Served:
    """One task behind HTTP and behind a Lambda handler."""

    home: TaskHome
    client: "Client"
    handler: "Callable[[Any, object], Event]"

    @property
    def bundle(self) -> Any:  # noqa: ANN401 - each tiny model's own
        return self.home.bundle

    def ask(self, body: object, **options: Any) -> Any:  # noqa: ANN401
        """The answer to a JSON body."""
        response = self.client.post(self.home.path, json=body, **options)
        assert response.status_code == 200, response.text
        assert response.headers["x-maas-digest"] == self.bundle.digest
        return response.json()

    def send(self, data: bytes, kind: str | None) -> Any:  # noqa: ANN401
        """The answer to a file."""
        headers = {} if kind is None else {"content-type": kind}
        return self.client.post(self.home.path, content=data, headers=headers).json()


def _served(home: TaskHome) -> "Iterator[Served]":
    with open_client(home.services(), reader=None) as client:
        yield Served(home, client, build_handler(home.settings))


@pytest.fixture(scope="module")
def translating(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Served]":
    yield from _served(home_with(tmp_path_factory.mktemp("home"), make_writer, seed=3))


@pytest.fixture(scope="module")
def summarizing(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Served]":
    path = tmp_path_factory.mktemp("home")
    yield from _served(home_with(path, make_writer, seed=5, task="summarization"))


@pytest.fixture(scope="module")
def looking(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Served]":
    yield from _served(home_with(tmp_path_factory.mktemp("home"), make_image, seed=3))


@pytest.fixture(scope="module")
def embedding(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Served]":
    yield from _served(home_with(tmp_path_factory.mktemp("home"), make_embedding, seed=3))


# ---- Answers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("served", ["translating", "summarizing"])
def test_texts_are_written_for_texts_in_their_order(
    served: str, request: pytest.FixtureRequest
) -> None:
    asked: Served = request.getfixturevalue(served)
    key = {"translating": "translation_text", "summarizing": "summary_text"}[served]
    texts = [TEXT, "bad", "the dull story"]
    write = asked.bundle.write
    assert asked.ask({"inputs": TEXT}) == [{key: write(TEXT)}]
    assert asked.ask({"inputs": texts}) == [{key: write(text)} for text in texts]
    how = {"num_beams": 4, "max_new_tokens": 5}
    wanted = [{key: write(text, beams=4, most=5)} for text in texts]
    assert asked.ask({"inputs": texts, "parameters": {"generate_parameters": how}}) == wanted


def test_an_image_may_come_in_any_way_that_a_client_sends_it(looking: Served) -> None:
    label, score = looking.bundle.best(LEVELS)
    for kind in ("image/png", "image/jpeg", "application/octet-stream", None, "IMAGE/PNG"):
        answer = looking.send(FILE, kind)
        assert answer[0] == {"label": label, "score": pytest.approx(score, abs=2e-6)}
        assert len(answer) == len(LABELS)
    whole = looking.send(FILE, None)
    coded = in_base64(FILE)
    assert looking.ask({"inputs": coded}) == whole
    assert looking.ask({"inputs": coded, "parameters": {"top_k": 1}}) == whole[:1]
    # JSON without a type is told by how it begins
    sent = looking.client.post(looking.home.path, content=json.dumps({"inputs": coded}))
    assert sent.json() == whole
    # A list has one answer each
    other = in_base64(jpeg(picture(8)))
    assert looking.ask({"inputs": [coded, other]}) == [whole, looking.ask({"inputs": other})]
    none = {"function_to_apply": "none"}
    logits = {s["label"]: s["score"] for s in looking.ask({"inputs": coded, "parameters": none})}
    wanted = dict(zip(LABELS, looking.bundle.logits(LEVELS).tolist(), strict=True))
    assert logits == pytest.approx(wanted, abs=1e-5)


def test_vectors_come_as_lists_and_may_be_shorter(embedding: Served) -> None:
    texts = [TEXT, "bad"]
    wanted = embedding.bundle.vectors(texts)
    assert np.allclose(embedding.ask({"inputs": TEXT}), wanted[:1], atol=1e-6)
    assert np.allclose(embedding.ask({"inputs": texts, "normalize": True}), wanted, atol=1e-6)
    short = np.array(embedding.ask({"inputs": texts, "dimensions": 3}))
    assert short.shape == (2, 3)
    assert np.allclose(np.linalg.norm(short, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("event_of", [rest_event, http_event])
@pytest.mark.parametrize("task", ["translating", "looking", "embedding"])
def test_lambda_answers_as_http_does(
    task: str, event_of: "Callable[..., Event]", request: pytest.FixtureRequest
) -> None:
    asked: Served = request.getfixturevalue(task)
    body = {"inputs": in_base64(FILE) if task == "looking" else TEXT}
    data = json.dumps(body)
    # With `*/*` among its binary types the gateway sends every body as base64
    coded = base64.b64encode(data.encode()).decode()
    for sent, flag in ((data, False), (coded, True)):
        answer = asked.handler(
            event_of("POST", asked.home.path, sent, base64=flag), LambdaContext()
        )
        assert answer["statusCode"] == 200
        assert json.loads(answer["body"]) == asked.ask(body)


@pytest.mark.parametrize("event_of", [rest_event, http_event])
@pytest.mark.parametrize("kind", ["image/png", "application/octet-stream", ""])
def test_a_file_reaches_lambda_as_base64(
    looking: Served, event_of: "Callable[..., Event]", kind: str
) -> None:
    event = event_of(
        "POST",
        looking.home.path,
        base64.b64encode(FILE).decode(),
        headers={"content-type": kind},
        base64=True,
    )
    answer = looking.handler(event, LambdaContext())
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, False)
    assert json.loads(answer["body"]) == looking.send(FILE, None)


# ---- What is told of it -------------------------------------------------------------------------


def test_a_model_says_what_it_takes(
    translating: Served, looking: Served, embedding: Served
) -> None:
    writes = translating.client.get(translating.home.path).json()
    assert (writes["task"], writes["labels"]) == ("translation", [])
    assert (writes["max_tokens"], writes["max_new_tokens"]) == (MAX_TOKENS, MAX_NEW_TOKENS)
    looks = looking.client.get(looking.home.path).json()
    assert looks["image"] == {"width": WIDTH, "height": HEIGHT, "channels": 3}
    assert (looks["labels"], looks["max_tokens"]) == (list(LABELS), 0)
    embeds = embedding.client.get(embedding.home.path).json()
    assert (embeds["dimension"], embeds["max_tokens"]) == (DIMENSION, MAX_TOKENS)
    for told in (writes, looks, embeds):
        assert len({"image", "dimension", "max_new_tokens"} & told.keys()) == 1


def test_the_log_counts_what_was_asked(
    translating: Served,
    looking: Served,
    log: Any,  # noqa: ANN401
) -> None:
    looking.ask({"inputs": [in_base64(FILE)] * 2})
    translating.ask({"inputs": [TEXT, "good " * 40]})
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    looked, wrote = (line for line in lines if line["message"] == "answered")
    assert (looked["images"], looked["texts"], looked["tokens"]) == (2, 0, 0)
    assert (wrote["texts"], wrote["truncated"]) == (2, 1)
    written = sum(len(translating.bundle.ids(text)) for text in (TEXT, "good " * 40))
    assert wrote["tokens"] == 4 + MAX_TOKENS + written
    assert "images" not in wrote


# ---- Other tasks' bodies ------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["translating", "summarizing", "embedding"])
def test_a_task_that_reads_texts_takes_no_file(task: str, request: pytest.FixtureRequest) -> None:
    asked: Served = request.getfixturevalue(task)
    for kind in ("image/png", "application/octet-stream"):
        answer = asked.client.post(asked.home.path, content=FILE, headers={"content-type": kind})
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    answer = asked.client.post(asked.home.path, content=FILE)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


def test_an_image_model_takes_no_text(looking: Served) -> None:
    for kind in ("text/plain", "image/gif", "image/webp", "multipart/form-data; boundary=x"):
        answer = looking.client.post(
            looking.home.path, content=FILE, headers={"content-type": kind}
        )
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
        assert "image/png" in answer.json()["error"]
    answer = looking.client.post(looking.home.path, json={"inputs": TEXT})
    assert (answer.status_code, answer.json()["field"]) == (422, "inputs")
