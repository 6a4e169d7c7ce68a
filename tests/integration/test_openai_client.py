"""`openai.OpenAI`, unmodified, sync and asyncio, against the local server."""

import asyncio
import base64
from collections.abc import Iterator

import numpy as np
import openai
import pytest
from support.kinds import home_of_kind
from support.task_bundles import home_with, serving
from support.tiny import MAX_TOKENS, WORDS
from support.tiny_embedding import DIMENSION, TinyEmbedding, make_embedding

TEXTS = ["a good film", "bad"]


@pytest.fixture(scope="module")
def bundles() -> dict[int, TinyEmbedding]:
    return {}


@pytest.fixture(scope="module")
def url(
    tmp_path_factory: pytest.TempPathFactory, bundles: dict[int, TinyEmbedding]
) -> Iterator[str]:
    home = home_with(tmp_path_factory.mktemp("openai"), make_embedding, versions=2)
    bundles.update(home.bundles)
    with serving(home) as address:
        yield address + home.path


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    # Never tries again by itself, so that a second request would be one of ours
    with openai.OpenAI(base_url=f"{url}/v1", api_key="any") as client:
        yield client


def vectors_of(
    answer: openai.types.CreateEmbeddingResponse,
) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    return np.array([each.embedding for each in answer.data])


def test_texts_are_embedded_by_default_as_base64(
    client: openai.OpenAI, bundles: dict[int, TinyEmbedding]
) -> None:
    answer = client.embeddings.create(model="vectors", input=TEXTS)
    # float32 as the graph answers it, not rounded on its way
    np.testing.assert_allclose(vectors_of(answer), bundles[1].vectors(TEXTS), atol=1e-6)
    assert [each.index for each in answer.data] == [0, 1]
    assert answer.model == "vectors@1"
    assert (answer.usage.prompt_tokens, answer.usage.total_tokens) == (4, 4)


def test_floats_are_the_same_vectors(
    client: openai.OpenAI, bundles: dict[int, TinyEmbedding]
) -> None:
    answer = client.embeddings.create(
        model="vectors", input=TEXTS[0], encoding_format="float", user="somebody"
    )
    np.testing.assert_allclose(vectors_of(answer), bundles[1].vectors(TEXTS[:1]), atol=1e-6)


def test_base64_is_little_endian_float32(client: openai.OpenAI) -> None:
    answer = client.embeddings.create(model="vectors", input="bad", encoding_format="base64")
    (embedding,) = answer.data
    assert isinstance(embedding.embedding, str)
    vector = np.frombuffer(base64.b64decode(embedding.embedding), dtype="<f4")
    assert vector.shape == (DIMENSION,)
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("alone", [True, False])
def test_ids_of_tokens_are_embedded_as_the_texts_they_stand_for(
    client: openai.OpenAI, bundles: dict[int, TinyEmbedding], *, alone: bool
) -> None:
    ids = [[WORDS.index(word) for word in text.split()] for text in TEXTS]
    if alone:
        answer = client.embeddings.create(model="vectors", input=ids[0])
        np.testing.assert_allclose(vectors_of(answer), bundles[1].vectors(TEXTS[:1]), atol=1e-6)
        assert answer.usage.prompt_tokens == 3
        return
    answer = client.embeddings.create(model="vectors", input=ids)
    np.testing.assert_allclose(vectors_of(answer), bundles[1].vectors(TEXTS), atol=1e-6)
    assert answer.usage.prompt_tokens == 4


def test_fewer_dimensions_have_length_1_again(
    client: openai.OpenAI, bundles: dict[int, TinyEmbedding]
) -> None:
    answer = client.embeddings.create(model="vectors", input=TEXTS, dimensions=3)
    first = bundles[1].vectors(TEXTS)[:, :3]
    wanted = first / np.linalg.norm(first, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors_of(answer), wanted, atol=1e-6)


