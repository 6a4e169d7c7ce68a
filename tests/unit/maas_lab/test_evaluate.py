"""Scores: checked against figures worked out by hand, and against scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss, precision_recall_fscore_support
from torch import Tensor, nn

from maas_lab.evaluate import predict, score, validate
from maas_lab.tasks.texts import TextRows


class LastId(nn.Module):
    """Answers with a row's number of tokens and the sum of its ids; drops all in training."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        figures = torch.stack([attention_mask.sum(1), (input_ids * attention_mask).sum(1)], 1)
        return figures.float() * (0 if self.training else 1)


def test_logits_come_back_in_the_order_of_the_rows() -> None:
    lengths = np.random.default_rng(0).integers(0, 9, size=600)
    ids = [np.full(length, 1 + row, dtype=np.int32) for row, length in enumerate(lengths)]
    rows = TextRows(ids, np.zeros(600, dtype=np.int64))

    logits = predict(LastId().train(), rows, device="cpu")

    assert logits[:, 0].tolist() == lengths.tolist()
    assert logits[:, 1].tolist() == [int(row.sum()) for row in ids]


def test_scores_by_hand() -> None:
    # Given four rows: sure and right, sure and wrong, unsure and right, unsure and right
    sure, unsure = np.log(0.95 / 0.05), np.log(0.65 / 0.35)
    logits = np.array([[sure, 0], [sure, 0], [0, unsure], [unsure, 0]], dtype=np.float32)
    truth = np.array([0, 1, 1, 0])

    scores = score(logits, truth, labels=["bad", "good"])

    assert scores.rows == 4
    assert scores.accuracy == 0.75
    assert scores.confusion == [[2, 0], [1, 1]]
    assert scores.labels["bad"].precision == pytest.approx(2 / 3)
    assert scores.labels["bad"].recall == 1.0
    assert scores.labels["good"].f1 == pytest.approx(2 / 3)
    assert [found.rows for found in scores.reliability] == [2, 2]
    assert scores.reliability[0].confidence == pytest.approx(0.65)
    assert scores.reliability[1].accuracy == 0.5
    # Half of the rows are 0.35 too humble, half are 0.45 too sure.
    assert scores.calibration_error == pytest.approx(0.5 * 0.35 + 0.5 * 0.45)


def test_scores_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(500, 4)).astype(np.float32)
    truth = rng.integers(0, 4, size=500)
    names = ["a", "b", "c", "d"]

    scores = score(logits, truth, labels=names)

    odds = np.exp(logits.astype(np.float64))
    expected = precision_recall_fscore_support(truth, logits.argmax(1), zero_division=0)
    found = [[getattr(scores.labels[n], key) for n in names] for key in ("precision", "recall")]
    assert validate(logits, truth).loss == scores.loss
    assert validate(logits, truth).accuracy == scores.accuracy
    assert scores.loss == pytest.approx(log_loss(truth, odds / odds.sum(1, keepdims=True)))
    np.testing.assert_allclose(found, expected[:2])
    assert [scores.labels[n].rows for n in names] == expected[3].tolist()


def test_a_class_that_is_never_chosen_scores_zero_and_huge_logits_stay_finite() -> None:
    logits = np.array([[1e4, 0.0, 0.0], [1e4, 0.0, 0.0]], dtype=np.float32)

    scores = score(logits, np.array([0, 1]), labels=["a", "b", "c"])

    assert scores.labels["b"].precision == scores.labels["b"].recall == scores.labels["b"].f1 == 0
    assert scores.labels["c"].f1 == 0
    assert scores.loss == pytest.approx(5000)
    assert scores.reliability[0].confidence == 1.0
