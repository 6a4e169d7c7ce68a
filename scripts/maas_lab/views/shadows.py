"""What the verbs of shadows say, for people and for machines.

Imports `maas` and the lab.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.console import Group

from maas.registry.records import WEIGHT_TOTAL, encode
from maas_lab.output import View, table
from maas_lab.shadowing.figures import reached

if TYPE_CHECKING:
    from maas.registry.curator import AliasChange
    from maas_lab.shadowing.figures import Report, ShadowFigures


def shadow_view(change: "AliasChange") -> View:
    """An alias's shadow as it is now."""
    alias = change.record
    what = f"{alias.model}@{alias.name}"
    if alias.shadow is None:
        text = f"{what} has no shadow"
    else:
        percent = alias.shadow.sample * 100 / WEIGHT_TOTAL
        text = f"{what}: version {alias.shadow.version} sees {percent:g} % of the requests too"
    shadow = None if alias.shadow is None else encode(alias.shadow)
    data: dict[str, object] = {
        "model": alias.model,
        "alias": alias.name,
        "shadow": shadow,
        "revision": change.revision,
        "changed": change.changed,
    }
    return View(data, text if change.changed else f"{text} (no change)")


def report_view(found: "Report", plot: Path | None) -> View:
    """What is known of a model's shadows."""
    data: dict[str, object] = {
        "model": found.model,
        "source": found.source,
        "shadows": [_figures(report) for report in found.shadows],
        "plot": None if plot is None else str(plot),
    }
    if not found.shadows:
        return View(data, _NOTHING[found.source].format(model=found.model))
    rows = [
        (
            f"@{report.shadow}",
            "–" if report.version is None else f"@{report.version}",
            report.requests,
            report.errors,
            "–" if report.dropped is None else report.dropped,
            "–" if report.agreement is None else f"{report.agreement:.1%}",
            "–" if report.mean_drift is None else f"{report.mean_drift:.4f}",
            *(
                "–" if (reach := reached(spread, part)) is None else f"{reach:.2f}"
                for part in (0.5, 0.99)
                for spread in (report.answered_ms, report.shadow_ms)
            ),
        )
        for report in found.shadows
    ]
    counts = ("shadow", "beside", "requests", "errors", "dropped", "same label", "drift")
    times = ("p50 ms", "its p50", "p99 ms", "its p99")
    unsaid = ("Metrics do not say beside which version, nor what was dropped.",)
    notes = unsaid if found.source == "cloudwatch" else ()
    return View(data, Group(table(*counts, *times, rows=rows), f"plot {plot}", *notes))


_NOTHING = {
    "server": "{model}: no shadow has seen a request since the server started. Set one with:"
    " maas shadow set {model}@N --sample 5",
    "cloudwatch": "{model}: CloudWatch has nothing of its shadow in this time. Its functions have"
    " shadows where Shadows=on was deployed; metrics come some minutes late.",
}


def _figures(report: "ShadowFigures") -> dict[str, object]:
    told: dict[str, object] = msgspec.to_builtins(report)
    return told | {
        "agreement": report.agreement,
        "answered_p50_ms": reached(report.answered_ms, 0.5),
        "shadow_p50_ms": reached(report.shadow_ms, 0.5),
        "answered_p99_ms": reached(report.answered_ms, 0.99),
        "shadow_p99_ms": reached(report.shadow_ms, 0.99),
    }
