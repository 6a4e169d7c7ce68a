"""Plots: PNG files that follow from the figures alone."""

import struct

import numpy as np
import pytest
from msgspec.structs import replace

from maas_lab.evaluate import score
from maas_lab.metrics import EpochMetrics, StepMetrics
from maas_lab.plots import draw_plots
from maas_lab.records import Summary, VectorScores, WritingScores

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
        metric="accuracy",
        test=scores,
        validation=scores,
        baselines={"majority": 0.5, "linear": 0.7},
        transfer={"tweets": 0.6},
        target=0.7,
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

    assert sorted(plots) == [
        "accuracy.png",
        "compared.png",
        "confusion.png",
        "loss.png",
        "reliability.png",
    ]
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
    assert len(draw_plots(summary_of(2), [], EPOCHS[:1])) == 5


def test_a_confusion_that_nobody_could_read_is_not_drawn() -> None:
    assert "confusion.png" not in draw_plots(summary_of(60), STEPS, EPOCHS)


def test_what_writes_is_drawn_beside_its_baselines() -> None:
    scores = WritingScores(
        rows=2, loss=1.0, figures={"bleu": 30.0}, beams=4, settings="made up", examples=[]
    )
    summary = replace(
        summary_of(2),
        metric="bleu",
        test=scores,
        validation=scores,
        baselines={"translation memory": 24.0},
        target=27.0,
    )

    assert sorted(draw_plots(summary, STEPS, EPOCHS)) == [
        "accuracy.png",
        "compared.png",
        "loss.png",
    ]


def test_what_was_not_trained_has_no_course() -> None:
    scores = VectorScores(rows=2, cosine=0.99, mean_cosine=1.0, reference="made up")
    summary = replace(
        summary_of(2), metric="cosine", test=scores, validation=scores, baselines={}, transfer={}
    )

    assert list(draw_plots(summary, [], [])) == ["compared.png"]
