"""Questions about a text: the likeliest piece, several, none, and long texts in parts."""

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.tiny import WORDS
from support.tiny_pairs import PAIR_TOKENS, TinyPairs, make_question

from maas.bundle.golden import TOLERANCE
from maas.bundle.verify import verify_bundle
from maas.errors import BundleError, FieldError
from maas.limits import LIMITS
from maas.loading import load_version
from maas.tasks.question import Answerer, QuestionRequest, QuestionResponse
from maas.tasks.tensors import strings

if TYPE_CHECKING:
    from pathlib import Path

QUESTION = "the film"
CONTEXT = "a gripping story told with wit"
WORD_LISTS = st.lists(st.sampled_from(WORDS[2:]), min_size=1, max_size=10)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> TinyPairs:
    return make_question(tmp_path_factory.mktemp("bundles"), seed=3)


@pytest.fixture(scope="module")
def answerer(bundle: TinyPairs) -> Answerer:
    task = load_version(verify_bundle(bundle.folder), threads=1).task
    assert isinstance(task, Answerer)
    return task


def ask(
    answerer: Answerer,
    question: str = QUESTION,
    context: str = CONTEXT,
    **options: Any,  # noqa: ANN401
) -> QuestionResponse:
    asked = QuestionRequest(question, context, **options)
    return answerer.predict(asked, deadline=time.monotonic() + 5)


@settings(max_examples=60, deadline=None)
@given(WORD_LISTS)
def test_the_answer_is_the_likeliest_of_all_pieces(
    answerer: Answerer, bundle: TinyPairs, words: list[str]
) -> None:
    if len(set(words)) < len(words):  # what stands in two places is surer; see below
        return
    context = " ".join(words)
    (found,) = ask(answerer, context=context).answers
    wanted = bundle.answer(QUESTION, context)
    assert found.score == pytest.approx(wanted["score"], abs=2e-6)
    assert context[found.start : found.end] == wanted["answer"]


def test_several_answers_are_best_first_and_differ(answerer: Answerer) -> None:
    response = ask(answerer, top_k=5)
    assert response.listed
    assert len(response.answers) == 5
    scores = [each.score for each in response.answers]
    assert scores == sorted(scores, reverse=True)
    assert len({CONTEXT[each.start : each.end] for each in response.answers}) == 5
    assert response.answers[0] == ask(answerer).answers[0]


def test_there_are_no_more_answers_than_pieces(answerer: Answerer) -> None:
    assert len(ask(answerer, context="a film", top_k=100).answers) == 3
    assert len(ask(answerer, context="a film", top_k=100, answer_tokens=1).answers) == 2


def test_an_answer_has_no_more_tokens_than_asked(answerer: Answerer) -> None:
    for most in (1, 2, 3):
        for each in ask(answerer, top_k=20, answer_tokens=most).answers:
            assert len(CONTEXT[each.start : each.end].split()) <= most


def test_what_stands_in_two_places_is_surer(answerer: Answerer, bundle: TinyPairs) -> None:
    (twice,) = ask(answerer, context="wit Wit", top_k=50, answer_tokens=1).answers
    rows = bundle.tokens(QUESTION, "wit wit").astype(np.float64)[[0, 4, 5]]
    shares = np.exp(rows) / np.exp(rows).sum(axis=0)
    assert twice.score == pytest.approx(shares[1:].prod(axis=1).sum(), abs=2e-6)
    assert (twice.start, twice.end) in ((0, 3), (4, 7))


def test_that_there_is_none_may_be_an_answer(answerer: Answerer, bundle: TinyPairs) -> None:
    spans = ask(answerer, top_k=100, impossible=True).answers
    (none,) = (each for each in spans if each.start == each.end)
    rows = bundle.tokens(QUESTION, CONTEXT).astype(np.float64)
    powers = np.exp(rows[[0, *range(4, 10)]])
    shares = powers / powers.sum(axis=0)
    assert none.score == pytest.approx(shares[0].prod(), abs=2e-6)
    assert all(each.start < each.end for each in ask(answerer, top_k=100).answers)


# ---- Long texts ---------------------------------------------------------------------------------


