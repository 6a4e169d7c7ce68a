"""Run → bundle: copies files, writes the canonical manifest, and a card beside it.

Imports `maas` and the lab; computes nothing that an export has not computed.

    made = bundle_run(run, settings.bundles)
    made.bundle.digest                        # "sha256:…", the same for this run anywhere

The bundle lies in `<bundles>/<model>/<digest16>/`, its card in `<digest16>.card/` beside it and
outside its digest.
"""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import onnx

from maas.bundle.contents import check_contents
from maas.bundle.golden import GOLDEN
from maas.bundle.manifest import (
    MANIFEST,
    FileEntry,
    Form,
    ImageInput,
    Manifest,
    ModelLimits,
    bundle_digest,
    canonical_json,
    digest16,
    parse_manifest,
)
from maas.bundle.task_rules import CLASSIFYING
from maas.bundle.verify import Bundle, sha256_file, verify_bundle
from maas.errors import BundleError, RefusedError
from maas.loading import TOKENIZER
from maas.registry.records import TensorSpec
from maas_lab.card import write_card
from maas_lab.export_record import ExportedForm, export_folder, read_export
from maas_lab.files import copy_file, lock_folder, replace_folder, write_file
from maas_lab.recipes.recipe import ImageClassification, Seq2SeqRecipe
from maas_lab.records import Scores, WritingScores

if TYPE_CHECKING:
    from maas_lab.export_record import ExportRecord
    from maas_lab.recipes.recipe import AnyRecipe
    from maas_lab.runs import Run

_POINTER = "bundle.json"
_NO_NAME = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class MadeBundle:
    """A bundle on disk.

    Attributes:
        bundle: Verified.
        created: False where the same bundle lay there already.
        card: The card's folder.
    """

    bundle: Bundle
    created: bool
    card: Path

    @property
    def bytes(self) -> int:
        """Size of all files but the manifest."""
        return sum(entry.size for entry in self.bundle.manifest.entries())

    @property
    def bytes_by_form(self) -> dict[str, int]:
        """Size of each form's own files."""
        forms = self.bundle.manifest.forms
        return {form.name: sum(entry.size for entry in form.files) for form in forms}


def bundle_run(run: "Run", bundles: Path) -> MadeBundle:
    """Make the bundle of an exported run, or find that it is there; a damaged one is replaced.

    Args:
        run: A run that was exported.
        bundles: The folder of all bundles.

    Raises:
        RefusedError: The run was not exported.
        BundleError: What was exported does not make an acceptable bundle.
    """
    record = read_export(run)
    data = canonical_json(build_manifest(run, record))
    manifest = parse_manifest(data)  # what a reader would refuse is not written
    check_contents(export_folder(run), manifest)
    digest = bundle_digest(data)
    folder = bundles / manifest.name / digest16(digest)
    with lock_folder(run.folder):
        created = not _is_whole(folder, digest)
        if created:
            _place(export_folder(run), manifest, data, folder)
    bundle = verify_bundle(folder, digest=digest)
    card = folder.with_name(folder.name + ".card")
    write_card(card, run, record, bundle)
    write_file(run.folder / _POINTER, digest.encode() + b"\n")
    return MadeBundle(bundle, created, card)


def bundle_of(run: "Run", bundles: Path) -> Path:
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
        files=tuple(_entry(exported, name) for name in shared),
        forms=tuple(_form(exported, form, record.opset) for form in record.forms),
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


def _form(exported: Path, form: ExportedForm, opset: int) -> Form:
    folder = exported / form.name
    paths = sorted(f"{form.name}/{path.name}" for path in folder.iterdir())
    weights = _external_files(folder / "model.onnx")
    if stray := weights - {path.name for path in folder.iterdir()}:
        raise RefusedError(f"{form.name}/model.onnx points at {sorted(stray)}, outside its folder.")
    return Form(
        name=form.name,
        graph=f"{form.name}/model.onnx",
        optimised=form.optimised,
        opset=opset,
        files=tuple(_entry(exported, path) for path in paths),
    )


def _external_files(graph: Path) -> set[str]:
    model = onnx.load(graph, load_external_data=False)
    return {
        entry.value
        for tensor in model.graph.initializer
        for entry in tensor.external_data
        if entry.key == "location"
    }


def _signature(graph: Path) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
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


def _entry(folder: Path, path: str) -> FileEntry:
    return FileEntry(
        path=path, size=(folder / path).stat().st_size, sha256=sha256_file(folder / path)
    )


def _is_whole(folder: Path, digest: str) -> bool:
    try:
        verify_bundle(folder, digest=digest)
    except BundleError:
        return False
    return True


def _place(exported: Path, manifest: Manifest, data: bytes, folder: Path) -> None:
    """Copy beside the target and rename, so that a bundle is whole or absent."""
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        for entry in manifest.entries():
            (part / entry.path).parent.mkdir(parents=True, exist_ok=True)
            copy_file(exported / entry.path, part / entry.path)
        write_file(part / MANIFEST, data)
        replace_folder(folder, part)
    finally:
        shutil.rmtree(part, ignore_errors=True)
