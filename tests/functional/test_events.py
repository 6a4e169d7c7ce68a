"""The sample events of both functions, which `sam local invoke` takes too."""

import base64
import io
import json
import re
import struct
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from support.doors import LambdaContext
from support.kinds import KINDS, OTHERS
from support.openapi import check_answer, narrowed, operation_of, operations
from support.task_bundles import home_with
from support.tiny import Home, make_home

from maas.http.catalog_entry import build_catalog_handler
from maas.http.entry import build_handler
from maas.http.openapi import build_document
from maas.http.operations import catalog, tasks

if TYPE_CHECKING:
    from collections.abc import Callable

    Event = dict[str, Any]
    Handler = Callable[[Event, object], Event]

FUNCTIONS = Path(__file__).parents[2] / "functions"
FILES = sorted(FUNCTIONS.glob("*/events/*.json"))
NAMES = [f"{file.parent.parent.name}/{file.stem}" for file in FILES]
DOCUMENT = build_document()
CONTEXT = LambdaContext()
OWN = catalog.OPERATIONS.keys() | tasks.OPERATIONS.keys()
PINNED = ("path", "header", "query")
MODELS = {
    "digits": "image-classification",
    "embed": "feature-extraction",
    "translate": "translation",
    "summarise": "summarization",
    "entities": "token-classification",
    "topics": "zero-shot-classification",
    "answers": "question-answering",
    "generate": "text-generation",
    "sounds": "audio-classification",
    "speech": "automatic-speech-recognition",
    "passengers": "tabular-classification",
}
"""What the recipes of these names make, or what is imported, beside `sentiment`."""
FILE, CLIP = "inference/predict-picture", "inference/predict-speech"
BINARY = "inference/predict-tensors-binary"
AS_BASE64 = {"inference/predict-base64", FILE, CLIP, BINARY}


def read(name: str) -> "Event":
    function, _, asked = name.partition("/")
    return dict(json.loads((FUNCTIONS / function / "events" / f"{asked}.json").read_bytes()))


HTTP = [name for name in NAMES if "httpMethod" in read(name)]


def model_of(name: str) -> str:
    """The model whose function an event is for; of the catalog's, the only one that it knows."""
    asked = re.match(r"/models/(\w+)", read(name).get("path", ""))
    return asked[1] if asked else "sentiment"


@pytest.fixture(scope="module")
def handlers(tmp_path_factory: pytest.TempPathFactory) -> "dict[str, Handler]":
    """Both functions over what the events need: versions 1 and 2, one of them promoted."""
    home: Home = make_home(tmp_path_factory.mktemp("home"))
    return {
        "sentiment": build_handler(home.settings),
        "catalog": build_catalog_handler(home.settings),
    } | {
        model: build_handler(
            home_with(
                tmp_path_factory.mktemp(model), partial(KINDS[kind].make, name=model)
            ).settings
        )
        for model, kind in MODELS.items()
    }


def answer_to(handlers: "dict[str, Handler]", name: str) -> "Event":
    function = name.partition("/")[0]
    return handlers[model_of(name) if function == "inference" else function](read(name), CONTEXT)


@pytest.mark.parametrize("name", [name for name in HTTP if name != BINARY])
def test_it_is_answered_as_the_document_says(handlers: "dict[str, Handler]", name: str) -> None:
    event, answer = read(name), answer_to(handlers, name)
    assert answer["statusCode"] == 200, answer["body"]
    assert answer["isBase64Encoded"] is False
    assert answer["headers"]["content-type"] == "application/json"
    assert answer["headers"]["x-request-id"] == CONTEXT.aws_request_id
    said = narrowed(DOCUMENT, MODELS.get(model_of(name), "text-classification"))
    check_answer(said, event["httpMethod"], event["path"], 200, json.loads(answer["body"]))


@pytest.mark.parametrize("function", ["inference", "catalog"])
def test_a_ping_that_warms_it_up_costs_nothing(
    handlers: "dict[str, Handler]", function: str
) -> None:
    assert answer_to(handlers, f"{function}/warm-up") == {"statusCode": 204}


@pytest.mark.parametrize("way", PINNED)
def test_a_pin_is_answered_by_its_version(handlers: "dict[str, Handler]", way: str) -> None:
    pinned = answer_to(handlers, f"inference/predict-version-by-{way}")
    promoted = answer_to(handlers, "inference/predict")
    assert pinned["headers"]["x-maas-version"] == "2"
    assert promoted["headers"]["x-maas-version"] == "1"
    assert pinned["body"] != promoted["body"]


