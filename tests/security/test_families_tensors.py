"""Bad inputs by the Open Inference Protocol, by every door: of texts, pictures, writers and graphs.

Each is refused alike by ASGI and by both kinds of events, by a 4xx whose `error` is a text, within
250 ms of work, and a good request by the same process follows (P3, P4).
"""

import gzip
import json
import struct
import tracemalloc
import zlib
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.effort import count, examples
from support.families import BODIES, each_of
from support.hostile import Answer, Doors, Sent, open_doors
from support.kinds import TEXT
from support.task_bundles import home_with
from support.tensors import tensor_of as tensor
from support.tensors import text, with_bytes
from support.tiny import make_bundle, open_client
from support.tiny_image import HEIGHT, WIDTH, in_base64, make_image, picture, png
from support.tiny_tensor import make_tensor, tensor_feeds
from support.tiny_tokens import make_tokens
from support.tiny_writer import make_writer
from tritonclient.utils import raise_error

from maas.limits import LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Json = dict[str, Any]

LENGTH = "inference-header-content-length"
OCTETS = "application/octet-stream"


IDS, MASK = (tensor(name, np.ones((2, 3), np.int64)) for name in ("input_ids", "attention_mask"))
FILE = text("image", in_base64(png(picture(1)))) | {"parameters": {"content_type": "base64"}}
GRAPH = [tensor(name, array) for name, array in tensor_feeds(1).items()]
GOOD: "dict[str, tuple[Callable[..., Any], list[Json]]]" = {
    "texts": (make_bundle, [text("text", TEXT)]),
    "pictures": (make_image, [FILE]),
    "writer": (make_writer, [text("text", TEXT)]),
    "tokens": (make_tokens, [text("text", TEXT)]),
    "graph": (make_tensor, GRAPH),
}
"""By what a model reads: what makes a tiny one, and good inputs."""
every = pytest.mark.parametrize("kind", GOOD)
both = pytest.mark.parametrize("kind", ["texts", "graph"])
"""For what is read before anybody knows of the model."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The doors of one model.

    Attributes:
        doors: All of them.
        inputs: A good request's.
    """

    doors: Doors
    inputs: "list[Json]"

    def sent(self, body: "bytes | Json", **headers: str) -> Sent:
        """A request of inference; headers by name, `_` for `-`."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Sent(data, path=self.doors.sample.path, headers=named)

    def refuse(
        self,
        body: "bytes | Json",
        status: int = 422,
        field: str | None = None,
        **headers: str,
    ) -> Answer:
        """What must be refused, by an error that Triton's client can show."""
        code = {400: "bad_request", 413: "too_large", 415: "unsupported_media_type"}
        answer = self.doors.refuse(
            self.sent(body, **headers), status, code.get(status, "invalid_field"), field
        )
        assert isinstance(answer.json["error"], str)
        with pytest.raises(Exception, match=r"."):
            raise_error(answer.json["error"])
        return answer

    def packed(self) -> "tuple[bytes, int]":
        """The good request with bytes behind its JSON; the answer is JSON."""
        return with_bytes({"inputs": self.inputs})


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[dict[str, Asked]]":
    with ExitStack() as stack:
        opened = {}
        for name, (make, inputs) in GOOD.items():
            home = home_with(tmp_path_factory.mktemp(name), make)
            path = f"/v2/models/{home.settings.model}/infer"
            good = Sent(json.dumps({"inputs": inputs}).encode(), path=path)
            opened[name] = Asked(stack.enter_context(open_doors(home, good=good)), inputs)
        yield opened


# ---- Bodies -------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("body", each_of(BODIES))
def test_p4_families_1_2_4_5_6_what_is_no_json_of_ours(
    models: dict[str, Asked], kind: str, body: bytes
) -> None:
    # A body of tensors may hold more values, so that some are no object instead
    doors = models[kind].doors
    doors.refuse(models[kind].sent(body), {400, 422})
    header = {LENGTH.replace("-", "_"): str(len(body))}
    if body:  # none at all is no JSON but bytes
        doors.refuse(models[kind].sent(body, **header), {400, 422})


