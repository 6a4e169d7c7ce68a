"""The card of a bundle: what the model is, how good it is beside simple methods, where it is not.

Imports `maas` and the lab's records. Written beside the bundle, outside its digest:

    write_card(folder, run, export_record, bundle)      # folder/card.md and the run's plots
"""

import shutil
from typing import TYPE_CHECKING

from maas_lab.display import speed_text
from maas_lab.files import write_file
from maas_lab.records import Scores, WritingScores

if TYPE_CHECKING:
    from pathlib import Path

    from maas.bundle.verify import Bundle
    from maas_lab.export_record import ExportRecord, Quantisation
    from maas_lab.records import Summary
    from maas_lab.runs import Run

_LABELS_NAMED = 20
_CELL_CHARACTERS = 300


def write_card(folder: "Path", run: "Run", export: "ExportRecord", bundle: "Bundle") -> None:
    """Write card.md and copy the run's plots beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    plots = sorted(run.plots.glob("*.png"))
    for plot in plots:
        shutil.copyfile(plot, folder / plot.name)
    sections = [
        _header(run, bundle),
        _figures(run),
        _details(run),
        _data(run),
        _export(export, bundle),
        "\n\n".join(f"![{plot.stem.replace('-', ' ')}]({plot.name})" for plot in plots),
    ]
    text = "\n\n".join(section for section in sections if section)
    write_file(folder / "card.md", (text + "\n").encode())


def wilson_interval(share: float, rows: int) -> tuple[float, float]:
    """Where a share that was measured on so many rows truly lies, 95 times in 100 (0 to 1).

    Unlike the share plus or minus a margin, it holds for few rows and for shares of 0 and 1.
    """
    squared = 1.96**2
    centre = share + squared / (2 * rows)
    margin = (squared * (share * (1 - share) + squared / (4 * rows)) / rows) ** 0.5
    scale = 1 + squared / rows
    return max(0.0, (centre - margin) / scale), min(1.0, (centre + margin) / scale)


def _header(run: "Run", bundle: "Bundle") -> str:
    recipe, manifest = run.recipe(), bundle.manifest
    parts = [f"A model for {recipe.task}"]
    if len(manifest.labels) > _LABELS_NAMED:
        parts[0] += f" with {len(manifest.labels)} labels"
    elif manifest.labels:
        parts[0] += f" with the labels {', '.join(manifest.labels)}"
    if manifest.image is not None:
        picture = manifest.image
        kind = "grey" if picture.channels == 1 else "coloured"
        parts.append(f"It looks at {kind} pictures of {picture.width} × {picture.height} pixels")
    if manifest.limits.max_tokens:
        parts.append(f"Texts are cut after {manifest.limits.max_tokens} tokens")
    if manifest.limits.max_new_tokens:
        parts.append(f"It writes {manifest.limits.max_new_tokens} tokens at the most")
    parts.append(f"Run `{run.name}`, seed {recipe.seed}")
    return f"# {recipe.name}\n\n`{bundle.digest}`\n\n{'. '.join(parts)}."


def _figures(run: "Run") -> str:
    """The target's metric, beside what needs no network."""
    summary = run.summary()
    test = summary.test
    rows = [("this model", summary.reached), *summary.baselines.items()]
    rows += [
        (f"this model on {name}, of another domain", v) for name, v in summary.transfer.items()
    ]
    table = "\n".join(f"| {name} | {_figure(value)} |" for name, value in rows)
    said = [_verdict(summary)] if summary.baselines else []
    said.append(
        f"The recipe's target of {_figure(summary.target)} is"
        f" {'met' if summary.target_met else '**not met**'}."
    )
    if isinstance(test, Scores):
        low, high = wilson_interval(test.accuracy, test.rows)
        said.insert(
            -1,
            f"With {test.rows} test rows the accuracy is known to lie between {low:.3f} and"
            f" {high:.3f} (Wilson interval, 95 %). Calibration error {test.calibration_error:.3f},"
            f" loss {test.loss:.3f}.",
        )
    elif isinstance(test, WritingScores):
        others = ", ".join(f"{name} {value:.1f}" for name, value in test.figures.items())
        said.append(f"{test.rows} rows, {test.beams} beams: {others} ({test.settings}).")
    else:
        said.append(
            f"Lowest of {test.rows} texts, mean {test.mean_cosine:.6f}, against {test.reference}."
        )
    if summary.speed is not None:
        said.append(f"Training on the GPU: {speed_text(summary.speed)}.")
    if note := run.recipe().note:
        said.append(f"\n\n{note}")
    head = f"## How good it is\n\n| on the test rows | {summary.metric} |\n| --- | --- |\n"
    return f"{head}{table}\n\n{' '.join(said)}"


