"""What serve, predict, bench and doctor say, for people and for machines.

Imports the lab and rich's tables.
"""

import math
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Any

from msgspec import to_builtins
from rich.console import Group

from maas.bundle.task_rules import FILED, TABULAR
from maas_lab.benching.figures import FIGURES, Bench
from maas_lab.benching.programs import REFERENCE
from maas_lab.examples import example_of, path_of
from maas_lab.output import View, table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from maas.bundle.verify import Bundle
    from maas_lab.doctor import Finding
    from maas_lab.predicting import Prediction

_EXAMPLES = 5
"""Models that are shown how to ask; more would hide where the server is."""


def serving_view(url: str, models: "Mapping[str, Bundle]") -> View:
    """Where requests are answered, and how the first models are asked."""
    lines = [f"serving on {url} (Ctrl-C ends it)"]
    lines += [_asked(url, *each) for each in islice(models.items(), _EXAMPLES)]
    if len(models) > _EXAMPLES:
        lines.append(f"  and {len(models) - _EXAMPLES} more models, which maas list names")
    return View({"url": url, "models": list(models)}, "\n".join(lines))


def _asked(url: str, model: str, bundle: "Bundle") -> str:
    if example := example_of(url, model, bundle):
        return f"  {example}"
    if bundle.manifest.task in TABULAR:
        return f"  {model} reads more columns than fit here: curl {url}{path_of(model)}"
    return f"  {model} reads more than fits here: curl {url}{path_of(model, tensors=True)}"


def prediction_view(inputs: "Sequence[str]", answer: "Prediction") -> View:
    """What was answered, by input: labels, a text, or a vector's first numbers and its length."""
    data: dict[str, object] = {
        "task": answer.task,
        "version": answer.version,
        "digest": answer.digest,
        "predictions": answer.rows,
    }
    if answer.task in TABULAR:
        labels = [(label, number) for number, label in enumerate(answer.rows, start=1)]
        return View(data, table(f"version {answer.version}", "row", rows=labels))
    said = _SAID.get(answer.task, str)
    rows = [(said(row), _shortened(given)) for given, row in zip(inputs, answer.rows, strict=True)]
    column = "file" if answer.task in FILED else "text"
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
    "audio-classification": _labels,
    "automatic-speech-recognition": lambda row: str(row["text"]),
    "feature-extraction": _vector,
    "translation": lambda row: str(row["translation_text"]),
    "summarization": lambda row: str(row["summary_text"]),
}


def bench_view(bench: Bench, plot: "Path") -> View:
    """What is promised, and figures by program, each with its ratio to the bare script."""
    promises = [
        (
            row.name,
            f"{row.found.low:.3g} / {row.found.median:.3g} / {row.found.high:.3g} {row.unit}",
            "" if row.must is None else f"{row.must:g}",
            "" if row.aim is None else f"{row.aim:g}",
            {True: "met", False: "MISSED", None: ""}[row.met],
        )
        for row in bench.rows
    ]
    rows = [
        (name, *(_cell(bench, name, figure) for figure in FIGURES))
        for name in bench.variants
        if FIGURES.keys() & bench.variants[name].keys()
    ]
    title = f"{bench.model}@{bench.version}, {bench.form}, {bench.tokens} tokens"
    text = Group(
        table(title, "min / median / max", "must", "aim", "", rows=promises),
        "",
        table("median (× bare script)", *FIGURES.values(), rows=rows),
        f"plot {plot}",
    )
    data: dict[str, object] = to_builtins(bench)
    for row, promise in zip(bench.rows, data["rows"], strict=True):  # type: ignore[call-overload]
        promise["met"] = row.met
    data["ratios"] = {
        name: {
            figure: round(ratio, 3)
            for figure in FIGURES
            if (ratio := bench.ratio(name, figure)) is not None
        }
        for name in bench.variants
        if name != REFERENCE
    }
    data["plot"] = str(plot)
    return View(data, text)


def _cell(bench: Bench, name: str, figure: str) -> str:
    found, ratio = bench.variants[name].get(figure), bench.ratio(name, figure)
    return "" if found is None or ratio is None else f"{found.median:.1f} (×{ratio:.2f})"


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