def test_a_version_is_named_by_the_model_the_base_url_or_a_header(
    url: str, bundles: dict[int, TinyEmbedding]
) -> None:
    first, second = (bundles[number].vectors(["bad"]) for number in (1, 2))
    assert not np.allclose(first, second, atol=1e-3)
    digest = bundles[2].digest
    named = openai.OpenAI(base_url=f"{url}/v1", api_key="any")
    pinned = openai.OpenAI(base_url=f"{url}/versions/2/v1", api_key="any")
    headed = openai.OpenAI(
        base_url=f"{url}/v1", api_key="any", default_headers={"x-maas-version": "2"}
    )
    asked = [
        *((named, f"vectors@{address}", second) for address in ("2", digest, digest[:20])),
        (named, "vectors@production", first),
        (pinned, "vectors", second),
        (pinned, "vectors@2", second),
        (headed, "vectors", second),
    ]
    for client, model, wanted in asked:
        answer = client.embeddings.create(model=model, input="bad")
        np.testing.assert_allclose(vectors_of(answer), wanted, atol=1e-6)
    for client in (pinned, headed):
        with pytest.raises(openai.BadRequestError, match="name different versions"):
            client.embeddings.create(model="vectors@1", input="bad")


def test_the_models_are_the_one_that_is_here_and_its_versions(
    client: openai.OpenAI, url: str
) -> None:
    listed = client.models.list()
    names = [model.id for model in listed]
    assert names == ["vectors", "vectors@production", "vectors@2", "vectors@1"]
    for name in names:  # each of which may be sent
        found = client.models.retrieve(name)
        assert (found.id, found.object, found.created, found.owned_by) == (name, "model", 0, "maas")
        client.embeddings.create(model=name, input="bad")
    pinned = openai.OpenAI(base_url=f"{url}/versions/2/v1", api_key="any")
    assert [model.id for model in pinned.models.list()] == ["vectors", "vectors@2"]
    with pytest.raises(openai.NotFoundError, match="Only vectors answers"):
        client.models.retrieve("gpt-4o")
    with pytest.raises(openai.NotFoundError, match="is not served here"):
        client.models.retrieve("vectors@9")


def test_an_error_is_of_the_clients_class_and_has_our_text(client: openai.OpenAI, url: str) -> None:
    with pytest.raises(openai.NotFoundError, match=r"Send that as the model") as unknown:
        client.embeddings.create(model="text-embedding-3-small", input="bad")
    assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
    assert unknown.value.type == "invalid_request_error"
    assert unknown.value.request_id
    with pytest.raises(openai.UnprocessableEntityError, match=r"input\[1\]: must not be empty"):
        client.embeddings.create(model="vectors", input=["bad", ""])
    with pytest.raises(openai.UnprocessableEntityError, match="dimensions: must be 1 to 8"):
        client.embeddings.create(model="vectors", input="bad", dimensions=9)
    with pytest.raises(openai.UnprocessableEntityError, match=f"1 to {MAX_TOKENS} tokens"):
        client.embeddings.create(model="vectors", input=[1] * (MAX_TOKENS + 1))
    with pytest.raises(openai.UnprocessableEntityError, match=f"0 to {len(WORDS) - 1}"):
        client.embeddings.create(model="vectors", input=[len(WORDS)])
    with pytest.raises(openai.NotFoundError, match="No route answers") as no_route:
        client.moderations.create(model="vectors", input="bad")
    assert no_route.value.code == "not_found"
    nobody = openai.OpenAI(base_url=url.replace("vectors", "nobody") + "/v1", api_key="any")
    with pytest.raises(openai.NotFoundError, match="No model of this name"):
        nobody.embeddings.create(model="nobody", input="bad")


def test_the_asyncio_client_too(url: str, bundles: dict[int, TinyEmbedding]) -> None:
    async def ask() -> list[openai.types.CreateEmbeddingResponse]:
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="any") as client:
            with pytest.raises(openai.NotFoundError, match="Only vectors"):
                await client.embeddings.create(model="other", input="bad")
            return await asyncio.gather(
                *(client.embeddings.create(model="vectors", input=TEXTS) for _ in range(4))
            )

    for answer in asyncio.run(ask()):
        np.testing.assert_allclose(vectors_of(answer), bundles[1].vectors(TEXTS), atol=1e-6)


def test_a_model_of_another_task_says_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = home_of_kind(tmp_path_factory.mktemp("other"), "text-classification")
    with serving(home) as address:
        client = openai.OpenAI(base_url=f"{address}{home.path}/v1", api_key="any")
        with pytest.raises(openai.UnprocessableEntityError, match="feature-extraction"):
            client.embeddings.create(model="sentiment", input="bad")
