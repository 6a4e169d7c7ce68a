"""The registry here and the table of a stack: one must go on from the other.

Imports `maas` and the lab. A stack's table is the registry of its deployment; the laptop's file is
copied there once and is left behind from then on:

    if compare(here, table, "sentiment") is Side.ABSENT:
        copy_over(store_here, store_table, "sentiment")
"""

import tempfile
from enum import Enum
from typing import TYPE_CHECKING

from maas.errors import ModelNotFoundError, RefusedError
from maas_lab.registry.moves import export_lines, import_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maas.registry.event_records import EventRecord
    from maas.registry.reader import Reader
    from maas.registry.store import Store


class Side(Enum):
    """How a model in the table relates to the one here."""

    ABSENT = "absent"
    """The table does not have it: it is copied."""
    SAME = "same"
    """Both have the same history."""
    AHEAD = "ahead"
    """The table goes on from the history here, or only it has the model."""


def compare(here: "Reader", table: "Reader", model: str) -> Side:
    """Hold a model's history here against the table's.

    Args:
        here: The registry that MAAS_REGISTRY names.
        table: The stack's.
        model: The model's name.

    Raises:
        ModelNotFoundError: Neither has the model.
        RefusedError: Each has changes that the other does not have.
    """
    ours, theirs = _revision(here, model), _revision(table, model)
    if theirs == 0:
        here.model(model)
        return Side.ABSENT
    if ours <= theirs and all(
        one == other
        for one, other in zip(_events(here, model, ours), _events(table, model, ours), strict=True)
    ):
        return Side.SAME if ours == theirs else Side.AHEAD
    raise RefusedError(
        f"{model} has one history here (revision {ours}) and another one in the stack's table"
        f" (revision {theirs}). The table's counts. Set MAAS_REGISTRY to it, register and promote"
        " there what is only here, then run maas package and maas deploy."
    )


def _revision(reader: "Reader", model: str) -> int:
    try:
        return reader.model(model).revision
    except ModelNotFoundError:
        return 0


def _events(reader: "Reader", model: str, newest: int) -> "Iterator[EventRecord]":
    """The changes from revision `newest` down to the first."""
    after = newest + 1
    while after > 1:
        page = reader.history(model, after=after)
        yield from page.records
        after = page.records[-1].revision if page.records else 0


def copy_over(source: "Store", table: "Store", model: str) -> None:
    """Copy a model with all of its records, as they are; a copy that was interrupted goes on.

    Raises:
        RefusedError: The table has something else under the model's name.
        ConflictError: The model is being changed meanwhile.
    """
    with tempfile.TemporaryFile() as file:
        file.writelines(export_lines(source, [model]))
        file.seek(0)
        import_file(table, file)
