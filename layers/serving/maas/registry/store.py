"""What the registry asks of a place to keep its items: one table, all-or-nothing writes.

Imports `maas.errors` and msgspec. An item has two keys (a partition and a place in it), an integer
revision on which writes are conditioned, and a JSON-able body. The five primitives are those of
DynamoDB (TransactGetItems, Query, Query of a sparse index, TransactWriteItems), kept small enough
for a file:

    meta, policy = store.read([Key("MODEL#sentiment", "META"), Key("MODEL#sentiment", "POLICY")])
    store.transact([Write(Item(meta.key, 8, body), expected=7)])   # ConflictError unless at 7
"""

import json
import re
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from msgspec import Struct

from maas.errors import MaasError, RefusedError

KEYS_MAX = 100
"""Keys of one snapshot read, and writes of one transaction (DynamoDB's limits)."""
ITEM_BYTES = 262_144
"""Bytes of one body as JSON; DynamoDB ends at 400 KB, keys and attribute names included."""
TRANSACTION_BYTES = 4_000_000
"""Bytes of all items of one transaction, or of one snapshot read; DynamoDB ends at 4 MB."""
_FRAME_BYTES = 64  # names of attributes, and the revision
_KEY = re.compile(r"[A-Za-z0-9#:._-]{1,255}")


class Key(NamedTuple):
    """Where an item lies: its partition, and its place there; both sort by their bytes."""

    pk: str
    sk: str


class Item(Struct, frozen=True):
    """One item of the table.

    Attributes:
        key: Where it lies.
        revision: What conditions compare with.
        body: Anything that JSON can say; read back as JSON reads it (tuples are lists).
        index: The sparse index that lists it, or None.
    """

    key: Key
    revision: int
    body: dict[str, object]
    index: str | None = None


class Write(Struct, frozen=True):
    """An item to put, and what must hold for it.

    Attributes:
        item: The item as it shall be.
        expected: The revision that the item must have now; None where it must be absent.
    """

    item: Item
    expected: int | None


class Page(Struct, frozen=True):
    """Some items in order, and whether more follow the last of them."""

    items: tuple[Item, ...]
    more: bool


class Store(Protocol):
    """The table. Safe to share among threads.

    Every method raises `RegistryUnavailableError` where the table does not answer within its
    bounds, and `SettingsError` where it cannot be the table that is meant.
    """

    def read(self, keys: Sequence[Key]) -> list[Item | None]:
        """Read up to `KEYS_MAX` items, `TRANSACTION_BYTES` together, as one consistent snapshot.

        Returns:
            As many as there are keys, in their order; None for what is absent.
        """
        ...

    def query(
        self,
        pk: str,
        prefix: str,
        *,
        limit: int,
        newest_first: bool = False,
        after: Key | None = None,
    ) -> Page:
        """Read a partition's items whose sk starts with `prefix`, in order of sk.

        Each item is consistent by itself; the page is no snapshot.

        Args:
            pk: The partition.
            prefix: Start of the sk, not empty.
            limit: Items of the page at most, 1 or more.
            newest_first: The largest sk first.
            after: Begin behind this key, which need not exist but must fit pk and prefix.
        """
        ...

    def list_index(self, index: str, *, limit: int, after: Key | None = None) -> Page:
        """Read the items that carry `index`, by pk and then sk. May lag behind writes."""
        ...

    def transact(self, writes: Sequence[Write]) -> None:
        """Put all of the items, or none of them.

        Raises:
            ConflictError: A condition does not hold; nothing was written.
        """
        ...

    def close(self) -> None:
        """Give back files and connections; a later call opens them again."""
        ...


def check_writes(writes: Sequence[Write]) -> list[str]:
    """Refuse what one of the stores could not take, so that all of them refuse the same.

    Returns:
        Each body as JSON, in the order of the writes.

    Raises:
        RefusedError: A body is above `ITEM_BYTES`, or all items are above `TRANSACTION_BYTES`.
        MaasError: Too many writes, one key twice, or a malformed key: our own fault.
    """
    keys = {write.item.key for write in writes}
    if not 1 <= len(writes) <= KEYS_MAX or len(keys) != len(writes):
        raise MaasError(f"A transaction takes 1 to {KEYS_MAX} writes of different items.")
    if not all(_KEY.fullmatch(part) for key in keys for part in key):
        raise MaasError("A key of the registry has a character that is not allowed.")
    bodies = [_body(write.item) for write in writes]
    total = sum(item_bytes(write.item, body) for write, body in zip(writes, bodies, strict=True))
    if total > TRANSACTION_BYTES:
        raise RefusedError(
            f"The records of one change have {total} bytes; {TRANSACTION_BYTES} is the most. "
            "Shorten their labels, metrics or lineage."
        )
    return bodies


def item_bytes(item: Item, body: str) -> int:
    """What an item counts in a transaction: its keys (twice where it is listed) and its body."""
    keys = len(item.key.pk) + len(item.key.sk)
    return len(body) + 2 * keys + len(item.index or "") + _FRAME_BYTES


def _body(item: Item) -> str:
    try:
        text = json.dumps(item.body, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise MaasError(f"The record {item.key.sk} cannot be written as JSON.") from error
    if len(text) > ITEM_BYTES:  # json.dumps answers ASCII, so characters are bytes
        raise RefusedError(
            f"The record {item.key.sk} has {len(text)} bytes; {ITEM_BYTES} is the most. "
            "Shorten its labels, metrics or lineage."
        )
    return text
