"""A comparison as one PNG: how the runs learned, and where they ended.

Imports matplotlib, through its object interface: no window, no global state, and the same figures
give the same bytes.

    write_file(path, draw_comparison(compare_runs(runs)))
"""

import io
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from maas_lab.comparing import Comparison

# Told apart in print and by colour-blind readers, too (Okabe and Ito); then lines and marks differ.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_MARKS = "osD^vPX"
_GREY, _PALE = "#666666", "#d9d9d9"


def draw_comparison(compared: "Comparison") -> bytes:
    """Learning curves of all runs, and bars of the metric beside targets and baselines.

    Returns:
        A PNG.
    """
    figure = Figure(
        figsize=(12.8, max(4.4, 1.6 + 0.6 * len(compared.runs))), dpi=150, layout="constrained"
    )
    curves, bars = figure.subplots(1, 2)
    _draw_curves(curves, compared)
    _draw_bars(bars, compared)
    buffer = io.BytesIO()
    # Without the library's version, so that the bytes follow from the figures.
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _draw_curves(axes: "Axes", compared: "Comparison") -> None:
    _dress(axes, "Loss on the validation rows", "epoch", "cross-entropy (nats)")
    for place, run in enumerate(compared.runs):
        axes.plot(
            [line.epoch for line in run.epochs],
            [line.validation_loss for line in run.epochs],
            marker=_MARKS[place % len(_MARKS)],
            linestyle=("-", "--", ":")[place // len(_MARKS) % 3],
            color=_COLOURS[place % len(_COLOURS)],
            label=run.name,
        )
    losses = [line.validation_loss for run in compared.runs for line in run.epochs]
    axes.set_ylim(0, 1.1 * max(losses, default=1.0))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.legend(frameon=False)


def _draw_bars(axes: "Axes", compared: "Comparison") -> None:
    """Each run's figure; a mark for its target and one for the best simple method."""
    _dress(axes, f"{compared.metric} on the same test rows", compared.metric, "")
    places = range(len(compared.runs))
    reached = [run.summary.reached for run in compared.runs]
    targets = [run.summary.target for run in compared.runs]
    best = [max(run.summary.baselines.values(), default=0.0) for run in compared.runs]
    axes.barh(
        places, reached, color=[_COLOURS[place % len(_COLOURS)] for place in places], height=0.6
    )
    axes.plot(targets, places, "|", color="black", markersize=24, label="target")
    if any(best):
        axes.plot(best, places, "d", color=_GREY, label="best simple method")
    axes.set_yticks(places, [run.name for run in compared.runs])
    axes.invert_yaxis()
    for place, value in zip(places, reached, strict=True):
        axes.annotate(f"  {value:.4g}", (0, place), va="center", color="white", weight="bold")
    axes.set_xlim(0, 1.15 * (max(*reached, *targets, *best) or 1.0))
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2)


def _dress(axes: "Axes", title: str, x: str, y: str) -> None:
    axes.set_title(title, loc="left", fontweight="bold")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=_PALE, linewidth=0.6)
    axes.set_axisbelow(True)
