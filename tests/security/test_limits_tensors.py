"""Limits on requests by tensors and on their answers: limit − 1, limit, limit + 1 (P3)."""

import gzip
import json
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from support.doors import rest_event
from support.effort import count
from support.task_bundles import home_with
from support.tiny import Client, open_client
from support.tiny_echo import echo_feeds, make_echo

from maas.http.protocols.oip_data import datatype_of, to_bytes
from maas.limits import LIMITS
from maas.tasks.tensors import strings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

INFER = "/v2/models/echo/infer"
edge = pytest.mark.parametrize("step", [-1, 0, 1])
PACKED: "dict[str, Callable[[bytes], bytes]]" = {
    "identity": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
}


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Client]":
    """A model that answers as much as it is sent."""
    with open_client(home_with(tmp_path_factory.mktemp("home"), make_echo).services()) as client:
        yield client


def request(wanted: str, large: Any = None, **more: Any) -> tuple[dict[str, Any], bytes]:  # noqa: ANN401
    """A request of one output, all inputs as bytes; one of them may be replaced.

    Returns:
        Its JSON, and the bytes behind that.
    """
    inputs, tail = [], b""
    for name, array in echo_feeds().items():
        given = large if large is not None and datatype_of(large) == datatype_of(array) else array
        data = to_bytes(given)
        tail += data
        size = {"binary_data_size": len(data)}
        spec = {"name": name, "shape": [given.size], "datatype": datatype_of(given)}
        inputs.append(spec | {"parameters": size})
    return {"inputs": inputs, "outputs": [{"name": wanted}], **more}, tail


def ask(client: Client, body: "dict[str, Any]", tail: bytes, **headers: str) -> "httpx.Response":
    header = json.dumps(body).encode()
    pack = PACKED[headers.get("content-encoding", "identity")]
    sizes = {"inference-header-content-length": str(len(header))}
    return client.post(INFER, content=pack(header + tail), headers=sizes | headers)


def check(client: Client, response: "httpx.Response", step: int, status: int, said: str) -> None:
    if step <= 0:
        assert response.status_code == 200, response.text
        return
    count("inputs")
    assert (response.status_code, said in response.json()["error"]) == (status, True), response.text
    assert ask(client, *request("bool_out")).status_code == 200


@edge
@pytest.mark.parametrize("packing", PACKED)
def test_limit_tensor_bytes(echo: Client, packing: str, step: int) -> None:
    # Given a body that is just as long, unpacked too
    numbers = np.zeros(LIMITS.tensor_bytes - 10_000, np.int8)
    body, tail = request("bool_out", numbers, x="")
    body["x"] = "x" * (LIMITS.tensor_bytes - len(json.dumps(body)) - len(tail) + step)
    response = ask(echo, body, tail, **{"content-encoding": packing})
    check(echo, response, step, 413, f"at most {LIMITS.tensor_bytes} bytes")


@edge
def test_p3_answers_have_the_same_limit_of_bytes(echo: Client, step: int) -> None:
    # Given numbers of which each takes more as text than as bytes
    numbers = np.full(LIMITS.tensor_bytes // 21 - 10, np.iinfo(np.int64).min)
    assert numbers.size < LIMITS.tensor_values
    once = ask(echo, *request("int64_out", numbers, id=""))
    rest = LIMITS.tensor_bytes - len(once.content) + step
    assert once.status_code == 200
    assert 0 < rest < 256
    response = ask(echo, *request("int64_out", numbers, id="x" * rest))
    check(echo, response, step, 422, f"above {LIMITS.tensor_bytes} bytes")


@edge
def test_limit_tensor_values(echo: Client, step: int) -> None:
    # Given a body of JSON with so many values
    body, tail = request("bool_out", x=[0])
    body["x"] = [0] * (LIMITS.tensor_values - values(body) + 1 + step)
    assert values(body) == LIMITS.tensor_values + step
    response = ask(echo, body, tail)
    check(echo, response, step, 400, f"more than {LIMITS.tensor_values} values")


@edge
def test_p3_answers_in_json_have_the_same_limit_of_values(echo: Client, step: int) -> None:
    numbers = np.zeros(LIMITS.tensor_values + step, np.int8)
    response = ask(echo, *request("int8_out", numbers))
    check(echo, response, step, 422, f"above {LIMITS.tensor_values} values")
    # As bytes they may be more
    body, tail = request("int8_out", numbers, parameters={"binary_data_output": True})
    assert ask(echo, body, tail).content.endswith(bytes(numbers.size))


@edge
def test_p3_texts_as_bytes_have_the_same_limit_of_elements(echo: Client, step: int) -> None:
    texts = strings([b""] * (LIMITS.tensor_values + step), (LIMITS.tensor_values + step,))
    response = ask(echo, *request("bool_out", texts))
    check(echo, response, step, 422, f"at most {LIMITS.tensor_values} elements")


def values(value: object) -> int:
    """Values of a document whose lists and objects hold something."""
    if isinstance(value, dict):
        return 1 + sum(map(values, value.values()))
    return 1 + (sum(map(values, value)) if isinstance(value, list) else 0)


def test_p3_the_largest_body_of_tensors_is_below_what_lambda_takes() -> None:
    envelope = json.dumps(rest_event("POST", INFER, ""))
    assert len(envelope) + LIMITS.tensor_bytes * 4 / 3 < 6_000_000
