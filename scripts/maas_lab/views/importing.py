"""What `maas import` says, for people and for machines. Imports the lab's records."""

from typing import TYPE_CHECKING

from maas_lab.importing.report import describe, lines_of
from maas_lab.output import View

if TYPE_CHECKING:
    from maas_lab.importing.imported import Imported


def import_view(imported: "Imported") -> View:
    """A foreign model that became a bundle, and what to do next."""
    made = imported.made
    name = made.bundle.manifest.name
    state = "imported" if made.created else "the same bundle was there already:"
    lines = (
        f"{state} {name}, a model for {made.bundle.manifest.task}",
        *lines_of(imported),
        f"digest  {made.bundle.digest}",
        f"folder  {made.bundle.folder}",
        f"next    maas register {name}",
    )
    return View(describe(imported), "\n".join(lines))
