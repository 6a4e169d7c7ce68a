"""`sam local start-api` over HTTP, beside `maas serve`, both on one registry in DynamoDB Local."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.sam import World, ask, maas_serve

pytestmark = pytest.mark.docker

PREDICT = "/models/sentiment"
JSON = {"content-type": "application/json"}
TTL = 2.0
MARK = "wit-marker-7f3a"  # a text that is looked for in logs


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("api") / "log"


@pytest.fixture(scope="module")
def api(world: World, log: Path) -> Iterator[str]:
    with world.sam.api(world.variables, log) as url:
        yield url


@pytest.fixture(scope="module")
def laptop(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("serve") / "log"
    with maas_serve({**world.environ, "MAAS_POLICY_TTL": f"{TTL:g}"}, log) as url:
        yield url


def predict(url: str, text: str, path: str = PREDICT) -> tuple[int, dict[str, str], Any]:
    status, headers, body = ask(url, path, json.dumps({"inputs": text}).encode(), headers=JSON)
    return status, headers, json.loads(body)


def without_id(body: bytes) -> Any:  # noqa: ANN401
    value = json.loads(body)
    return {**value, "request_id": None} if isinstance(value, dict) else value


TENSORS = json.dumps(
    {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a fine film"]}]}
).encode()
REQUESTS: list[tuple[str, bytes | None, dict[str, str]]] = [
    (PREDICT, b'{"inputs": "a gripping story told with warmth and wit"}', JSON),
    (PREDICT, b'{"inputs": ["good", "bad", "a fine film"], "parameters": {"top_k": 1}}', JSON),
    (PREDICT, '{"inputs": "Une œuvre — 佳作 🎬"}'.encode(), JSON),
    (PREDICT, b'{"inputs": "good"}', {**JSON, "x-maas-version": "2"}),
    (PREDICT + "?version=2", b'{"inputs": "good"}', JSON),
    (PREDICT + "/versions/2", b'{"inputs": "good"}', JSON),
    (PREDICT, b'{"inputs": "good"}', {**JSON, "accept": "application/octet-stream"}),
    (PREDICT, None, {}),
    (PREDICT + "/versions/production", None, {}),
    (PREDICT + "/versions/99", None, {}),
    (PREDICT, b'{"inputs": "\xff"}', JSON),  # not UTF-8: bytes arrive as they were sent
    (PREDICT, b'{"inputs": 1}', JSON),
    (PREDICT, b"{", JSON),
    (PREDICT, b"a,b", {"content-type": "text/csv"}),
    ("/health", None, {}),
    ("/catalog/models", None, {}),
    ("/catalog/models/sentiment/versions/1", None, {}),
    ("/catalog/models/other", None, {}),
    ("/v2", None, {}),
    ("/v2/health/ready", None, {}),
    ("/v2/models", None, {}),
    ("/v2/repository/index", b"{}", JSON),
    ("/v2/repository/models/sentiment/load", b"{}", JSON),
    ("/v2/models/sentiment", None, {}),
    ("/v2/models/sentiment/versions/2/config", None, {}),
    ("/v2/models/sentiment/infer", TENSORS, JSON),
    ("/v2/models/sentiment/versions/2/infer", TENSORS, {}),
    ("/v2/models/sentiment/infer", b'{"inputs": []}', JSON),
]


@pytest.mark.parametrize(("path", "body", "headers"), REQUESTS)
def test_it_answers_as_maas_serve_does(
    api: str, laptop: str, path: str, body: bytes | None, headers: dict[str, str]
) -> None:
    ours, theirs = (ask(url, path, body, headers=headers) for url in (api, laptop))
    assert ours[0] == theirs[0]
    assert without_id(ours[2]) == without_id(theirs[2])
    for name in ("content-type", "x-maas-model", "x-maas-version", "x-maas-digest"):
        assert ours[1].get(name) == theirs[1].get(name), name


def test_a_body_that_is_no_text_arrives_byte_for_byte(api: str) -> None:
    status, _, body = ask(api, PREDICT, bytes(range(256)), headers={"content-type": "image/png"})
    assert status == 415
    assert json.loads(body)["code"] == "unsupported_media_type"


def test_a_promote_is_seen_within_the_ttl(api: str, world: World) -> None:
    # Given a warm function that answers with version 1, as the registry says
    predict(api, "good")
    status, headers, before = predict(api, "good")
    assert (status, headers["x-maas-version"], headers["x-maas-policy"]) == (200, "1", "live")

    # When version 2 is promoted
    world.home.promote(2)
    promoted = time.monotonic()
    try:
        sent, waited = promoted, []  # SAM holds some answers back for a second, so asking counts
        while headers["x-maas-version"] == "1" and sent < promoted + 5 * TTL:
            waited.append(sent - promoted)
            sent = time.monotonic()
            status, headers, after = predict(api, "good")
            assert status == 200

        # Then whoever asks after the TTL and its jitter is answered by it
        assert (headers["x-maas-version"], headers["x-maas-policy"]) == ("2", "live")
        assert headers["x-maas-digest"] == world.home.bundles[2].digest
        assert after != before
        assert waited[-1] <= TTL * 1.1 + 0.5
    finally:
        world.home.promote(1)


def test_no_text_of_a_request_is_in_the_log(api: str, log: Path) -> None:
    status, _, _ = predict(api, f"a good film {MARK}")
    assert status == 200
    text = log.read_text()
    assert '"message":"answered"' in text  # the functions' own lines are among these
    assert MARK not in text


def test_routes_are_those_of_the_template(api: str) -> None:
    for path in ("/models/other", "/models", "/docs", "/.env", "/v2/models/other", "/v1"):
        status, _, body = ask(api, path)
        assert status in (403, 404), path  # the real gateway's answer has our body
        assert b"inputs" not in body
