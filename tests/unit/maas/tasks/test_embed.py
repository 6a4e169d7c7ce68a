"""Texts to vectors of length 1: the model's own, shortened on request, the recorded ones."""

import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.tiny import MAX_TOKENS, WORDS
from support.tiny_embedding import DIMENSION, TinyEmbedding, make_embedding

from maas.bundle.golden import TOLERANCE
from maas.bundle.verify import verify_bundle
from maas.errors import BundleError, FieldError
from maas.loading import load_version
from maas.tasks.embed import Embedder, EmbedRequest, EmbedResponse

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = ("a gripping story", "bad", "told with warmth and wit", "nonsense")
SENTENCES = st.lists(st.sampled_from(WORDS[2:]), min_size=1, max_size=30).map(" ".join)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> TinyEmbedding:
    return make_embedding(tmp_path_factory.mktemp("bundles"), seed=3)


@pytest.fixture(scope="module")
def embedder(bundle: TinyEmbedding) -> Embedder:
    task = load_version(verify_bundle(bundle.folder), threads=1).task
    assert isinstance(task, Embedder)
    return task


def ask(embedder: Embedder, *texts: str, **options: Any) -> EmbedResponse:  # noqa: ANN401
    return embedder.predict(EmbedRequest(texts, **options), deadline=time.monotonic() + 5)


def test_the_vectors_are_what_numpy_says(embedder: Embedder, bundle: TinyEmbedding) -> None:
    response = ask(embedder, *TEXTS)
    assert np.allclose(response.vectors, bundle.vectors(TEXTS), atol=1e-6)
    assert np.allclose(np.linalg.norm(response.vectors, axis=1), 1, atol=1e-6)
    assert response.tokens == (3, 1, 5, 1)
    assert response.truncated == (False,) * 4
    assert all(number == round(number, 7) for row in response.vectors for number in row)


@settings(max_examples=40, deadline=None)
@given(st.lists(SENTENCES, min_size=1, max_size=8))
def test_a_batch_answers_as_its_texts_do_alone(embedder: Embedder, texts: list[str]) -> None:
    together = ask(embedder, *texts)
    for row, text in enumerate(texts):
        (alone,) = ask(embedder, text).vectors
        assert np.allclose(together.vectors[row], alone, atol=1e-5)


@pytest.mark.parametrize("dimensions", [1, 2, DIMENSION - 1, DIMENSION])
def test_fewer_dimensions_are_the_first_ones_of_length_1_again(
    embedder: Embedder, bundle: TinyEmbedding, dimensions: int
) -> None:
    first = bundle.vectors(TEXTS)[:, :dimensions]
    wanted = first / np.linalg.norm(first, axis=1, keepdims=True)
    assert np.allclose(ask(embedder, *TEXTS, dimensions=dimensions).vectors, wanted, atol=1e-6)


@pytest.mark.parametrize("dimensions", [0, -1, DIMENSION + 1])
def test_more_dimensions_than_there_are_are_refused(embedder: Embedder, dimensions: int) -> None:
    with pytest.raises(FieldError, match=f"1 to {DIMENSION}") as refused:
        ask(embedder, "good", dimensions=dimensions)
    assert refused.value.field == "dimensions"


def test_a_text_that_is_not_to_be_cut_is_refused(embedder: Embedder) -> None:
    longer = "good " * (MAX_TOKENS + 1)
    assert ask(embedder, longer).truncated == (True,)
    with pytest.raises(FieldError, match="not to be cut"):
        ask(embedder, longer, cut=False)


# ---- How near texts are -------------------------------------------------------------------------


def test_texts_are_compared_with_the_first(embedder: Embedder, bundle: TinyEmbedding) -> None:
    response = ask(embedder, *TEXTS, TEXTS[0], compare=True)
    vectors = bundle.vectors((*TEXTS, TEXTS[0]))
    assert np.allclose(response.similarities, vectors[1:] @ vectors[0], atol=1e-6)
    assert response.similarities[-1] == pytest.approx(1.0, abs=1e-6)
    assert response.vectors == []
    assert len(response.tokens) == len(TEXTS) + 1
    assert ask(embedder, *TEXTS).similarities == []


def test_shorter_vectors_are_compared_alike(embedder: Embedder) -> None:
    first, second = ask(embedder, *TEXTS[:2], dimensions=3).vectors
    near = ask(embedder, *TEXTS[:2], dimensions=3, compare=True).similarities
    assert near == pytest.approx([float(np.dot(first, second))], abs=1e-6)


@pytest.mark.parametrize(
    ("texts", "field", "said"),
    [
        (("", "good"), "inputs.source_sentence", "must not be empty"),
        (("x" * 20_001, "good"), "inputs.source_sentence", "at most 20000 characters"),
        (("good",), "inputs.sentences", "1 to 32 texts"),
        (("good", "bad", " "), "inputs.sentences[1]", "must not be empty"),
        (("good",) * 33, "inputs", "1 to 32 texts, got 33"),
        (("x" * 20_000,) * 6, "inputs", "characters in all"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    embedder: Embedder, texts: tuple[str, ...], field: str, said: str
) -> None:
    with pytest.raises(FieldError, match=said) as refused:
        ask(embedder, *texts, compare=True)
    assert refused.value.field == field


def test_a_text_of_which_nothing_is_left_is_a_vector_of_zeros(embedder: Embedder) -> None:
    # A text of the padding's own token has no weights
    for dimensions in (None, 2):
        (vector,) = ask(embedder, "[pad]", dimensions=dimensions).vectors
        assert all(map(math.isfinite, vector))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, None),
        ({"golden_shift": TOLERANCE / 2}, None),
        ({"golden_shift": TOLERANCE * 2}, "not the model that was exported"),
        ({"golden_scale": 1.1}, "not of length 1"),
        ({"golden_scale": 0.0}, "not of length 1"),
    ],
)
def test_a_model_that_is_not_the_recorded_one_is_refused(
    tmp_path: "Path", options: dict[str, float], reason: str | None
) -> None:
    verified = verify_bundle(make_embedding(tmp_path, **options).folder)  # type: ignore[arg-type]
    if reason is None:
        assert load_version(verified, threads=1).replay.requests == 3
        return
    with pytest.raises(BundleError, match=reason):
        load_version(verified, threads=1)
