"""From a model.onnx, or a folder of Hugging Face's, to a bundle that `maas register` takes.

Imports onnx, `maas` and the lab. What differs by task lies in the modules `fit_*`:

    imported = import_model(Path("model.onnx"), settings.bundles, Wishes())
    imported.made.bundle.digest, imported.fitted.states

The bundle is whole or absent, and is not made where registering would refuse it.
"""

import hashlib
import shutil
import tempfile
from dataclasses import replace as replace_fields
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from maas.bundle.golden import GOLDEN, own_golden
from maas.bundle.manifest import MANIFEST, Manifest, ModelLimits, canonical_json, parse_manifest
from maas.bundle.task_rules import LISTENING, TEXTLESS
from maas.bundle.verify import sha256_file, verify_bundle
from maas.errors import BundleError, FieldError, RefusedError
from maas.loading import TOKENIZER, optimised_form
from maas_lab.bundle_files import describe_file, describe_form, place_bundle
from maas_lab.exporting.forms import PORTABLE, write_goldens
from maas_lab.files import lock_folder
from maas_lab.importing.exported import Exported
from maas_lab.importing.exporters import EXPORTERS
from maas_lab.importing.fit_audio import fit_audio
from maas_lab.importing.fit_generation import fit_generator
from maas_lab.importing.fit_pictures import fit_pictures
from maas_lab.importing.fit_table import fit_table
from maas_lab.importing.fit_tensor import fit_tensor
from maas_lab.importing.fit_texts import fit_classifier, fit_embedder
from maas_lab.importing.fit_windows import fit_windows
from maas_lab.importing.forms import Outcome, has_trees, is_rounded, write_optimised
from maas_lab.importing.imported import Imported
from maas_lab.importing.options import check_options
from maas_lab.importing.reading import Foreign, read_foreign
from maas_lab.importing.refusals import refusal
from maas_lab.importing.report import write_report
from maas_lab.importing.wishes import TABLE, TENSOR, name_of
from maas_lab.releasing import replay_bundle

if TYPE_CHECKING:
    from maas.bundle.golden import Golden
    from maas_lab.importing.fitted import Fit, Fitted
    from maas_lab.importing.wishes import Wishes

_FITS: "dict[str, Fit]" = {
    TENSOR: fit_tensor,
    TABLE: fit_table,
    "text-classification": fit_classifier,
    "feature-extraction": fit_embedder,
    "token-classification": fit_windows,
    "zero-shot-classification": fit_windows,
    "question-answering": fit_windows,
    "image-classification": fit_pictures,
    "audio-classification": fit_audio,
    "automatic-speech-recognition": fit_audio,
    "text-generation": fit_generator,
}
_LIBRARIES = ("onnx", "onnxruntime")
_ORIGIN = ("config.json", "model.safetensors", "tokenizer.json")
_HEARD = ("preprocessor_config.json", "processor_config.json", "vocab.json")


def import_model(source: Path, bundles: Path, wishes: "Wishes") -> Imported:
    """Make a bundle of a model that was made elsewhere, or find that it is there.

    Args:
        source: A .onnx file, or a folder with config.json and model.safetensors.
        bundles: The folder of all bundles.
        wishes: What the user says of it.

    Raises:
        FieldError: A file or an option is not acceptable.
        RefusedError: The model cannot be served; the message has the remedy.
    """
    name = name_of(source, wishes)
    if wishes.task not in _FITS:
        raise FieldError(f"must be one of {', '.join(sorted(_FITS))}", field="task")
    check_options(wishes)
    with tempfile.TemporaryDirectory(prefix="maas-import-") as scratch:
        exported = _exported(source, Path(scratch), wishes)
        foreign = read_foreign(exported.graph)
        folder = Path(scratch) / "bundle"
        fitted = _fitted(foreign, exported, folder, wishes)
        lineage = {"source": _origin(source, foreign, wishes.task)}
        if foreign.producer:
            lineage["producer"] = foreign.producer
        described = _described(name, wishes, exported, fitted, folder=folder, lineage=lineage)
        manifest, optimised = _with_forms(described, foreign, fitted.goldens, folder)
        _prove(folder, manifest)
        with lock_folder(bundles / name):
            made = place_bundle(folder, manifest, bundles)
            imported = Imported(made, foreign, fitted, optimised, exported)
            write_report(imported)
    return imported


