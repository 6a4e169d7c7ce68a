"""Golden requests with what the trained model answered, recorded at export.

May import `maas.errors`, `maas.bundle` and msgspec. They travel in the bundle, and every load
replays some of them, so that a wrong model under the right name is found before its first request:

    for golden in read_golden(bundle): ...

What a task records: rows of numbers (logits, or an embedding's vectors), which may differ by
TOLERANCE; or the texts that were written, greedily and with GOLDEN_BEAMS beams, which may not.
"""

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from maas.bundle.task_rules import LOOKING, WRITING
from maas.errors import BundleError

if TYPE_CHECKING:
    from maas.bundle.manifest import Manifest
    from maas.bundle.verify import Bundle

GOLDEN = "golden.jsonl"
TOLERANCE = 1e-4
"""Largest absolute difference of a number between the trained, exported and loaded model."""
GOLDEN_BEAMS = 4
"""Beams that `beam_outputs` were written with; `max_new_tokens` is the manifest's."""

Some = Annotated[tuple[str, ...], Meta(min_length=1)]


class Golden(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One request and what the trained model answered."""

    texts: Some = ()
    """The request's texts, encoded and padded together."""
    logits: tuple[tuple[float, ...], ...] = ()
    """One row per text or image: one number per label, or of the vector."""
    images: Some = ()
    """The request's images instead of texts, each a PNG in base64."""
    outputs: Some = ()
    """What was written for each text, greedily: decoded, special tokens left out."""
    beam_outputs: Some = ()
    """What was written for each text with GOLDEN_BEAMS beams; may be left out."""

    def encode(self) -> bytes:
        """One line of the file, without its line break."""
        return msgspec.json.encode(self)


def read_golden(bundle: "Bundle") -> tuple[Golden, ...]:
    """Read a verified bundle's golden requests.

    Raises:
        BundleError: There are none, or a line is not a golden request of this model.
    """
    try:
        data = (bundle.folder / GOLDEN).read_bytes()
        goldens = tuple(msgspec.json.decode(line, type=Golden) for line in data.splitlines())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        raise BundleError(f"{GOLDEN} is absent or cannot be read.") from None
    for golden in goldens:
        _check(golden, bundle.manifest)
    if not goldens:
        raise BundleError(f"{GOLDEN} holds no request; a bundle without one cannot be checked.")
    return goldens


def _check(golden: Golden, manifest: "Manifest") -> None:
    looks, writes = manifest.task in LOOKING, manifest.task in WRITING
    asked, others = (golden.images, golden.texts) if looks else (golden.texts, golden.images)
    answered = golden.outputs if writes else golden.logits
    if not asked or others or bool(golden.logits) == writes or bool(golden.outputs) != writes:
        raise BundleError(f"{GOLDEN} is not of a model for {manifest.task}.")
    width = manifest.outputs[0].shape[-1]
    if len(answered) != len(asked) or any(len(row) != width for row in golden.logits):
        said = "labels" if manifest.labels else "outputs"
        raise BundleError(f"{GOLDEN} does not fit the {said} of the manifest.")
    if golden.beam_outputs and (not writes or len(golden.beam_outputs) != len(asked)):
        raise BundleError(f"{GOLDEN} does not fit the outputs of the manifest.")
