"""What `maas compare` says, for people and for machines.

Imports the lab and rich's tables.
"""

from typing import TYPE_CHECKING

from rich.console import Group

from maas_lab.output import View, table

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from maas_lab.comparing import ComparedRun, Comparison

_LABELS = 10


def compare_view(compared: "Comparison", plot: "Path") -> View:
    """A line for each run, and one for each class on which they differ most."""
    columns = ["run", compared.metric, "target", "simple methods", "network", "parameters"]
    columns += ["epochs", "seconds", "seed", "data"]
    parts: list[RenderableType] = [table(*columns, rows=[_row(run) for run in compared.runs])]
    if not compared.same_data:
        parts.append("note: the test rows are the same, what the runs learned from is not")
    if compared.labels:
        names = [f"F1 {run.name}" for run in compared.runs]
        rows = [
            (each.label, *(f"{f1:.3f}" for f1 in each.f1), f"{each.spread:.3f}")
            for each in compared.labels[:_LABELS]
        ]
        parts += ["", table("label", *names, "difference", rows=rows)]
        if len(compared.labels) > _LABELS:
            parts.append(f"{len(compared.labels) - _LABELS} more labels differ less (--json)")
    parts.append(f"\nplot {plot}")
    data: dict[str, object] = {
        "metric": compared.metric,
        "same_data": compared.same_data,
        "test_rows": compared.runs[0].test,
        "runs": [_object(run) for run in compared.runs],
        "f1": {each.label: list(each.f1) for each in compared.labels},
        "plot": str(plot),
    }
    return View(data, Group(*parts))


def _row(run: "ComparedRun") -> tuple[object, ...]:
    summary = run.summary
    return (
        run.name,
        f"{summary.reached:.4f}",
        f"{summary.target:g} {'met' if summary.target_met else 'NOT met'}",
        ", ".join(f"{name} {value:.4f}" for name, value in summary.baselines.items()) or "none",
        run.architecture,
        f"{summary.parameters:,}",
        summary.epochs,
        f"{summary.seconds:.0f}",
        run.recipe.seed,
        run.data[:15] + "…",
    )


def _object(run: "ComparedRun") -> dict[str, object]:
    summary = run.summary
    return {
        "run": run.name,
        "reached": summary.reached,
        "target": summary.target,
        "target_met": summary.target_met,
        "baselines": summary.baselines,
        "architecture": run.architecture,
        "parameters": summary.parameters,
        "epochs": summary.epochs,
        "best_epoch": summary.best_epoch,
        "seconds": summary.seconds,
        "seed": run.recipe.seed,
        "data": run.data,
    }
