"""A model from elsewhere through the `maas` command: imported, registered, served, asked."""

import shutil
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from support.foreign_graphs import listening, relu, saved, softmax, text_model, zoo
from support.laptop import Laptop
from support.tiny import tiny_tokenizer
from support.tiny_audio import noise
from support.tiny_tensor import INPUTS, tensor_answers, tensor_feeds, tensor_weights
from support.wav import wav

_TYPES = {"float32": "FP32", "int32": "INT32", "int64": "INT64", "string": "BYTES"}


@pytest.fixture
def empty(tmp_path: Path) -> Laptop:
    return Laptop(tmp_path / "laptop")


def body_of(feeds: dict[str, Any]) -> dict[str, Any]:
    def data(name: str) -> list[Any]:
        flat = feeds[name].ravel().tolist()
        return [each.decode() if isinstance(each, bytes) else each for each in flat]

    return {
        "inputs": [
            {
                "name": spec.name,
                "shape": list(feeds[spec.name].shape),
                "datatype": _TYPES[spec.dtype],
                "data": data(spec.name),
            }
            for spec in INPUTS
        ]
    }


def test_a_foreign_graph_is_imported_registered_and_asked_over_http(
    empty: Laptop, tmp_path: Path
) -> None:
    # Given a graph of somebody else's, which became a bundle by one command
    path = saved(tmp_path, zoo(), "zoo")
    said = empty.ok("import", str(path), "--labels", "low,mid,high")
    assert said["states"] == {"state": "stateN"}
    assert said["optimised"]["kept"] is True  # type: ignore[index]

    # When it is registered, promoted and served
    assert empty.ok("register")["model"] == "zoo"
    empty.ok("promote", "zoo@1")
    with empty.serving() as url, httpx.Client(base_url=url, timeout=30) as client:
        described = client.get("/v2/models/zoo").json()
        feeds = tensor_feeds(4, rows=3)
        response = client.post("/v2/models/zoo/infer", json=body_of(feeds))
        other = client.post("/models/zoo", json={"inputs": "a"})

    # Then its signature is told, its answer is what numpy says, and another protocol says which
    assert [each["name"] for each in described["inputs"]] == [spec.name for spec in INPUTS]
    assert response.status_code == 200, response.text
    found = {each["name"]: each for each in response.json()["outputs"]}
    for name, wanted in tensor_answers(tensor_weights(0), feeds).items():
        assert found[name]["shape"] == list(wanted.shape)
        if wanted.dtype.kind == "f":
            assert np.allclose(found[name]["data"], wanted.ravel(), atol=1e-3)
        else:
            assert found[name]["data"] == wanted.ravel().tolist()
    assert other.status_code == 400
    assert "POST /v2/models/zoo/infer" in other.json()["error"]


def test_register_finds_what_was_imported(empty: Laptop, tmp_path: Path) -> None:
    # Given two models, the second of two versions
    one = empty.ok("import", str(saved(tmp_path, relu(), "one")))
    first = empty.ok("import", str(saved(tmp_path / "a", zoo(1), "two")))
    second = empty.ok("import", str(saved(tmp_path / "b", zoo(2), "two")))

    # Then the newest is meant where none is named, or a name's newest, or the digest's
    assert empty.ok("register")["digest"] == second["digest"]
    assert empty.ok("register", "one")["digest"] == one["digest"]
    assert empty.ok("register", str(first["digest"]))["number"] == 2
    assert empty.ok("register", str(second["digest"])[7:23])["created"] is False
    empty.ok("import", str(tmp_path / "a" / "two.onnx"))
    assert empty.ok("register", "two")["digest"] == first["digest"]


def test_a_run_that_is_newer_goes_before_an_import(laptop: Laptop, tmp_path: Path) -> None:
    # Given a laptop with runs, on which something is imported
    laptop.ok("import", str(saved(tmp_path, relu(), "other")))
    assert laptop.ok("register")["model"] == "other"

    # When it is trained again
    laptop.ok("train", str(laptop.recipe), "--seed", "2")

    # Then that is what is meant
    assert laptop.ok("register")["model"] == "sentiment"


