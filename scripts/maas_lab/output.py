"""How the `maas` command speaks: results on stdout, progress and errors on stderr.

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

    from maas.errors import MaasError


@dataclass(frozen=True, slots=True)
class View:
    """A result, for machines and for people."""

    data: dict[str, object]
    text: RenderableType


class Output:
    """Where a verb's result and its progress go."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self.progress = Console(stderr=True, quiet=False, highlight=False)

    def show(self, view: View) -> None:
        """Print a result."""
        if self._as_json:
            sys.stdout.write(json.dumps(view.data, ensure_ascii=False) + "\n")
        else:
            # A pipe has no width; lines that are cut or wrapped there cannot be searched.
            width = None if sys.stdout.isatty() else 200
            Console(highlight=False, soft_wrap=True, width=width).print(view.text, markup=False)
        sys.stdout.flush()


def show_error(error: "MaasError", *, as_json: bool) -> None:
    """Print an error of ours on stderr, without a trace."""
    if as_json:
        body = {"error": str(error), "code": error.code, "field": error.field}
        sys.stderr.write(json.dumps(body, ensure_ascii=False) + "\n")
    else:
        where = f"{error.field}: " if error.field else ""
        sys.stderr.write(f"maas: {where}{error}\n")


def table(*columns: str, rows: "Sequence[tuple[object, ...]]") -> Table:
    """A plain table: a header, no frame."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(str(cell) for cell in row))
    return made
