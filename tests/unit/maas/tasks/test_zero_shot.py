"""Labels of the caller's own: scored together or apart, by a model that says what follows."""

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.tiny import WORDS
from support.tiny_pairs import PAIR_TOKENS, TinyPairs, make_zero_shot

from maas.bundle.golden import TOLERANCE
from maas.bundle.verify import verify_bundle
from maas.errors import BundleError, FieldError
from maas.limits import LIMITS
from maas.loading import load_version
from maas.tasks.tensors import strings
from maas.tasks.zero_shot import ZeroShotClassifier, ZeroShotRequest, ZeroShotResponse

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "a gripping story"
TOPICS = ("good", "bad", "dull")
HERE = "a {} film"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> TinyPairs:
    return make_zero_shot(tmp_path_factory.mktemp("bundles"), seed=3)


@pytest.fixture(scope="module")
def classifier(bundle: TinyPairs) -> ZeroShotClassifier:
    task = load_version(verify_bundle(bundle.folder), threads=1).task
    assert isinstance(task, ZeroShotClassifier)
    return task


def ask(
    classifier: ZeroShotClassifier,
    *texts: str,
    labels: tuple[str, ...] = TOPICS,
    template: str = HERE,
    **options: Any,  # noqa: ANN401
) -> ZeroShotResponse:
    asked = ZeroShotRequest(texts, labels, template, **options)
    return classifier.predict(asked, deadline=time.monotonic() + 5)


def test_labels_share_a_sum_of_one(classifier: ZeroShotClassifier, bundle: TinyPairs) -> None:
    response = ask(classifier, TEXT, "bad")
    for row, text in zip(response.rows, (TEXT, "bad"), strict=True):
        wanted = bundle.scores(text, [HERE.format(label) for label in TOPICS])
        order = np.argsort(-wanted)
        assert [each.label for each in row] == [TOPICS[at] for at in order]
        assert [each.score for each in row] == pytest.approx(wanted[order], abs=2e-6)
    # [CLS] text [SEP] a label film [SEP], for each of three labels
    assert response.tokens == (3 * (3 + 6), 3 * (1 + 6))
    assert response.truncated == (False, False)


@pytest.mark.parametrize("labels", [TOPICS, TOPICS[:1]])
def test_several_may_fit_or_there_is_but_one(
    classifier: ZeroShotClassifier, bundle: TinyPairs, labels: tuple[str, ...]
) -> None:
    (row,) = ask(classifier, TEXT, labels=labels, multi=len(labels) > 1).rows
    for each in row:
        contradicts, _, follows = bundle.logits(TEXT, HERE.format(each.label)).astype(np.float64)
        powers = np.exp([contradicts, follows])
        assert each.score == pytest.approx(powers[1] / powers.sum(), abs=2e-6)
    assert [each.score for each in row] == sorted((each.score for each in row), reverse=True)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(WORDS[2:]), min_size=1, max_size=6, unique=True), st.data())
def test_the_order_of_labels_changes_nothing(
    classifier: ZeroShotClassifier, labels: list[str], data: st.DataObject
) -> None:
    other = data.draw(st.permutations(labels))
    one, two = (
        {each.label: each.score for each in ask(classifier, TEXT, labels=tuple(given)).rows[0]}
        for given in (labels, other)
    )
    assert one == pytest.approx(two, abs=2e-6)


def test_a_text_is_cut_and_a_label_is_not(
    classifier: ZeroShotClassifier, bundle: TinyPairs
) -> None:
    long = "good " * 40
    labels = ("bad", "a dull story told with wit")
    response = ask(classifier, long, labels=labels, multi=True)
    assert response.truncated == (True,)
    assert response.tokens == (2 * PAIR_TOKENS,)
    for each in response.rows[0]:
        left = PAIR_TOKENS - 3 - len(HERE.format(each.label).split())
        contradicts, _, follows = bundle.logits(
            " ".join(["good"] * left), HERE.format(each.label)
        ).astype(np.float64)
        assert each.score == pytest.approx(1 / (1 + np.exp(contradicts - follows)), abs=2e-6)


