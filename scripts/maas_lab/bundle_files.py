"""A bundle as files: its manifest's entries, and the one way in which it comes to lie where it is.

Imports onnx, `maas` and `maas_lab.files`. `bundling` makes a manifest of a run, `importing` one of
a foreign model; both place it so:

    made = place_bundle(exported, manifest, settings.bundles)
    made.bundle.digest, made.created

The bundle lies in `<bundles>/<model>/<digest16>/`, its card in `<digest16>.card/` beside it and
outside its digest.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import onnx

from maas.bundle.contents import check_contents
from maas.bundle.manifest import (
    MANIFEST,
    FileEntry,
    Form,
    Manifest,
    bundle_digest,
    canonical_json,
    digest16,
    parse_manifest,
)
from maas.bundle.verify import Bundle, sha256_file, verify_bundle
from maas.errors import BundleError, RefusedError
from maas_lab.files import copy_file, replace_folder, write_file


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


def place_bundle(exported: Path, manifest: Manifest, bundles: Path) -> MadeBundle:
    """Copy a manifest's files to where serving looks for them, or find that they are there.

    The caller sees to it that nobody else makes the same bundle, and writes its card.

    Args:
        exported: Where the files lie, at their paths in the bundle.
        manifest: What they are.
        bundles: The folder of all bundles.

    Raises:
        BundleError: They do not make an acceptable bundle; nothing was written.
    """
    data = canonical_json(manifest)
    manifest = parse_manifest(data)  # what a reader would refuse is not written
    check_contents(exported, manifest)
    digest = bundle_digest(data)
    folder = bundles / manifest.name / digest16(digest)
    created = not _is_whole(folder, digest)
    if created:
        _place(exported, manifest, data, folder)
    bundle = verify_bundle(folder, digest=digest)
    return MadeBundle(bundle, created, folder.with_name(folder.name + ".card"))


def describe_form(exported: Path, name: str, *, optimised: bool, opset: int) -> Form:
    """Describe the folder of a form.

    Args:
        exported: The folder that holds it.
        name: The form's, and its folder's.
        optimised: Whether the graph was optimised offline.
        opset: Version of the default operator set.

    Raises:
        RefusedError: The graph points at a file that is not in its folder.
    """
    folder = exported / name
    paths = sorted(f"{name}/{path.name}" for path in folder.iterdir())
    weights = _external_files(folder / "model.onnx")
    if stray := weights - {path.name for path in folder.iterdir()}:
        raise RefusedError(f"{name}/model.onnx points at {sorted(stray)}, outside its folder.")
    return Form(
        name=name,
        graph=f"{name}/model.onnx",
        optimised=optimised,
        opset=opset,
        files=tuple(describe_file(exported, path) for path in paths),
    )


def _external_files(graph: Path) -> set[str]:
    model = onnx.load(graph, load_external_data=False)
    return {
        entry.value
        for tensor in model.graph.initializer
        for entry in tensor.external_data
        if entry.key == "location"
    }


def describe_file(folder: Path, path: str) -> FileEntry:
    """Describe a file by its path in the bundle."""
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
