"""The manifest of a bundle: strict to read, canonical to write, and its sha256 is the digest.

May import `maas.errors`, `maas.limits`, `maas.settings`, `maas.registry.records`, msgspec, and
`audio`, `composites`, `generation` and `task_rules` beside it.

    manifest = parse_manifest(data)          # refuses unknown fields, wrong types, wrong order
    data = canonical_json(manifest)          # the very bytes that `bundle_digest` hashes
    digest = bundle_digest(data)             # "sha256:…"

A manifest holds no time, host or path, so bundling one run twice gives the same digest anywhere.
"""

import hashlib
import math
import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from maas.bundle.audio import AudioInput, CtcVocabulary
from maas.bundle.composites import Composite
from maas.bundle.generation import Generation
from maas.bundle.task_rules import check_task
from maas.errors import BundleError
from maas.limits import LIMITS, Limits
from maas.registry.records import TensorSpec
from maas.settings import MODEL_NAME

MANIFEST = "manifest.json"

_SEGMENT = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_FILE_PATH = re.compile(rf"{_SEGMENT}(/{_SEGMENT})?")
# A label goes into answers, logs of counts and HTML cards: no control characters.
LABEL = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]{1,128}")

TaskName = Literal[
    "text-classification",
    "image-classification",
    "audio-classification",
    "automatic-speech-recognition",
    "token-classification",
    "zero-shot-classification",
    "question-answering",
    "feature-extraction",
    "translation",
    "summarization",
    "text-generation",
    "tabular-classification",
    "tensor",
]
"""What a model may do."""

Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
FormName = Annotated[str, Meta(pattern="^[a-z][a-z0-9-]{0,31}$(?!\\n)")]


class FileEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a bundle."""

    path: str
    """Relative, `/` between at most two segments."""
    size: Annotated[int, Meta(ge=0)]
    """Bytes."""
    sha256: Sha256
    """Of the content, lower-case hex."""


class Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One way in which the bundle holds the model; packaging ships exactly one."""

    name: FormName
    """portable, optimised-x86, …"""
    graph: str
    """Path of the ONNX graph among `files`."""
    optimised: bool
    """Whether the graph was optimised offline and is opened as it is."""
    opset: Annotated[int, Meta(ge=1)]
    """Version of the default ONNX operator set."""
    files: tuple[FileEntry, ...]
    """The graph, its external weights, and what `golden.own_golden` finds, in path order."""


class ModelLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the model was trained for."""

    max_tokens: Annotated[int, Meta(ge=0)]
    """Tokens of a text that are kept; what is longer is cut. 0 where no text is read."""
    max_new_tokens: Annotated[int, Meta(ge=0)] = 0
    """Tokens that may be written, the one that ends a text included. 0 where none is written."""


class ImageInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The picture that the graph takes; others are made like it."""

    width: Annotated[int, Meta(ge=1)]
    """Pixels of a row."""
    height: Annotated[int, Meta(ge=1)]
    """Rows."""
    channels: Literal[1, 3]
    """1 is grey, 3 is red, green and blue."""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Everything that there is to know about a bundle without opening its files."""

    format: Literal[1]
    """Version of this structure."""
    name: str
    """The model's name."""
    task: TaskName
    """Which task answers requests."""
    labels: tuple[str, ...]
    """Class names, by class index; none where the task has no classes, or nobody named them."""
    inputs: tuple[TensorSpec, ...]
    """The graph's inputs."""
    outputs: tuple[TensorSpec, ...]
    """The graph's outputs."""
    limits: ModelLimits
    """What the model was trained for."""
    metrics: dict[str, float]
    """Figures of the training run on its test split."""
    lineage: dict[str, str]
    """Where it comes from: run, recipe and data digests, library versions."""
    files: tuple[FileEntry, ...]
    """Files that every form needs, in path order."""
    forms: tuple[Form, ...]
    """At least one, in name order."""
    image: ImageInput | None = None
    """The graph's picture, for the tasks that look at one."""
    columns: tuple[str, ...] = ()
    """What a row has, in the graph's order, for a task that reads tables."""
    missing: tuple[str, ...] = ()
    """The columns of them in which a cell may be missing: the graph reads what is no number."""
    generation: Generation | None = None
    """How a text is gone on with, for the task that does."""
    audio: AudioInput | None = None
    """The graph's waveform, for the tasks that listen to one."""
    ctc: CtcVocabulary | None = None
    """What is spelled, for the task that writes down what it hears."""
    composites: tuple[Composite, ...] = ()
    """Outputs that are lists where JSON nests freely, of a graph that is served as it is."""

    def entries(self, form: str | None = None) -> tuple[FileEntry, ...]:
        """The shared files and those of one form, or of every form when None.

        Raises:
            BundleError: The bundle has no form of that name.
        """
        forms = self.forms if form is None else (self.form(form),)
        return self.files + tuple(entry for chosen in forms for entry in chosen.files)

    def form(self, name: str) -> Form:
        """Look up a form.

        Raises:
            BundleError: The bundle has no form of that name.
        """
        for form in self.forms:
            if form.name == name:
                return form
        raise BundleError(f"The bundle has no form {name!r}.", field="forms")


