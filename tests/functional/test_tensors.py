"""Tensors over HTTP: every kind of model answers in JSON and as bytes alike, and is counted."""

import json
from typing import Any

import numpy as np
import pytest
from support.kinds import KINDS, check_kind, home_of_kind
from support.task_bundles import TaskHome
from support.tensors import tensors_of, text, with_bytes
from support.tiny import Client, open_client

LENGTH = "inference-header-content-length"


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TaskHome]:
    return {kind: home_of_kind(tmp_path_factory.mktemp(kind), kind) for kind in KINDS}


def infer(client: Client, home: TaskHome, body: object) -> Any:  # noqa: ANN401
    response = client.post(f"/v2{home.path}/infer", json=body)
    assert response.status_code == 200, response.text
    return response.json()


def counted(client: Client, home: TaskHome) -> dict[str, Any]:
    (stats,) = client.get(f"/v2{home.path}/stats").json()["model_stats"]
    found: dict[str, Any] = stats
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_json_and_bytes_are_answered_alike(homes: dict[str, TaskHome], kind: str) -> None:
    home = homes[kind]
    body = {"inputs": tensors_of(kind), "id": "7"}
    data, length = with_bytes(body)
    with open_client(home.services()) as client:
        said = infer(client, home, body)
        sent = client.post(f"/v2{home.path}/infer", content=data, headers={LENGTH: str(length)})
        assert sent.json() == said
        assert (said["model_name"], said["model_version"], said["id"]) == (
            home.settings.model,
            "1",
            "7",
        )
        # And what is answered is what metadata say
        told = client.get(f"/v2{home.path}").json()
        declared = {each["name"]: each for each in told["outputs"]}
        for output in said["outputs"]:
            spec = declared[output["name"]]
            assert output["datatype"] == spec["datatype"]
            assert len(output["shape"]) == len(spec["shape"])
            assert len(output["data"]) == np.prod(output["shape"])


@pytest.mark.parametrize("kind", KINDS)
def test_its_own_request_is_answered_as_before_and_both_are_counted(
    homes: dict[str, TaskHome], kind: str
) -> None:
    home = homes[kind]
    with open_client(home.services()) as client:
        before = counted(client, home)
        assert (before["execution_count"], before["last_inference"]) == (0, 0)
        # When it is asked in both protocols
        check_kind(kind, home.bundle, client.post(home.path, json=KINDS[kind].body).json())
        once = counted(client, home)
        infer(client, home, {"inputs": tensors_of(kind)})
        twice = counted(client, home)
        # Then both are counted, with what they asked about
        assert [each["execution_count"] for each in (once, twice)] == [1, 2]
        assert twice["inference_count"] > once["inference_count"] > 0
        assert twice["last_inference"] >= once["last_inference"] > 0
        assert twice["inference_stats"]["success"]["ns"] > once["inference_stats"]["success"]["ns"]
        assert twice["inference_stats"]["fail"] == {"count": 0, "ns": 0}
        assert twice["errors"] == 0
        assert sum(bucket["count"] for bucket in twice["latencies"]) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_model_refused_is_counted_as_failed(homes: dict[str, TaskHome], kind: str) -> None:
    home = homes[kind]
    wrong = {"inputs": [text("nobody", "a")]}
    with open_client(home.services()) as client:
        for number in (1, 2):
            assert client.post(f"/v2{home.path}/infer", json=wrong).status_code == 422
            after = counted(client, home)
            assert after["inference_stats"]["fail"]["count"] == number
            assert after["execution_count"] == after["inference_count"] == 0
        # What never reached it is not
        for body in (b"{", b"", json.dumps({"inputs": 1}).encode()):
            assert client.post(f"/v2{home.path}/infer", content=body).status_code in (400, 422)
        after = counted(client, home)
        assert (after["inference_stats"]["fail"]["count"], after["errors"]) == (2, 0)


def test_an_answer_says_which_version_and_logs_count_what_was_asked(
    homes: dict[str, TaskHome],
    log: Any,  # noqa: ANN401
) -> None:
    home = homes["text-classification"]
    with open_client(home.services()) as client:
        several = {"inputs": [text("text", "a good film", "bad")]}
        response = client.post(f"/v2{home.path}/versions/1/infer", json=several)
    assert response.headers["x-maas-version"] == "1"
    assert response.headers["x-maas-digest"] == home.bundle.digest
    assert "run;dur=" in response.headers["server-timing"]
    (line,) = (json.loads(line) for line in log.getvalue().splitlines())
    assert (line["texts"], line["tokens"], line["truncated"]) == (2, 4, 0)
