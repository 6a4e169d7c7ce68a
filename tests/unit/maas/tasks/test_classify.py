"""Texts to labels with scores: what is asked, in the order asked, or an error with a name."""

import math
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from support.graphs import classifier_graph
from support.tiny import (
    FOREVER_WORD,
    LABELS,
    MAX_TOKENS,
    NAN_WORD,
    PANIC_TEXT,
    WORDS,
    TinyBundle,
    make_bundle,
    tiny_tokenizer,
    tiny_weights,
)

from maas.bundle.verify import verify_bundle
from maas.engine.session import Session, open_session
from maas.errors import (
    BundleError,
    DeadlineError,
    FieldError,
    MaasError,
    ModelOutputError,
    TokenizerError,
)
from maas.loading import load_version
from maas.tasks.classify import Classifier, ClassifyRequest, ClassifyResponse
from maas.tasks.labels import ScoreFunction
from maas.tasks.runs import BUCKET_TOKENS
from maas.text.tokenizer import load_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from maas.bundle.manifest import Manifest

TEXTS = ("a gripping story", "bad", "told with warmth and wit", "nonsense")
FUNCTIONS: tuple[ScoreFunction, ...] = ("softmax", "sigmoid", "none")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> TinyBundle:
    """Three labels, and words that make the model fail."""
    return make_bundle(
        tmp_path_factory.mktemp("bundles"), seed=4, hazards=True, labels=("no", "maybe", "yes")
    )


@pytest.fixture(scope="module")
def classifier(bundle: TinyBundle) -> Classifier:
    task = load_version(verify_bundle(bundle.folder, digest=bundle.digest), threads=1).task
    assert isinstance(task, Classifier)
    return task


def ask(
    classifier: Classifier, request: ClassifyRequest, *, seconds: float = 5
) -> ClassifyResponse:
    return classifier.predict(request, deadline=time.monotonic() + seconds)


def classifier_of(folder: "Path", manifest: "Manifest", graph: bytes) -> Classifier:
    """A classifier of a graph, without its golden requests."""
    (folder / "model.onnx").write_bytes(graph)
    (folder / "tokenizer.json").write_text(tiny_tokenizer())
    session = open_session(folder / "model.onnx", optimised=False, threads=1)
    return Classifier(manifest, load_tokenizer(folder / "tokenizer.json", max_tokens=4), session)


def scores(response: ClassifyResponse, row: int = 0) -> dict[str, float]:
    return {pair.label: pair.score for pair in response.rows[row]}


def test_softmax_is_what_is_answered_when_nothing_is_asked(
    classifier: Classifier, bundle: TinyBundle
) -> None:
    response = ask(classifier, ClassifyRequest(texts=TEXTS))
    for row, text in enumerate(TEXTS):
        assert scores(response, row) == pytest.approx(bundle.probabilities(text), abs=2e-6)
        assert sum(scores(response, row).values()) == pytest.approx(1.0, abs=3e-6)
    assert response.tokens == (3, 1, 5, 1)
    assert response.truncated == (False,) * 4
    assert response.seconds.keys() == {"tokenize", "run"}


def test_sigmoid_scores_each_label_by_itself(classifier: Classifier, bundle: TinyBundle) -> None:
    response = ask(classifier, ClassifyRequest(texts=TEXTS[:1], function="sigmoid"))
    wanted = 1 / (1 + np.exp(-bundle.logits(TEXTS[:1])[0].astype(np.float64)))
    assert scores(response) == pytest.approx(
        dict(zip(("no", "maybe", "yes"), wanted.tolist(), strict=True)), abs=2e-6
    )


def test_none_answers_the_logits(classifier: Classifier, bundle: TinyBundle) -> None:
    response = ask(classifier, ClassifyRequest(texts=TEXTS[:1], function="none"))
    wanted = dict(zip(("no", "maybe", "yes"), bundle.logits(TEXTS[:1])[0].tolist(), strict=True))
    assert scores(response) == pytest.approx(wanted, abs=2e-6)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(("top_k", "count"), [(None, 3), (1, 1), (2, 2), (3, 3), (4, 3), (1000, 3)])
