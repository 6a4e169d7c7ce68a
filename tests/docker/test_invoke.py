"""`sam local invoke` answers every sample event as the handler in this process does.

The container has the layers that were built, Lambda's Python, and a registry over the network.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.doors import LambdaContext
from support.sam import World

from maas.http.catalog_entry import build_catalog_handler
from maas.http.entry import build_handler

pytestmark = pytest.mark.docker

Handler = Callable[[Any, object], dict[str, Any]]
FUNCTIONS = Path(__file__).parents[2] / "functions"
EVENTS = [  # but those of models that this application does not have
    event
    for event in sorted(FUNCTIONS.glob("*/events/*.json"))
    if not (asked := re.search(r'"path": "/models/(\w+)', event.read_text()))
    or asked[1] == "sentiment"
]
LOGICAL_ID = {"inference": "ModelsentimentFunction", "catalog": "CatalogFunction"}
# Of one process, not of the answer.
OWN_HEADERS = {"x-request-id", "server-timing", "x-maas-policy"}


@pytest.fixture(scope="module")
def handlers(world: World) -> dict[str, Handler]:
    return {
        "inference": build_handler(world.function_settings(MAAS_MODEL="sentiment")),
        "catalog": build_catalog_handler(world.function_settings()),
    }


def comparable(answer: dict[str, Any]) -> dict[str, Any]:
    headers = {n: v for n, v in (answer.get("headers") or {}).items() if n not in OWN_HEADERS}
    return {**answer, "headers": headers, "multiValueHeaders": None}


@pytest.mark.parametrize("event", EVENTS, ids=[f"{e.parts[-3]}/{e.stem}" for e in EVENTS])
def test_a_sample_event_is_answered(
    world: World, handlers: dict[str, Handler], event: Path
) -> None:
    function = event.parts[-3]
    answer = world.sam.invoke(LOGICAL_ID[function], event, world.variables)
    assert answer.get("statusCode") in (200, 204), answer
    expected = handlers[function](json.loads(event.read_bytes()), LambdaContext())
    assert comparable(answer) == comparable(expected)


def test_a_function_lives_without_its_registry(world: World) -> None:
    event = FUNCTIONS / "inference/events/predict.json"
    nowhere = {**world.variables, "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:9"}
    answer = world.sam.invoke("ModelsentimentFunction", event, nowhere)
    assert answer["statusCode"] == 200
    assert answer["headers"]["x-maas-policy"] == "baked"
    assert answer["headers"]["x-maas-digest"] == world.home.bundles[1].digest


def test_a_wrong_environment_ends_the_function_and_names_the_variable(world: World) -> None:
    event = FUNCTIONS / "inference/events/predict.json"
    wrong = {**world.variables, "MAAS_POLICY_TTL": "soon"}
    answer = world.sam.invoke("ModelsentimentFunction", event, wrong)
    assert answer["errorType"] == "SettingsError"
    assert "MAAS_POLICY_TTL" in answer["errorMessage"]
