"""Three ONNX models that no one here trained: imported, served, and asked over HTTP.

One looks at pictures, one carries a state from request to request, one reads bytes as integers. The
answers are those of ONNX Runtime alone on the very file of the package, and they are right: what is
known of the package's own answers holds. What is not in the cache of this checkout is fetched.
"""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnxruntime
import pytest
from PIL import Image
from support.foreign import (
    CONTEXT,
    RATE,
    WINDOW,
    foreign_model,
    line_of_text,
    magika_input,
    magika_labels,
    vowels,
)
from support.laptop import Laptop

pytestmark = pytest.mark.recipes
CACHE = Path(__file__).parents[2] / ".maas" / "cache"
ROOT = Path(__file__).parents[2]
_TYPES = {"float32": "FP32", "int32": "INT32", "int64": "INT64"}
Arrays = dict[str, Any]
Ask = Callable[..., Arrays]


def shipped(folder: Path, name: str, *options: str) -> tuple[Laptop, Path, dict[str, Any]]:
    """A laptop that answers by a foreign model; with its file, and what the import said."""
    laptop = Laptop(folder)
    path = foreign_model(name, CACHE, folder)
    said = laptop.ok("import", str(path), *options)
    assert said["optimised"]["kept"], said  # type: ignore[index]
    assert laptop.ok("register", name)["number"] == 1
    laptop.ok("promote", f"{name}@1")
    return laptop, path, said


def asking(client: httpx.Client, name: str) -> Ask:
    """Ask by the Open Inference Protocol, numbers as JSON."""

    def ask(feeds: Arrays, *, classes: int = 0) -> Arrays:
        body: dict[str, Any] = {
            "inputs": [
                {
                    "name": key,
                    "shape": list(array.shape),
                    "datatype": _TYPES[array.dtype.name],
                    "data": array.ravel().tolist(),
                }
                for key, array in feeds.items()
            ]
        }
        if classes:
            said = {"name": "target_label", "parameters": {"classification": classes}}
            body["outputs"] = [said]
        response = client.post(f"/v2/models/{name}/infer", json=body)
        assert response.status_code == 200, response.text
        return {
            each["name"]: np.array(each["data"]).reshape(each["shape"])
            for each in response.json()["outputs"]
        }

    return ask


