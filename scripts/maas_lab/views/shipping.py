"""What the shipping verbs say, for people and for machines. See `output` for how it is printed.

Imports the lab's records and rich's tables.
"""

from typing import TYPE_CHECKING

from rich.console import Group

from maas_lab.output import View, table
from maas_lab.packing.size_plan import LAMBDA_BYTES, LAYERS_MAX, MARGIN_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from maas_lab.packaging import Packaged
    from maas_lab.packing.size_plan import ModelPlan, SizePlan


def package_view(outcome: "Packaged") -> View:
    """What `maas package` wrote, or why it wrote nothing."""
    plan = outcome.plan
    data: dict[str, object] = {
        "written": plan.fits,
        "architecture": outcome.architecture,
        "plan": _plan_data(plan),
        "layers": [
            {
                "model": layer.served.model,
                "folder": str(layer.folder),
                "state": layer.state,
                "policy_revision": layer.served.policy.revision,
            }
            for layer in outcome.layers
        ],
        "removed": list(outcome.removed),
        "left_out": list(outcome.left_out),
        "samconfig_changed": outcome.samconfig_changed,
    }
    return View(data, Group(*_plan_text(plan), "", *_done_text(outcome)))


def _plan_text(plan: "SizePlan") -> "Iterator[RenderableType]":
    rows: list[tuple[object, ...]] = [
        (part.name, _mb(part.bytes), "", part.source) for part in plan.parts
    ]
    for model in plan.models:
        rows += [
            (f"{model.model}@{each.number}", _mb(each.bytes), each.form, each.reason)
            for each in model.versions
        ]
    yield table("part", "MB", "form", "why", rows=rows)
    yield ""
    verdicts = [
        (model.model, _mb(model.bytes), "fits" if model.fits else "does not fit")
        for model in plan.models
    ]
    yield table("function", "MB", f"of {_mb(MARGIN_BYTES)} planned", rows=verdicts)
    for model in plan.models:
        yield from _remedies_text(model)


def _remedies_text(model: "ModelPlan") -> "Iterator[str]":
    if not model.fits:
        yield f"\n{model.model} has {_mb(model.bytes - MARGIN_BYTES)} MB too many. What would help:"
    for remedy in model.remedies:
        verdict = "fits" if remedy.fits else "is not enough"
        yield f"  {_mb(remedy.bytes):>7} MB {verdict}: {remedy.what}"


def _done_text(outcome: "Packaged") -> "Iterator[str]":
    for line in outcome.left_out:
        yield f"left out: {line}"
    if not outcome.plan.fits:
        yield "nothing was written"
        return
    for layer in outcome.layers:
        yield f"layers/models/{layer.served.model} {layer.state}"
    for model in outcome.removed:
        yield f"layers/models/{model} removed: it is not among the models any more"
    state = "changed" if outcome.samconfig_changed else "unchanged"
    yield f"samconfig.toml {state}, architecture {outcome.architecture}; next: maas deploy"


def _plan_data(plan: "SizePlan") -> dict[str, object]:
    return {
        "fits": plan.fits,
        "limit_bytes": LAMBDA_BYTES,
        "planned_bytes": MARGIN_BYTES,
        "layers_max": LAYERS_MAX,
        "parts": [
            {"name": part.name, "bytes": part.bytes, "source": part.source} for part in plan.parts
        ],
        "models": [_model_data(model) for model in plan.models],
    }


def _model_data(model: "ModelPlan") -> dict[str, object]:
    return {
        "model": model.model,
        "bytes": model.bytes,
        "fits": model.fits,
        "versions": [
            {
                "number": each.number,
                "roles": sorted(each.roles),
                "reason": each.reason,
                "form": each.form,
                "bytes": each.bytes,
                "bytes_by_form": each.bytes_by_form,
            }
            for each in model.versions
        ],
        "remedies": [
            {"what": remedy.what, "bytes": remedy.bytes, "fits": remedy.fits}
            for remedy in model.remedies
        ],
    }


def _mb(count: int) -> str:
    return f"{count / 1e6:.1f}"
