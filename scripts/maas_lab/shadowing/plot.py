"""A shadow's report as one PNG: agreement, drift of scores, and both latencies.

Imports matplotlib, through its object interface: no window, no global state, and the same figures
give the same bytes.

    write_file(path, draw_shadows(of_server(read_report(url, "sentiment"))))
"""

import io
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.axes import Axes

    from maas_lab.shadowing.figures import Report, ShadowFigures, Spread

_BLUE, _ORANGE, _GREEN, _PALE = "#0072b2", "#d55e00", "#009e73", "#d9d9d9"


def draw_shadows(found: "Report") -> bytes:
    """One row for each shadow, and in a server each version beside it.

    Args:
        found: At least one shadow.

    Returns:
        A PNG.
    """
    count = len(found.shadows)
    figure = Figure(figsize=(11.2, 1.0 + 2.9 * count), dpi=150, layout="constrained")
    rows = figure.subplots(count, 3, squeeze=False)
    for axes, report in zip(rows, found.shadows, strict=True):
        _agreement(axes[0], found.model, report)
        _drift(axes[1], report)
        _latency(axes[2], report)
    buffer = io.BytesIO()
    # Without the library's version, so that the bytes follow from the figures.
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _agreement(axes: "Axes", model: str, report: "ShadowFigures") -> None:
    beside = "" if report.version is None else f" beside @{report.version}"
    title = f"{model}@{report.shadow}{beside}: {report.requests} requests"
    _dress(axes, title, "", "rows")
    apart = report.rows - report.agreed
    parts = (("same label", report.agreed, _GREEN), ("another", apart, _ORANGE))
    for place, (name, rows, colour) in enumerate(parts):
        part = rows / report.rows if report.rows else 0.0
        axes.bar(place, part, color=colour, label=name)
        axes.annotate(f"{part:.1%}", (place, part), ha="center", va="bottom")
    axes.set_xticks([0, 1], [name for name, _, _ in parts])
    axes.set_ylim(0, 1.15)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def _drift(axes: "Axes", report: "ShadowFigures") -> None:
    mean, worst = _number(report.mean_drift), _number(report.worst)
    title = f"score drift: mean {mean}, worst {worst}"
    _dress(axes, title, "mean difference of a request", "requests that differ no more")
    _steps(axes, ((f"@{report.shadow}, the shadow", report.drifts, _ORANGE),))


def _latency(axes: "Axes", report: "ShadowFigures") -> None:
    _dress(axes, "latency of the task", "milliseconds", "requests that took no longer")
    answered = "what answered" if report.version is None else f"@{report.version}, which answered"
    shadow = f"@{report.shadow}, the shadow"
    _steps(axes, ((answered, report.answered_ms, _BLUE), (shadow, report.shadow_ms, _ORANGE)))


def _steps(axes: "Axes", lines: "Iterable[tuple[str, Spread, str]]") -> None:
    """The part of the requests that had no more than each value."""
    for name, spread, colour in lines:
        values = [0.0, *(value for _, value in spread)]
        parts = [0.0, *(part for part, _ in spread)]
        axes.step(values, parts, where="post", color=colour, label=name)
    axes.set_ylim(0, 1.02)
    axes.set_xlim(left=0)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.legend(frameon=False, loc="lower right")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _dress(axes: "Axes", title: str, x: str, y: str) -> None:
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(axis="y", color=_PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