def canonical_json(value: msgspec.Struct) -> bytes:
    """Encode a struct in the one way that is hashed: sorted keys, no white space, UTF-8."""
    return msgspec.json.encode(value, order="sorted")


def bundle_digest(manifest_json: bytes) -> str:
    """Compute the digest of a bundle from its manifest's canonical bytes."""
    return "sha256:" + hashlib.sha256(manifest_json).hexdigest()


def digest16(digest: str) -> str:
    """Shorten a digest to the 16 hex characters that name a bundle's folder."""
    return digest.removeprefix("sha256:")[:16]


def parse_manifest(data: bytes, *, limits: Limits = LIMITS) -> Manifest:
    """Read a manifest and check all that can be checked without the files.

    Raises:
        BundleError: With the field at fault and the reason.
    """
    if len(data) > limits.manifest_bytes:
        raise BundleError(f"{MANIFEST} is larger than {limits.manifest_bytes} bytes.")
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        reason = str(error) if isinstance(error, msgspec.ValidationError) else "it is not JSON"
        raise BundleError(f"{MANIFEST} cannot be read: {reason}.") from None
    _check_names(manifest, limits)
    _check_tensors(manifest)
    check_task(manifest, limits)
    _check_forms(manifest)
    _check_files(manifest, limits)
    if canonical_json(manifest) != data:
        raise BundleError(f"{MANIFEST} is not in canonical form (sorted keys, no white space).")
    return manifest


def _check_names(manifest: Manifest, limits: Limits) -> None:
    if not MODEL_NAME.fullmatch(manifest.name):
        raise BundleError("must be a name such as sentiment (a-z, 0-9 and -)", field="name")
    labels = manifest.labels
    if len(set(labels)) != len(labels) or not all(map(LABEL.fullmatch, labels)):
        raise BundleError("must be distinct and free of control characters", field="labels")
    if not all(map(math.isfinite, manifest.metrics.values())):
        raise BundleError("must be finite numbers", field="metrics")


def _check_tensors(manifest: Manifest) -> None:
    for field, specs in (("inputs", manifest.inputs), ("outputs", manifest.outputs)):
        names = [spec.name for spec in specs]
        if not names or len(set(names)) != len(names):
            raise BundleError("must be at least one tensor, each named once", field=field)
        if any(isinstance(size, int) and size < 1 for spec in specs for size in spec.shape):
            raise BundleError("a fixed dimension must be at least 1", field=field)


def _check_forms(manifest: Manifest) -> None:
    names = [form.name for form in manifest.forms]
    if not names or names != sorted(set(names)):
        raise BundleError("must be at least one form, in name order", field="forms")
    for form in manifest.forms:
        if form.graph not in [entry.path for entry in form.files]:
            raise BundleError(f"form {form.name} does not list its graph", field="forms")
    for files in (manifest.files, *(form.files for form in manifest.forms)):
        if list(files) != sorted(files, key=lambda entry: entry.path):
            raise BundleError("must be in path order", field="files")


def _check_files(manifest: Manifest, limits: Limits) -> None:
    entries = manifest.entries()
    paths = [entry.path for entry in entries]
    if len(set(paths)) != len(paths) or MANIFEST in paths:
        raise BundleError("a file is listed twice", field="files")
    if bad := [path for path in paths if not _FILE_PATH.fullmatch(path)]:
        raise BundleError(f"{bad[0]!r} is not a plain path of at most two segments", field="files")
    if {path.split("/")[0] for path in paths if "/" in path} & set(paths):
        raise BundleError("a path is a file and a folder at once", field="files")
    if len(paths) > limits.bundle_files:
        raise BundleError(f"lists more than {limits.bundle_files} files", field="files")
    if sum(entry.size for entry in entries) > limits.bundle_bytes:
        raise BundleError(f"is larger than {limits.bundle_bytes} bytes", field="files")
