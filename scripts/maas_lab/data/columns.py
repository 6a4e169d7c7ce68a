"""Which columns of a table are read. Imports `maas.errors`.

require_columns(path, [Column("text", "body")], names=header)
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from maas.errors import FieldError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

_COLUMNS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Column:
    """A column that is read.

    Attributes:
        key: What it holds: `text` is named by the recipe's `text_column` and by `--text-column`.
        name: Its name in the file.
    """

    key: str
    name: str


def require_columns(path: "Path", columns: "Sequence[Column]", names: "Collection[str]") -> None:
    """Make sure that every column that is read is there once.

    Raises:
        FieldError: One is missing or there twice. The message says how to name another.
    """
    for column in columns:
        if column.name not in names:
            shown = ", ".join(list(names)[:_COLUMNS_SHOWN]) or "none"
            shown = shown.encode("utf-8", "replace").decode()
            raise FieldError(
                f"{path.name}: has no column {column.name}. Columns: {shown}. "
                f"Name the right one with --{column.key}-column.",
                field=f"data.{column.key}_column",
            )
        if list(names).count(column.name) > 1:
            raise FieldError(
                f"{path.name}: has more than one column {column.name}. Rename all but one, or name "
                f"another with --{column.key}-column.",
                field=f"data.{column.key}_column",
            )
