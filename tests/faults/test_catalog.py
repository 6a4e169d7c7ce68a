"""The catalog's function in front of a DynamoDB that is away, slow, or not set up (F1 to F3)."""

import io
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.doors import LambdaContext, rest_event
from support.dynamo_standin import StandIn
from support.wire import Answer, Wire, answer, error

from maas.http.catalog_entry import build_catalog_handler
from maas.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Event = dict[str, Any]
    Handler = Callable[[Event, object], Event]

CONTEXT = LambdaContext()
HEALTH = rest_event("GET", "/health")
MODEL = rest_event("GET", "/catalog/models/sentiment")
NOTHING = (200, {"Items": [], "Count": 0})
AWS = {
    "AWS_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


@pytest.fixture(autouse=True)
def _aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def table() -> "Iterator[StandIn]":
    with StandIn() as table:
        table.answer = NOTHING
        yield table


def settings(endpoint: str) -> Settings:
    environ = {"MAAS_REGISTRY": "dynamodb://maas-registry", "AWS_ENDPOINT_URL_DYNAMODB": endpoint}
    return Settings.parse(AWS | environ)


def refused(handler: "Handler", event: "Event") -> tuple[str, str, float]:
    """The code, when to come again and the seconds of an answer that must be 503."""
    started = time.perf_counter()
    said = handler(event, CONTEXT)
    spent = time.perf_counter() - started
    assert said["statusCode"] == 503, said["body"]
    body = json.loads(said["body"])
    for private in ("maas-registry", "canary", "127.0.0.1", "MAAS_", "boto"):
        assert private not in said["body"]
    return body["code"], said["headers"]["retry-after"], spent


@pytest.mark.parametrize(
    ("way", "code"),
    [
        ("hang", "registry_unavailable"),
        ("silent", "registry_unavailable"),
        ("reset", "registry_unavailable"),
        ("garbage", "registry_unavailable"),
        ("throttle", "registry_unavailable"),
        ("500", "registry_unavailable"),
        ("refuse", "registry_misconfigured"),
        ("no table", "registry_misconfigured"),
        ("gone", "registry_unavailable"),
    ],
)
def test_f1_it_says_so_within_two_seconds_and_answers_once_it_is_back(
    table: StandIn, way: str, code: str
) -> None:
    # Given a function that was well
    handler = build_catalog_handler(settings(table.url))
    assert handler(HEALTH, CONTEXT)["statusCode"] == 200
    # When its table is not
    table.answer = None
    if way == "gone":
        table.go()
    elif way == "no table":
        table.error = "ResourceNotFoundException"
    else:
        table.way = way
    # Then it says so in time, whatever is asked
    for event in (HEALTH, MODEL):
        found, retry_after, spent = refused(handler, event)
        assert (found, retry_after) == (code, "30" if code == "registry_misconfigured" else "1")
        assert spent < 2
    # And is well again without a restart
    if way == "gone":
        table.come_back()
    table.answer, table.error, table.way = NOTHING, None, "answer"
    assert handler(HEALTH, CONTEXT)["statusCode"] == 200


@pytest.mark.parametrize("times", [1, 2, 3])
def test_f2_two_throttled_reads_are_made_up_for_and_the_third_is_503(times: int) -> None:
    nothing = answer(Answer(200, json.dumps(NOTHING[1]).encode()))
    with Wire() as wire:
        wire.script("Query", [nothing])
        handler = build_catalog_handler(settings(wire.address))
        # When so many reads in a row are throttled
        wire.script("Query", [error("ProvisionedThroughputExceededException")] * times + [nothing])
        started, asked = time.perf_counter(), wire.count("Query")
        said = handler(HEALTH, CONTEXT)
        # Then it is asked three times at the most, in time
        assert said["statusCode"] == (200 if times < 3 else 503), said["body"]
        assert wire.count("Query") - asked == min(times + 1, 3)
        assert time.perf_counter() - started < 2
        if times == 3:
            assert json.loads(said["body"])["code"] == "registry_unavailable"
            assert said["headers"]["retry-after"] == "1"
        # And the next one is answered
        wire.script("Query", [nothing])
        assert handler(HEALTH, CONTEXT)["statusCode"] == 200


@pytest.mark.parametrize("way", ["hang", "refuse"])
def test_f1_a_function_starts_without_its_registry(
    table: StandIn, log: io.StringIO, way: str
) -> None:
    table.answer, table.way = None, way
    started = time.perf_counter()
    handler = build_catalog_handler(settings(table.url))
    assert time.perf_counter() - started < 3
    table.answer, table.way = NOTHING, "answer"
    assert handler(HEALTH, CONTEXT)["statusCode"] == 200
    if way == "refuse":
        assert '"error":"RegistryMisconfiguredError' in log.getvalue()


def test_f3_readers_that_hang_do_not_pile_up_without_end(table: StandIn) -> None:
    handler = build_catalog_handler(settings(table.url))
    table.answer, table.way = None, "hang"
    for _ in range(2):
        refused(handler, HEALTH)
    reading = [each for each in threading.enumerate() if each.name.startswith("asyncio")]
    table.answer, table.way = NOTHING, "answer"
    assert len(reading) <= 2
    assert handler(HEALTH, CONTEXT)["statusCode"] == 200


def test_with_dynamodb_too_it_loads_no_models_library(table: StandIn, tmp_path: Path) -> None:
    probe = (
        "import sys\n"
        "from maas.http.catalog_entry import build_catalog_handler\n"
        "from maas.settings import read_settings\n"
        "build_catalog_handler(read_settings())\n"
        "print(sorted({name.split('.')[0] for name in sys.modules}))\n"
    )
    environ = AWS | {
        "MAAS_REGISTRY": "dynamodb://maas-registry",
        "AWS_ENDPOINT_URL_DYNAMODB": table.url,
    }
    done = subprocess.run(
        [sys.executable, "-c", probe],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "'boto3'" in done.stdout  # read while it starts, not within the first request
    for library in ("onnxruntime", "numpy", "tokenizers"):
        assert f"'{library}'" not in done.stdout
    assert table.requests
