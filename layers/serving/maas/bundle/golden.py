"""Golden requests with what the trained model answered, recorded at export.

May import `maas.errors`, `maas.bundle` and msgspec. They travel in the bundle, and every load
replays some of them, so that a wrong model under the right name is found before its first request:

    for golden in read_golden(bundle, form): ...

What a task records: rows of numbers (logits, or an embedding's vectors), which may differ by
TOLERANCE; the texts that were written, greedily and with GOLDEN_BEAMS beams, which may not; or all
tensors that went in and came out, whose floats alone may differ.

golden.jsonl at the top is what the trained network answered, for every form that answers the same.
A form of rounded weights answers a little otherwise. It has what it answered itself, in a
golden.jsonl beside its graph: one of its own files, so that it is packed with it and alone.
"""

import math
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from maas.bundle.dtypes import DTYPES, STRING
from maas.bundle.task_rules import (
    BARE,
    GENERATING,
    LISTENING,
    LOOKING,
    PAIRED,
    TOKENWISE,
    TRANSCRIBING,
    WRITING,
)
from maas.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from maas.bundle.manifest import Form, Manifest
    from maas.bundle.verify import Bundle

GOLDEN = "golden.jsonl"
TOLERANCE = 1e-4
"""Largest absolute difference of a number between the trained, exported and loaded model."""
ROUNDED_TOLERANCE = 0.1
"""The same for a form with golden requests of its own, as a share of the largest recorded number,
or of 1 where that is less.

Whole numbers multiply alike on every processor (`maas_lab.exporting.quantising`), but what is
rounded to them was computed in floats, whose last bits differ: now and then one falls to the other
side, and moves answers by a step of 1/255 of a layer's range, and more with every layer. Trained
models whose floats were changed in the last bits on purpose moved by this much at most, of numbers
up to that:

    sentence vectors, six layers    0.038 of 0.4
    digits, convolutions            0.0084 of 24
    classifiers, LSTM               0.0002 of 0.2

Another model's vectors or logits are farther away; a text that is written stays the same.
"""
GOLDEN_BEAMS = 4
"""Beams that `beam_outputs` were written with; `max_new_tokens` is the manifest's."""
GOLDEN_TOKENS = 16
"""Tokens that a model which goes on with a text writes for one of `outputs`, at the most."""

Some = Annotated[tuple[str, ...], Meta(min_length=1)]


