"""Tensors through Lambda's events: bytes in and out, packed or not, as Triton's client has them."""

import base64
import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from support.doors import LambdaContext, http_event, rest_event
from support.task_bundles import home_with
from support.tiny_echo import ALL, TEXTS, echo_feeds, make_echo
from tritonclient.utils import np_to_triton_dtype

from maas.http.entry import build_handler

Event = dict[str, Any]
Handler = Callable[[Any, object], Event]
INFER = "/v2/models/echo/infer"
LENGTH = "inference-header-content-length"
UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
}
PACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
}


@pytest.fixture(scope="module")
def handler(tmp_path_factory: pytest.TempPathFactory) -> Handler:
    return build_handler(home_with(tmp_path_factory.mktemp("home"), make_echo).settings)


def asked(*, binary: bool) -> tuple[bytes, int]:
    """What Triton's client writes, with more than a KB to answer."""
    tensors = []
    for name, array in echo_feeds().items():
        datatype = np_to_triton_dtype(array.dtype)
        tensor = triton.InferInput(name, [*array.shape], datatype)
        tensor.set_data_from_numpy(array, binary_data=True)
        tensors.append(tensor)
    outputs = [triton.InferRequestedOutput(f"{dtype}_out", binary_data=binary) for dtype in ALL]
    body, length = triton.InferenceServerClient.generate_request_body(
        tensors, outputs=outputs, request_id="7"
    )
    return body, length


@pytest.mark.parametrize("accepted", ["", "gzip", "deflate", "br, gzip;q=0.5", "gzip;q=0"])
@pytest.mark.parametrize("packed", PACK)
@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("event_of", [rest_event, http_event])
def test_a_body_of_bytes_is_answered_by_bytes(
    handler: Handler, event_of: Callable[..., Event], packed: str, accepted: str, *, binary: bool
) -> None:
    # Given an event as the gateway makes one, that takes every body for bytes
    body, length = asked(binary=binary)
    headers = {"content-type": "application/octet-stream", LENGTH: str(length), "accept": "*/*"}
    headers |= {"content-encoding": packed} if packed else {}
    headers |= {"accept-encoding": accepted} if accepted else {}
    coded = base64.b64encode(PACK[packed](body)).decode()
    # When it is handled
    answer = handler(event_of("POST", INFER, coded, headers=headers, base64=True), LambdaContext())
    # Then the answer is what was asked, and its headers are of it as it is unpacked
    said = answer["headers"]
    assert answer["statusCode"] == 200, answer["body"]
    encoding = said.get("content-encoding", "")
    assert encoding == {"br, gzip;q=0.5": "gzip", "gzip;q=0": ""}.get(accepted, accepted)
    assert answer["isBase64Encoded"] is (binary or bool(encoding))
    sent = answer["body"].encode()
    data = base64.b64decode(sent, validate=True) if answer["isBase64Encoded"] else sent
    assert said["content-length"] == str(len(data))
    whole = UNPACK[encoding](data)
    assert said["content-type"] == ("application/octet-stream" if binary else "application/json")
    assert (LENGTH in said) is binary
    length = int(said[LENGTH]) if binary else len(whole)
    header = json.loads(whole[:length])
    assert header["id"] == "7"
    result = triton.InferResult.from_response_body(whole, header_length=length if binary else None)
    for name, array in echo_feeds().items():
        dtype = array.dtype
        if dtype == np.object_:
            found = result.as_numpy(name.replace("_in", "_out")).tolist()
            assert [each if binary else each.encode() for each in found] == [*TEXTS]
        elif binary or dtype != np.float16:  # which the client does not read from JSON
            assert result.as_numpy(name.replace("_in", "_out")).tobytes() == array.tobytes()


@pytest.mark.parametrize("event_of", [rest_event, http_event])
def test_a_short_answer_is_not_packed(handler: Handler, event_of: Callable[..., Event]) -> None:
    event = event_of("GET", "/v2/models/echo/ready", headers={"accept-encoding": "gzip"})
    answer = handler(event, LambdaContext())
    assert "content-encoding" not in answer["headers"]
    assert json.loads(answer["body"]) == {"name": "echo", "ready": True}


@pytest.mark.parametrize("event_of", [rest_event, http_event])
def test_an_error_is_json_however_it_was_asked(
    handler: Handler, event_of: Callable[..., Event]
) -> None:
    body, length = asked(binary=True)
    headers = {
        "content-type": "application/octet-stream",
        LENGTH: str(length),
        "accept-encoding": "gzip",
    }
    coded = base64.b64encode(body[:-1]).decode()
    answer = handler(event_of("POST", INFER, coded, headers=headers, base64=True), LambdaContext())
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (422, False)
    assert answer["headers"]["content-type"] == "application/json"
    assert isinstance(json.loads(answer["body"])["error"], str)
