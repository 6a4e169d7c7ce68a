"""What serve, predict, bench and doctor say, for people and for machines.

Imports the lab and rich's tables.
"""

from dataclasses import asdict
from typing import TYPE_CHECKING

from maas_lab.bench import FIGURES, REFERENCE, Bench
from maas_lab.output import View, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from maas_lab.doctor import Finding
    from maas_lab.predicting import Prediction


def serving_view(url: str, models: list[str]) -> View:
    """Where requests are answered."""
    lines = [f"serving on {url} (Ctrl-C ends it)"]
    for model in models:
        lines.append(
            f"  curl {url}/models/{model} -H 'content-type: application/json'"
            """ -d '{"inputs": "A fine film."}'"""
        )
    return View({"url": url, "models": models}, "\n".join(lines))


def prediction_view(texts: "Sequence[str]", answer: "Prediction") -> View:
    """Labels by text."""
    data = {"version": answer.version, "digest": answer.digest, "predictions": answer.rows}
    rows = [
        (", ".join(f"{best['label']} {best['score']:.3f}" for best in row), _shortened(text))
        for text, row in zip(texts, answer.rows, strict=True)
    ]
    return View(data, table(f"version {answer.version}", "text", rows=rows))


def bench_view(bench: Bench) -> View:
    """Figures by variant, each with its ratio to the bare script."""
    rows = []
    for name, measured in bench.variants.items():
        cells = [f"{min(measured.cold):.0f} / {measured.cold_median:.0f}"]
        cells += [f"{getattr(measured, figure):.2f}" for figure in FIGURES[1:]]
        ratios = [f"{ratio:.2f}" for ratio in bench.ratios(name).values()]
        rows.append((name, *(f"{cell} (×{r})" for cell, r in zip(cells, ratios, strict=True))))
    columns = (
        f"{bench.model}@{bench.version}, {bench.form}",
        "cold min / median, ms",
        "warm p50, ms",
        "warm p99, ms",
        "batch of 32, ms",
        "memory, MB",
    )
    data: dict[str, object] = asdict(bench)
    data["ratios"] = {
        name: {figure: round(ratio, 3) for figure, ratio in bench.ratios(name).items()}
        for name in bench.variants
        if name != REFERENCE
    }
    return View(data, table(*columns, rows=rows))


def doctor_view(findings: "Sequence[Finding]") -> View:
    """What was checked, and the remedy for what is missing."""
    rows = [
        ("ok" if finding.ok else "FAILED", finding.subject, finding.detail) for finding in findings
    ]
    data: dict[str, object] = {
        "ok": all(finding.ok for finding in findings),
        "findings": [asdict(finding) for finding in findings],
    }
    return View(data, table("", "checked", "found", rows=rows))


def _shortened(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"
