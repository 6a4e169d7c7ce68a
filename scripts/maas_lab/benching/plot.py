"""The promises of a bench as one PNG: each row's spread beside what it must reach.

Imports matplotlib, through its object interface, as `maas_lab.plots` does.

    write_file(path, draw_bench(bench))
"""

import io
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from maas_lab.benching.figures import Bench

_BLUE, _ORANGE, _GREY, _PALE = "#0072b2", "#d55e00", "#666666", "#d9d9d9"


def draw_bench(bench: "Bench") -> bytes:
    """Draw every row that something is promised of, as a share of the promise.

    Where less is better a row is met left of the line; where more is better its inverse is drawn,
    so that left is met there, too.
    """
    rows = [row for row in bench.rows if row.must is not None]
    figure = Figure(figsize=(8.8, 0.55 * len(rows) + 1.8), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    for place, row in enumerate(rows):
        must = row.must or 1
        found = (row.found.low, row.found.median, row.found.high)
        low, median, high = sorted(must / x if row.more else x / must for x in found)
        colour = _BLUE if row.met else _ORANGE
        axes.plot([low, high], [place, place], color=colour, linewidth=2)
        axes.plot([median], [place], "o", color=colour)
        said = f"{row.found.median:.3g} {row.unit}, must {must:g}, aim {row.aim:g}"
        axes.annotate(said, (high, place), xytext=(6, 0), textcoords="offset points",
                      va="center", fontsize=8, color=_GREY)  # fmt: skip
    axes.axvline(1, color=_GREY, linestyle="--", label="must")
    axes.set_yticks(range(len(rows)), [row.name for row in rows], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, 2.2)
    axes.set_xlabel("share of what is promised; least, median and most of all rounds")
    title = f"{bench.model}@{bench.version}, {bench.form}, {bench.tokens} tokens"
    axes.set_title(title, loc="left", fontweight="bold")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=_PALE, linewidth=0.6, axis="x")
    axes.set_axisbelow(True)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
