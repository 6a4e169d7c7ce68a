"""Off-the-shelf clients, unmodified, against `sam local start-api`: API Gateway, functions.

What each client can do is tried against `maas serve` in tests/integration; here it is shown that
headers, bytes and errors come through the gateway and a Lambda event as they are.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError
from openai import NotFoundError, OpenAI
from support.environments import CLIENTS, python_of
from support.sam import World
from support.tiny import LABELS
from support.tiny_embedding import make_embedding
from support.tiny_image import make_image, picture, png
from support.tiny_writer import make_writer
from tritonclient.utils import InferenceServerException

pytestmark = pytest.mark.docker

KEY = {"x-api-key": "a-key"}  # the local gateway looks at none
# Triton's client does not say what it accepts. SAM, unlike a gateway with `*/*` for binary types,
# then hands on base64 as it is. The client writes into what it is given, so each call gets a copy.
TRITON = {**KEY, "accept": "*/*"}
TEXTS = ["a good film", "a bad film"]


@pytest.fixture(scope="module")
def api(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with world.sam.api(world.variables, tmp_path_factory.mktemp("api") / "log") as url:
        yield url


@pytest.fixture
def client(api: str) -> Iterator[triton.InferenceServerClient]:
    timeouts = {"connection_timeout": 60, "network_timeout": 60}
    with triton.InferenceServerClient(api.removeprefix("http://"), **timeouts) as client:
        yield client


@pytest.mark.parametrize("packed", [None, "gzip"])
@pytest.mark.parametrize("binary", [True, False])
def test_tritonclient(
    world: World, client: triton.InferenceServerClient, packed: str | None, *, binary: bool
) -> None:
    assert client.is_server_ready(headers=dict(TRITON))
    assert client.is_model_ready("sentiment", "2", headers=dict(TRITON))
    tensor = triton.InferInput("text", [len(TEXTS)], "BYTES")
    tensor.set_data_from_numpy(np.array(TEXTS, dtype=np.object_), binary_data=binary)
    wanted = triton.InferRequestedOutput("logits", binary_data=binary)
    answer = client.infer(
        "sentiment",
        [tensor],
        model_version="2",
        outputs=[wanted],
        request_id="7",
        headers=dict(TRITON),
        request_compression_algorithm=packed,
        response_compression_algorithm=packed,
    )
    np.testing.assert_allclose(
        answer.as_numpy("logits"), world.home.bundles[2].logits(TEXTS), atol=1e-5
    )
    said = answer.get_response()
    assert (said["id"], said["model_version"]) == ("7", "2")


def test_tritonclient_shows_our_errors(client: triton.InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match="is not served here") as raised:
        client.get_model_metadata("sentiment", "99", headers=dict(TRITON))
    assert raised.value.status() == "404"


def test_kserves_client(world: World, api: str) -> None:
    ask = CLIENTS / "kserve" / "ask.py"
    done = subprocess.run(
        [python_of("kserve"), "-I", ask, api, "sentiment"],
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["live"], said["ready"], said["model ready"]) == (True, True, True)
    assert said["nobody ready"] is False
    for asked, version in (("texts JSON", 1), ("texts binary", 1), ("plain", 1), ("pinned", 2)):
        np.testing.assert_allclose(
            said[asked]["outputs"]["logits"],
            world.home.bundles[version].logits(TEXTS),
            atol=1e-5,
            err_msg=asked,
        )
    assert said["refused"].startswith("text: must not be empty")


def test_tensorflow_serving_as_curl_writes_it(world: World, api: str) -> None:
    url = f"{api}/v1/models/sentiment"
    with httpx.Client(headers=KEY, timeout=60) as client:
        assert client.get(url).json()["model_version_status"][0]["state"] == "AVAILABLE"
        rows = client.post(f"{url}:predict", json={"instances": [{"text": t} for t in TEXTS]})
        columns = client.post(f"{url}/versions/2:predict", json={"inputs": {"text": TEXTS}})
    assert (rows.status_code, columns.status_code) == (200, 200), rows.text + columns.text
    found = {1: rows.json()["predictions"], 2: columns.json()["outputs"]}
    for version, logits in found.items():
        np.testing.assert_allclose(logits, world.home.bundles[version].logits(TEXTS), atol=1e-5)


def test_sagemaker_as_its_containers_are_asked(world: World, api: str) -> None:
    url = f"{api}/models/sentiment"
    with httpx.Client(headers=KEY, timeout=60) as client:
        assert client.get(f"{url}/ping").json() == {"status": "ok"}
        pinned, body = {"x-maas-version": "2"}, {"inputs": TEXTS}
        answer = client.post(f"{url}/invocations", json=body, headers=pinned)
        assert answer.status_code == 200, answer.text
        assert answer.content == client.post(url, json=body, headers=pinned).content
    best = [each[0]["label"] for each in answer.json()]
    assert best == [LABELS[i] for i in world.home.bundles[2].logits(TEXTS).argmax(axis=1)]


def test_hugging_face_texts_images_vectors_and_what_is_written(
    world: World, api: str, tmp_path: Path
) -> None:
    client = InferenceClient(headers=KEY, timeout=60)
    # Given the same models, by numpy alone
    pictures, vectors = make_image(tmp_path), make_embedding(tmp_path)
    writer = make_writer(tmp_path)

    best = client.text_classification(TEXTS[0], model=f"{api}/models/sentiment?version=2", top_k=1)
    assert best[0].label == LABELS[int(world.home.bundles[2].logits(TEXTS[:1]).argmax())]

    levels = picture(3)
    seen = client.image_classification(png(levels), model=f"{api}/models/pictures")  # raw bytes
    assert seen[0].label == pictures.best(levels)[0]

    vector = client.feature_extraction(TEXTS[0], model=f"{api}/models/vectors")
    np.testing.assert_allclose(vector, vectors.vectors(TEXTS[:1]), atol=1e-5)

    written = client.translation(TEXTS[0], model=f"{api}/models/writer")
    assert written.translation_text == writer.write(TEXTS[0])


def test_hugging_face_shows_our_errors(api: str) -> None:
    with pytest.raises(HfHubHTTPError, match="is not served here"):
        InferenceClient(headers=KEY).text_classification(
            "x", model=f"{api}/models/sentiment/versions/99"
        )


def test_openai(api: str, tmp_path: Path) -> None:
    client = OpenAI(
        base_url=f"{api}/models/vectors/v1", api_key="none", default_headers=KEY, timeout=60
    )
    answer = client.embeddings.create(model="vectors@production", input=TEXTS)
    np.testing.assert_allclose(
        [each.embedding for each in answer.data], make_embedding(tmp_path).vectors(TEXTS), atol=1e-5
    )
    assert "vectors" in [model.id for model in client.models.list()]
    with pytest.raises(NotFoundError, match="not served here"):
        client.embeddings.create(model="vectors@99", input="a")
