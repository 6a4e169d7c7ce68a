"""Losses by name, against torch's own means and figures worked out by hand."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from maas_lab.tasks.losses import as_weights, balanced_weights, class_loss

LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.0, 1.0, 0.0], [0.5, 0.5, 3.0], [1.0, 2.0, 0.0]])
LABELS = torch.tensor([0, 1, 2, 0])


def test_cross_entropy_is_a_sum() -> None:
    assert class_loss(LOGITS, LABELS, kind="cross-entropy") == pytest.approx(
        float(functional.cross_entropy(LOGITS, LABELS)) * 4
    )


def test_smoothing_shares_the_target_out() -> None:
    assert class_loss(LOGITS, LABELS, kind="cross-entropy", smoothing=0.3) == pytest.approx(
        float(functional.cross_entropy(LOGITS, LABELS, label_smoothing=0.3)) * 4
    )
    smooth = class_loss(LOGITS[:1], LABELS[:1], kind="bce", smoothing=0.3)
    wanted = torch.tensor([[0.8, 0.1, 0.1]])
    expected = functional.binary_cross_entropy_with_logits(LOGITS[:1], wanted, reduction="sum")
    assert smooth == pytest.approx(float(expected))


def test_yes_or_no_for_each_class() -> None:
    wanted = functional.one_hot(LABELS, 3).float()

    assert class_loss(LOGITS, LABELS, kind="bce") == pytest.approx(
        float(functional.binary_cross_entropy_with_logits(LOGITS, wanted, reduction="sum"))
    )


def test_the_squared_error_of_probabilities() -> None:
    even = torch.zeros(1, 2)

    assert class_loss(even, torch.tensor([1]), kind="mse") == pytest.approx(0.25 + 0.25)


@pytest.mark.parametrize("kind", ["cross-entropy", "bce", "mse"])
def test_a_row_counts_by_the_weight_of_its_class(kind: str) -> None:
    weights = torch.tensor([2.0, 0.0, 1.0])
    each = [class_loss(LOGITS[[row]], LABELS[[row]], kind=kind) for row in range(4)]  # type: ignore[arg-type]

    found = class_loss(LOGITS, LABELS, kind=kind, weights=weights)  # type: ignore[arg-type]

    assert found == pytest.approx(float(2 * each[0] + each[2] + 2 * each[3]), rel=1e-5)


def test_balanced_weights_give_each_class_the_same_say() -> None:
    labels = np.array([0, 0, 0, 1])

    weights = balanced_weights(labels, classes=2)

    assert weights.tolist() == pytest.approx([4 / 6, 2.0])
    assert weights[labels].sum() == pytest.approx(4.0)
    assert np.isfinite(balanced_weights(labels, classes=3)).all()


def test_no_weights_stay_none() -> None:
    assert as_weights(None, "cpu") is None
    tensor = as_weights(np.array([1.0, 2.0], dtype=np.float32), "cpu")
    assert tensor is not None
    assert tensor.tolist() == [1.0, 2.0]
