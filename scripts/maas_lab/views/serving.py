"""What serve, predict, bench and doctor say, for people and for machines.

Imports the lab and rich's tables.
"""

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from maas_lab.bench import FIGURES, REFERENCE, Bench
from maas_lab.output import View, table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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


def prediction_view(inputs: "Sequence[str]", answer: "Prediction") -> View:
    """What was answered, by input: labels, a text, or a vector's first numbers and its length."""
    data: dict[str, object] = {
        "task": answer.task,
        "version": answer.version,
        "digest": answer.digest,
        "predictions": answer.rows,
    }
    said = _SAID.get(answer.task, str)
    rows = [(said(row), _shortened(given)) for given, row in zip(inputs, answer.rows, strict=True)]
    column = "file" if answer.task == "image-classification" else "text"
    return View(data, table(f"version {answer.version}", column, rows=rows))


def _labels(row: "list[dict[str, Any]]") -> str:
    return ", ".join(f"{best['label']} {best['score']:.3f}" for best in row)


def _vector(row: "list[float]") -> str:
    first = " ".join(f"{number:.4f}" for number in row[:4])
    more = " …" if len(row) > 4 else ""
    return f"{first}{more} ({len(row)} numbers, length {math.hypot(*row):.3f})"


_SAID: "dict[str, Callable[[Any], str]]" = {
    "text-classification": _labels,
    "image-classification": _labels,
    "feature-extraction": _vector,
    "translation": lambda row: str(row["translation_text"]),
    "summarization": lambda row: str(row["summary_text"]),
}


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
