"""The card of a bundle: what the model is, how good it is beside simple methods, where it is not.

Imports `maas` and the lab's records. Written beside the bundle, outside its digest:

    write_card(folder, run, export_record, bundle)      # folder/card.md and the run's plots
"""

import shutil
from typing import TYPE_CHECKING

from maas_lab.files import write_file

if TYPE_CHECKING:
    from pathlib import Path

    from maas.bundle.verify import Bundle
    from maas_lab.export_record import ExportRecord
    from maas_lab.runs import Run


def write_card(folder: "Path", run: "Run", export: "ExportRecord", bundle: "Bundle") -> None:
    """Write card.md and copy the run's plots beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    plots = sorted(run.plots.glob("*.png"))
    for plot in plots:
        shutil.copyfile(plot, folder / plot.name)
    sections = [
        _header(run, bundle),
        _figures(run),
        _labels(run),
        _data(run),
        _export(export, bundle),
        "\n\n".join(f"![{plot.stem.replace('-', ' ')}]({plot.name})" for plot in plots),
    ]
    write_file(folder / "card.md", ("\n\n".join(sections) + "\n").encode())


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
    recipe = run.recipe()
    labels = ", ".join(recipe.data.labels)
    return (
        f"# {recipe.name}\n\n"
        f"`{bundle.digest}`\n\n"
        f"A {recipe.task} model with the labels {labels}. Texts are cut after"
        f" {recipe.vocabulary.max_tokens} tokens. Run `{run.name}`, seed {recipe.seed}."
    )


def _figures(run: "Run") -> str:
    summary = run.summary()
    test, baselines = summary.test, summary.baselines
    low, high = wilson_interval(test.accuracy, test.rows)
    gap = 100 * (test.accuracy - baselines.linear)
    verdict = (
        f"The linear baseline is {-gap:.1f} points better: use it unless you need this network."
        if gap < 0
        else f"That is {gap:.1f} points above the linear baseline"
        + (", which is within the margin of error." if baselines.linear >= low else ".")
    )
    return (
        "## How good it is\n\n"
        "| on the test rows | accuracy |\n| --- | --- |\n"
        f"| this model | {test.accuracy:.3f} |\n"
        f"| TF-IDF and logistic regression, same split | {baselines.linear:.3f} |\n"
        f"| always the most frequent label | {baselines.majority:.3f} |\n\n"
        f"{verdict} With {test.rows} test rows the accuracy is known to lie between {low:.3f} and"
        f" {high:.3f} (Wilson interval, 95 %)."
        f" Calibration error {test.calibration_error:.3f}, loss {test.loss:.3f}."
        f" The recipe's target of {summary.target_accuracy:.2f} is"
        f" {'met' if summary.target_met else '**not met**'}."
        + (f"\n\n{note}" if (note := run.recipe().note) else "")
    )


def _labels(run: "Run") -> str:
    rows = [
        f"| {label} | {s.precision:.3f} | {s.recall:.3f} | {s.f1:.3f} | {s.rows} |"
        for label, s in run.summary().test.labels.items()
    ]
    head = "| label | precision | recall | F1 | rows |\n| --- | --- | --- | --- | --- |"
    return "\n".join([head, *rows])


def _data(run: "Run") -> str:
    card = run.data_card()
    counts = {split: sum(by_label.values()) for split, by_label in card.counts.items()}
    parts = ", ".join(f"{count} {split}" for split, count in counts.items())
    left_out = len(card.duplicates.repeated) + len(card.duplicates.conflicting)
    licence = f"Licence: {card.licence.rstrip('.')}. {card.citation}".rstrip()
    return (
        "## What it learned from\n\n"
        f"{card.title.rstrip('.')}. Rows: {parts}; {len(card.unusable)} unusable and {left_out}"
        f" duplicate rows were left out. Digest `{card.digest}`.\n\n"
        f"{licence}\n\n"
        "It knows texts like these and no others: expect less on other subjects, lengths and"
        " languages. The golden requests inside the bundle hold texts of the test split."
    )


def _export(export: "ExportRecord", bundle: "Bundle") -> str:
    parity = export.parity
    rows = [
        f"| {form.name} | {sum(entry.size for entry in form.files) / 1e6:.1f} MB |"
        for form in bundle.manifest.forms
    ]
    return (
        "## What was exported\n\n"
        f"ONNX opset {export.opset}. On {parity.rows} test rows,"
        f" {parity.joined_rows} joined ones and {parity.edge_rows} edge rows no"
        f" logit differs from torch by more than {parity.max_difference:.1e}"
        f" ({parity.tolerance:.0e} is accepted).\n\n"
        "| form | size |\n| --- | --- |\n" + "\n".join(rows)
    )