def test_labels_come_best_first_and_as_many_as_asked(
    classifier: Classifier, function: ScoreFunction, top_k: int | None, count: int
) -> None:
    everything = ask(classifier, ClassifyRequest(texts=TEXTS, function=function))
    response = ask(classifier, ClassifyRequest(texts=TEXTS, top_k=top_k, function=function))
    for whole, row in zip(everything.rows, response.rows, strict=True):
        assert row == whole[:count]
        assert all(first.score >= second.score for first, second in pairwise(row))


def test_equal_scores_come_in_the_order_of_the_labels(bundle: TinyBundle, tmp_path: "Path") -> None:
    graph = classifier_graph(np.zeros_like(bundle.weights))
    response = ask(classifier_of(tmp_path, bundle.manifest, graph), ClassifyRequest(texts=("a",)))
    assert [pair.label for pair in response.rows[0]] == list(bundle.manifest.labels)


def test_scores_have_six_digits_and_are_plain_numbers(classifier: Classifier) -> None:
    for function in FUNCTIONS:
        response = ask(classifier, ClassifyRequest(texts=TEXTS, function=function))
        for pair in (pair for row in response.rows for pair in row):
            assert type(pair.score) is float
            assert pair.score == round(pair.score, 6)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from((*TEXTS, "good " * 40, "A FINE film")), min_size=1, max_size=8))
def test_a_batch_answers_as_its_texts_do_alone(classifier: Classifier, texts: list[str]) -> None:
    batch = ask(classifier, ClassifyRequest(texts=tuple(texts), function="none"))
    for row, text in enumerate(texts):
        alone = ask(classifier, ClassifyRequest(texts=(text,), function="none"))
        assert scores(batch, row) == pytest.approx(scores(alone), abs=1e-5)
        assert (batch.tokens[row], batch.truncated[row]) == (alone.tokens[0], alone.truncated[0])


class CountingSession:
    """A session that remembers the shapes that it was given."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.inputs, self.outputs = session.inputs, session.outputs
        self.shapes: list[tuple[int, ...]] = []

    def run(self, feeds: "dict[str, npt.NDArray[np.int64]]", *, deadline: float) -> Any:  # noqa: ANN401
        (shape,) = {array.shape for array in feeds.values()}
        self.shapes.append(shape)
        return self._session.run(feeds, deadline=deadline)


def behind(
    kind: type[CountingSession], bundle: TinyBundle, folder: "Path"
) -> tuple[Classifier, CountingSession]:
    """The bundle's classifier, for up to 512 tokens, with a session of this kind."""
    (folder / "model.onnx").write_bytes(classifier_graph(bundle.weights))
    (folder / "tokenizer.json").write_text(tiny_tokenizer())
    session = kind(open_session(folder / "model.onnx", optimised=False, threads=1))
    tokenizer = load_tokenizer(folder / "tokenizer.json", max_tokens=512)
    return Classifier(bundle.manifest, tokenizer, cast("Session", session)), session


@pytest.mark.parametrize(
    ("words", "shapes"),
    [
        ([1], [(1, 1)]),
        ([512] * 32, [(2, 512)] * 16),
        ([32] * 32, [(32, 32)]),
        ([33] * 32, [(31, 33), (1, 33)]),
        ([1] * 31 + [512], [(1, 512), (31, 1)]),
        ([512] + [1] * 31, [(1, 512), (31, 1)]),
        ([512, 1, 1, 512, 512, 1], [(2, 512), (1, 512), (3, 1)]),
        ([9, 25, 14, 24, 30, 8, 29], [(6, 30), (1, 8)]),  # padding: 49, with the last 71
        ([50, 100, 10, 90], [(3, 100), (1, 10)]),
        ([600, 600], [(2, 512)]),
    ],
)
def test_f16_the_model_is_given_a_bounded_number_of_tokens_at_a_time(
    bundle: TinyBundle, tmp_path: "Path", words: list[int], shapes: list[tuple[int, ...]]
) -> None:
    classifier, session = behind(CountingSession, bundle, tmp_path)
    # When texts of so many words are asked together
    texts = ["bad " * count for count in words]
    logits = classifier.logits(texts, deadline=time.monotonic() + 10)
    # Then they run in parts that fit and are alike in length; answers are in the texts' order
    assert session.shapes == shapes
    assert all(rows * width <= BUCKET_TOKENS for rows, width in shapes)
    wanted = np.outer([min(count, 512) for count in words], bundle.weights[WORDS.index("bad")])
    assert np.allclose(logits, wanted, rtol=1e-5, atol=1e-5)


