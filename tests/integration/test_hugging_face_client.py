"""`huggingface_hub.InferenceClient`, unmodified, against `maas serve`."""

from collections.abc import Iterator

import httpx
import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import BadRequestError, HfHubHTTPError
from support.laptop import Laptop


@pytest.fixture(scope="module")
def url(shipped: Laptop) -> Iterator[str]:
    with shipped.serving() as url:
        yield url + "/models/sentiment"


def test_one_text_gives_labels_best_first(url: str) -> None:
    answer = InferenceClient().text_classification("a lovely warm film", model=url)
    assert [element.label for element in answer] == ["positive", "negative"]
    assert sum(element.score for element in answer) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("function", ["softmax", "sigmoid", "none"])
def test_parameters_are_obeyed(url: str, function: str) -> None:
    client = InferenceClient()
    everything = client.text_classification(
        "a dull film",
        model=url,
        function_to_apply=function,  # type: ignore[arg-type]
    )
    best = client.text_classification(
        "a dull film",
        model=url,
        top_k=1,
        function_to_apply=function,  # type: ignore[arg-type]
    )
    assert len(everything) == 2
    assert [(e.label, e.score) for e in best] == [(e.label, e.score) for e in everything[:1]]


def test_the_version_goes_into_the_url(url: str) -> None:
    client = InferenceClient(api_key="any")
    text = "a lovely warm film"
    first = client.text_classification(text, model=f"{url}?version=1")
    second = client.text_classification(text, model=f"{url}/versions/2")
    assert first[0].score != second[0].score


def test_an_error_reaches_the_user_as_text(url: str) -> None:
    with pytest.raises(BadRequestError, match="version"):
        InferenceClient().text_classification("x", model=f"{url}/versions/2?version=1")
    with pytest.raises(HfHubHTTPError, match="must not be empty"):
        InferenceClient().text_classification("", model=url)


def test_a_list_gives_one_list_per_text(url: str) -> None:
    texts = ["a lovely film", "a dull film", "a film"]
    answer = httpx.post(url, json={"inputs": texts, "parameters": {}}).json()
    singles = [httpx.post(url, json={"inputs": text}).json()[0] for text in texts]
    assert len(answer) == 3
    for together, alone in zip(answer, singles, strict=True):
        for one, other in zip(together, alone, strict=True):
            assert one["label"] == other["label"]
            assert one["score"] == pytest.approx(other["score"], abs=1e-5)
