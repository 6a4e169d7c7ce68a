"""What SageMaker asks of a container and MLflow's clients of a server: ping, and invocations."""

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.kinds import KINDS, check_kind, home_of_kind
from support.task_bundles import home_with
from support.tiny import Client, make_bundle, open_client
from support.tiny_image import make_image, picture, png
from support.tiny_linear import make_linear
from support.tiny_table import COLUMNS, make_table
from support.tiny_tensor import make_tensor, tensor_feeds

ROWS = [[1.0, 2.0, 3.0], [-1, 0, 0.5]]
CELLS = [[41, 0, 7.25], [17, 2, 71.3]]
CSV = {"content-type": "text/csv"}


@contextmanager
def asked(
    path: Path, make: Callable[..., Any], *, versions: int = 1
) -> "Iterator[tuple[Client, str, dict[int, Any]]]":
    home = home_with(path, make, versions=versions)
    with open_client(home.services()) as client:
        yield client, f"{home.path}/invocations", home.bundles


def predictions(client: Client, path: str, **options: Any) -> Any:  # noqa: ANN401
    answer = client.post(path, **options)
    assert answer.status_code == 200, answer.text
    assert answer.json().keys() == {"predictions"}
    return answer.json()["predictions"]


def test_ping_says_whether_the_model_can_answer(tmp_path: Path) -> None:
    with asked(tmp_path, make_bundle, versions=2) as (client, _, _bundles):
        for pin, version in (("", "1"), ("/versions/2", "2")):
            answer = client.get(f"/models/sentiment{pin}/ping")
            assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
            assert answer.headers["x-maas-version"] == version
        assert client.get("/models/sentiment/versions/9/ping").status_code == 404
        assert client.get("/models/other/ping").status_code == 404


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_hugging_faces_is_answered_as_at_its_own_address(tmp_path: Path, kind: str) -> None:
    home = home_of_kind(tmp_path, kind)
    body = KINDS[kind].body
    with open_client(home.services()) as client:
        answer = client.post(f"{home.path}/invocations", json=body)
        assert answer.status_code == 200
        check_kind(kind, home.bundle, answer.json())
        assert answer.content == client.post(home.path, json=body).content


def test_a_file_is_answered_as_at_its_own_address(tmp_path: Path) -> None:
    sent = {"content": png(picture(1)), "headers": {"content-type": "image/png"}}
    with asked(tmp_path, make_image) as (client, path, _):
        answer = client.post(path, **sent)
        assert answer.status_code == 200
        assert answer.content == client.post("/models/pictures", **sent).content


@pytest.mark.parametrize(
    "body",
    [
        {"instances": ROWS},
        {"instances": [{"x": row} for row in ROWS]},
        {"inputs": ROWS},
        {"inputs": {"x": ROWS}},
        {"dataframe_split": {"columns": ["a", "b", "c"], "data": ROWS, "index": [0, 1]}},
        {"dataframe_records": [dict(zip("abc", row, strict=True)) for row in ROWS]},
        {"dataframe_records": [{"x": row} for row in ROWS]},
    ],
)
def test_rows_of_numbers(tmp_path: Path, body: dict[str, Any]) -> None:
    with asked(tmp_path, make_linear) as (client, path, bundles):
        found = predictions(client, path, json=body)
        np.testing.assert_allclose(found, bundles[1].answers(ROWS), atol=1e-6)


def test_rows_of_csv(tmp_path: Path) -> None:
    with asked(tmp_path, make_linear, versions=2) as (client, path, bundles):
        for text in ("1,2.0,3e0\n-1,0,.5\n", '1, 2.0 ,"3"\r\n-1,0,0.5', "1,2,3\n\n-1,0,0.5\n"):
            found = predictions(client, path, content=text, headers=CSV)
            np.testing.assert_allclose(found, bundles[1].answers(ROWS), atol=1e-6)
        pinned = path.replace("/invocations", "/versions/2/invocations")
        found = predictions(client, pinned, content="1,2,3", headers=CSV)
        np.testing.assert_allclose(found, bundles[2].answers(ROWS[:1]), atol=1e-6)


