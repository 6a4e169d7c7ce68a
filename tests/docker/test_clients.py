"""Off-the-shelf clients, unmodified, against `sam local start-api`: API Gateway, Mangum, functions.

What each client can do is tried against `maas serve` in tests/integration; here it is shown that
headers, bytes and errors come through the gateway and a Lambda event as they are.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.http as triton
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError
from openai import NotFoundError, OpenAI
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
