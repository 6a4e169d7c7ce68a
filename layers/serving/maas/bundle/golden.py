"""Golden requests: texts with the logits that the trained model gave, recorded at export.

May import `maas.errors`, `maas.bundle.verify` and msgspec. They travel in the bundle, and every
load replays some of them, so that a wrong model under the right name is found before its first
request:

    for golden in read_golden(bundle): ...
"""

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from maas.errors import BundleError

if TYPE_CHECKING:
    from maas.bundle.verify import Bundle

GOLDEN = "golden.jsonl"
TOLERANCE = 1e-4
"""Largest absolute difference of a logit between the trained, exported and loaded model."""


class Golden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One request and what the trained model answered."""

    texts: Annotated[tuple[str, ...], Meta(min_length=1)]
    """The request's texts, encoded and padded together."""
    logits: tuple[tuple[float, ...], ...]
    """One row per text, one number per label."""

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
    classes = len(bundle.manifest.labels)
    for golden in goldens:
        rows = golden.logits
        if len(rows) != len(golden.texts) or any(len(row) != classes for row in rows):
            raise BundleError(f"{GOLDEN} does not fit the labels of the manifest.")
    if not goldens:
        raise BundleError(f"{GOLDEN} holds no request; a bundle without one cannot be checked.")
    return goldens