@both
@pytest.mark.parametrize("body", [b"null", b"true", b"0", b'"inputs"', b"[]", b'[{"inputs":[]}]'])
def test_p4_family_3_no_object(models: dict[str, Asked], kind: str, body: bytes) -> None:
    models[kind].refuse(body)


NO_INPUTS: "list[tuple[Json, str | None]]" = [
    ({}, "inputs"),
    ({"inputs": None}, "inputs"),
    ({"inputs": {}}, "inputs"),
    ({"inputs": [[]]}, "inputs[0]"),
    ({"inputs": [{}]}, "inputs[0].name"),
    ({"inputs": "a good film"}, "inputs"),
    ({"inputs": [{"name": "__proto__", "shape": [0], "datatype": "BYTES"}]}, "inputs[0].data"),
    ({"inputs": [text("__proto__", "a")]}, "inputs"),
    ({"inputs": [text("../../etc/passwd", "a")]}, "inputs"),
    ({"inputs": [text("x" * 257, "a")]}, "inputs[0].name"),
    ({"inputs": [text("", "a")]}, "inputs[0].name"),
    ({"inputs": [text("\ud800", "a")]}, "inputs"),
]


@every
@pytest.mark.parametrize(("body", "field"), NO_INPUTS)
def test_p4_families_7_8_inputs_that_are_none(
    models: dict[str, Asked], kind: str, body: "Json", field: str | None
) -> None:
    models[kind].refuse(body, 422, field)


@every
def test_p4_family_7_an_input_too_few_or_too_many(models: dict[str, Asked], kind: str) -> None:
    asked = models[kind]
    for inputs in ([], asked.inputs[1:], [*asked.inputs, text("more", "a")]):
        asked.doors.refuse(asked.sent({"inputs": inputs}), 422, None)
    asked.refuse({"inputs": [*asked.inputs, asked.inputs[0]]}, 422, "inputs")


SHAPES: tuple[list[Any], ...] = (
    *([2**40, 2**40], [2**40] * 8, [2**32, 2**32], [2**63], [-1], [0, -1], [1] * 9, [1] * 1_000),
    *([1.5], ["1"], [None], [[1]], [True], [2**40 + 1], [3, 0], [0, 2**40, 2**40]),
)


@every
@pytest.mark.parametrize("shape", SHAPES)
def test_p4_family_15_shapes_without_sense(
    models: dict[str, Asked], kind: str, shape: list[Any]
) -> None:
    asked = models[kind]
    for first in (
        asked.inputs[0] | {"shape": shape},
        asked.inputs[0] | {"shape": shape, "data": []},
        {**asked.inputs[0], "shape": shape, "parameters": {"binary_data_size": 0}, "data": None},
    ):
        answer = asked.doors.refuse(asked.sent({"inputs": [first, *asked.inputs[1:]]}), 422)
        assert isinstance(answer.json["error"], str)


@both
@pytest.mark.parametrize("datatype", ["FP8", "BF16", "bytes", "", "STRING", 1, None, [], {}])
def test_p4_family_15_datatypes_that_are_none(
    models: dict[str, Asked], kind: str, datatype: object
) -> None:
    asked = models[kind]
    first = asked.inputs[0] | {"datatype": datatype}
    asked.refuse({"inputs": [first, *asked.inputs[1:]]}, 422, "inputs[0].datatype")


@every
@pytest.mark.parametrize(
    "outputs",
    [
        *({}, "logits", [1], [{}], [{"name": ""}], [{"name": "x" * 257}], [{"name": "no such"}]),
        [{"name": "logits", "parameters": {"classification": -1}}],
        [{"name": "logits", "parameters": {"classification": 2**40}}],
        [{"name": "logits", "parameters": {"binary_data": "yes"}}],
        [{"name": "\ud800"}],
    ],
)
def test_p4_family_7_outputs_that_are_none(
    models: dict[str, Asked], kind: str, outputs: object
) -> None:
    asked = models[kind]
    asked.doors.refuse(asked.sent({"inputs": asked.inputs, "outputs": outputs}), 422)


