"""`tritonclient.http`, unmodified, sync and asyncio, against the local server."""

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from support.task_bundles import home_with, serving
from support.tiny import LABELS, WORDS, TinyBundle, make_bundle
from tritonclient.utils import InferenceServerException

TEXTS = ["a good film", "a bad film"]


@pytest.fixture(scope="module")
def bundles() -> dict[int, TinyBundle]:
    return {}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, bundles: dict[int, TinyBundle]) -> Iterator[str]:
    home = home_with(tmp_path_factory.mktemp("triton"), make_bundle, versions=2)
    bundles.update(home.bundles)
    with serving(home) as address:
        yield address.removeprefix("http://")


@pytest.fixture
def client(url: str) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(url) as client:
        yield client


def texts_input(*, binary: bool = True) -> triton.InferInput:
    tensor = triton.InferInput("text", [len(TEXTS)], "BYTES")
    tensor.set_data_from_numpy(np.array(TEXTS, dtype=np.object_), binary_data=binary)
    return tensor


def test_the_server_and_the_model_are_known(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("sentiment")
    assert client.is_model_ready("sentiment", "2")
    assert not client.is_model_ready("sentiment", "9")
    assert not client.is_model_ready("nobody")
    assert {"binary_tensor_data", "classification", "statistics"} <= set(
        client.get_server_metadata()["extensions"]
    )
    metadata = client.get_model_metadata("sentiment")
    assert metadata["versions"] == ["1", "2"]
    assert [each["name"] for each in metadata["inputs"]] == ["text", "input_ids", "attention_mask"]
    assert metadata["inputs"][1] == {"name": "input_ids", "datatype": "INT64", "shape": [-1, -1]}
    config = client.get_model_config("sentiment")
    assert config["input"][0]["data_type"] == "TYPE_STRING"
    index = client.get_model_repository_index()
    assert [(each["name"], each["version"], each["state"]) for each in index] == [
        ("sentiment", "1", "READY"),
        ("sentiment", "2", "UNAVAILABLE"),
    ]


@pytest.mark.parametrize("binary_out", [True, False])
@pytest.mark.parametrize("binary_in", [True, False])
def test_texts_are_sent_as_they_are(
    client: triton.InferenceServerClient,
    bundles: dict[int, TinyBundle],
    *,
    binary_in: bool,
    binary_out: bool,
) -> None:
    answer = client.infer(
        "sentiment",
        [texts_input(binary=binary_in)],
        request_id="42",
        outputs=[triton.InferRequestedOutput("logits", binary_data=binary_out)],
    )
    np.testing.assert_allclose(answer.as_numpy("logits"), bundles[1].logits(TEXTS), atol=1e-5)
    said = answer.get_response()
    assert (said["id"], said["model_name"], said["model_version"]) == ("42", "sentiment", "1")


@pytest.mark.parametrize("packed", [None, "gzip", "deflate"])
@pytest.mark.parametrize("version", ["1", "2", "production"])
def test_tokens_versions_and_packing(
    client: triton.InferenceServerClient,
    bundles: dict[int, TinyBundle],
    version: str,
    packed: str | None,
) -> None:
    bundle = bundles[1 if version == "production" else int(version)]
    ids = np.array([[WORDS.index(word) for word in text.split()] for text in TEXTS])
    tensors = []
    for name, array in (("input_ids", ids), ("attention_mask", np.ones_like(ids))):
        tensor = triton.InferInput(name, list(array.shape), "INT64")
        tensor.set_data_from_numpy(array)
        tensors.append(tensor)
    answer = client.infer(
        "sentiment",
        tensors,
        model_version=version,
        request_compression_algorithm=packed,
        response_compression_algorithm=packed,
    )
    np.testing.assert_allclose(answer.as_numpy("logits"), bundle.logits(TEXTS), atol=1e-5)


def test_classes_come_with_labels(
    client: triton.InferenceServerClient, bundles: dict[int, TinyBundle]
) -> None:
    wanted = triton.InferRequestedOutput("logits", class_count=1)
    answer = client.infer("sentiment", [texts_input()], outputs=[wanted]).as_numpy("logits")
    assert answer.shape == (2, 1)
    for (element,), row in zip(answer, bundles[1].logits(TEXTS), strict=True):
        score, index, label = element.decode().split(":")
        assert int(index) == int(np.argmax(row))
        assert label == LABELS[int(index)]
        assert float(score) == pytest.approx(float(row.max()), abs=1e-5)


def test_statistics_count_what_was_answered(client: triton.InferenceServerClient) -> None:
    def stats() -> dict[str, Any]:
        (stats,) = client.get_inference_statistics("sentiment", "2")["model_stats"]
        found: dict[str, Any] = stats
        return found

    before = stats()
    client.infer("sentiment", [texts_input()], model_version="2")
    after = stats()
    assert after["execution_count"] == before["execution_count"] + 1
    assert after["inference_count"] == before["inference_count"] + len(TEXTS)
    assert after["inference_stats"]["success"]["ns"] > before["inference_stats"]["success"]["ns"]


def test_an_error_is_a_text_that_the_client_shows(client: triton.InferenceServerClient) -> None:
    tensor = triton.InferInput("text", [1], "BYTES")
    tensor.set_data_from_numpy(np.array([""], dtype=np.object_))
    with pytest.raises(InferenceServerException, match="text: must not be empty") as raised:
        client.infer("sentiment", [tensor])
    assert raised.value.status() == "422"
    with pytest.raises(InferenceServerException, match="is not served here"):
        client.infer("sentiment", [texts_input()], model_version="9")
    with pytest.raises(InferenceServerException, match=r"maas promote"):
        client.load_model("sentiment")
    with pytest.raises(InferenceServerException, match=r"maas promote"):
        client.unload_model("sentiment")


def test_the_asyncio_client_too(url: str, bundles: dict[int, TinyBundle]) -> None:
    async def ask() -> Any:  # noqa: ANN401 - what the client returns has no types
        async with triton_aio.InferenceServerClient(url) as client:
            assert await client.is_model_ready("sentiment")
            (entry, *_) = await client.get_model_repository_index()
            assert entry["name"] == "sentiment"
            answers = await asyncio.gather(
                *(client.infer("sentiment", [texts_input()]) for _ in range(4))
            )
            with pytest.raises(InferenceServerException, match="is not served here"):
                await client.infer("sentiment", [texts_input()], model_version="9")
            return answers

    for answer in asyncio.run(ask()):
        np.testing.assert_allclose(answer.as_numpy("logits"), bundles[1].logits(TEXTS), atol=1e-5)