def test_truncated_means_more_tokens_than_the_limit(classifier: Classifier) -> None:
    texts = ("good " * MAX_TOKENS, "good " * (MAX_TOKENS + 1))
    response = ask(classifier, ClassifyRequest(texts=texts))
    assert response.truncated == (False, True)
    assert response.rows[0] == response.rows[1]


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (ClassifyRequest(texts=()), "inputs"),
        (ClassifyRequest(texts=("a",) * 33), "inputs"),
        (ClassifyRequest(texts=("a", "")), "inputs[1]"),
        (ClassifyRequest(texts=("a",), top_k=0), "parameters.top_k"),
        (ClassifyRequest(texts=("a",), top_k=-1), "parameters.top_k"),
        (ClassifyRequest(texts=("a",), top_k=1001), "parameters.top_k"),
    ],
)
def test_what_was_asked_wrongly_is_refused_by_field(
    classifier: Classifier, request_: ClassifyRequest, field: str
) -> None:
    with pytest.raises(FieldError) as refused:
        ask(classifier, request_)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (NAN_WORD, ModelOutputError),
        (PANIC_TEXT, TokenizerError),
        (FOREVER_WORD, DeadlineError),
    ],
)
def test_a_failure_is_named_and_the_next_request_is_answered(
    classifier: Classifier, text: str, error: type[MaasError]
) -> None:
    good = ask(classifier, ClassifyRequest(texts=TEXTS))
    with pytest.raises(error) as failed:
        ask(classifier, ClassifyRequest(texts=("good", text)), seconds=0.05)
    assert text not in str(failed.value)
    assert replace(ask(classifier, ClassifyRequest(texts=TEXTS)), seconds={}) == replace(
        good, seconds={}
    )


def test_extreme_logits_give_scores_that_are_numbers(tmp_path: "Path") -> None:
    # Given a model that is far too sure
    weights = np.full_like(tiny_weights(0), 3e38)
    weights[:, 0] *= -1
    manifest = make_bundle(tmp_path / "bundles").manifest
    sure = classifier_of(tmp_path, manifest, classifier_graph(weights))
    for function in FUNCTIONS[:2]:
        response = ask(sure, ClassifyRequest(texts=("good",), function=function))
        assert scores(response) == {LABELS[1]: 1.0, LABELS[0]: 0.0}
    # And infinity is refused, not answered
    with pytest.raises(ModelOutputError, match="not a finite number"):
        ask(sure, ClassifyRequest(texts=("good good",), function="none"))


def test_a_graph_of_another_output_is_refused(bundle: TinyBundle, tmp_path: "Path") -> None:
    graph = classifier_graph(bundle.weights, output="scores")
    with pytest.raises(BundleError, match="outputs are not those"):
        classifier_of(tmp_path, bundle.manifest, graph)


def test_an_answer_of_other_width_than_the_labels_is_the_models_failure(
    bundle: TinyBundle, tmp_path: "Path"
) -> None:
    class Narrow(CountingSession):
        def run(self, feeds: Any, *, deadline: float) -> Any:  # noqa: ANN401
            return [super().run(feeds, deadline=deadline)[0][:, :2]]

    narrow, _ = behind(Narrow, bundle, tmp_path)
    with pytest.raises(ModelOutputError, match="one number per label"):
        ask(narrow, ClassifyRequest(texts=("good",)))


def test_scores_of_one_text_are_finite_for_any_unicode(classifier: Classifier) -> None:
    texts = ("\u202egood\u202c", "e\u0301" * 1000, "\ufdfa" * 100, "\x00", "<b>'; --", "🏳️‍🌈" * 9)
    response = ask(classifier, ClassifyRequest(texts=texts))
    assert all(math.isfinite(pair.score) for row in response.rows for pair in row)
