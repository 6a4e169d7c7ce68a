"""What the verbs of shadows say, for people and for machines.

Imports `maas` and the lab.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.console import Group

from maas.registry.records import WEIGHT_TOTAL, encode
from maas.statistics import quantile
from maas_lab.output import View, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maas.registry.records import AliasRecord
    from maas_lab.shadowing.tallies import ModelShadows, ShadowReport

_MS = 1e6


def shadow_view(alias: "AliasRecord", *, changed: bool) -> View:
    """An alias's shadow as it is now."""
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
        "revision": alias.revision,
        "changed": changed,
    }
    return View(data, text if changed else f"{text} (no change)")


def report_view(found: "ModelShadows", plot: Path | None) -> View:
    """What a server has seen of a model's shadows."""
    data: dict[str, object] = {
        "model": found.model,
        "shadows": [_figures(report) for report in found.shadows],
        "plot": None if plot is None else str(plot),
    }
    if not found.shadows:
        return View(
            data,
            f"{found.model}: no shadow has seen a request since the server started. Set one with:"
            f" maas shadow set {found.model}@N --sample 5",
        )
    rows = [
        (
            f"@{report.shadow}",
            f"@{report.version}",
            report.requests,
            report.errors,
            report.dropped,
            _percent(report.agreed, report.rows),
            _mean(report),
            _p(report.answered_ns, 0.5),
            _p(report.shadow_ns, 0.5),
            _p(report.answered_ns, 0.99),
            _p(report.shadow_ns, 0.99),
        )
        for report in found.shadows
    ]
    counts = ("shadow", "beside", "requests", "errors", "dropped", "same label", "drift")
    times = ("p50 ms", "its p50", "p99 ms", "its p99")
    return View(data, Group(table(*counts, *times, rows=rows), f"plot {plot}"))


def _figures(report: "ShadowReport") -> dict[str, object]:
    told: dict[str, object] = msgspec.to_builtins(report, str_keys=True)
    return told | {
        "agreement": report.agreed / report.rows if report.rows else None,
        "mean_drift": report.drift / report.scores if report.scores else None,
        "answered_p50_ms": _ms(report.answered_ns, 0.5),
        "shadow_p50_ms": _ms(report.shadow_ns, 0.5),
        "answered_p99_ms": _ms(report.answered_ns, 0.99),
        "shadow_p99_ms": _ms(report.shadow_ns, 0.99),
    }


def _ms(latencies: "Mapping[int, int]", part: float) -> float | None:
    found = quantile(latencies, part)
    return None if found is None else found / _MS


def _p(latencies: "Mapping[int, int]", part: float) -> str:
    found = _ms(latencies, part)
    return "–" if found is None else f"{found:.2f}"


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "–"


def _mean(report: "ShadowReport") -> str:
    return f"{report.drift / report.scores:.4f}" if report.scores else "–"