def test_a_table_goes_by_its_columns(tmp_path: Path) -> None:
    shuffled = ["fare", "age", "siblings"]
    records = [dict(zip(COLUMNS, row, strict=True)) for row in CELLS]
    frame = {"columns": shuffled, "data": [[record[n] for n in shuffled] for record in records]}
    lines = [",".join(str(record[name]) for name in shuffled) for record in records]
    with asked(tmp_path, make_table) as (client, path, bundles):
        wanted = bundles[1].best(CELLS)
        assert predictions(client, path, json={"dataframe_records": records}) == wanted
        assert predictions(client, path, json={"dataframe_split": frame}) == wanted
        # A header may say another order; without one it is the model's own
        headed = "\n".join([",".join(shuffled), *lines])
        assert predictions(client, path, content=headed, headers=CSV) == wanted
        plain = "\n".join(",".join(map(str, row)) for row in CELLS)
        assert predictions(client, path, content=plain, headers=CSV) == wanted
        for body, field in (
            ({"dataframe_records": [{"age": 1}]}, "dataframe_records"),
            ({"dataframe_records": [records[0] | {"fare": None}]}, "dataframe_records.fare"),
            ({"dataframe_records": [records[0] | {"fare": "x"}]}, "dataframe_records.fare"),
            ({"dataframe_split": frame | {"columns": ["age"] * 3}}, "dataframe_split"),
        ):
            answer = client.post(path, json=body)
            assert (answer.status_code, answer.json()["field"]) == (422, field)
        for content in ("1\n", "1,2,3,4\n", "age\n1\n", "text\na good film\n"):
            answer = client.post(path, content=content, headers=CSV)
            assert (answer.status_code, answer.json()["field"]) == (422, "rows")


def test_texts_in_a_frame_or_as_instances_are_answered_by_numbers(tmp_path: Path) -> None:
    texts = ["a good film", "bad"]
    with asked(tmp_path, make_bundle) as (client, path, bundles):
        for body in (
            {"instances": texts},
            {"dataframe_records": [{"text": text} for text in texts]},
            {"dataframe_split": {"columns": ["text"], "data": [[text] for text in texts]}},
        ):
            found = predictions(client, path, json=body)
            np.testing.assert_allclose(found, bundles[1].logits(texts), atol=1e-5)


def test_tensors_of_every_kind_as_a_whole(tmp_path: Path) -> None:
    feeds = tensor_feeds(seed=3)
    inputs = {name: array.tolist() for name, array in feeds.items() if name != "words"}
    coded = [{"b64": base64.b64encode(word).decode()} for word in feeds["words"]]
    with asked(tmp_path, make_tensor) as (client, path, bundles):
        found = predictions(client, path, json={"inputs": inputs | {"words": coded}})
        wanted = bundles[1].answers(feeds)
        assert found.keys() == wanted.keys()
        np.testing.assert_allclose(found["scores"], wanted["scores"], atol=1e-5)


@pytest.fixture(scope="module")
def linear(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, str]]:
    with asked(tmp_path_factory.mktemp("linear"), make_linear) as (client, path, _):
        yield client, path


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "One of instances, dataframe_split, dataframe_records and inputs"),
        ({"instances": ROWS, "inputs": ROWS}, "One of instances"),
        ({"dataframe_split": {"columns": ["a"], "data": ROWS}}, "as many cells as columns"),
        ({"dataframe_split": {"columns": [], "data": []}}, "must have a row at least"),
        ({"dataframe_split": {"columns": ["a"]}}, "data: is required"),
        ({"dataframe_records": [{"a": 1}, {"b": 1}]}, "same columns in each row"),
        ({"dataframe_records": []}, "must have a row at least"),
        ({"dataframe_records": [{"x": [1, 2]}]}, "must have the shape [batch, 3]"),
        ({"dataframe_records": [{"a": 1, "b": 2, "c": "3"}]}, "must be numbers alone"),
        ([], "Expected `object`, got `array`"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_remedy(
    linear: tuple[Client, str], body: object, said: str
) -> None:
    client, path = linear
    answer = client.post(path, json=body)
    assert answer.status_code == 422
    assert said in answer.json()["error"]


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [
        (b"a,b,c\n1,2,3", 422, "without a header"),
        (b"1,2\n1,2,3", 422, "as many cells each"),
        (b"", 422, "rows of CSV"),
        (b"\n\n", 422, "rows of CSV"),
        (b"1,2,nan", 422, "not a number"),
        (b"1,2,1_0", 422, "not a number"),
        (b"1,2,", 422, "not a number"),
        (b"1,2,1e39", 422, "beyond FP32"),
        (b'1,2,"3', 400, "not CSV"),
        (b"1,2,\xff", 400, "not CSV"),
        (b"1,2,\x00", 422, "not a number"),
        (b"1,2", 422, "must have the shape [batch, 3]"),
    ],
)
def test_what_is_no_csv_of_numbers_is_refused(
    linear: tuple[Client, str], content: bytes, status: int, said: str
) -> None:
    client, path = linear
    answer = client.post(path, content=content, headers=CSV)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["error"]


def test_other_types_are_refused_with_those_that_are_read(linear: tuple[Client, str]) -> None:
    client, path = linear
    for media_type in ("application/vnd.apache.parquet", "application/x-npy", "image/png"):
        answer = client.post(path, content=b"x", headers={"content-type": media_type})
        assert answer.status_code == 415
        assert answer.json()["error"] == "content-type must be application/json or text/csv."
