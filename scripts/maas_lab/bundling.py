"""Run → bundle: writes the manifest of what was exported, and a card beside it.

Imports onnx, `maas` and the lab; computes nothing that an export has not computed.

    made = bundle_run(run, settings.bundles)
    made.bundle.digest                        # "sha256:…", the same for this run anywhere
"""

import re
from typing import TYPE_CHECKING

import onnx

from maas.bundle.golden import GOLDEN
from maas.bundle.manifest import ImageInput, Manifest, ModelLimits, digest16
from maas.bundle.task_rules import CLASSIFYING
from maas.bundle.verify import sha256_file
from maas.errors import RefusedError
from maas.loading import TOKENIZER
from maas.registry.records import TensorSpec
from maas_lab.bundle_files import MadeBundle, describe_file, describe_form, place_bundle
from maas_lab.card import write_card
from maas_lab.export_record import export_folder, read_export
from maas_lab.files import lock_folder, write_file
from maas_lab.recipes.recipe import ImageClassification, Seq2SeqRecipe
from maas_lab.records import Scores, WritingScores

if TYPE_CHECKING:
    from pathlib import Path

    from maas_lab.export_record import ExportRecord
    from maas_lab.recipes.recipe import AnyRecipe
    from maas_lab.runs import Run

_POINTER = "bundle.json"
_NO_NAME = re.compile(r"[^a-z0-9]+")


def bundle_run(run: "Run", bundles: "Path") -> MadeBundle:
    """Make the bundle of an exported run, or find that it is there; a damaged one is replaced.

    Args:
        run: A run that was exported.
        bundles: The folder of all bundles.

    Raises:
        RefusedError: The run was not exported.
        BundleError: What was exported does not make an acceptable bundle.
    """
    record = read_export(run)
    with lock_folder(run.folder):
        made = place_bundle(export_folder(run), build_manifest(run, record), bundles)
    write_card(made.card, run, record, made.bundle)
    write_file(run.folder / _POINTER, made.bundle.digest.encode() + b"\n")
    return made


def bundle_of(run: "Run", bundles: "Path") -> "Path":
    """The folder of the bundle that was made of a run.

    Raises:
        RefusedError: None was made.
    """
    try:
        digest = (run.folder / _POINTER).read_text().strip()
    except FileNotFoundError:
        raise RefusedError(f"Run {run.name} has no bundle; run: maas bundle {run.name}") from None
    return bundles / run.recipe().name / digest16(digest)


def build_manifest(run: "Run", record: "ExportRecord") -> Manifest:
    """Describe an exported run: no time, no host and no path goes in."""
    recipe, environment = run.recipe(), run.environment()
    exported = export_folder(run)
    inputs, outputs = _signature(exported / "portable" / "model.onnx")
    shared = (GOLDEN,) if isinstance(recipe, ImageClassification) else (GOLDEN, TOKENIZER)
    return Manifest(
        format=1,
        name=recipe.name,
        task=recipe.task,
        labels=getattr(recipe.data, "labels", ()) if recipe.task in CLASSIFYING else (),
        inputs=inputs,
        outputs=outputs,
        limits=_limits(recipe),
        image=_image(run, recipe),
        metrics=_metrics(run, record),
        lineage={
            "run": run.name,
            "recipe": "sha256:" + sha256_file(run.recipe_file),
            "data": run.data_card().digest,
            "weights": "sha256:" + sha256_file(run.best_file),
            "commit": environment.commit or "none",
            **{f"version_{name}": version for name, version in environment.libraries.items()},
        },
        files=tuple(describe_file(exported, name) for name in shared),
        forms=tuple(
            describe_form(exported, form.name, optimised=form.optimised, opset=record.opset)
            for form in record.forms
        ),
    )


def _limits(recipe: "AnyRecipe") -> ModelLimits:
    if isinstance(recipe, ImageClassification):
        return ModelLimits(max_tokens=0)
    written = recipe.decoding.max_new_tokens if isinstance(recipe, Seq2SeqRecipe) else 0
    return ModelLimits(max_tokens=recipe.vocabulary.max_tokens, max_new_tokens=written)


def _image(run: "Run", recipe: "AnyRecipe") -> ImageInput | None:
    if not isinstance(recipe, ImageClassification):
        return None
    channels, height, width = run.picture_shape()
    return ImageInput(width=width, height=height, channels=3 if channels == 3 else 1)


def _metrics(run: "Run", record: "ExportRecord") -> dict[str, float]:
    """Figures by names of letters, digits and underscores."""
    summary = run.summary()
    test = summary.test
    figures = {f"test_{summary.metric}": summary.reached}
    if isinstance(test, Scores):
        figures |= {"test_loss": test.loss, "test_calibration_error": test.calibration_error}
    elif isinstance(test, WritingScores):
        figures |= {f"test_{name}": value for name, value in test.figures.items()}
    for prefix, named in (("baseline", summary.baselines), ("transfer", summary.transfer)):
        figures |= {f"{prefix}_{_NO_NAME.sub('_', name.lower())}": named[name] for name in named}
    return figures | {"parity_max_difference": record.parity.max_difference}


def _signature(graph: "Path") -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    model = onnx.load(graph)
    return _specs(model.graph.input), _specs(model.graph.output)


def _specs(values: "list[onnx.ValueInfoProto]") -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(
            name=value.name,
            dtype=str(onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)),
            shape=tuple(dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim),
        )
        for value in values
    )
