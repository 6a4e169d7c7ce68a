"""How the `maas` command speaks: results on stdout, progress on stderr.

Imports rich. A verb makes a `View` and shows it; with `--json` its data is one JSON object, so a
pipe gets either the text or the object and never both:

    output = Output(as_json=False)
    output.show(View({"digest": digest}, f"bundle {digest}"))
"""

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class View:
    """A result, for machines and for people."""

    data: dict[str, object]
    text: RenderableType


class Output:
    """Where a verb's result and its progress go."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self.progress = Console(stderr=True, highlight=False)

    def show(self, view: View) -> None:
        """Print a result in one write, so that a closed pipe is seen by the caller."""
        sys.stdout.write(self._json(view) if self._as_json else _text(view))
        sys.stdout.flush()

    @staticmethod
    def _json(view: View) -> str:
        return json.dumps(view.data, ensure_ascii=False) + "\n"


def _text(view: View) -> str:
    # A pipe has no width; lines that are cut or wrapped there cannot be searched.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 240)
    with console.capture() as capture:
        console.print(view.text, markup=False, soft_wrap=True)
    return "".join(line.rstrip() + "\n" for line in capture.get().splitlines())


def table(*columns: str, rows: "Sequence[tuple[object, ...]]") -> Table:
    """A plain table: a header, no frame."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(str(cell) for cell in row))
    return made
