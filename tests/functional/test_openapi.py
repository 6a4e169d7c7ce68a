"""The OpenAPI document: valid, the same routes as the app, and true of every answer."""

import copy
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import (  # type: ignore[import-untyped]
    Draft202012Validator,
    SchemaError,
    ValidationError,
)
from support.kinds import beside
from support.openapi import Json, check_answer, check_document, narrowed, operation_of, operations
from support.task_bundles import home_with
from support.tiny import Client, Home, make_home, open_client
from support.tiny_audio import make_sounds, make_speech, noise, spoken
from support.tiny_embedding import make_embedding
from support.tiny_generator import make_generator
from support.tiny_image import in_base64, make_image, picture, png
from support.tiny_pairs import make_question, make_zero_shot
from support.tiny_table import TABLE, make_table
from support.tiny_tokens import make_tokens
from support.tiny_writer import make_writer
from support.wav import wav

from maas.http.catalog import catalog_routes
from maas.http.inference import inference_routes
from maas.http.openapi import build_document
from maas.http.operations import TASKS as OF_TASKS
from maas.registry.addresses import ByNumber

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL = "/models/sentiment"
CATALOG = "/catalog/models"
HERE = f"{CATALOG}/sentiment"
GOOD = {"inputs": "a good film", "parameters": {"top_k": 2}}
TENSORS = "/v2/models/sentiment"
GOOD_TENSORS = {
    "id": "42",
    "inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a good film"]}],
    "outputs": [{"name": "logits", "parameters": {"classification": 1}}],
}
ROWS = "/v1/models/sentiment"
OPENAI = "/models/vectors/v1"
EMBEDDED = {"model": "vectors@1", "input": ["a good film", "bad"], "dimensions": 2}
BASE64 = {"model": "vectors", "input": [[1, 2], [3]], "encoding_format": "base64", "user": "x"}

