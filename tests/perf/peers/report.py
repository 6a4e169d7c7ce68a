"""What was found: for machines, for people, and as a picture.

report = summary(found)                  # least, median and most; ratios within rounds
table(report), draw(found)
"""

import io
import statistics
from typing import Any

from contestants import FUNCTION, REFERENCE, SERVER  # type: ignore[import-not-found]
from matplotlib.figure import Figure

FIGURES = {"cold": "first answer, ms", "warm": "warm p50, ms", "rate": "requests/s at 8"}


def summary(found: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Least, median and most of each figure, and medians of ratios within rounds."""

    def spread(values: list[float]) -> list[float]:
        return [round(x, 2) for x in (min(values), statistics.median(values), max(values))]

    report: dict[str, Any] = {"rounds": len(next(iter(found.values()))), "servers": {}}
    for name, rows in found.items():
        figures = {figure: spread([row[figure] for row in rows]) for figure in FIGURES}
        if REFERENCE in found:
            for figure in FIGURES:
                pairs = zip(rows, found[REFERENCE], strict=True)
                figures[f"{figure} × bare"] = spread([a[figure] / b[figure] for a, b in pairs])
        report["servers"][name] = figures
    peers = [name for name in found if name not in (REFERENCE, FUNCTION, SERVER)]
    if peers and FUNCTION in found:
        fastest = min(peers, key=lambda name: statistics.median(r["cold"] for r in found[name]))
        pairs = zip(found[fastest], found[FUNCTION], strict=True)
        report["cold: fastest peer / maas function"] = spread(
            [a["cold"] / b["cold"] for a, b in pairs]
        )
        report["fastest peer"] = fastest
    if peers and SERVER in found:
        best = max(peers, key=lambda name: statistics.median(r["rate"] for r in found[name]))
        pairs = zip(found[SERVER], found[best], strict=True)
        report["rate: maas serve / best peer"] = spread([a["rate"] / b["rate"] for a, b in pairs])
        report["best peer"] = best
    return report


def table(report: dict[str, Any]) -> str:
    """For people: medians, and the ratio to the bare script's."""
    lines = [f"{'':14s}" + "".join(f"{title:>26s}" for title in FIGURES.values())]
    for name, figures in report["servers"].items():
        cells = []
        for figure in FIGURES:
            low, median, high = figures[figure]
            ratio = figures.get(f"{figure} × bare", [0, 0, 0])[1]
            cells.append(f"{low:.4g}/{median:.4g}/{high:.4g} ×{ratio:.2f}")
        lines.append(f"{name:14s}" + "".join(f"{cell:>26s}" for cell in cells))
    for name, value in report.items():
        if ": " in name:
            lines.append(f"{name}: {value[0]} / {value[1]} / {value[2]}")
    return "\n".join(lines) + "\n"


def draw(found: dict[str, list[dict[str, float]]]) -> bytes:
    """Three panels: medians as bars, least and most as whiskers."""
    figure = Figure(figsize=(10, 3.2), dpi=150, layout="constrained")
    names = list(found)
    for place, (key, title) in enumerate(FIGURES.items()):
        axes = figure.add_subplot(1, len(FIGURES), place + 1)
        values = [[row[key] for row in found[name]] for name in names]
        medians = [statistics.median(each) for each in values]
        below = [median - min(each) for median, each in zip(medians, values, strict=True)]
        above = [max(each) - median for median, each in zip(medians, values, strict=True)]
        colours = ["#0072b2" if name in (FUNCTION, SERVER) else "#666666" for name in names]
        axes.barh(range(len(names)), medians, xerr=[below, above], color=colours, ecolor="#d55e00")
        axes.set_yticks(range(len(names)), names if place == 0 else [""] * len(names))
        axes.invert_yaxis()
        axes.set_title(title, loc="left", fontsize=9)
        axes.spines[["top", "right"]].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
