"""What two versions answered, compared: labels one by one, numbers by their distance."""

import math
from typing import Any

import numpy as np
import pytest

from maas.shadow.outcome import OUTCOME_NUMBERS, Comparison, Outcome, compare, outcome_of
from maas.tasks.answers import Answer
from maas.tasks.classify import ClassifyResponse
from maas.tasks.embed import EmbedResponse
from maas.tasks.entities import Entity
from maas.tasks.labels import LabelScore
from maas.tasks.question import QuestionResponse
from maas.tasks.spans import Span
from maas.tasks.tensors import TensorResponse
from maas.tasks.token_classify import TokenClassifyResponse
from maas.tasks.transcribe import TranscribeResponse, Transcript
from maas.tasks.write import WriteResponse

NOT_A_NUMBER = math.nan


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (
            ClassifyResponse(
                rows=((LabelScore("good", 0.75), LabelScore("bad", 0.25)), ()), seconds={}
            ),
            Outcome(("good", ""), (0.75,)),
        ),
        (
            EmbedResponse(vectors=((1.0, 2.0), (3.0, 4.0)), similarities=(), seconds={}),
            Outcome((), (1.0, 2.0, 3.0, 4.0)),
        ),
        (
            EmbedResponse(vectors=(), similarities=(0.5,), seconds={}),
            Outcome((), (0.5,)),
        ),
        (WriteResponse(texts=("a", "b"), seconds={}), Outcome(("a", "b"), ())),
        (
            TranscribeResponse(rows=(Transcript("hello"),), seconds={}, truncated=()),
            Outcome(("hello",), ()),
        ),
        (
            QuestionResponse(
                answers=(Span(2, 6, 0.5), Span(0, 1, 0.1)),
                context="a film",
                listed=True,
                seconds={},
            ),
            Outcome(("film",), (0.5,)),
        ),
        (
            TokenClassifyResponse(
                rows=((Entity("PER", 0.9, "ada", 0, 3),), ()),
                grouped=True,
                alone=False,
                seconds={},
            ),
            Outcome(("0-3:PER", ""), (0.9,)),
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Answer) else "",
)
def test_an_answer_is_its_labels_or_texts_and_its_numbers(answer: Answer, outcome: Outcome) -> None:
    assert outcome_of(answer) == outcome


def test_tensors_are_numbers_and_which_of_a_row_is_the_largest() -> None:
    outputs: dict[str, Any] = {
        "logits": np.array([[1.0, 3.0], [2.0, 0.0]], np.float32),
        "one": np.array([[7]], np.int64),
        "words": np.array([b"a", "b"], np.object_),
    }
    said = outcome_of(TensorResponse(outputs=outputs, seconds={}))
    assert said == Outcome(("1", "0", "a", "b"), (1.0, 3.0, 2.0, 0.0, 7.0))


def test_of_a_large_answer_a_part_is_compared() -> None:
    outputs: dict[str, Any] = {
        "x": np.ones((3, OUTCOME_NUMBERS), np.float32),
        "y": np.ones(5, np.float32),
    }
    said = outcome_of(TensorResponse(outputs=outputs, seconds={}))
    assert len(said.scores) == OUTCOME_NUMBERS
    vectors = ((1.0,) * (OUTCOME_NUMBERS + 1),)
    said = outcome_of(EmbedResponse(vectors=vectors, similarities=(), seconds={}))
    assert len(said.scores) == OUTCOME_NUMBERS


@pytest.mark.parametrize(
    ("one", "other", "comparison"),
    [
        (Outcome(), Outcome(), Comparison(0, 0, 0, 0.0, 0.0)),
        (
            Outcome(("a", "b"), (0.5, 1.0)),
            Outcome(("a", "c"), (0.25, 1.0)),
            Comparison(2, 1, 2, 0.125, 0.25),
        ),
        # One of another shape agrees where it can, and its numbers belong to nothing
        (
            Outcome(("a", "b"), (0.5, 1.0)),
            Outcome(("a",), (0.5,)),
            Comparison(2, 1, 0, 0.0, 0.0),
        ),
        # No number is no distance
        (Outcome((), (1.0, 2.0)), Outcome((), (NOT_A_NUMBER, 3.0)), Comparison(0, 0, 1, 1.0, 1.0)),
        (Outcome((), (1.0,)), Outcome((), (math.inf,)), Comparison(0, 0, 0, 0.0, 0.0)),
    ],
)
def test_how_far_two_answers_are_apart(
    one: Outcome, other: Outcome, comparison: Comparison
) -> None:
    assert compare(one, other) == compare(other, one) == comparison