def test_a_page_is_one(handlers: "dict[str, Handler]") -> None:
    versions = json.loads(answer_to(handlers, "catalog/versions-page")["body"])
    assert [version["number"] for version in versions["versions"]] == [1]
    history = json.loads(answer_to(handlers, "catalog/history-page")["body"])
    assert (len(history["events"]), history["more"]) == (1, True)


def test_every_kind_of_model_is_asked() -> None:
    asked = {model_of(name) for name in HTTP if name.startswith("inference")}
    assert asked == {"sentiment", *MODELS}
    assert set(MODELS.values()) == set(OTHERS)


def test_a_picture_is_asked_about_alike_as_a_file_and_in_base64(
    handlers: "dict[str, Handler]",
) -> None:
    file, listed = read(FILE), json.loads(read("inference/predict-pictures")["body"])
    assert file["headers"]["Content-Type"] == "image/png"
    assert file["body"] == listed["inputs"][0]
    for picture in listed["inputs"]:
        assert Image.open(io.BytesIO(base64.b64decode(picture))).size == (28, 28)
    alone, first = (
        json.loads(answer_to(handlers, f"inference/predict-picture{more}")["body"])
        for more in ("", "s")
    )
    assert alone[: listed["parameters"]["top_k"]] == first[0]


def test_tensors_are_answered_alike_in_json_and_as_bytes(handlers: "dict[str, Handler]") -> None:
    said = json.loads(answer_to(handlers, "inference/predict-tensors")["body"])
    answer = answer_to(handlers, BINARY)
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, True)
    assert answer["headers"]["content-type"] == "application/octet-stream"
    data = base64.b64decode(answer["body"], validate=True)
    length = int(answer["headers"]["inference-header-content-length"])
    (logits,) = json.loads(data[:length])["outputs"]
    (wanted,) = said["outputs"]
    assert said["id"] == json.loads(data[:length])["id"] == "42"
    assert logits["parameters"] == {"binary_data_size": len(data) - length}
    numbers = struct.unpack(f"<{len(wanted['data'])}f", data[length:])
    assert numbers == pytest.approx(wanted["data"])
    assert logits["shape"] == wanted["shape"] == [2, 2]


def test_one_body_is_base64_of_text_beyond_ascii() -> None:
    event = read("inference/predict-base64")
    assert event["isBase64Encoded"] is True
    assert not base64.b64decode(event["body"], validate=True).isascii()


# ---- What the samples are -----------------------------------------------------------------------


def test_every_route_of_our_own_has_one() -> None:
    # Those of other protocols are asked by the clients that speak them
    asked = {
        id(operation_of(DOCUMENT, event["httpMethod"], event["path"])) for event in map(read, HTTP)
    }
    assert {id(each) for path, _, each in operations(DOCUMENT) if path in OWN} <= asked


@pytest.mark.parametrize("name", HTTP)
def test_it_has_the_shape_that_the_rest_api_sends(name: str) -> None:
    event, whole = read(name), read("inference/predict")
    assert event.keys() == whole.keys()
    assert event["requestContext"].keys() == whole["requestContext"].keys()
    context = event["requestContext"]
    assert context["httpMethod"] == event["httpMethod"]
    assert context["resourcePath"] == event["resource"]
    assert context["path"] == f"/{context['stage']}{event['path']}"
    resource = re.escape(event["resource"]).replace(r"\{proxy\+\}", "(?P<proxy>.+)")
    matched = re.fullmatch(resource, event["path"])
    assert matched is not None
    assert (matched.groupdict() or None) == event["pathParameters"]
    for one, many in (
        ("headers", "multiValueHeaders"),
        ("queryStringParameters", "multiValueQueryStringParameters"),
    ):
        values = event[one]
        assert event[many] == (values and {key: [value] for key, value in values.items()})
    assert event["isBase64Encoded"] is (name in AS_BASE64)


def test_the_route_tables_of_functions_and_samples_agree() -> None:
    for name in HTTP:
        event = read(name)
        operation = operation_of(DOCUMENT, event["httpMethod"], event["path"])
        assert operation["tags"] == [name.partition("/")[0]]
