"""A trained network's export: batches, order and padding change no answer (trust.md 7)."""

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.effort import examples
from support.laptop import BAD, GOOD, NEUTRAL, Laptop

from maas.assembly import build_services
from maas.settings import Settings
from maas.tasks.classify import Classifier, ClassifyRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

WORDS = st.sampled_from([*GOOD, *BAD, *NEUTRAL, "unheard", "影片", "\u200b"])
TEXTS = st.lists(st.lists(WORDS, min_size=1, max_size=100).map(" ".join), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def task(shipped: Laptop) -> Classifier:
    services = build_services(Settings.parse(shipped.environment), full=True)
    task = services("sentiment").turn(None).task
    assert isinstance(task, Classifier)
    return task


def scores(task: Classifier, texts: "Sequence[str]") -> "npt.NDArray[np.float64]":
    answer = task.predict(ClassifyRequest(tuple(texts)), deadline=math.inf)
    rows = [{each.label: each.score for each in row} for row in answer.rows]
    return np.array([[row["negative"], row["positive"]] for row in rows])


@settings(max_examples=examples(40, 1_000))
@given(st.data(), TEXTS)
def test_a_batch_in_any_order_is_its_texts_alone(
    task: Classifier, data: st.DataObject, texts: list[str]
) -> None:
    alone = np.concatenate([scores(task, [text]) for text in texts])
    order = list(data.draw(st.permutations(range(len(texts)))))
    batch = scores(task, [texts[place] for place in order])
    np.testing.assert_allclose(batch, alone[order], atol=1e-5)


@settings(max_examples=examples(40, 1_000))
@given(TEXTS)
def test_padding_changes_nothing(task: Classifier, texts: list[str]) -> None:
    longest = "film " * 100
    padded = scores(task, [*texts, longest])[:-1]
    np.testing.assert_allclose(padded, scores(task, texts), atol=1e-5)
