"""What must not change an answer: batches, order, padding, time; and what `truncated` says.

The metamorphic properties of trust.md 7, on the tiny model through its task, where tokens and cuts
are seen too, and through HTTP, where bytes are. tests/integration/test_metamorphic.py says the same
of a network that was trained.
"""

import json
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.effort import count, examples
from support.tiny import MAX_TOKENS, WORDS, Client, Home, make_home, open_client

from maas.tasks.classify import Classifier, ClassifyRequest, ClassifyResponse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

KNOWN = st.sampled_from(WORDS[2:16])
WORD = KNOWN | st.sampled_from(["unknown", "é", "\u200b", "[PAD]", "[UNK]", "影片", "x" * 50])
SENTENCES = st.lists(WORD, min_size=1, max_size=2 * MAX_TOKENS).map(" ".join)
ANY_TEXT = st.text(min_size=1, max_size=30).filter(str.strip)
TEXTS = st.lists(SENTENCES | ANY_TEXT, min_size=1, max_size=8)
FUNCTIONS = st.sampled_from(["softmax", "sigmoid", "none"])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_home(tmp_path_factory.mktemp("home"), versions=1)


@pytest.fixture(scope="module")
def task(home: Home) -> Classifier:
    task = home.services()("sentiment").turn(None).task
    assert isinstance(task, Classifier)
    return task


@pytest.fixture(scope="module")
def client(home: Home) -> "Iterator[Client]":
    with open_client(home.services()) as client:
        yield client


def ask(task: Classifier, texts: "Sequence[str]", **options: object) -> ClassifyResponse:
    count("requests")
    request = ClassifyRequest(tuple(texts), **options)  # type: ignore[arg-type]
    return task.predict(request, deadline=math.inf)


def scores(answer: ClassifyResponse) -> "npt.NDArray[np.float64]":
    """`[texts, labels]`, the labels in one order."""
    rows = [{each.label: each.score for each in row} for row in answer.rows]
    return np.array([[row[label] for label in sorted(row)] for row in rows])


@settings(max_examples=examples(100, 3_000))
@given(TEXTS, FUNCTIONS)
def test_a_batch_is_its_texts_alone(task: Classifier, texts: list[str], function: str) -> None:
    batch = ask(task, texts, function=function)
    singles = [ask(task, [text], function=function) for text in texts]
    together = np.concatenate([scores(single) for single in singles])
    np.testing.assert_allclose(scores(batch), together, atol=1e-5)
    assert batch.tokens == tuple(single.tokens[0] for single in singles)
    assert batch.truncated == tuple(single.truncated[0] for single in singles)


@settings(max_examples=examples(100, 3_000))
@given(st.data(), TEXTS)
def test_order_changes_nothing(task: Classifier, data: st.DataObject, texts: list[str]) -> None:
    order = data.draw(st.permutations(range(len(texts))))
    before = scores(ask(task, texts))
    after = scores(ask(task, [texts[place] for place in order]))
    np.testing.assert_allclose(after, before[list(order)], atol=1e-5)


@settings(max_examples=examples(60, 2_000))
@given(st.lists(st.lists(KNOWN, min_size=1, max_size=MAX_TOKENS), min_size=20, max_size=32))
def test_a_batch_of_many_lengths_is_its_texts_alone(
    task: Classifier, sentences: list[list[str]]
) -> None:
    """So many that they run in several parts, each of texts of like length."""
    texts = [" ".join(words) for words in sentences]
    batch = ask(task, texts)
    singles = [ask(task, [text]) for text in texts]
    together = np.concatenate([scores(single) for single in singles])
    np.testing.assert_allclose(scores(batch), together, atol=1e-5)
    assert batch.tokens == tuple(len(words) for words in sentences)


@settings(max_examples=examples(100, 3_000))
@given(SENTENCES | ANY_TEXT, TEXTS)
def test_padding_changes_nothing(task: Classifier, text: str, others: list[str]) -> None:
    """Beside longer texts a row is padded; beside itself it is not."""
    longest = "good " * MAX_TOKENS
    alone = scores(ask(task, [text]))[0]
    for batch in ([text, longest], [text, *others, longest], [text, text]):
        np.testing.assert_allclose(scores(ask(task, batch))[0], alone, atol=1e-5)


@settings(max_examples=examples(60, 2_000))
@given(TEXTS)
def test_the_same_request_is_answered_by_the_same_bytes(client: Client, texts: list[str]) -> None:
    body = json.dumps({"inputs": texts}).encode()
    first = client.post("/models/sentiment", content=body)
    client.predict("another between them")
    second = client.post("/models/sentiment", content=body)
    assert (first.status_code, second.content) == (200, first.content)


@settings(max_examples=examples(100, 3_000))
@given(st.lists(KNOWN, min_size=1, max_size=3 * MAX_TOKENS))
def test_truncated_is_said_of_what_has_more_tokens_than_the_limit(
    task: Classifier, words: list[str]
) -> None:
    answer = ask(task, [" ".join(words), "good"])
    assert answer.truncated == (len(words) > MAX_TOKENS, False)
    assert answer.tokens == (min(len(words), MAX_TOKENS), 1)


@settings(max_examples=examples(60, 2_000))
@given(st.lists(KNOWN, min_size=MAX_TOKENS, max_size=MAX_TOKENS), TEXTS)
def test_what_is_cut_off_changes_nothing(
    task: Classifier, kept: list[str], others: list[str]
) -> None:
    whole = ask(task, [" ".join(kept)])
    cut = ask(task, [" ".join([*kept, *others])])
    assert cut.rows == whole.rows


@settings(max_examples=examples(60, 2_000))
@given(SENTENCES, st.integers(1, 1_000))
def test_top_k_is_the_beginning_of_the_whole(task: Classifier, text: str, top_k: int) -> None:
    (whole,) = ask(task, [text]).rows
    (best,) = ask(task, [text], top_k=top_k).rows
    assert best == whole[:top_k]
    assert [each.score for each in whole] == sorted((each.score for each in whole), reverse=True)


@settings(max_examples=examples(60, 2_000))
@given(SENTENCES)
def test_softmax_adds_up_to_one_and_orders_as_the_logits_do(task: Classifier, text: str) -> None:
    (chances,) = ask(task, [text]).rows
    (logits,) = ask(task, [text], function="none").rows
    assert sum(each.score for each in chances) == pytest.approx(1.0, abs=2e-6)
    assert [each.label for each in chances] == [each.label for each in logits]
