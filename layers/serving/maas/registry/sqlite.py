"""The registry in one SQLite file: the default of a laptop, with real transactions.

Imports the standard library, `maas.errors` and the store's protocol. Write-ahead log, one
connection per thread, `synchronous = FULL`, five seconds of patience with other processes:

    store = SqliteStore(Path(".maas/registry.sqlite"))   # the file is made by the first write
    store.transact([Write(item, expected=None)])
    store.close()
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from maas.errors import ConflictError
from maas.registry.sqlite_connections import Connections
from maas.registry.sqlite_file import clear_errors, connect, create
from maas.registry.store import Item, Key, Page, Write, check_writes

BUSY_TIMEOUT = 5.0
_COLUMNS = "pk, sk, revision, body, listed"
_AFTER_EVERY_TEXT = "\U0010ffff"


class SqliteStore:
    """A `Store` in a file. Reading a file that does not exist finds nothing and makes nothing.

    Args:
        path: The file.
        busy_timeout: Seconds to wait for another process's transaction.
    """

    def __init__(self, path: Path, *, busy_timeout: float = BUSY_TIMEOUT) -> None:
        self._path = path.absolute()
        self._connections = Connections(lambda: connect(self._path, busy_timeout=busy_timeout))

    def read(self, keys: Sequence[Key]) -> list[Item | None]:
        """Read several items as one snapshot: one statement sees one state of the file."""
        places = ", ".join(["(?, ?)"] * len(keys))
        # A row value after IN would be looked for in every row of the table.
        rows = self._select(
            f"WITH keys (pk, sk) AS (VALUES {places})"  # noqa: S608
            f" SELECT {_COLUMNS} FROM keys CROSS JOIN items USING (pk, sk)",
            [part for key in keys for part in key],
        )
        found = {item.key: item for item in rows}
        return [found.get(key) for key in keys]

    def query(
        self,
        pk: str,
        prefix: str,
        *,
        limit: int,
        newest_first: bool = False,
        after: Key | None = None,
    ) -> Page:
        """Read a partition's items whose sk starts with `prefix`, in order of sk."""
        low, high = prefix, prefix + _AFTER_EVERY_TEXT
        if newest_first:
            high = after.sk if after else high
            where, order = "sk >= ? AND sk < ?", "DESC"
        else:
            low = after.sk if after else low
            where, order = ("sk > ?" if after else "sk >= ?") + " AND sk < ?", "ASC"
        rows = self._select(
            f"SELECT {_COLUMNS} FROM items WHERE pk = ? AND {where} ORDER BY sk {order} LIMIT ?",  # noqa: S608
            [pk, low, high, limit + 1],
        )
        return _page(rows, limit)

    def list_index(self, index: str, *, limit: int, after: Key | None = None) -> Page:
        """Read the items that carry `index`, by pk and then sk."""
        rows = self._select(
            f"SELECT {_COLUMNS} FROM items WHERE listed = ? AND (pk, sk) > (?, ?)"  # noqa: S608
            " ORDER BY pk, sk LIMIT ?",
            [index, *(after or ("", "")), limit + 1],
        )
        return _page(rows, limit)

    def transact(self, writes: Sequence[Write]) -> None:
        """Put all of the items, or none of them."""
        bodies = check_writes(writes)
        with clear_errors():
            create(self._path)
            with self._connections.use(_file(self._path)) as connection, _transaction(connection):
                for write, body in zip(writes, bodies, strict=True):
                    _put(connection, write, body)

    def close(self) -> None:
        """Close all connections; a later call opens them again."""
        self._connections.close()

    def _select(self, statement: str, values: Sequence[object]) -> list[Item]:
        with clear_errors():
            try:
                file = _file(self._path)
            except FileNotFoundError:
                return []
            with self._connections.use(file) as connection:
                return [_item(*row) for row in connection.execute(statement, values)]


def _file(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    # Locked for writing from the start: a lock that is only taken later may come too late.
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _put(connection: sqlite3.Connection, write: Write, body: str) -> None:
    item = write.item
    if write.expected is None:
        statement = (
            "INSERT INTO items (revision, body, listed, pk, sk) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING"
        )
        condition: tuple[int, ...] = ()
    else:
        statement = (
            "UPDATE items SET revision = ?, body = ?, listed = ?"
            " WHERE pk = ? AND sk = ? AND revision = ?"
        )
        condition = (write.expected,)
    values = (item.revision, body, item.index, *item.key, *condition)
    if connection.execute(statement, values).rowcount != 1:
        raise ConflictError("Somebody else changed the registry first; nothing was written.")


def _item(pk: str, sk: str, revision: int, body: str, listed: str | None) -> Item:
    return Item(Key(pk, sk), revision, json.loads(body), listed)


def _page(rows: list[Item], limit: int) -> Page:
    return Page(tuple(rows[:limit]), more=len(rows) > limit)