def _verdict(summary: "Summary") -> str:
    """The model beside the best of what is simple."""
    name, best = max(summary.baselines.items(), key=lambda pair: pair[1])
    scale = 100 if isinstance(summary.test, Scores) else 1
    gap = scale * (summary.reached - best)
    if gap < 0:
        return f"{name} is {-gap:.1f} points better: use it unless you need this network."
    margin = ""
    if isinstance(summary.test, Scores):
        low, _ = wilson_interval(summary.test.accuracy, summary.test.rows)
        margin = ", which is within the margin of error" if best >= low else ""
    return f"That is {gap:.1f} points above {name}{margin}."


def _figure(value: float) -> str:
    return f"{value:.1f}" if value > 1.5 else f"{value:.4f}"


def _details(run: "Run") -> str:
    """Scores per class, or what was written."""
    test = run.summary().test
    if isinstance(test, Scores):
        return _labels(test)
    if isinstance(test, WritingScores):
        rows = [
            f"| {_cell(each.source)} | {_cell(each.answer)} | {_cell(each.reference)} |"
            for each in test.examples
        ]
        head = "The first test rows:\n\n| text | the model | a person |\n| --- | --- | --- |"
        return "\n".join([head, *rows])
    return ""


def _cell(text: str) -> str:
    short = text if len(text) <= _CELL_CHARACTERS else text[: _CELL_CHARACTERS - 1] + "…"
    return " ".join(short.replace("|", "\\|").split())


def _labels(test: Scores) -> str:
    rows = [
        f"| {label} | {s.precision:.3f} | {s.recall:.3f} | {s.f1:.3f} | {s.rows} |"
        for label, s in test.labels.items()
    ]
    head = "| label | precision | recall | F1 | rows |\n| --- | --- | --- | --- | --- |"
    return "\n".join([head, *rows])


def _data(run: "Run") -> str:
    card = run.data_card()
    counts = {split: sum(by_label.values()) for split, by_label in card.counts.items()}
    parts = ", ".join(f"{count} {split}" for split, count in counts.items())
    duplicates = len(card.duplicates.repeated) + len(card.duplicates.conflicting)
    others = sum(card.reasons.values()) - len(card.unusable)  # left out by a set's own rule
    said = (f"Licence: {card.licence}", card.redistribution, card.citation)
    licence = " ".join(f"{part.rstrip('.')}." for part in said if part)
    return (
        "## What it learned from\n\n"
        f"{card.title.rstrip('.')}. Rows: {parts}; {len(card.unusable)} unusable, {duplicates}"
        f" duplicate and {others} other rows were left out. Digest `{card.digest}`.\n\n"
        f"{licence}\n\n"
        "It knows rows like these and no others: expect less on other subjects, sizes and"
        " languages. The golden requests inside the bundle hold rows of the test split."
    )


def _export(export: "ExportRecord", bundle: "Bundle") -> str:
    parity = export.parity
    rows = [
        f"| {form.name} | {sum(entry.size for entry in form.files) / 1e6:.1f} MB |"
        for form in bundle.manifest.forms
    ]
    ties = f" {parity.ties} texts are written otherwise, where torch itself is undecided."
    return (
        "## What was exported\n\n"
        f"ONNX opset {export.opset}. On {parity.rows} test rows,"
        f" {parity.joined_rows} joined ones and {parity.edge_rows} edge rows no"
        f" number differs from torch by more than {parity.max_difference:.1e}"
        f" ({parity.tolerance:.0e} is accepted).{ties if parity.ties else ''}\n\n"
        "| form | size |\n| --- | --- |\n"
        + "\n".join(rows)
        + (_quantisation(export.quantisation) if export.quantisation else "")
    )


def _quantisation(tried: "Quantisation") -> str:
    """The optimised form before and after its weights were rounded to 8 bits."""
    figures = (
        (tried.metric, f"{tried.metric_before:.4g}", f"{tried.metric_after:.4g}"),
        ("size, MB", f"{tried.bytes_before / 1e6:.1f}", f"{tried.bytes_after / 1e6:.1f}"),
        (
            "one request, ms",
            f"{tried.milliseconds_before:.2f}",
            f"{tried.milliseconds_after:.2f}",
        ),
    )
    rows = "\n".join(f"| {name} | {before} | {after} |" for name, before, after in figures)
    return (
        "\n\nWith 8-bit weights, one thread, taking turns:\n\n"
        f"| | float32 | int8 |\n| --- | --- | --- |\n{rows}\n\n{tried.reason}"
    )