WRITES = "/models/generator/v1"
PROMPT = {"model": "generator", "prompt": ["a film", "bad"], "temperature": 0, "stop": "so"}
TALK = {
    "model": "generator@1",
    "messages": [{"role": "developer", "content": "so"}, {"role": "user", "content": "a film"}],
    "top_p": 0.5,
    "seed": 1,
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Two versions, shared traffic, a rollback, a deployment; models that embed and write."""
    home = make_home(tmp_path_factory.mktemp("home"))
    home.promote(2, weight=25)
    with home.registry() as registry:
        registry.rollback("sentiment")
        registry.promote("sentiment", ByNumber(2), alias="candidate", reason="to be tried")
        registry.record_deployment(
            "sentiment",
            "maas",
            function="maas-model-sentiment:live",
            function_version="7",
            digests={number: bundle.digest for number, bundle in home.bundles.items()},
        )
    return beside(home, "feature-extraction", "text-generation")


@pytest.fixture(scope="module")
def client(home: Home) -> "Iterator[Client]":
    with open_client(home.services(), reader=home.registry()) as client:
        yield client


@pytest.fixture(scope="module")
def document(client: Client) -> Json:
    answer = client.get("/catalog/openapi.json")
    assert answer.status_code == 200
    return dict(answer.json())


def test_it_is_openapi(document: Json) -> None:
    check_document(document)


def _drop_status(document: Json) -> None:
    del document["paths"]["/health"]["get"]["responses"]


def _drop_parameter(document: Json) -> None:
    document["paths"][MODEL.replace("sentiment", "{model}")]["get"]["parameters"].pop(0)


def _drop_schema(document: Json) -> None:
    del document["components"]["schemas"]["Problem"]


def _same_name(document: Json) -> None:
    document["paths"]["/health"]["get"]["operationId"] = "listModels"


def _unknown_key(document: Json) -> None:
    document["info"]["licence"] = "none"


def _no_json_schema(document: Json) -> None:
    document["components"]["schemas"]["Health"]["type"] = "thing"


@pytest.mark.parametrize(
    "spoil",
    [_drop_status, _drop_parameter, _drop_schema, _same_name, _unknown_key, _no_json_schema],
)
def test_the_rules_see_what_is_not(document: Json, spoil: "Callable[[Json], None]") -> None:
    spoiled = copy.deepcopy(document)
    spoil(spoiled)
    with pytest.raises((AssertionError, KeyError, SchemaError, ValidationError)):
        check_document(spoiled)


def test_its_paths_and_methods_are_the_routes(document: Json, home: Home) -> None:
    routes = {**inference_routes(home.services()), **catalog_routes(home.registry())}
    served = {(path, method) for path, methods in routes.items() for method in methods}
    assert {(path, method) for path, method, _ in operations(document)} == served


def test_all_but_health_ask_for_a_key(document: Json) -> None:
    assert document["security"] == [{"apiKey": []}]
    scheme = document["components"]["securitySchemes"]["apiKey"]
    assert (scheme["in"], scheme["name"]) == ("header", "x-api-key")
    public = [path for path, _, operation in operations(document) if "security" in operation]
    assert public == ["/health"]
    assert operation_of(document, "GET", "/health")["security"] == []


def test_two_builds_are_equal_and_nothing_private_is_in_them(document: Json) -> None:
    assert json.loads(json.dumps(build_document())) == document
    text = json.dumps(document)
    for private in ("/opt/", "/home", "arn:aws", "MAAS_", "onnxruntime", "Traceback"):
        assert private not in text


# ---- True of every answer -----------------------------------------------------------------------

ANSWERS = [
    ("GET", MODEL, {}, 200),
    ("GET", f"{MODEL}/versions/2", {}, 200),
    ("POST", MODEL, {"json": GOOD}, 200),
    ("POST", f"{MODEL}/versions/candidate", {"json": {"inputs": ["a", "b"]}}, 200),
    *(("GET", f"{TENSORS}{below}", {}, 200) for below in ("", "/ready", "/config", "/stats")),
    *(
        ("GET", f"{TENSORS}/versions/2{below}", {}, 200)
        for below in ("", "/ready", "/config", "/stats")
    ),
    ("POST", f"{TENSORS}/infer", {"json": GOOD_TENSORS}, 200),
    ("POST", f"{TENSORS}/versions/2/infer", {"json": GOOD_TENSORS}, 200),
    ("POST", f"{OPENAI}/embeddings", {"json": EMBEDDED}, 200),
    ("POST", f"{OPENAI}/embeddings", {"json": BASE64}, 200),
    ("POST", "/models/vectors/versions/1/v1/embeddings", {"json": EMBEDDED}, 200),
    *(
        ("GET", f"/models/vectors{pin}/v1/models{name}", {}, 200)
        for pin in ("", "/versions/1")
        for name in ("", "/vectors")
    ),
    ("GET", f"{OPENAI}/models/vectors@production", {}, 200),
    *(
        ("POST", f"/models/generator{pin}/v1/{below}", {"json": body}, 200)
        for pin in ("", "/versions/1")
        for below, body in (("completions", PROMPT), ("chat/completions", TALK))
    ),
    *(
        ("GET", f"{ROWS}{pin}{below}", {}, 200)
        for pin in ("", "/versions/2", "/labels/candidate")
        for below in ("", "/metadata")
    ),
    *(
        ("POST", f"{ROWS}{pin}:predict", {"json": body}, 200)
        for pin in ("", "/versions/2", "/labels/candidate")
        for body in ({"instances": ["a good film"]}, {"inputs": {"text": ["a"]}})
    ),
    *(("GET", f"{MODEL}{pin}/ping", {}, 200) for pin in ("", "/versions/2")),
    *(
        ("POST", f"{MODEL}{pin}/invocations", {"json": body}, 200)
        for pin in ("", "/versions/2")
        for body in (GOOD, {"instances": ["a good film"]}, {"dataframe_records": [{"text": "a"}]})
    ),
    ("GET", "/v2", {}, 200),
    ("GET", "/v2/health/live", {}, 200),
    ("GET", "/v2/health/ready", {}, 200),
    ("GET", "/v2/models", {}, 200),
    ("POST", "/v2/repository/index", {"json": {"ready": True}}, 200),
    ("GET", "/health", {}, 200),
    ("GET", CATALOG, {}, 200),
    ("GET", HERE, {}, 200),
    ("GET", f"{HERE}/versions", {}, 200),
    ("GET", f"{HERE}/versions?limit=1", {}, 200),
    ("GET", f"{HERE}/versions/1", {}, 200),
    ("GET", f"{HERE}/aliases", {}, 200),
    ("GET", f"{HERE}/history", {}, 200),
    ("GET", f"{HERE}/deployments", {}, 200),
    ("GET", "/catalog/openapi.json", {}, 200),
    # refused
    ("POST", MODEL, {"content": b"{"}, 400),
    ("GET", f"{MODEL}?version=1&version=2", {}, 400),
    ("POST", MODEL, {"json": {"inputs": []}}, 422),
    ("POST", MODEL, {"content": b" " * 1_048_577}, 413),
    ("POST", MODEL, {"content": b"a", "headers": {"content-type": "text/csv"}}, 415),
    ("POST", f"{TENSORS}/infer", {"json": {"inputs": []}}, 422),
    ("POST", f"{TENSORS}/infer", {"content": b"{}", "headers": {"content-type": "a/b"}}, 415),
    ("POST", f"{OPENAI}/embeddings", {"content": b"{"}, 400),
    ("POST", f"{OPENAI}/embeddings", {"json": EMBEDDED | {"dimensions": 0}}, 422),
    ("POST", f"{OPENAI}/embeddings", {"json": EMBEDDED | {"model": "gpt-4o"}}, 404),
    ("POST", f"{OPENAI}/embeddings", {"content": b" " * 1_048_577}, 413),
    ("POST", f"{OPENAI}/embeddings", {"content": b"a", "headers": {"content-type": "a/b"}}, 415),
    ("GET", f"{OPENAI}/models?version=9", {}, 404),
    ("POST", f"{WRITES}/completions", {"json": PROMPT | {"n": 2}}, 422),
    ("POST", f"{WRITES}/chat/completions", {"json": TALK | {"messages": []}}, 422),
    ("POST", f"{WRITES}/chat/completions", {"json": TALK | {"model": "vectors"}}, 404),
    ("GET", "/models/other/v1/models", {}, 404),
    ("POST", f"{ROWS}:predict", {"json": {}}, 422),
    ("POST", f"{ROWS}:predict", {"content": b"{}", "headers": {"content-type": "a/b"}}, 415),
    ("GET", f"{ROWS}/labels/other", {}, 404),
    ("POST", f"{MODEL}/invocations", {"json": {"instances": []}}, 422),
    ("POST", f"{MODEL}/invocations", {"content": b"a", "headers": {"content-type": "a/b"}}, 415),
    ("GET", f"{MODEL}/versions/9/ping", {}, 404),
    ("GET", "/v2/models/other", {}, 404),
    ("POST", "/v2/repository/models/sentiment/load", {}, 405),
    ("POST", "/v2/repository/models/sentiment/unload", {}, 405),
    ("GET", "/models/other", {}, 404),
    ("GET", f"{MODEL}/versions/9", {}, 404),
    ("GET", "/health?x=1", {}, 422),
    ("GET", f"{CATALOG}?limit=0", {}, 422),
    ("GET", f"{CATALOG}?limit=1&limit=1", {}, 400),
    ("GET", f"{CATALOG}/other", {}, 404),
    ("GET", f"{CATALOG}/other/history", {}, 404),
    ("GET", f"{HERE}/versions/9", {}, 404),
    ("GET", f"{HERE}/versions/_", {}, 422),
]


@pytest.mark.parametrize("asked", ANSWERS)
def test_an_answer_is_what_the_document_says(
    client: Client, document: Json, asked: tuple[str, str, dict[str, Any], int]
) -> None:
    method, url, options, status = asked
    answer = client.request(method, url, **options)
    assert answer.status_code == status
    path = url.partition("?")[0]
    check_answer(document, method, path, status, answer.json())
    declared = operation_of(document, method, path)["responses"][str(status)]["headers"]
    assert "x-request-id" in declared
    sent = {name for name in answer.headers if name.startswith("x-") or name == "server-timing"}
    assert sent <= declared.keys()


def test_every_operation_was_answered(document: Json) -> None:
    asked = {id(operation_of(document, m, url.partition("?")[0])) for m, url, _, s in ANSWERS}
    assert {id(operation) for _, _, operation in operations(document)} == asked


def test_an_answer_that_is_not_as_described_would_be_seen(document: Json) -> None:
    with pytest.raises(ValidationError):
        check_answer(document, "GET", "/health", 200, {"status": "fine"})
    with pytest.raises(ValidationError):
        check_answer(document, "GET", HERE, 404, {"error": "x", "code": "y", "field": None})
    with pytest.raises(ValidationError):
        check_answer(document, "GET", f"{OPENAI}/models", 404, {"error": "x"})


# ---- One app per task ---------------------------------------------------------------------------

PIXELS = in_base64(png(picture(1)))
TEXTS = {"inputs": ["a film", "bad"]}
BEAMS = {"generate_parameters": {"num_beams": 2, "max_length": 5}}
SOUND, SPEECH = in_base64(wav(noise())), in_base64(wav(spoken("a film")))
CLIP = {"content": wav(spoken("a")), "headers": {"content-type": "audio/x-wav"}}
FILE = {"content": png(picture(1)), "headers": {"content-type": "image/png"}}
SHORT = {"inputs": "a film", "normalize": True, "truncate": True, "dimensions": 2}
ASKED = {"question": "the film", "context": "a gripping story"}
COMPARED = {"source_sentence": "a film", "sentences": ["bad", "a film"]}
TASK_BODIES: dict[str, tuple[Callable[..., Any], list[dict[str, Any]], dict[str, Any]]] = {
    "translation": (
        make_writer,
        [
            {"json": {"inputs": "a film", "parameters": {"src_lang": "de", "tgt_lang": "en"}}},
            {"json": TEXTS | {"parameters": BEAMS}},
        ],
        {"inputs": "a", "parameters": {"generate_parameters": {"num_beams": 9}}},
    ),
    "summarization": (
        partial(make_writer, task="summarization"),
        [{"json": TEXTS}, {"json": {"inputs": "a film", "parameters": BEAMS}}],
        {"inputs": "a", "parameters": {"src_lang": "de", "tgt_lang": "en"}},
    ),
    "text-generation": (
        make_generator,
        [
            {"json": TEXTS},
            {"json": {"inputs": "a film", "parameters": {"details": True, "seed": 1}}},
            {"json": {"inputs": "a film", "parameters": {"details": True, "top_k": 4}}},
        ],
        {"inputs": "a", "parameters": {"temperature": 0}},
    ),
    "feature-extraction": (
        make_embedding,
        [{"json": TEXTS}, {"json": SHORT}, {"json": {"inputs": COMPARED}}],
        {"inputs": "a", "dimensions": 0},
    ),
    "token-classification": (
        make_tokens,
        [
            {"json": TEXTS},
            {"json": {"inputs": "a film", "parameters": {"ignore_labels": []}}},
            {"json": TEXTS | {"parameters": {"aggregation_strategy": "max", "stride": 3}}},
            {"json": {"inputs": "a film", "parameters": {"aggregation_strategy": "first"}}},
        ],
        {"inputs": "a", "parameters": {"stride": -1}},
    ),
    "tabular-classification": (
        make_table,
        [{"json": {"table": TABLE, "parameters": {}}}, {"json": {"table": TABLE}}],
        {"table": {"age": [True]}},
    ),
    "zero-shot-classification": (
        make_zero_shot,
        [
            {"json": {"inputs": "a film", "parameters": {"candidate_labels": ["good", "bad"]}}},
            {"json": TEXTS | {"parameters": {"candidate_labels": ["good"], "multi_label": True}}},
        ],
        {"inputs": "a", "parameters": {"candidate_labels": []}},
    ),
    "question-answering": (
        make_question,
        [
            {"json": {"inputs": ASKED}},
            {"json": {"inputs": ASKED, "parameters": {"top_k": 3, "doc_stride": 1}}},
            {"json": {"inputs": ASKED, "parameters": {"handle_impossible_answer": True}}},
        ],
        {"inputs": ASKED, "parameters": {"top_k": 0}},
    ),
    "image-classification": (
        make_image,
        [
            {"json": {"inputs": PIXELS}},
            {"json": {"inputs": [PIXELS] * 2, "parameters": {"top_k": 1}}},
            FILE,
        ],
        {"inputs": []},
    ),
    "audio-classification": (
        make_sounds,
        [
            {"json": {"inputs": SOUND}},
            {"json": {"inputs": [SOUND] * 2, "parameters": {"top_k": 1}}},
            CLIP,
        ],
        {"inputs": []},
    ),
    "automatic-speech-recognition": (
        make_speech,
        [
            {"json": {"inputs": SPEECH}},
            {"json": {"inputs": [SPEECH] * 2, "parameters": {"return_timestamps": "char"}}},
            {"json": {"inputs": SPEECH, "parameters": {"return_timestamps": True}}},
            CLIP,
        ],
        {"inputs": SPEECH, "parameters": {"return_timestamps": "frame"}},
    ),
}


def test_every_task_is_asked_here() -> None:
    assert {"text-classification", *TASK_BODIES} == OF_TASKS.keys()


@pytest.mark.parametrize("task", TASK_BODIES)
def test_an_answer_of_each_task_is_what_the_document_says(
    document: Json, tmp_path: Path, task: str
) -> None:
    make, good, bad = TASK_BODIES[task]
    said = narrowed(document, task)
    home = home_with(tmp_path, make)
    content = operation_of(said, "POST", home.path)["requestBody"]["content"]
    schema = {**content["application/json"]["schema"], "components": said["components"]}
    with open_client(home.services(), reader=home.registry()) as client:
        check_answer(said, "GET", home.path, 200, client.get(home.path).json())
        for options in good:
            answer = client.post(home.path, **options)
            assert answer.status_code == 200, answer.text
            check_answer(said, "POST", home.path, 200, answer.json())
            check_answer(document, "POST", home.path, 200, answer.json())
            if "json" in options:
                Draft202012Validator(schema).validate(options["json"])
            else:
                assert options["headers"]["content-type"] in content
        refused = client.post(home.path, json=bad)
        assert refused.status_code == 422
        check_answer(said, "POST", home.path, 422, refused.json())
        assert not Draft202012Validator(schema).is_valid(bad)
    # And what another task answers would be seen
    with pytest.raises(ValidationError):
        check_answer(said, "POST", home.path, 200, {"label": "cat"})
