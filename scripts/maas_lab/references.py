"""Which bundle is meant: by a run, by a model's name, by a digest, or the one that was made last.

Imports `maas` and the lab.

    folder = find_bundle(settings, "magika")      # of that model, the one that was made last
    folder = find_bundle(settings, None)          # of the newest run or import
"""

import re
from typing import TYPE_CHECKING

from maas.bundle.manifest import MANIFEST
from maas.errors import NotFoundError
from maas.settings import MODEL_NAME
from maas_lab.bundling import bundle_of
from maas_lab.runs import list_runs, open_run, touched

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from maas.settings import Settings

IMPORT_RECORD = "import.json"
"""The file of a bundle's card that says that the model was imported; it is written last."""
_CARD = "card.md"
_NAMED = 5
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{12,64})")


def find_bundle(settings: "Settings", reference: str | None) -> "Path":
    """The folder of a bundle.

    Args:
        settings: Where runs and bundles are.
        reference: A run's name or folder, a model's name, or a digest; when None, what was trained
            or imported last.

    Raises:
        NotFoundError: There is none.
        RefusedError: The run that is meant has no bundle yet.
    """
    if reference is None:
        return _newest(settings)
    if found := _DIGEST.fullmatch(reference):
        beginning = found[1][:16]
        folders = sorted(settings.bundles.glob(f"*/{beginning}*/{MANIFEST}"))
        if len(folders) == 1:
            return folders[0].parent
    elif MODEL_NAME.fullmatch(reference) and (card := _last(settings.bundles, reference, _CARD)):
        return _beside(card)
    try:
        run = open_run(settings.home, reference)
    except NotFoundError as error:
        raise NotFoundError(f"{error} {_there(settings.bundles)}", field=error.field) from None
    return bundle_of(run, settings.bundles)


def _there(bundles: "Path") -> str:
    """What could be meant beside a run, or how it is made."""
    models = sorted({path.parent.parent.name for path in bundles.glob(f"*/*/{MANIFEST}")})
    if not models:
        return "No bundle is here either; maas import or maas bundle makes one."
    more = f" and {len(models) - _NAMED} more" if len(models) > _NAMED else ""
    return f"Bundles are here of {', '.join(models[:_NAMED])}{more}, by model or digest."


def _newest(settings: "Settings") -> "Path":
    """Of the newest import, or of the newest run, whichever is the newer one."""
    runs = list_runs(settings.home)
    card = _last(settings.bundles, "*", IMPORT_RECORD)
    if card and (not runs or card.stat().st_mtime_ns >= touched(runs[-1])):
        return _beside(card)
    if not runs:
        raise NotFoundError("No bundle yet; begin with: maas train sentiment-lstm, or maas import")
    return bundle_of(runs[-1], settings.bundles)


def _last(bundles: "Path", model: str, name: str) -> "Path | None":
    """The newest of the files of this name in the cards of bundles that are there."""
    found: Iterable[Path] = bundles.glob(f"{model}/*.card/{name}")
    there = [path for path in found if (_beside(path) / MANIFEST).is_file()]
    return max(there, key=lambda path: path.stat().st_mtime_ns, default=None)


def _beside(card_file: "Path") -> "Path":
    """The bundle that a card belongs to."""
    return card_file.parent.with_name(card_file.parent.name.removesuffix(".card"))
