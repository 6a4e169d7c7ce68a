"""Whether the files of a bundle are what they are called, told before any library opens them.

May import `maas.bundle`, `maas.errors` and `maas.limits`. A bundle holds graphs with their weights,
golden requests, for the tasks that read texts a tokenizer, and nothing else; a form may have golden
requests of its own:

    check_contents(folder, manifest)               # every form
    check_contents(folder, manifest, form="portable")
"""

import hashlib
import os
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from maas.bundle.golden import GOLDEN, own_golden
from maas.bundle.graph_policy import GraphFacts, check_graph
from maas.bundle.task_rules import GENERATING, TEXTLESS, WRITING
from maas.bundle.tokenizer_policy import check_tokenizer
from maas.bundle.writing_tokenizer import check_writing_tokenizer
from maas.errors import BundleError
from maas.limits import LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from maas.bundle.manifest import FileEntry, Form, Manifest

TOKENIZER = "tokenizer.json"
_IDS = "input_ids"
_MAGIC = {
    b"\x93NUMPY": "a NumPy array",
    b"PK\x03\x04": "a zip archive, as torch.save and numpy.savez write it",
    b"\x1f\x8b\x08": "a gzip file",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ\x00": "an xz file",
    b"\x28\xb5\x2f\xfd": "a zstandard file",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file",
    b"\x7fELF": "a program",
    b"#!/": "a script",
}
_PICKLES = tuple(bytes((0x80, protocol)) for protocol in range(2, 6))


def check_contents(
    folder: "Path", manifest: "Manifest", *, form: str | None = None, limits: Limits = LIMITS
) -> None:
    """Check what lies in a bundle's files.

    Args:
        folder: Where the files lie, at their paths in the bundle.
        manifest: What they are.
        form: The one form whose files lie there; all of them when None.
        limits: Sizes and counts.

    Raises:
        BundleError: With the file and the reason.
    """
    for entry in manifest.entries(form):
        _check_magic(folder, entry)
    wanted = {GOLDEN} if manifest.task in TEXTLESS else {GOLDEN, TOKENIZER}
    if odd := {entry.path for entry in manifest.files} ^ wanted:
        raise BundleError(
            f"{min(odd)} is missing, or is no file of a bundle: beside its forms it holds"
            f" {' and '.join(sorted(wanted))}."
        )
    forms = manifest.forms if form is None else (manifest.form(form),)
    facts = [_check_form(folder, manifest, each, limits) for each in forms]
    _check_shared(folder, manifest, facts, limits)


def _check_form(folder: "Path", manifest: "Manifest", form: "Form", limits: Limits) -> GraphFacts:
    graph = PurePosixPath(form.graph)
    if graph.suffix != ".onnx":  # ONNX Runtime tells its formats by it
        raise BundleError(f"{graph} is called a graph and not .onnx.")
    golden = own_golden(form)  # no weights: a graph that points at it is refused
    if golden is not None:
        _read(folder, form.files, golden, limits.golden_bytes)
    known = (str(graph), golden)
    others = {PurePosixPath(each.path): each.size for each in form.files if each.path not in known}
    files = {path.name: size for path, size in others.items() if path.parent == graph.parent}
    data = _read(folder, form.files, str(graph), limits.graph_bytes)
    try:
        facts = check_graph(data, files, limits=limits)
    except BundleError as error:
        raise BundleError(f"{graph} is refused: {error}.") from None
    if unused := sorted(str(path) for path in others if path.name not in facts.files):
        raise BundleError(f"{graph} does not point at {unused[0]}, which is listed with it.")
    said = {"opset": facts.opset, "inputs": facts.inputs, "outputs": facts.outputs}
    listed = {
        "opset": form.opset,
        "inputs": tuple(spec.name for spec in manifest.inputs),
        "outputs": tuple(spec.name for spec in manifest.outputs),
    }
    for field, value in said.items():
        if value != listed[field]:
            raise BundleError(f"{graph} has other {field} than the manifest says.", field=field)
    return facts


def _check_shared(
    folder: "Path", manifest: "Manifest", facts: "Iterable[GraphFacts]", limits: Limits
) -> None:
    _read(folder, manifest.files, GOLDEN, limits.golden_bytes)
    if manifest.task in TEXTLESS:
        return
    data = _read(folder, manifest.files, TOKENIZER, limits.tokenizer_bytes)
    tables = [each.rows[_IDS] for each in facts if _IDS in each.rows]
    try:
        check_tokenizer(
            data,
            labels=manifest.labels,
            rows=min(tables, default=None),
            pads=manifest.task not in GENERATING,
            limits=limits,
        )
        if manifest.task in WRITING:
            check_writing_tokenizer(data)
    except BundleError as error:
        raise BundleError(f"{TOKENIZER} is refused: {error}.") from None


def _read(folder: "Path", entries: "Iterable[FileEntry]", path: str, most: int) -> bytes:
    """Read a file of which this is looked into: the very bytes that the manifest names."""
    (entry,) = (each for each in entries if each.path == path)
    if entry.size > most:
        raise BundleError(f"{path} has more than {most} bytes.")
    data = _part(folder, path, 0, entry.size + 1)
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise BundleError(f"{path} was changed: its sha256 is not the one of the manifest.")
    return data


def _check_magic(folder: "Path", entry: "FileEntry") -> None:
    """Refuse by name what would run code, or unpack to something, if it was ever opened as it is.

    Weights may begin with any bytes, so a pickle is one only if it ends like one, too.
    """
    start = _part(folder, entry.path, 0, 16)
    for magic, kind in _MAGIC.items():
        if start.startswith(magic):
            raise BundleError(f"{entry.path} is {kind}; a bundle holds none.")
    ends = entry.size and _part(folder, entry.path, entry.size - 1, 1) == b"."
    if start.startswith(_PICKLES) and ends:
        raise BundleError(f"{entry.path} is a pickle; a bundle holds none.")


def _part(folder: "Path", path: str, at: int, size: int) -> bytes:
    try:
        opened = os.open(folder / path, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(opened, "rb") as file:
            file.seek(at)
            return file.read(size)
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}.") from None
