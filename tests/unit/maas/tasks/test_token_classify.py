"""Tokens to labels: the model's own, joined to entities, in parts of a long text, with places."""

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from support.tiny import MAX_TOKENS
from support.tiny_tokens import LABELS, TinyTokens, best, make_tokens

from maas.bundle.golden import TOLERANCE
from maas.bundle.verify import verify_bundle
from maas.errors import BundleError, FieldError
from maas.limits import LIMITS
from maas.loading import load_version
from maas.tasks.tensors import strings
from maas.tasks.token_classify import TokenClassifier, TokenClassifyRequest, TokenClassifyResponse

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "a gripping story told with wit"
LONG = " ".join(("good", "film", "bad", "story") * 20)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> TinyTokens:
    return make_tokens(tmp_path_factory.mktemp("bundles"), seed=3)


@pytest.fixture(scope="module")
def classifier(bundle: TinyTokens) -> TokenClassifier:
    task = load_version(verify_bundle(bundle.folder), threads=1).task
    assert isinstance(task, TokenClassifier)
    return task


def ask(
    classifier: TokenClassifier,
    *texts: str,
    ignored: tuple[str, ...] = (),
    **options: Any,  # noqa: ANN401
) -> TokenClassifyResponse:
    asked = TokenClassifyRequest(texts, ignored=ignored, **options)
    return classifier.predict(asked, deadline=time.monotonic() + 5)


def as_dicts(row: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    names = {"entity": "label", "score": "score", "word": "word", "start": "start", "end": "end"}
    return [{name: getattr(each, field) for name, field in names.items()} for each in row]


def test_every_token_is_what_numpy_says(classifier: TokenClassifier, bundle: TinyTokens) -> None:
    response = ask(classifier, TEXT, "bad")
    for row, text in zip(response.rows, (TEXT, "bad"), strict=True):
        for found, wanted in zip(as_dicts(row), bundle.tokens(text), strict=True):
            assert found == wanted | {"score": pytest.approx(wanted["score"], abs=2e-6)}
    assert response.tokens == (6, 1)
    assert (response.grouped, response.truncated) == (False, (False, False))


def test_labels_may_be_left_out(classifier: TokenClassifier) -> None:
    everything = ask(classifier, TEXT).rows[0]
    for label in LABELS:
        kept = ask(classifier, TEXT, ignored=(label,)).rows[0]
        assert kept == tuple(each for each in everything if each.label != label)


@pytest.mark.parametrize("text", ["é good", "😀 good", "👨‍👩‍👧 good", "e\u0301 GOOD", "ﬁ good"])
def test_places_are_code_points_of_the_callers_own_text(
    classifier: TokenClassifier, text: str
) -> None:
    last = ask(classifier, text).rows[0][-1]
    assert text[last.start : last.end].lower() == "good"


@pytest.mark.parametrize("stride", [0, 1, 7, MAX_TOKENS - 1])
def test_a_long_text_is_read_in_parts(
    classifier: TokenClassifier, bundle: TinyTokens, stride: int
) -> None:
    # Given a text of several times the model's tokens
    short = ask(classifier, LONG, strategy="simple")
    assert short.truncated == (True,)
    assert max(entity.end for entity in short.rows[0]) < len(LONG) / 2
    # Then with a stride all of it is answered, once
    whole = ask(classifier, LONG, strategy="simple", stride=stride)
    assert whole.truncated == (False,)
    assert whole.tokens[0] >= 80
    assert whole.rows[0][-1].end == len(LONG)
    ends = [0, *(entity.end for entity in whole.rows[0])]
    assert all(
        entity.start >= before for entity, before in zip(whole.rows[0], ends[:-1], strict=True)
    )
    for entity in whole.rows[0]:
        first = LONG[entity.start : entity.end].split()[0]
        assert entity.label == best(bundle.weights, first)[0].split("-")[-1]


@pytest.mark.parametrize(
    ("options", "field", "said"),
    [
        ({"strategy": "simple", "stride": MAX_TOKENS}, "parameters.stride", "0 to 15"),
        ({"strategy": "simple", "stride": -1}, "parameters.stride", "0 to 15"),
        ({"stride": 2}, "parameters.stride", "aggregation_strategy other than none"),
    ],
)
def test_a_stride_that_cannot_be_is_refused(
    classifier: TokenClassifier, options: dict[str, Any], field: str, said: str
) -> None:
    with pytest.raises(FieldError, match=said) as refused:
        ask(classifier, TEXT, **options)
    assert refused.value.field == field


@pytest.mark.parametrize("step", [-1, 0, 1])
def test_more_parts_than_are_read_for_one_request_are_refused(
    classifier: TokenClassifier, step: int
) -> None:
    text = "good " * (MAX_TOKENS * (LIMITS.windows + step))
    if step <= 0:
        response = ask(classifier, text, strategy="simple", stride=0)
        assert response.tokens == (MAX_TOKENS * (LIMITS.windows + step),)
        return
    with pytest.raises(FieldError, match=f"at most {LIMITS.windows} parts") as refused:
        ask(classifier, text, strategy="simple", stride=0)
    assert refused.value.field == "inputs"


def test_a_text_of_which_nothing_is_left_has_no_entity(classifier: TokenClassifier) -> None:
    assert ask(classifier, "[pad]").rows[0][0].word == "[pad]"  # a word that is not known
    assert ask(classifier, "\u200b", strategy="simple").rows[0] != ()


# ---- By tensors ---------------------------------------------------------------------------------


def test_texts_and_tokens_are_answered_with_logits(
    classifier: TokenClassifier, bundle: TinyTokens
) -> None:
    deadline = time.monotonic() + 5
    names = [spec.name for spec in classifier.tensors.inputs]
    assert names == ["text", "input_ids", "attention_mask"]
    texts = strings([b"a good film", b"bad"], (2,))
    answer = classifier.tensors.infer({"text": texts}, deadline=deadline)
    logits = answer.outputs["logits"]
    assert logits.shape == (2, 3, len(LABELS))
    assert answer.tokens == (3, 1)
    assert np.allclose(logits[1, 0], bundle.weights[7])
    ids = np.array([[2, 6, 4], [7, 0, 0]])
    mask = np.array([[1, 1, 1], [1, 0, 0]])
    feeds = {"input_ids": ids, "attention_mask": mask}
    assert np.array_equal(
        classifier.tensors.infer(feeds, deadline=deadline).outputs["logits"], logits
    )
    with pytest.raises(FieldError, match="not known") as refused:
        classifier.tensors.infer({"text": texts, "input_ids": ids}, deadline=deadline)
    assert refused.value.field == "inputs"


# ---- Golden requests ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, None),
        ({"golden_shift": TOLERANCE / 2}, None),
        ({"golden_shift": TOLERANCE * 2}, "not the model that was exported"),
        ({"golden_rows": 1}, "other tokens"),
    ],
)
def test_a_model_that_is_not_the_recorded_one_is_refused(
    tmp_path: "Path", options: dict[str, Any], reason: str | None
) -> None:
    verified = verify_bundle(make_tokens(tmp_path, **options).folder)
    if reason is None:
        assert load_version(verified, threads=1).replay.requests == 3
        return
    with pytest.raises(BundleError, match=reason):
        load_version(verified, threads=1)