class GoldenTensor(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A tensor, value by value."""

    name: str
    """The input's or output's."""
    dtype: str
    """numpy's name, or `string`."""
    shape: tuple[Annotated[int, Meta(ge=0)], ...]
    """As it was sent or answered; none for a scalar."""
    data: bytes = b""
    """The numbers, little end first, row by row; base64 in the file."""
    texts: tuple[str, ...] = ()
    """The elements of a `string`, row by row."""

    @property
    def is_whole(self) -> bool:
        """Whether there are as many values as the shape says."""
        count = math.prod(self.shape)
        if self.dtype == STRING:
            return len(self.texts) == count and not self.data
        return len(self.data) == count * DTYPES.get(self.dtype, -1) and not self.texts


class Golden(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One request and what the trained model answered."""

    texts: Some = ()
    """The request's texts, encoded and padded together."""
    pairs: Some = ()
    """What each text is paired with, for a model that reads two."""
    logits: tuple[tuple[float, ...], ...] = ()
    """One row per text, image or clip: one number per label, or of the vector. Where the model says
    something of each token, there is one text, and a row per token with a number per label, or one
    per output; where of each frame, one clip, and a row per frame with a number per token."""
    images: Some = ()
    """The request's images instead of texts, each a PNG in base64."""
    clips: Some = ()
    """The request's clips of sound instead of texts, each a WAV file in base64."""
    outputs: Some = ()
    """What was written for each text, greedily: decoded, special tokens left out."""
    beam_outputs: Some = ()
    """What was written for each text with GOLDEN_BEAMS beams; may be left out."""
    tensors: tuple[GoldenTensor, ...] = ()
    """The request's tensors instead of texts, one per input."""
    answers: tuple[GoldenTensor, ...] = ()
    """What was answered to them, one per output."""

    def encode(self) -> bytes:
        """One line of the file, without its line break."""
        return msgspec.json.encode(self)


def own_golden(form: "Form") -> str | None:
    """The path of a form's own golden requests, or None where it answers as the network did."""
    folder, slash, _ = form.graph.rpartition("/")
    path = folder + slash + GOLDEN
    return path if any(entry.path == path for entry in form.files) else None


def read_golden(bundle: "Bundle", form: "Form | None" = None) -> tuple[Golden, ...]:
    """Read the golden requests of a verified bundle.

    Args:
        bundle: The bundle.
        form: Its own ones, where it has some; otherwise, or when None, the trained network's.

    Raises:
        BundleError: There are none, or a line is not a golden request of this model.
    """
    path = (own_golden(form) if form else None) or GOLDEN
    try:
        data = (bundle.folder / path).read_bytes()
        goldens = tuple(msgspec.json.decode(line, type=Golden) for line in data.splitlines())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        raise BundleError(f"{path} is absent or cannot be read.") from None
    for golden in goldens:
        _check(golden, bundle.manifest, path)
    if not goldens:
        raise BundleError(f"{path} holds no request; a bundle without one cannot be checked.")
    return goldens


def tolerance_of(form: "Form", goldens: "Iterable[Golden]") -> float:
    """How far a form's numbers may be from those that were recorded.

    Args:
        form: The form.
        goldens: Its golden requests.
    """
    if own_golden(form) is None:
        return TOLERANCE
    numbers = (abs(number) for golden in goldens for row in golden.logits for number in row)
    return ROUNDED_TOLERANCE * max((1.0, *numbers))


def _check(golden: Golden, manifest: "Manifest", path: str) -> None:
    if manifest.task in BARE:
        _check_bare(golden, manifest, path)
        return
    writes = manifest.task in WRITING | GENERATING
    asked, others = _asked(golden, manifest.task)
    answered = golden.outputs if writes else golden.logits
    if golden.tensors or golden.answers:
        raise BundleError(f"{path} is not of a model for {manifest.task}.")
    if not asked or others or bool(golden.logits) == writes or bool(golden.outputs) != writes:
        raise BundleError(f"{path} is not of a model for {manifest.task}.")
    if len(golden.pairs) != (len(asked) if manifest.task in PAIRED else 0):
        raise BundleError(f"{path} is not of a model for {manifest.task}.")
    count = 1 if manifest.task in TOKENWISE | TRANSCRIBING else len(answered)
    width = _width(manifest)
    if len(asked) != count or any(len(row) != width for row in golden.logits):
        said = "labels" if manifest.labels else "outputs"
        raise BundleError(f"{path} does not fit the {said} of the manifest.")
    if golden.beam_outputs and (
        manifest.task not in WRITING or len(golden.beam_outputs) != len(asked)
    ):
        raise BundleError(f"{path} does not fit the outputs of the manifest.")


def _asked(golden: Golden, task: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a task reads of a request, and what it does not."""
    if task in LOOKING:
        return golden.images, golden.texts + golden.clips
    if task in LISTENING:
        return golden.clips, golden.texts + golden.images
    return golden.texts, golden.images + golden.clips


def _width(manifest: "Manifest") -> int | str:
    """Numbers of a row."""
    last = manifest.outputs[0].shape[-1]
    return last if manifest.labels or manifest.task not in TOKENWISE else len(manifest.outputs)


def _check_bare(golden: Golden, manifest: "Manifest", path: str) -> None:
    if golden != Golden(tensors=golden.tensors, answers=golden.answers):
        raise BundleError(f"{path} is not of a model for {manifest.task}.")
    for specs, tensors in ((manifest.inputs, golden.tensors), (manifest.outputs, golden.answers)):
        wanted = [(spec.name, spec.dtype, len(spec.shape)) for spec in specs]
        found = [(each.name, each.dtype, len(each.shape)) for each in tensors]
        if found != wanted or not all(each.is_whole for each in tensors):
            raise BundleError(f"{path} does not fit the tensors of the manifest.")
