"""The figures of a run as PNG files: its course, what it is compared with, its confusion.

Imports matplotlib, through its object interface: no window, no global state, and the same figures
give the same bytes.

    steps, epochs = read_metrics(run.metrics_file)
    for name, content in draw_plots(summary, steps, epochs).items():
        write_file(run.plots / name, content)
"""

import io
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from maas_lab.records import Scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from maas_lab.metrics import EpochMetrics, StepMetrics
    from maas_lab.records import Summary

# Told apart in print and by colour-blind readers, too (after Okabe and Ito).
_BLUE, _ORANGE, _GREY, _PALE = "#0072b2", "#d55e00", "#666666", "#d9d9d9"
_STYLES = ("--", ":", "-.")
_LABELS_NAMED = 40  # classes whose confusion can still be read
_LABELS_WRITTEN = 12  # classes whose counts still fit into the cells


def draw_plots(
    summary: "Summary", steps: "Sequence[StepMetrics]", epochs: "Sequence[EpochMetrics]"
) -> dict[str, bytes]:
    """Draw all plots of a run.

    Returns:
        File name to PNG.
    """
    figures = {"compared.png": _draw_compared(summary)}
    if epochs:
        figures |= {
            "loss.png": _draw_loss(summary, steps, epochs),
            "accuracy.png": _draw_accuracy(summary, epochs),
        }
    if isinstance(summary.test, Scores):
        figures["reliability.png"] = _draw_reliability(summary.test)
        if len(summary.test.labels) <= _LABELS_NAMED:
            figures["confusion.png"] = _draw_confusion(summary.test)
    return {name: _png(figure) for name, figure in figures.items()}


def _draw_loss(
    summary: "Summary", steps: "Sequence[StepMetrics]", epochs: "Sequence[EpochMetrics]"
) -> Figure:
    figure, axes = _sheet("Loss", "epoch", "cross-entropy (nats)")
    ends = [0, *(line.step for line in epochs)]
    numbers = list(range(len(ends)))
    axes.plot(
        np.interp([line.step for line in steps], ends, numbers),
        [line.train_loss for line in steps],
        color=_BLUE,
        alpha=0.4,
        label="training, every few steps",
    )
    axes.plot(
        numbers[1:], [line.train_loss for line in epochs], "o-", color=_BLUE, label="training"
    )
    axes.plot(
        numbers[1:],
        [line.validation_loss for line in epochs],
        "s-",
        color=_ORANGE,
        label="validation",
    )
    _mark_best(axes, summary)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    return figure


def _draw_accuracy(summary: "Summary", epochs: "Sequence[EpochMetrics]") -> Figure:
    figure, axes = _sheet("Accuracy", "epoch", "share of the validation rows or tokens")
    numbers = [line.epoch for line in epochs]
    axes.plot(
        numbers,
        [line.validation_accuracy for line in epochs],
        "s-",
        color=_ORANGE,
        label="validation",
    )
    if isinstance(summary.test, Scores):
        share = summary.test.accuracy
        axes.plot([summary.best_epoch], [share], "D", color=_BLUE, label=f"test, {share:.1%}")
        for style, (name, value) in zip(_STYLES, summary.baselines.items(), strict=False):
            axes.axhline(value, color=_GREY, linestyle=style, label=f"{name}, {value:.1%}")
    _mark_best(axes, summary)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.legend(frameon=False)
    return figure


def _draw_compared(summary: "Summary") -> Figure:
    """The model beside simple methods, on the same rows."""
    rows = [("this model", summary.reached), *summary.baselines.items()]
    rows += [(f"this model on {name}", value) for name, value in summary.transfer.items()]
    figure, axes = _sheet(f"{summary.metric} on the test rows", summary.metric, "")
    places = range(len(rows))
    colours = [_BLUE if name.startswith("this model") else _GREY for name, _ in rows]
    axes.barh(places, [value for _, value in rows], color=colours)
    axes.set_yticks(places, [name for name, _ in rows])
    axes.invert_yaxis()
    for place, (_, value) in zip(places, rows, strict=True):
        axes.annotate(f" {value:.4g}", (value, place), va="center")
    axes.axvline(summary.target, color=_ORANGE, linestyle="--", label=f"target {summary.target:g}")
    axes.set_xlim(0, 1.15 * max(summary.target, *(value for _, value in rows)))
    axes.legend(frameon=False, loc="lower right")
    return figure


def _draw_confusion(scores: "Scores") -> Figure:
    figure, axes = _sheet("Confusion on the test rows", "answer of the model", "label")
    counts = np.array(scores.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    places = range(len(scores.labels))
    axes.set_xticks(places, list(scores.labels), rotation=0 if len(places) < 4 else 90)
    axes.set_yticks(places, list(scores.labels))
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    if len(places) <= _LABELS_WRITTEN:
        for row in places:
            for column in places:
                share = shares[row, column]
                axes.text(
                    column,
                    row,
                    f"{counts[row, column]}\n{share:.0%}",
                    ha="center",
                    va="center",
                    color="white" if share > 0.5 else "black",
                )
    bar = figure.colorbar(image, ax=axes, format=PercentFormatter(1.0, decimals=0))
    bar.set_label("share of the label's rows")
    bar.outline.set_visible(False)
    return figure


def _draw_reliability(scores: "Scores") -> Figure:
    title = f"Reliability (expected calibration error {scores.calibration_error:.3f})"
    figure, axes = _sheet(title, "how sure the model is", "how often it is right")
    low = 1 / len(scores.labels)
    axes.plot([low, 1], [low, 1], ":", color=_GREY, label="perfectly calibrated")
    sure = [found.confidence for found in scores.reliability]
    right = [found.accuracy for found in scores.reliability]
    axes.plot(sure, right, "o-", color=_BLUE, label="test rows")
    for found in scores.reliability:
        axes.annotate(
            str(found.rows),
            (found.confidence, found.accuracy),
            xytext=(0, -14),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            color=_GREY,
        )
    axes.plot([], [], " ", label="numbers: rows of the bin")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.legend(frameon=False, loc="upper left")
    return figure


def _sheet(title: str, x: str, y: str) -> tuple[Figure, "Axes"]:
    figure = Figure(figsize=(6.4, 4.4), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontweight="bold")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=_PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def _mark_best(axes: "Axes", summary: "Summary") -> None:
    axes.axvline(summary.best_epoch, color=_PALE, linewidth=6, zorder=0, label="the epoch kept")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _png(figure: Figure) -> bytes:
    """Without the library's version in the metadata, so that the bytes follow from the figures."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
