"""What train, export, bundle and build-models say, for people and for machines.

Imports the lab's records and rich's tables.
"""

from typing import TYPE_CHECKING

import msgspec

from maas.errors import MaasError
from maas_lab.output import View, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maas_lab.building import BuiltModel
    from maas_lab.bundle_files import MadeBundle
    from maas_lab.export_record import ExportRecord
    from maas_lab.runs import Run


def run_view(run: "Run") -> View:
    """A finished run; training itself has shown its figures."""
    summary = run.summary()
    data: dict[str, object] = {"run": run.name, "folder": str(run.folder)}
    data["data"] = run.data_card().digest
    data["summary"] = msgspec.to_builtins(summary)
    return View(data, f"run {run.name}, test {summary.metric} {summary.reached:.4f}")


def export_view(run: "Run", record: "ExportRecord") -> View:
    """An export: its forms and how far they are from torch."""
    parity = record.parity
    rows = [(form.name, f"{form.max_difference:.1e}", form.digest) for form in record.forms]
    compared = f"{parity.rows} test, {parity.joined_rows} joined and {parity.edge_rows} edge rows"
    rows.append((compared, f"at most {parity.tolerance:.0e}", ""))
    data: dict[str, object] = {"run": run.name, **msgspec.to_builtins(record)}
    return View(data, table("form", "difference from torch", "digest", rows=rows))


def bundle_view(made: "MadeBundle") -> View:
    """A bundle: its digest and its size."""
    bundle = made.bundle
    data: dict[str, object] = {
        "created": made.created,
        "digest": bundle.digest,
        "folder": str(bundle.folder),
        "card": str(made.card / "card.md"),
        "bytes": made.bytes,
        "bytes_by_form": made.bytes_by_form,
    }
    forms = ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in made.bytes_by_form.items())
    state = "bundle" if made.created else "the same bundle was there already"
    lines = (
        f"{state} {bundle.manifest.name}: {forms}",
        f"digest {bundle.digest}",
        f"folder {bundle.folder}",
        f"card   {made.card / 'card.md'}",
    )
    return View(data, "\n".join(lines))


def built_view(built: "Mapping[str, BuiltModel | MaasError]") -> View:
    """Models by recipe: how good they are, what they weigh, and which version each became."""
    rows: list[tuple[object, ...]] = []
    data: list[dict[str, object]] = []
    for name, model in built.items():
        if isinstance(model, MaasError):
            rows.append((name, "FAILED", "", "", "", "", str(model)))
            data.append({"recipe": name, "error": str(model), "code": model.code})
            continue
        summary, made = model.summary, model.made
        sizes = {form: size / 1e6 for form, size in made.bytes_by_form.items()}
        rows.append(
            (
                name,
                f"{made.bundle.manifest.name}@{model.version}",
                f"{summary.metric} {summary.reached:.4f}",
                f"{summary.target:g} {'met' if summary.target_met else 'NOT met'}",
                f"{summary.seconds / 60:.1f}",
                ", ".join(f"{form} {size:.1f}" for form, size in sizes.items()),
                made.bundle.digest[:23] + "…",
            )
        )
        data.append(
            {
                "recipe": name,
                "model": made.bundle.manifest.name,
                "version": model.version,
                "promoted": model.promoted,
                "run": model.run.name,
                "metric": summary.metric,
                "reached": summary.reached,
                "target": summary.target,
                "target_met": summary.target_met,
                "seconds": summary.seconds,
                "bytes_by_form": made.bytes_by_form,
                "digest": made.bundle.digest,
            }
        )
    columns = ("recipe", "version", "on the test rows", "target", "minutes", "MB", "digest")
    return View({"models": data}, table(*columns, rows=rows))