# ---- What a model takes -------------------------------------------------------------------------

TOO_MANY = np.ones((LIMITS.texts + 1, 1), np.int64)
WRONG: "list[tuple[str, list[Json], str]]" = [
    *(
        (kind, inputs, field)
        for kind in ("texts", "writer", "tokens")
        for inputs, field in (
            ([text("text")], "text"),
            ([text("text", "")], "text"),
            ([text("text", "a", " \n")], "text[1]"),
            ([text("text", *(["a"] * (LIMITS.texts + 1)))], "text"),
            ([text("text", "a" * (LIMITS.text_characters + 1))], "text"),
            ([text("text", "a", "b") | {"shape": [1, 2]}], "text"),
            ([text("text", "a") | {"shape": [1, 1, 1]}], "text"),
            ([text("text", "a") | {"shape": [], "data": "a"}], "text"),
            ([text("text", "/w==") | {"parameters": {"content_type": "base64"}}], "text"),
            ([text("text", "\ud800")], "inputs[0].data"),
            ([tensor("text", np.ones(1, np.int64))], "text"),
            ([IDS], "attention_mask"),
            ([MASK], "input_ids"),
            ([tensor("input_ids", np.full((2, 3), -1)), MASK], "input_ids"),
            ([tensor("input_ids", np.full((2, 3), 10**6)), MASK], "input_ids"),
            ([tensor("input_ids", np.full((2, 3), 2**63 - 1)), MASK], "input_ids"),
            ([tensor("input_ids", np.ones((2, 4), np.int64)), MASK], "attention_mask"),
            ([tensor("input_ids", np.ones((2, 3), np.int32)), MASK], "input_ids"),
            ([tensor("input_ids", np.ones((2, 3))), MASK], "input_ids"),
            ([tensor("input_ids", np.ones(6, np.int64)), MASK], "input_ids"),
            ([IDS, tensor("attention_mask", np.zeros((2, 3), np.int64))], "attention_mask"),
            ([IDS, tensor("attention_mask", np.full((2, 3), 2))], "attention_mask"),
            ([IDS, tensor("attention_mask", np.full((2, 3), -1))], "attention_mask"),
            ([tensor("input_ids", TOO_MANY), tensor("attention_mask", TOO_MANY)], "input_ids"),
            (
                [tensor(n, np.ones((1, 513), np.int64)) for n in ("input_ids", "attention_mask")],
                "input_ids",
            ),
            (
                [tensor(n, np.ones((0, 3), np.int64)) for n in ("input_ids", "attention_mask")],
                "input_ids",
            ),
            (
                [tensor(n, np.ones((2, 0), np.int64)) for n in ("input_ids", "attention_mask")],
                "input_ids",
            ),
        )
    ),
    ("texts", [text("text", "a"), IDS], "text"),
    ("writer", [text("text", "a"), IDS, MASK], "text"),
    *(
        ("writer", [text("text", "a"), tensor("beams", np.array(value))], "beams")
        for value in ([0], [-1], [LIMITS.beams + 1], [2**63 - 1], [1, 1], 1)
    ),
    *(
        ("writer", [text("text", "a"), tensor("max_new_tokens", np.array(v))], "max_new_tokens")
        for v in ([0], [-1], [LIMITS.new_tokens + 1], [-(2**63)])
    ),
    *(
        ("pictures", [text("image", file) | {"parameters": {"content_type": "base64"}}], "image")
        for file in ("", "AAAA", in_base64(png(picture(1))[:-20]), in_base64(b"GIF89a"))
    ),
    ("pictures", [text("image")], "image"),
    ("pictures", [text("image", *(["AAAA"] * (LIMITS.images + 1)))], "image"),
    ("pictures", [text("image", in_base64(png(picture(1))))], "image"),  # it does not say base64
    ("pictures", [tensor("pixels", np.ones((1, 3, HEIGHT, WIDTH)))], "pixels"),
    ("pictures", [tensor("pixels", np.ones((1, 3, WIDTH, HEIGHT), np.float32))], "pixels"),
    ("pictures", [tensor("pixels", np.ones((0, 3, HEIGHT, WIDTH), np.float32))], "pixels"),
    ("pictures", [tensor("pixels", np.ones((33, 3, HEIGHT, WIDTH), np.float32))], "pixels"),
    ("graph", [*GRAPH[:3], text("words", "/w==") | GRAPH[3] | {"data": ["a"]}, *GRAPH[4:]], ""),
    ("graph", [tensor("rows", np.ones((2, 4))), *GRAPH[1:]], "rows"),
    ("graph", [tensor("rows", np.ones((2, 5), np.float32)), *GRAPH[1:]], "rows"),
    ("graph", [tensor("rows", np.ones((3, 4), np.float32)), *GRAPH[1:]], "codes"),
    ("graph", [*GRAPH[:4], tensor("rate", np.array([1]))], "rate"),
]


