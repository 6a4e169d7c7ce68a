"""A shadow's report as one PNG: agreement, drift of scores, and both latencies.

Imports matplotlib, through its object interface: no window, no global state, and the same figures
give the same bytes.

    write_file(path, draw_shadows(read_report(url, "sentiment")))
"""

import io
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from maas_lab.shadowing.tallies import DRIFT_STEPS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes

    from maas_lab.shadowing.tallies import ModelShadows, ShadowReport

_BLUE, _ORANGE, _GREEN, _PALE = "#0072b2", "#d55e00", "#009e73", "#d9d9d9"
_MS = 1e6


def draw_shadows(found: "ModelShadows") -> bytes:
    """One row for each shadow and each version beside it.

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


def _agreement(axes: "Axes", model: str, report: "ShadowReport") -> None:
    title = f"{model}@{report.shadow} beside @{report.version}: {report.requests} requests"
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


def _drift(axes: "Axes", report: "ShadowReport") -> None:
    mean = report.drift / report.scores if report.scores else 0.0
    title = f"score drift: mean {mean:.3g}, worst {report.worst:.3g}"
    _dress(axes, title, "mean difference of a request", "requests")
    step = 1 / DRIFT_STEPS
    axes.bar(
        [bound - step / 2 for bound in report.drifts],
        list(report.drifts.values()),
        width=step,
        color=_BLUE,
    )
    axes.set_xlim(0, max([*report.drifts, 5 * step]))
    axes.set_ylim(bottom=0)


def _latency(axes: "Axes", report: "ShadowReport") -> None:
    _dress(axes, "latency of the task", "milliseconds", "requests that took no longer")
    for name, latencies, colour in (
        (f"@{report.version}, which answered", report.answered_ns, _BLUE),
        (f"@{report.shadow}, the shadow", report.shadow_ns, _ORANGE),
    ):
        times, parts = _shares(latencies)
        axes.step(times, parts, where="post", color=colour, label=name)
    axes.set_ylim(0, 1.02)
    axes.set_xlim(left=0)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.legend(frameon=False, loc="lower right")


def _shares(latencies: "Mapping[int, int]") -> tuple[list[float], list[float]]:
    """Upper bounds in milliseconds, and the part of the requests that took no longer."""
    total, seen = sum(latencies.values()), 0
    times, parts = [0.0], [0.0]
    for bound in sorted(latencies):
        seen += latencies[bound]
        times.append(bound / _MS)
        parts.append(seen / total)
    return times, parts


def _dress(axes: "Axes", title: str, x: str, y: str) -> None:
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(axis="y", color=_PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
