"""Whole models out of a store and into another, losing nothing.

Imports `maas` and the registry's lines. An import checks the whole file and the whole store before
it writes; META and POLICY come with the last transaction of a model, so that an import which was
killed shows nothing and can be run again:

    lines = export_lines(store, [])
    outcome = import_file(store, file)     # a seekable file
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from maas.errors import ConflictError, RefusedError
from maas.registry import layout
from maas.registry.store import (
    KEYS_MAX,
    TRANSACTION_BYTES,
    Item,
    Store,
    Write,
    check_writes,
    item_bytes,
)
from maas_lab.registry.copies import ModelCopy, copy_model, items_of, model_names
from maas_lab.registry.lines import lines_of, read_copies
from maas_lab.registry.tally import Tally

if TYPE_CHECKING:
    from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """What an import did.

    Attributes:
        models: Names of the models in the file.
        written: Items that were not there.
        present: Items that were there and equal.
    """

    models: tuple[str, ...]
    written: int
    present: int


def export_lines(
    store: Store, models: Sequence[str], *, tally: Tally | None = None
) -> Iterator[bytes]:
    """The lines of some models, or of all; each model as it is at one moment.

    Args:
        store: Where they are.
        models: Their names; none for all that there are.
        tally: Counts them while the lines are read.

    Raises:
        ModelNotFoundError: The store has no such model.
        ConflictError: A model was changed again and again while it was read.
    """
    names = sorted(set(models)) or list(model_names(store))
    copies = (copy_model(store, name) for name in names)
    return lines_of(tally.counted(copies) if tally else copies, models=len(names))


def import_file(store: Store, file: "BinaryIO") -> ImportOutcome:
    """Write the models of a file that are not in the store yet.

    Raises:
        RefusedError: The file is not a whole export, or the store holds something else under the
            name of one of its models. Nothing was written.
        ConflictError: Somebody else wrote one of the models meanwhile. Run it again.
    """
    for copy in read_copies(file):
        _missing(store, copy)
    file.seek(0)
    names: list[str] = []
    written = total = 0
    for copy in read_copies(file):
        missing = _missing(store, copy)
        for chunk in _chunks(missing):
            try:
                store.transact([Write(item, None) for item in chunk])
            except ConflictError as error:
                raise ConflictError(
                    f"Somebody else wrote {copy.name} meanwhile. Run the import again."
                ) from error
        names.append(copy.name)
        written += len(missing)
        total += len(copy.items)
    return ImportOutcome(tuple(names), written, total - written)


def _missing(store: Store, copy: ModelCopy) -> list[Item]:
    """What the store lacks of a model; META and POLICY last."""
    wanted = {item.key: item for item in copy.items}
    there = {item.key: item for item in items_of(store, copy.name)}
    if any(wanted.get(key) != item for key, item in there.items()):
        raise RefusedError(
            f"The registry has a model {copy.name} that is not the one of the file. "
            "Import it into another registry."
        )
    lacking = [item for item in copy.items if item.key not in there]
    heads = {layout.model_key(copy.name), layout.policy_key(copy.name)}
    if lacking and not heads.isdisjoint(there):
        raise RefusedError(
            f"The registry's model {copy.name} is damaged: records of it are missing. "
            "See maas registry doctor."
        )
    return sorted(lacking, key=lambda item: item.key in heads)


def _chunks(items: Sequence[Item]) -> Iterator[list[Item]]:
    """As few transactions as may be; the last two items are never parted."""
    parts: list[list[Item]] = [[*items[-2:]]] if items else []
    left = TRANSACTION_BYTES - sum(map(_bytes, items[-2:]))
    for item in reversed(items[:-2]):
        size = _bytes(item)
        if size > left or len(parts[-1]) == KEYS_MAX:
            parts.append([])
            left = TRANSACTION_BYTES
        parts[-1].append(item)
        left -= size
    return reversed(parts)


def _bytes(item: Item) -> int:
    (body,) = check_writes([Write(item, None)])
    return item_bytes(item, body)