@pytest.mark.parametrize(
    ("options", "field", "said"),
    [
        ({"labels": ()}, "candidate_labels", "1 to 64 labels, got 0"),
        ({"labels": ("a",) * 65}, "candidate_labels", "1 to 64 labels, got 65"),
        ({"labels": ("a", " ")}, "candidate_labels[1]", "not white space alone"),
        ({"labels": ("x" * 257,)}, "candidate_labels[0]", "1 to 256 characters"),
        ({"labels": ("\ud800",)}, "candidate_labels[0]", "surrogate pair"),
        ({"labels": ("bad", "good " * 12)}, "candidate_labels[1]", "no room for a text"),
        ({"template": "a film"}, "hypothesis_template", "must hold {} once"),
        ({"template": "{} {}"}, "hypothesis_template", "must hold {} once"),
        ({"template": "{0.__class__} {}"}, "hypothesis_template", "no other brace"),
        ({"template": "{}" + "x" * 1_000}, "hypothesis_template", "at most 1000 characters"),
        ({"template": "{}\ud800"}, "hypothesis_template", "surrogate pair"),
    ],
)
def test_what_is_no_label_or_template_is_refused(
    classifier: ZeroShotClassifier, options: dict[str, Any], field: str, said: str
) -> None:
    with pytest.raises(FieldError) as refused:
        ask(classifier, TEXT, **options)
    assert refused.value.field == f"parameters.{field}"
    assert said in str(refused.value)


def test_labels_times_texts_are_bounded(classifier: ZeroShotClassifier) -> None:
    labels = tuple(f"label{number}" for number in range(LIMITS.windows // 4))
    assert len(ask(classifier, *["good"] * 4, labels=labels).rows) == 4
    with pytest.raises(FieldError, match=f"at most {LIMITS.windows} parts"):
        ask(classifier, *["good"] * 5, labels=labels)


# ---- By tensors ---------------------------------------------------------------------------------


def test_pairs_and_tokens_are_answered_with_logits(
    classifier: ZeroShotClassifier, bundle: TinyPairs
) -> None:
    deadline = time.monotonic() + 5
    names = [spec.name for spec in classifier.tensors.inputs]
    assert names == ["text", "text_pair", "input_ids", "attention_mask", "token_type_ids"]
    feeds = {
        "text": strings([b"a film", b"good " * 40], (2,)),
        "text_pair": strings([b"bad", b"the story"], (2, 1)),
    }
    answer = classifier.tensors.infer(feeds, deadline=deadline)
    wanted = [bundle.logits("a film", "bad"), bundle.logits(" ".join(["good"] * 11), "the story")]
    assert np.allclose(answer.outputs["logits"], wanted, atol=1e-5)
    assert (answer.tokens, answer.truncated) == ((6, 16), (False, True))
    ids = np.array([[18, 2, 4, 19, 7, 19]])
    types = np.array([[0, 0, 0, 0, 1, 1]])
    feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": types}
    answer = classifier.tensors.infer(feeds, deadline=deadline)
    assert np.allclose(answer.outputs["logits"], wanted[:1], atol=1e-5)


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"text_pair": strings([b"good " * 20], (1,))}, "text_pair", "no room for the other"),
        ({"text_pair": strings([b"a", b"b"], (2,))}, "text_pair", "must have the shape"),
        ({"text_pair": strings([b""], (1,))}, "text_pair", "must not be empty"),
        ({"text_pair": strings([b"\xff"], (1,))}, "text_pair", "not UTF-8"),
        ({"input_ids": np.array([[1]])}, "inputs", "not known"),
    ],
)
def test_pairs_that_cannot_be_read_are_refused(
    classifier: ZeroShotClassifier, change: dict[str, Any], field: str, said: str
) -> None:
    feeds = {"text": strings([b"a film"], (1,)), "text_pair": strings([b"bad"], (1,))} | change
    with pytest.raises(FieldError, match=said) as refused:
        classifier.tensors.infer(feeds, deadline=time.monotonic() + 5)
    assert refused.value.field == field


# ---- Golden requests, and labels ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, None),
        ({"golden_shift": TOLERANCE / 2}, None),
        ({"golden_shift": TOLERANCE * 2}, "not the model that was exported"),
        ({"labels": ("ENTAILED", "no")}, None),
        ({"labels": ("yes", "no")}, "must have one that begins with entail"),
    ],
)
def test_a_model_that_is_not_one_is_refused(
    tmp_path: "Path", options: dict[str, Any], reason: str | None
) -> None:
    bundle = make_zero_shot(tmp_path, **options)
    if reason is None:
        assert load_version(verify_bundle(bundle.folder), threads=1).replay.requests == 3
        return
    with pytest.raises(BundleError, match=reason):
        load_version(verify_bundle(bundle.folder), threads=1)


def test_what_contradicts_stands_at_the_other_end(tmp_path: "Path") -> None:
    bundle = make_zero_shot(tmp_path, labels=("entailment", "neutral", "contradiction"), seed=2)
    task = load_version(verify_bundle(bundle.folder), threads=1).task
    assert isinstance(task, ZeroShotClassifier)
    (row,) = ask(task, TEXT, labels=("bad",)).rows
    follows, _, contradicts = bundle.logits(TEXT, "a bad film").astype(np.float64)
    assert row[0].score == pytest.approx(1 / (1 + np.exp(contradicts - follows)), abs=2e-6)