@pytest.mark.parametrize("overlap", [None, 0, 1, 10])
def test_a_long_text_is_read_in_parts(answerer: Answerer, overlap: int | None) -> None:
    # Given a text of several parts, whose words stand there once and nearly at its end
    context = "good " * 60 + "a gripping story"
    found = ask(answerer, context=context, overlap=overlap, top_k=100).answers
    assert any(each.end == len(context) for each in found)
    assert ask(answerer, context=context, overlap=overlap).tokens[0] > 63
    assert all(0 <= each.start < each.end <= len(context) for each in found)


def test_a_long_question_is_cut(answerer: Answerer) -> None:
    # With all of it there would be no room for the text
    with pytest.raises(FieldError, match="no room for a text") as refused:
        ask(answerer, question="good " * 20)
    assert refused.value.field == "inputs.question"
    cut = ask(answerer, question="good " * 20, question_tokens=3)
    assert cut.answers == ask(answerer, question="good good good").answers


@pytest.mark.parametrize(
    ("options", "field", "said"),
    [
        ({"question": " "}, "inputs.question", "must not be empty"),
        ({"context": ""}, "inputs.context", "must not be empty"),
        ({"question": "x" * 20_001}, "inputs.question", "at most 20000 characters"),
        ({"context": "x" * 100_001}, "inputs.context", "at most 100000 characters"),
        ({"part_tokens": PAIR_TOKENS + 1}, "parameters.max_seq_len", "at most 16"),
        ({"part_tokens": 5}, "inputs.question", "no room for a text"),
        ({"overlap": 11}, "parameters.doc_stride", "less than 11"),
    ],
)
def test_what_cannot_be_read_is_refused(
    answerer: Answerer, options: dict[str, Any], field: str, said: str
) -> None:
    with pytest.raises(FieldError, match=said) as refused:
        ask(answerer, **options)
    assert refused.value.field == field


@pytest.mark.parametrize("step", [0, 1])
def test_more_parts_than_are_read_for_one_request_are_refused(
    answerer: Answerer, step: int
) -> None:
    context = "good " * (11 * LIMITS.windows + step)  # 11 tokens are left beside the question
    if step <= 0:
        assert ask(answerer, context=context, overlap=0).tokens == (LIMITS.windows * PAIR_TOKENS,)
        return
    with pytest.raises(FieldError, match=f"at most {LIMITS.windows} parts") as refused:
        ask(answerer, context=context, overlap=0)
    assert refused.value.field == "inputs.context"


# ---- By tensors, and golden requests ------------------------------------------------------------


def test_pairs_are_answered_with_logits(answerer: Answerer, bundle: TinyPairs) -> None:
    feeds = {
        "text": strings([QUESTION.encode()] * 2, (2,)),
        "text_pair": strings([CONTEXT.encode(), b"bad " * 40], (2,)),
    }
    answer = answerer.tensors.infer(feeds, deadline=time.monotonic() + 5)
    starts, ends = answer.outputs["start_logits"], answer.outputs["end_logits"]
    assert starts.shape == ends.shape == (2, PAIR_TOKENS)
    wanted = bundle.tokens(QUESTION, CONTEXT)
    assert np.allclose(np.stack([starts, ends], axis=2)[0, : len(wanted)], wanted, atol=1e-6)
    assert answer.truncated == (False, True)
    # Of a question nothing is cut off
    feeds["text"] = strings([b"good " * 20] * 2, (2,))
    with pytest.raises(FieldError, match="no room for the other text") as refused:
        answerer.tensors.infer(feeds, deadline=time.monotonic() + 5)
    assert refused.value.field == "text"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, None),
        ({"golden_shift": TOLERANCE / 2}, None),
        ({"golden_shift": TOLERANCE * 2}, "not the model that was exported"),
    ],
)
def test_a_model_that_is_not_the_recorded_one_is_refused(
    tmp_path: "Path", options: dict[str, float], reason: str | None
) -> None:
    verified = verify_bundle(make_question(tmp_path, **options).folder)  # type: ignore[arg-type]
    if reason is None:
        assert load_version(verified, threads=1).replay.requests == 3
        return
    with pytest.raises(BundleError, match=reason):
        load_version(verified, threads=1)