@pytest.mark.parametrize(("kind", "inputs", "field"), WRONG)
def test_p4_families_8_9_10_15_what_the_model_does_not_take(
    models: dict[str, Asked], kind: str, inputs: "list[Json]", field: str
) -> None:
    answer = models[kind].doors.refuse(models[kind].sent({"inputs": inputs}), 422)
    assert (answer.json["field"] or "").startswith(field)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_p4_family_5_bytes_that_are_no_numbers(models: dict[str, Asked], value: float) -> None:
    pixels = np.ones((1, 3, HEIGHT, WIDTH), np.float32)
    pixels[0, 0, 0, 0] = value
    size = {"binary_data_size": pixels.nbytes}
    said = {"name": "pixels", "shape": list(pixels.shape), "datatype": "FP32", "parameters": size}
    header = json.dumps({"inputs": [said]}).encode()
    models["pictures"].refuse(
        header + pixels.tobytes(),
        422,
        "pixels",
        inference_header_content_length=str(len(header)),
    )


def test_p4_family_5_a_graph_may_be_asked_of_what_is_no_number_and_says_so(
    models: dict[str, Asked],
) -> None:
    """It is the caller's own number; JSON cannot say the answer, which bytes can."""
    rows = np.full((2, 4), np.nan, np.float32)
    size = {"binary_data_size": rows.nbytes}
    first = {"name": "rows", "shape": [2, 4], "datatype": "FP32", "parameters": size}
    header = json.dumps({"inputs": [first, *GRAPH[1:]]}).encode()
    asked = models["graph"]
    sent = asked.sent(header + rows.tobytes(), inference_header_content_length=str(len(header)))
    for answer in asked.doors.send(sent):
        assert (answer.status, answer.json["code"]) == (422, "invalid_field")
        assert "binary_data" in answer.json["error"]


# ---- Bytes behind the JSON ----------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    "length",
    [
        *("-1", "1e3", "0x10", "1.0", "+5", " ", "", "five", "NaN", "9" * 13, "9" * 5_000),
        *("5, 5", "5,5", "5;5", "\u0665", "\uff15", "5 5"),
    ],
)
def test_p4_family_19_a_length_that_is_no_number(
    models: dict[str, Asked], kind: str, length: str
) -> None:
    if not length.isascii():
        length = length.encode().decode("latin-1")
    body, _ = models[kind].packed()
    answer = models[kind].refuse(body, 400, None, inference_header_content_length=length)
    assert "not a number" in answer.json["error"]


@every
def test_p4_family_19_a_length_that_is_another(models: dict[str, Asked], kind: str) -> None:
    asked = models[kind]
    body, length = asked.packed()
    good = asked.sent(body, inference_header_content_length=str(length))
    assert {answer.status for answer in asked.doors.send(good)} == {200}
    for other in (1, length - 1, length + 1, len(body), len(body) + 1, 10**11):
        asked.refuse(body, 400, None, inference_header_content_length=str(other))
    asked.doors.refuse(asked.sent(body), 400)  # none: all of it is JSON
    asked.doors.refuse(asked.sent(b"", inference_header_content_length=str(length)), 400)


