"""`huggingface_hub.InferenceClient`, unmodified, against `maas serve`."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import numpy as np
import pytest
from huggingface_hub import InferenceClient, QuestionAnsweringOutputElement
from huggingface_hub.errors import BadRequestError, HfHubHTTPError
from support.laptop import Laptop
from support.task_bundles import TaskHome, home_with, serving
from support.tiny_embedding import make_embedding
from support.tiny_image import LABELS, jpeg, make_image, picture, png
from support.tiny_pairs import make_question, make_zero_shot
from support.tiny_table import TABLE, make_table
from support.tiny_tokens import make_tokens
from support.tiny_writer import TinyWriter, make_writer


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


def test_rows_of_a_table(tmp_path: Path) -> None:
    home = home_with(tmp_path, make_table)
    with serving(home) as url:
        answer = InferenceClient().tabular_classification(TABLE, model=url + home.path)
        with pytest.raises(HfHubHTTPError, match="this model reads age, siblings, fare"):
            InferenceClient().tabular_classification({"age": ["1"]}, model=url + home.path)
    assert answer == home.bundle.best([[41, 0, 7.25], [17, 2, 71.3]])


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


# ---- The other tasks ----------------------------------------------------------------------------


@contextmanager
def asked(home: TaskHome) -> Iterator[str]:
    with serving(home) as server:
        yield server + home.path


def test_a_translation_is_one_text(tmp_path: Path) -> None:
    home = home_with(tmp_path, make_writer, seed=3)
    bundle: TinyWriter = home.bundle
    with asked(home) as model:
        client = InferenceClient(api_key="any")
        answer = client.translation("a fine film", model=model)
        assert answer.translation_text == bundle.write("a fine film")
        answer = client.translation(
            "the dull story",
            model=model,
            src_lang="de",
            tgt_lang="en",
            clean_up_tokenization_spaces=True,
            truncation="longest_first",
            generate_parameters={"num_beams": 4, "max_new_tokens": 3},
        )
        assert answer.translation_text == bundle.write("the dull story", beams=4, most=3)
        with pytest.raises(HfHubHTTPError, match="num_beams"):
            client.translation("a", model=model, generate_parameters={"num_beams": 9})
        with pytest.raises(HfHubHTTPError, match="not to be cut"):
            client.translation("good " * 40, model=model, truncation="do_not_truncate")


def test_a_summary_is_one_text(tmp_path: Path) -> None:
    home = home_with(tmp_path, partial(make_writer, task="summarization"), seed=3)
    with asked(home) as model:
        client = InferenceClient()
        answer = client.summarization("the dull story", model=model)
        assert answer.summary_text == home.bundle.write("the dull story")
        answer = client.summarization(
            "the dull story", model=model, generate_parameters={"max_length": 2}
        )
        assert answer.summary_text == home.bundle.write("the dull story", most=2)


def test_vectors_are_an_array(tmp_path: Path) -> None:
    home = home_with(tmp_path, make_embedding, seed=3)
    with asked(home) as model:
        client = InferenceClient()
        one = client.feature_extraction("a fine film", model=model)
        assert one.shape == (1, 8)
        assert np.allclose(one, home.bundle.vectors(["a fine film"]), atol=1e-6)
        two = client.feature_extraction(
            ["a fine film", "bad"],
            model=model,
            normalize=True,
            truncate=True,
            truncation_direction="right",
            dimensions=4,
        )
        assert two.shape == (2, 4)
        with pytest.raises(HfHubHTTPError, match="length 1"):
            client.feature_extraction("a", model=model, normalize=False)


def test_a_model_that_embeds_compares_at_the_same_address(tmp_path: Path) -> None:
    home = home_with(tmp_path, make_embedding, seed=3)
    texts = ["a fine film", "a good film", "bad"]
    vectors = home.bundle.vectors(texts)
    with asked(home) as model:
        client = InferenceClient()
        answer = client.sentence_similarity(texts[0], other_sentences=texts[1:], model=model)
        assert answer == pytest.approx((vectors[1:] @ vectors[0]).tolist(), abs=1e-6)
        assert client.feature_extraction(texts[0], model=model).shape == (1, 8)
        with pytest.raises(HfHubHTTPError, match="1 to 32 texts"):
            client.sentence_similarity("a", other_sentences=[], model=model)


def test_tokens_have_labels_and_places(tmp_path: Path) -> None:
    home = home_with(tmp_path, make_tokens, seed=3)
    text = "a gripping story told with wit"
    with asked(home) as model:
        client = InferenceClient()
        found = client.token_classification(text, model=model, ignore_labels=[])
        wanted = home.bundle.tokens(text)
        assert [(e.entity, e.word, e.start, e.end) for e in found] == [
            (each["entity"], each["word"], each["start"], each["end"]) for each in wanted
        ]
        assert [e.score for e in found] == pytest.approx([e["score"] for e in wanted], abs=2e-6)
        for strategy in ("simple", "first", "average", "max"):
            groups = client.token_classification(
                text * 5,
                model=model,
                aggregation_strategy=strategy,
                ignore_labels=["O"],
                stride=4,
            )
            assert {group.entity_group for group in groups} == {"PER", "LOC"}
        with pytest.raises(HfHubHTTPError, match="aggregation_strategy other than none"):
            client.token_classification(text, model=model, stride=4)


def test_labels_of_the_callers_own_are_scored(tmp_path: Path) -> None:
    home = home_with(tmp_path, make_zero_shot, seed=3)
    text, labels = "a gripping story", ["good", "bad", "dull"]
    with asked(home) as model:
        client = InferenceClient()
        found = client.zero_shot_classification(
            text, candidate_labels=labels, hypothesis_template="a {} film", model=model
        )
        wanted = home.bundle.scores(text, [f"a {label} film" for label in labels])
        scores = {each.label: each.score for each in found}
        assert scores == pytest.approx(dict(zip(labels, wanted, strict=True)), abs=2e-6)
        assert found[0].score == max(scores.values())
        several = client.zero_shot_classification(
            text, candidate_labels=labels, multi_label=True, model=model
        )
        assert {each.label for each in several} == set(labels)
        with pytest.raises(HfHubHTTPError, match="1 to 64 labels"):
            client.zero_shot_classification(text, candidate_labels=[], model=model)


def test_a_question_has_an_answer_or_several(tmp_path: Path) -> None:
    home = home_with(tmp_path, make_question, seed=3)
    question, context = "the film", "a gripping story told with wit"
    with asked(home) as model:
        client = InferenceClient()
        found = client.question_answering(question=question, context=context, model=model)
        assert isinstance(found, QuestionAnsweringOutputElement)
        wanted = home.bundle.answer(question, context)
        assert (found.answer, found.start, found.end) == (
            wanted["answer"],
            wanted["start"],
            wanted["end"],
        )
        assert found.score == pytest.approx(wanted["score"], abs=2e-6)
        several = client.question_answering(
            question=question,
            context=context * 5,
            model=model,
            top_k=3,
            doc_stride=2,
            max_answer_len=4,
            max_seq_len=12,
            max_question_len=2,
            handle_impossible_answer=True,
            align_to_words=False,
        )
        assert isinstance(several, list)
        assert len(several) == 3
        with pytest.raises(HfHubHTTPError, match="must not be empty"):
            client.question_answering(question=" ", context=context, model=model)


def test_images_come_as_bytes_or_files(tmp_path: Path) -> None:
    home = home_with(tmp_path / "home", make_image, seed=3)
    label, score = home.bundle.best(picture(1))
    with asked(home) as model:
        client = InferenceClient()
        (tmp_path / "one.png").write_bytes(png(picture(1)))
        (tmp_path / "two.jpg").write_bytes(jpeg(picture(1)))
        for image in (png(picture(1)), str(tmp_path / "one.png"), tmp_path / "one.png"):
            answer = client.image_classification(image, model=model)
            assert len(answer) == len(LABELS)
            assert (answer[0].label, round(answer[0].score, 5)) == (label, round(score, 5))
        assert len(client.image_classification(tmp_path / "two.jpg", model=model)) == len(LABELS)
        best = client.image_classification(
            png(picture(1)), model=model, top_k=1, function_to_apply="sigmoid"
        )
        assert [each.label for each in best] == [label]
        with pytest.raises(HfHubHTTPError, match="neither a PNG nor a JPEG"):
            client.image_classification(b"GIF89a", model=model)
