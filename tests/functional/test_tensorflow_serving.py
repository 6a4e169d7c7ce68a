"""TensorFlow Serving's REST API, as curl and its clients write it: rows, columns, status."""

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.task_bundles import home_with
from support.tiny import WORDS, Client, make_bundle, open_client
from support.tiny_image import make_image, picture, png
from support.tiny_linear import make_linear
from support.tiny_tensor import make_tensor, tensor_feeds
from support.tiny_writer import make_writer

ROWS = [[1.0, 2.0, 3.0], [-1, 0, 0.5]]
TEXTS = ["a good film", "bad"]
PREDICT = "/v1/models/linear:predict"


@contextmanager
def asked(
    path: Path, make: Callable[..., Any], *, versions: int = 1
) -> "Iterator[tuple[Client, dict[int, Any]]]":
    home = home_with(path, make, versions=versions)
    with open_client(home.services()) as client:
        yield client, home.bundles


def predicted(client: Client, path: str, **body: object) -> Any:  # noqa: ANN401
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    (key, value) = answer.json().popitem()
    assert key == {"instances": "predictions", "inputs": "outputs"}[next(iter(body))]
    return value


def refused(client: Client, path: str, body: object) -> str:
    answer = client.post(path, json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json().keys() == {"error", "code", "field", "request_id"}
    text: str = answer.json()["error"]
    return text


def test_rows_and_columns_of_one_input(tmp_path: Path) -> None:
    with asked(tmp_path, make_linear) as (client, bundles):
        wanted = bundles[1].answers(ROWS)
        for instances in (ROWS, [{"x": row} for row in ROWS]):
            found = predicted(client, PREDICT, instances=instances)
            np.testing.assert_allclose(found, wanted, atol=1e-6)
        for inputs in (ROWS, {"x": ROWS}):
            found = predicted(client, PREDICT, inputs=inputs, signature_name="serving_default")
            np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_tensors_of_every_kind_go_by_name(tmp_path: Path) -> None:
    feeds = tensor_feeds(seed=3)
    columns = {name: array.tolist() for name, array in feeds.items() if name != "words"}
    words = [word.decode() for word in feeds["words"]]
    coded = [{"b64": base64.b64encode(word).decode()} for word in feeds["words"]]
    with asked(tmp_path, make_tensor) as (client, bundles):
        wanted = bundles[1].answers(feeds)
        for sent in (words, coded):
            found = predicted(client, "/v1/models/zoo:predict", inputs=columns | {"words": sent})
            assert found.keys() == wanted.keys()
            np.testing.assert_allclose(found["scores"], wanted["scores"], atol=1e-5)
            assert found["high"] == wanted["high"].tolist()
            assert found["total"] == int(wanted["total"])
            assert found["same"] == words
        # What has no row per instance cannot be sent or answered by rows
        row = {name: each[0] for name, each in columns.items() if isinstance(each, list)}
        text = refused(client, "/v1/models/zoo:predict", {"instances": [row | {"words": "a"}]})
        assert text.startswith("rate: is missing")


def test_a_classifier_answers_one_number_per_label(tmp_path: Path) -> None:
    path = "/v1/models/sentiment:predict"
    with asked(tmp_path, make_bundle) as (client, bundles):
        wanted = bundles[1].logits(TEXTS)
        for instances in (TEXTS, [{"text": text} for text in TEXTS]):
            found = predicted(client, path, instances=instances)
            np.testing.assert_allclose(found, wanted, atol=1e-5)
        ids = [[WORDS.index(word) for word in text.split()] for text in TEXTS]
        tokens = [{"input_ids": row, "attention_mask": [1] * len(row)} for row in ids]
        for at, row in enumerate(tokens):
            found = predicted(client, path, instances=[row])
            np.testing.assert_allclose(found, wanted[at : at + 1], atol=1e-5)
        # Rows of one tensor are of one length: tokens are padded by who sends them
        assert "nested evenly" in refused(client, path, {"instances": tokens})


def test_an_image_comes_as_base64_or_as_pixels(tmp_path: Path) -> None:
    path = "/v1/models/pictures:predict"
    file = {"b64": base64.b64encode(png(picture(1))).decode()}
    with asked(tmp_path, make_image) as (client, bundles):
        for instances in ([file], [{"image": file}]):
            found = predicted(client, path, instances=instances)
            np.testing.assert_allclose(found, [bundles[1].logits(picture(1))], atol=1e-5)
        pixels = picture(1).transpose(2, 0, 1).astype(np.float32) / 255
        found = predicted(client, path, instances=[pixels.tolist()])
        np.testing.assert_allclose(found, [bundles[1].logits(picture(1))], atol=1e-5)
        assert "neither a PNG nor a JPEG" in refused(client, path, {"instances": ["no file"]})


def test_a_model_of_more_outputs_answers_objects(tmp_path: Path) -> None:
    with asked(tmp_path, make_writer) as (client, bundles):
        found = predicted(client, "/v1/models/writer:predict", instances=TEXTS)
        assert [row["text"] for row in found] == [bundles[1].write(text) for text in TEXTS]
        assert all(row.keys() == found[0].keys() for row in found)


@pytest.mark.parametrize("pin", ["/versions/2", "/versions/production", "/labels/production", ""])
def test_a_version_goes_by_number_or_label(tmp_path: Path, pin: str) -> None:
    with asked(tmp_path, make_linear, versions=2) as (client, bundles):
        number = 2 if pin.endswith("2") else 1
        found = predicted(client, f"/v1/models/linear{pin}:predict", instances=ROWS)
        np.testing.assert_allclose(found, bundles[number].answers(ROWS), atol=1e-6)
        status = client.get(f"/v1/models/linear{pin}").json()
        assert status == {
            "model_version_status": [
                {
                    "version": str(number),
                    "state": "AVAILABLE",
                    "status": {"error_code": "OK", "error_message": ""},
                }
            ],
            "name": "linear",
            "ready": True,
        }
        told = client.get(f"/v1/models/linear{pin}/metadata").json()
        assert told["model_spec"]["version"] == str(number)
        signature = told["metadata"]["signature_def"]["signature_def"]["serving_default"]
        assert signature["inputs"]["x"]["dtype"] == "DT_FLOAT"
        dims = signature["inputs"]["x"]["tensor_shape"]["dim"]
        assert [dim["size"] for dim in dims] == ["-1", "3"]
        assert signature["outputs"].keys() == {"y"}


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    with asked(tmp_path, make_linear) as (client, _):
        for path in ("linear/versions/9", "linear/labels/canary", "other", "linear:explain"):
            assert client.get(f"/v1/models/{path}").status_code == 404
        for path in ("linear/versions/9:predict", "other:predict", "linear:predict:predict"):
            answer = client.post(f"/v1/models/{path}", json={"instances": ROWS})
            assert answer.status_code == 404
        assert client.get(PREDICT).status_code == 405
        assert client.post("/v1/models/linear", json={}).status_code == 405


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "instances: must be given, or inputs"),
        ({"instances": ROWS, "inputs": ROWS}, "one of them"),
        ({"instances": []}, "must be at least one"),
        ({"instances": {"x": ROWS}}, "instances: Expected `array | null`, got `object`"),
        ({"instances": ROWS, "signature_name": "other"}, "must be serving_default"),
        ({"instances": [[1, 2, 3], [1, 2]]}, "must be nested evenly"),
        ({"instances": [[1, 2]]}, "x: must have the shape [batch, 3]"),
        ({"instances": [["1", "2", "3"]]}, "must be given by name: x"),
        ({"instances": [[1, "2", 3]]}, "must be numbers alone"),
        ({"instances": [[1, None, 3]]}, "must be numbers alone"),
        ({"instances": [[1, True, 3]]}, "must be numbers alone"),
        ({"instances": [[1e39, 2, 3]]}, "beyond FP32"),
        ({"instances": [{"x": [1, 2, 3]}, [1, 2, 3]]}, "must be alike"),
        ({"instances": [{"x": [1, 2, 3]}, {}]}, "must be alike"),
        ({"instances": [{}]}, "must name what this model reads: x"),
        ({"instances": [{"z": [1, 2, 3]}]}, "must name what this model reads: x"),
        ({"inputs": {"x": [1, 2, 3]}}, "x: must have the shape"),
        ({"inputs": "text"}, "must be given by name: x"),
        ({"inputs": {"x": {"b64": "AA=="}}}, "must be numbers alone"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_remedy(
    linear: Client, body: object, said: str
) -> None:
    assert said in refused(linear, PREDICT, body)


@pytest.fixture(scope="module")
def linear(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with asked(tmp_path_factory.mktemp("linear"), make_linear) as (client, _):
        yield client