def _exported(source: Path, scratch: Path, wishes: "Wishes") -> Exported:
    """What is given, or what torch makes of it; what the user says goes before what it says."""
    if not source.is_dir():
        return Exported(source, ModelLimits(max_tokens=0), wishes.tokenizer, wishes.labels)
    export = EXPORTERS.get(wishes.task)
    if export is None:
        known = ", ".join(sorted(EXPORTERS)) or "none"
        raise FieldError(
            f"must be one of {known}, for a folder; or give the .onnx file in it", field="task"
        )
    out = scratch / "exported"
    out.mkdir()
    exported = export(source, out)
    return replace_fields(exported, labels=wishes.labels or exported.labels)


def _fitted(foreign: Foreign, exported: Exported, folder: Path, wishes: "Wishes") -> "Fitted":
    try:
        fitted = _FITS[wishes.task](foreign, exported, folder, wishes)
    except BundleError as error:
        raise refusal(error) from None
    write_goldens(folder / GOLDEN, fitted.goldens)
    return fitted


def _origin(source: Path, foreign: Foreign, task: str) -> str:
    """The digest of what was given: of the .onnx with its weights, or of the files of a folder."""
    if not source.is_dir():
        return foreign.digest
    found = hashlib.sha256()
    for name in (*_ORIGIN, *(_HEARD if task in LISTENING else ())):
        if (source / name).is_file():
            found.update(f"{name} {sha256_file((source / name).resolve())}\n".encode())
    return "sha256:" + found.hexdigest()


def _described(
    name: str,
    wishes: "Wishes",
    exported: Exported,
    fitted: "Fitted",
    *,
    folder: Path,
    lineage: dict[str, str],
) -> Manifest:
    """The manifest with the portable form: no time, no host and no path goes in."""
    shared = (GOLDEN,) if wishes.task in TEXTLESS else (GOLDEN, TOKENIZER)
    further: dict[str, Any] = {"columns": wishes.columns, **exported.manifest, **fitted.manifest}
    proof = exported.proof
    return Manifest(
        format=1,
        name=name,
        task=wishes.task,  # type: ignore[arg-type]  # one of those that can be imported
        labels=fitted.labels,
        inputs=fitted.inputs,
        outputs=fitted.outputs,
        limits=fitted.limits,
        image=fitted.image,
        metrics={"parity_max_difference": proof.max_difference} if proof else {},
        lineage=lineage | {f"version_{library}": version(library) for library in _LIBRARIES},
        files=tuple(describe_file(folder, path) for path in shared),
        forms=(),
        **further,
    )


def _with_forms(
    manifest: Manifest, foreign: Foreign, goldens: "tuple[Golden, ...]", folder: Path
) -> tuple[Manifest, Outcome]:
    """Add the optimised form where it is good, and golden requests of their own where it rounds."""
    outcome = Outcome(kept=False, reason="rewriting changes nothing in trees")
    if not has_trees(foreign.model):
        outcome = write_optimised(folder, manifest, goldens)
    names = [PORTABLE, *([optimised_form()] if outcome.kept else [])]
    if is_rounded(foreign.model):
        for name in names:
            shutil.copyfile(folder / GOLDEN, folder / name / GOLDEN)
    opset = next(each.version for each in foreign.model.opset_import if not each.domain)
    forms = tuple(
        describe_form(folder, name, optimised=name != PORTABLE, opset=opset)
        for name in sorted(names)
    )
    return replace(manifest, forms=forms), outcome


def _prove(folder: Path, manifest: Manifest) -> None:
    """Do what registering does, so that no bundle is made which it would refuse."""
    data = canonical_json(manifest)
    try:
        parse_manifest(data)
        (folder / MANIFEST).write_bytes(data)
        bundle = verify_bundle(folder)
    except BundleError as error:
        (folder / MANIFEST).unlink(missing_ok=True)
        raise refusal(error) from None
    try:
        replay_bundle(bundle)
    except BundleError as error:
        rounded = any(own_golden(form) for form in manifest.forms)
        hint = "" if rounded else " Where it computes in float16, export the model in float32."
        raise RefusedError(
            f"does not answer as a served one must: {error.described().rstrip('.')}.{hint}",
            field="model",
        ) from None
    finally:
        (folder / MANIFEST).unlink(missing_ok=True)
