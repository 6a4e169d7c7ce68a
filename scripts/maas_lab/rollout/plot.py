"""A rollout as one PNG: the version's share, error rates and p99 over time.

Imports matplotlib, through its object interface, as `maas_lab.plots` does.

    write_file(folder / PLOT, draw_rollout("sentiment@2 → production", timeline.marks(), gate))
"""

import io
from datetime import datetime
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from maas.registry.rollout_records import Gate
    from maas_lab.rollout.timeline import Mark

PLOT = "rollout.png"
_BLUE, _ORANGE, _GREY, _PALE = "#0072b2", "#d55e00", "#666666", "#d9d9d9"
_HOUR = 7_200  # seconds from which minutes are easier to read


def draw_rollout(title: str, marks: "Sequence[Mark]", gate: "Gate") -> bytes:
    """Draw what a timeline says.

    Args:
        title: What was rolled out, and to where.
        marks: At least one.
        gate: The limits, which are drawn too.

    Returns:
        A PNG.
    """
    figure = Figure(figsize=(7.2, 7.2), dpi=150, layout="constrained")
    shares, errors, latencies = figure.subplots(3, 1, sharex=True)
    begin = datetime.fromisoformat(marks[0].at)
    seconds = [(datetime.fromisoformat(mark.at) - begin).total_seconds() for mark in marks]
    unit, divisor = ("min", 60) if seconds[-1] > _HOUR else ("s", 1)
    times = [each / divisor for each in seconds]

    _dress(shares, f"{title}: {marks[-1].kind}", "share of the requests")
    shares.step(times, [mark.percent / 100 for mark in marks], where="post", color=_BLUE)
    shares.set_ylim(0, 1.05)
    shares.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))

    looks = [(time, mark) for time, mark in zip(times, marks, strict=True) if mark.new]
    _dress(errors, "", "error rate of the step")
    for name, colour, marker in (("new", _ORANGE, "o-"), ("baseline", _GREY, "s-")):
        rates = [(at, found.error_rate) for at, mark in looks if (found := getattr(mark, name))]
        p99s = [
            (at, found.p99)
            for at, mark in looks
            if (found := getattr(mark, name)) and found.p99 is not None
        ]
        label = "new version" if name == "new" else "the others"
        for axes, points in ((errors, rates), (latencies, p99s)):
            axes.plot(
                [at for at, _ in points],
                [value for _, value in points],
                marker,
                color=colour,
                label=label,
                markersize=3,
            )
    errors.axhline(gate.max_error_rate, color=_GREY, linestyle="--", label="limit")
    worst = max((mark.new.error_rate for _, mark in looks if mark.new), default=0.0)
    errors.set_ylim(0, 1.2 * max(worst, gate.max_error_rate, 0.001))
    errors.yaxis.set_major_formatter(PercentFormatter(1.0))
    errors.legend(frameon=False)

    _dress(latencies, "", "p99 of the step (ms)")
    latencies.set_ylim(bottom=0)
    latencies.set_xlabel(f"time ({unit})")
    for axes in (shares, errors, latencies):
        for at, mark in zip(times, marks, strict=True):
            if mark.kind in ("stopped", "overtaken", "stuck"):
                axes.axvline(at, color=_ORANGE, linestyle=":")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _dress(axes: "Axes", title: str, y: str) -> None:
    axes.set_title(title, loc="left", fontweight="bold")
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=_PALE, linewidth=0.6)
    axes.set_axisbelow(True)