def plain(path: Path) -> Ask:
    """The same by ONNX Runtime alone, on the file as it came."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    return lambda feeds: dict(zip(names, session.run(None, feeds), strict=True))


def close(ours: Arrays, theirs: Arrays) -> None:
    assert ours.keys() == theirs.keys()
    for name, array in theirs.items():
        assert np.allclose(ours[name], array, atol=1e-4, rtol=1e-4), name


def test_bytes_as_integers_tell_what_a_file_is(tmp_path: Path) -> None:
    # Given magika, whose labels come with the package
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(magika_labels(CACHE)))
    laptop, path, said = shipped(tmp_path / "laptop", "magika", "--labels", str(labels))
    assert said["inputs"][0]["dtype"] == "int32"
    picture = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(picture, "PNG")
    files = {
        "python": (ROOT / "scripts" / "maas_lab" / "cli.py").read_bytes(),
        "markdown": (ROOT / "README.md").read_bytes(),
        "yaml": (ROOT / "template.yaml").read_bytes(),
        "toml": (ROOT / "pyproject.toml").read_bytes(),
        "png": picture.getvalue(),
        "onnx": path.read_bytes(),
    }

    # When real files are asked about over HTTP, then it is right about each, as it is by itself
    theirs = plain(path)
    with laptop.serving() as url, httpx.Client(base_url=url, timeout=30) as client:
        ask = asking(client, "magika")
        for kind, content in files.items():
            feeds = {"bytes": magika_input(content)}
            ours = ask(feeds)
            close(ours, theirs(feeds))
            assert magika_labels(CACHE)[int(ours["target_label"].argmax())] == kind
            (best,) = ask(feeds, classes=1)["target_label"].ravel()
            assert best.split(":")[-1] == kind


def test_a_state_goes_from_request_to_request(tmp_path: Path) -> None:
    # Given silero's detector of voices, asked at the rate that it was made for
    laptop, path, said = shipped(tmp_path / "laptop", "silero")
    assert said["states"] == {"state": "stateN"}
    noise = np.random.default_rng(0).normal(size=RATE).astype(np.float32) * 0.05
    sounds = {"silence": np.zeros(RATE, np.float32), "noise": noise, "vowels": vowels()}

    # When sounds are streamed window by window, the answered state sent back
    def chances(ask: Ask, sound: Any) -> list[float]:  # noqa: ANN401
        state, before = np.zeros((2, 1, 128), np.float32), np.zeros(CONTEXT, np.float32)
        found = []
        for at in range(0, len(sound) - WINDOW + 1, WINDOW):
            window = np.concatenate([before, sound[at : at + WINDOW]])
            answer = ask({"input": window[None], "state": state, "sr": np.array(RATE)})
            found.append(float(answer["output"][0, 0]))
            state, before = answer["stateN"].astype(np.float32), window[-CONTEXT:]
        return found

    # Then every chance is ONNX Runtime's own, and a voice is heard where there is one, or nearly
    with laptop.serving() as url, httpx.Client(base_url=url, timeout=30) as client:
        ours = {name: chances(asking(client, "silero"), sound) for name, sound in sounds.items()}
    theirs = {name: chances(plain(path), sound) for name, sound in sounds.items()}
    for name in sounds:
        assert np.allclose(ours[name], theirs[name], atol=1e-3), name
    assert max(ours["silence"]) < 0.1
    assert max(ours["noise"]) < 0.1
    assert max(ours["vowels"]) > 0.9


def test_a_picture_is_upright_or_turned(tmp_path: Path) -> None:
    # Given rapidocr's classifier of the direction of a line, of an old format and without sizes
    laptop, path, said = shipped(tmp_path / "laptop", "rapidocr", "--labels", "0,180")
    assert said["inputs"][0]["shape"] == ["x_0", 3, "x_2", "x_3"]
    (output,) = said["outputs"]

    # When lines are asked about as they are and turned, all together
    texts = ("Model as a Service", "Invoice 2026-11-25", "one lambda per model")
    lines = [line_of_text(text, turned=turned) for text in texts for turned in (False, True)]
    feeds = {"x": np.concatenate(lines)}
    with laptop.serving() as url, httpx.Client(base_url=url, timeout=30) as client:
        ours = asking(client, "rapidocr")(feeds)

    # Then it tells them apart
    close(ours, plain(path)(feeds))
    scores = ours[output["name"]]
    assert scores.argmax(axis=1).tolist() == [0, 1] * len(texts)
    assert (scores.max(axis=1) > 0.8).all()


def test_the_same_graph_does_a_task(tmp_path: Path) -> None:
    # Given the same classifier, told what it was trained with
    trained = ("--size", "192x48", "--mean", "0.5,0.5,0.5", "--std", "0.5,0.5,0.5")
    task = ("--task", "image-classification", "--labels", "upright,turned")
    laptop, *_ = shipped(tmp_path / "laptop", "rapidocr", *task, *trained)

    # When files of pictures are sent to it as they are, then it answers with labels
    with laptop.serving() as url, httpx.Client(base_url=url, timeout=30) as client:
        for turned, label in ((False, "upright"), (True, "turned")):
            (pixels,) = line_of_text("one lambda per model", turned=turned)
            levels = np.clip((pixels * 0.5 + 0.5) * 255, 0, 255).astype(np.uint8)
            file = io.BytesIO()
            Image.fromarray(np.ascontiguousarray(levels.transpose(1, 2, 0))).save(file, "PNG")
            headers = {"content-type": "image/png"}
            response = client.post("/models/rapidocr", content=file.getvalue(), headers=headers)
            assert response.status_code == 200, response.text
            assert response.json()[0]["label"] == label
            assert response.json()[0]["score"] > 0.8
