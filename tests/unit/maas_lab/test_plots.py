"""Plots: PNG files that follow from the figures alone."""

import struct

import numpy as np
import pytest

from maas_lab.evaluate import score
from maas_lab.metrics import EpochMetrics, StepMetrics
from maas_lab.plots import draw_plots
from maas_lab.records import Baselines, Summary

STEPS = [StepMetrics(step=50 * n, train_loss=0.7 / n) for n in range(1, 9)]
EPOCHS = [
    EpochMetrics(
        step=200 * n,
        epoch=n,
        train_loss=0.7 / n,
        validation_loss=0.6,
        validation_accuracy=0.7,
        seconds=1.0,
    )
    for n in (1, 2)
]


def summary_of(classes: int) -> Summary:
    rng = np.random.default_rng(0)
    names = [f"label-{number}" for number in range(classes)]
    logits = rng.normal(size=(60, classes)).astype(np.float32)
    scores = score(logits, rng.integers(0, classes, size=60), labels=names)
    return Summary(
        test=scores,
        validation=scores,
        baselines=Baselines(majority=0.5, linear=0.7),
        target_accuracy=0.7,
        target_met=False,
        best_epoch=1,
        epochs=2,
        steps=400,
        parameters=10,
        vocabulary=10,
        seconds=1.0,
    )


@pytest.mark.parametrize("classes", [2, 20])
def test_the_plots_are_png_files_of_a_readable_size(classes: int) -> None:
    plots = draw_plots(summary_of(classes), STEPS, EPOCHS)

    assert sorted(plots) == ["accuracy.png", "confusion.png", "loss.png", "reliability.png"]
    for content in plots.values():
        assert content.startswith(b"\x89PNG\r\n\x1a\n")
        width, height = struct.unpack(">II", content[16:24])
        assert width >= 900
        assert height >= 600


def test_the_same_figures_give_the_same_bytes_without_a_note_of_time_or_software() -> None:
    plots = draw_plots(summary_of(2), STEPS, EPOCHS)

    assert draw_plots(summary_of(2), STEPS, EPOCHS) == plots
    for content in plots.values():
        assert b"tEXt" not in content
        assert b"tIME" not in content


def test_a_run_without_reported_steps_has_plots() -> None:
    assert len(draw_plots(summary_of(2), [], EPOCHS[:1])) == 4