def test_p4_family_19_a_length_that_is_given_twice(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    home = home_with(tmp_path_factory.mktemp("home"), make_bundle)
    body, length = with_bytes({"inputs": GOOD["texts"][1]})
    with open_client(home.services()) as client:
        for second in (str(length), "0", "-1"):
            count("inputs")
            lengths = [(LENGTH, str(length)), (LENGTH, second)]
            response = client.post("/v2/models/sentiment/infer", content=body, headers=lengths)
            assert (response.status_code, response.json()["code"]) == (400, "bad_request")
        once = client.post(
            "/v2/models/sentiment/infer", content=body, headers={LENGTH: str(length)}
        )
        assert once.status_code == 200


@both
@pytest.mark.parametrize("change", [-1, 1, 10**9, -(10**9), 1.5, "8", True, [], None])
def test_p4_family_19_bytes_that_are_not_as_many_as_is_said(
    models: dict[str, Asked],
    kind: str,
    change: Any,  # noqa: ANN401
) -> None:
    asked = models[kind]
    body, length = asked.packed()
    said = json.loads(body[:length])
    first = said["inputs"][0]["parameters"]
    if type(change) is int:
        first["binary_data_size"] += change
    else:
        first["binary_data_size"] = change
    header = json.dumps(said).encode()
    asked.doors.refuse(
        asked.sent(header + body[length:], inference_header_content_length=str(len(header))),
        {400, 422},
    )


@pytest.mark.parametrize("data", [b"", b" \n", b"\xff", b"\x1f\x8b"])
@pytest.mark.parametrize("kind", ["texts", "pictures", "writer", "tokens"])
def test_p4_family_2_bytes_alone_that_are_nothing(
    models: dict[str, Asked], kind: str, data: bytes
) -> None:
    models[kind].doors.refuse(
        models[kind].sent(data, inference_header_content_length="0", content_type=OCTETS), 422
    )


def test_p4_family_2_bytes_alone_for_a_model_of_several_inputs(models: dict[str, Asked]) -> None:
    models["graph"].refuse(b"\0" * 8, 400, None, inference_header_content_length="0")


@every
def test_p3_family_13_a_million_elements_of_nothing(models: dict[str, Asked], kind: str) -> None:
    data = bytes(4 * 10**6)
    name = models[kind].inputs[0]["name"]
    said: Json = {"name": name, "shape": [10**6], "datatype": "BYTES"}
    header = json.dumps({"inputs": [said | {"parameters": {"binary_data_size": len(data)}}]})
    answer = models[kind].refuse(
        header.encode() + data, 422, "inputs[0]", inference_header_content_length=str(len(header))
    )
    assert str(LIMITS.tensor_values) in answer.json["error"]


@both
@pytest.mark.parametrize(
    "data",
    [
        *(b"\xff" * 4, b"\xff\xff\xff\xff" + bytes(100), b"\1\0\0\0", b"\0\0\0\1a", b"\1\0\0"),
        struct.pack("<I", 2**31) + b"a" * 10,
    ],
)
def test_p4_family_19_elements_whose_lengths_are_not_theirs(
    models: dict[str, Asked], kind: str, data: bytes
) -> None:
    said: Json = {"name": models[kind].inputs[0]["name"], "shape": [1], "datatype": "BYTES"}
    header = json.dumps({"inputs": [said | {"parameters": {"binary_data_size": len(data)}}]})
    models[kind].refuse(
        header.encode() + data, 422, "inputs[0]", inference_header_content_length=str(len(header))
    )


# ---- Packed bodies ------------------------------------------------------------------------------


def bomb(encoding: str, size: int) -> bytes:
    """So many bytes of nothing, packed."""
    window = {"gzip": 31, "deflate": 15}[encoding]
    packer = zlib.compressobj(9, wbits=window)
    parts = [packer.compress(bytes(1_000_000)) for _ in range(size // 1_000_000)]
    return b"".join([*parts, packer.flush()])


@pytest.fixture(scope="module")
def bombs() -> dict[str, bytes]:
    """A GB each, of which a MB is sent at the most."""
    return {
        encoding: bomb(encoding, examples(300, 1_000) * 10**6) for encoding in ("gzip", "deflate")
    }


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_p3_family_14_what_grows_without_end_is_refused_as_it_grows(
    models: dict[str, Asked], bombs: dict[str, bytes], encoding: str
) -> None:
    data = bombs[encoding]
    assert len(data) < LIMITS.body_bytes
    for kind in ("texts", "graph"):
        tracemalloc.start()
        try:
            models[kind].refuse(data, 413, None, content_encoding=encoding)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        # Then no more of it was ever unpacked than shows that it is too large
        assert peak < 6 * LIMITS.tensor_bytes


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_p3_family_14_the_bomb_within_a_bomb_is_bytes(
    models: dict[str, Asked], encoding: str
) -> None:
    data = bomb(encoding, 10**7)
    for wrapped in (gzip.compress(data), gzip.compress(gzip.compress(data))):
        models["texts"].refuse(wrapped, 400, None, content_encoding="gzip")


@both
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_p4_family_14_what_is_not_packed_as_it_says(
    models: dict[str, Asked], kind: str, encoding: str
) -> None:
    asked = models[kind]
    body = json.dumps({"inputs": asked.inputs}).encode()
    packers: dict[str, Any] = {"gzip": gzip.compress, "deflate": zlib.compress}
    packed = packers[encoding](body)
    good = asked.sent(packed, content_encoding=encoding)
    assert {answer.status for answer in asked.doors.send(good)} == {200}
    other = packers["deflate" if encoding == "gzip" else "gzip"](body)
    raw = zlib.compressobj(wbits=-15)
    for data in (
        *(packed[:at] for at in (1, 5, 11, len(packed) // 2, len(packed) - 1)),
        *(packed + b"\0", packed + packed, b"\0" + packed, body, other, b"", b"\x1f\x8b"),
        packed[:-4] + b"\xff" * 4,
        raw.compress(body) + raw.flush(),
    ):
        asked.refuse(data, 400, None, content_encoding=encoding)
    asked.doors.refuse(asked.sent(packed), 400)  # nothing is said


@both
@pytest.mark.parametrize(
    "encoding", ["br", "zstd", "compress", "x-gzip", "gzip, gzip", "gzip, br", "*", "gzip;q=1"]
)
def test_p4_family_18_other_encodings(models: dict[str, Asked], kind: str, encoding: str) -> None:
    body = gzip.compress(json.dumps({"inputs": models[kind].inputs}).encode())
    answer = models[kind].refuse(body, 415, None, content_encoding=encoding)
    assert "gzip, deflate or absent" in answer.json["error"]


@both
@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "image/png",
        "application/x-www-form-urlencoded",
        "application/json, text/plain",
    ],
)
def test_p4_family_18_other_types(models: dict[str, Asked], kind: str, content_type: str) -> None:
    body = {"inputs": models[kind].inputs}
    models[kind].refuse(body, 415, None, content_type=content_type)


# ---- Any change ---------------------------------------------------------------------------------


@settings(max_examples=examples(60, 3_000), deadline=None)
@given(st.data())
def test_p4_any_change_of_a_request_is_answered_or_refused(
    models: dict[str, Asked], data: st.DataObject
) -> None:
    asked = models[data.draw(st.sampled_from(list(GOOD)))]
    body, length = asked.packed()
    changed = bytearray(body)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    count("inputs")
    sent = asked.sent(bytes(changed), inference_header_content_length=str(length))
    answers = asked.doors.send(sent)
    said = {
        (answer.status, answer.body if answer.status == 200 else answer.json["error"])
        for answer in answers
    }
    assert len(said) == 1
    ((status, _),) = said
    assert status == 200 or 400 <= status < 500
    asked.doors.good()