@pytest.mark.parametrize("reference", ["nothing", "sha256:" + "0" * 64, "0" * 16])
def test_what_is_not_there_is_not_found(empty: Laptop, reference: str) -> None:
    result = empty.run("register", reference)
    assert result.exit_code == 3
    assert "Newest runs: none yet" in result.stderr
    assert "maas import or maas bundle makes one" in result.stderr
    assert empty.run("register").exit_code == 3


def test_who_has_bundles_and_no_run_is_told_of_them(empty: Laptop, tmp_path: Path) -> None:
    made = empty.ok("import", str(saved(tmp_path, relu(), "one")))
    for reference in ("nothing", str(made["folder"])):
        result = empty.run("register", reference)
        assert result.exit_code == 3
        assert "Bundles are here of one, by model or digest." in result.stderr


def test_a_version_is_shown_as_people_write_it(empty: Laptop, tmp_path: Path) -> None:
    empty.ok("import", str(saved(tmp_path, zoo(), "zoo")))
    empty.ok("register")
    lines = empty.run("show", "zoo@1").stdout.splitlines()
    inputs = next(at for at, line in enumerate(lines) if line.startswith("inputs"))
    assert lines[inputs].split(maxsplit=1)[1] == "rows float32 [batch, 4]"
    assert lines[inputs + 1].strip() == "codes int32 [batch, length]"
    assert not any(line.startswith("labels") for line in lines)  # it has none
    assert "('" not in "".join(lines)
    assert empty.ok("show", "zoo@1")["labels"] == []


def test_a_graph_that_reads_texts_is_asked_as_any_classifier(empty: Laptop, tmp_path: Path) -> None:
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_text(tiny_tokenizer())
    path = saved(tmp_path, text_model(ids="tokens_in", mask="mask"), "mood")
    task = ("--task", "text-classification", "--tokenizer", str(tokenizer))
    empty.ok("import", str(path), *task, "--labels", "low,mid,high")
    empty.ok("register")
    rows: Any = empty.ok("predict", "mood@1", "a good film")["predictions"]
    assert {each["label"] for each in rows[0]} == {"low", "mid", "high"}


def test_a_graph_that_listens_is_asked_about_files(empty: Laptop, tmp_path: Path) -> None:
    path, clip = saved(tmp_path, listening(), "siren"), tmp_path / "a.wav"
    clip.write_bytes(wav(noise(), rate=4_000))
    task = ("--task", "audio-classification", "--labels", "calm,siren")
    assert "rate: is needed" in empty.run("import", str(path), *task).stderr
    said = empty.ok("import", str(path), *task, "--rate", "8000", "--seconds", "2", "--normalise")
    assert said["inputs"] == [
        {"name": "waveform", "dtype": "float32", "shape": ["batch", "samples"]}
    ]
    empty.ok("register")
    rows: Any = empty.ok("predict", "siren@1", str(clip))["predictions"]
    assert rows[0][0]["label"] == "siren"  # the mean of what is normalised is 0


def test_a_bundle_that_is_gone_is_imported_again(empty: Laptop, tmp_path: Path) -> None:
    made = empty.ok("import", str(saved(tmp_path, relu(), "gone")))
    empty.ok("register")
    shutil.rmtree(str(made["folder"]))
    refused = empty.run("promote", "gone@1")
    assert refused.exit_code == 3
    assert "maas import, of the same file" in refused.stderr
    again = empty.ok("import", str(tmp_path / "gone.onnx"))
    assert (again["created"], again["digest"]) == (True, made["digest"])
    empty.ok("promote", "gone@1")


def test_a_name_that_does_not_ship_is_imported_again_under_another(
    empty: Laptop, tmp_path: Path
) -> None:
    path = str(saved(tmp_path, relu(), "mine"))
    for verb in (("import", path, "--name", "my-model"), ("register",)):
        told = " ".join(empty.run(*verb).stderr.split())
        assert told.endswith("make it under another one: maas import … --name mymodel")


def test_a_refusal_is_one_line_with_its_remedy(empty: Laptop, tmp_path: Path) -> None:
    result = empty.run("import", str(saved(tmp_path, softmax(opset=9), "old")))
    assert result.exit_code == 3
    assert "version_converter" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not list(empty.bundles.glob("*/*"))
