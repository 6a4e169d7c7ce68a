"""The registry's SQLite file: made whole or not at all, recognised, upgraded, opened.

Imports the standard library and `maas.errors`. `maas.registry.sqlite` is the store on top of it:

    create(path)                              # no-op where the file is already there
    connection = connect(path, busy_timeout=5.0)
"""

import os
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from maas.errors import MaasError, RegistryUnavailableError, SettingsError

APPLICATION_ID = 0x6D616173  # "maas"
Step = Sequence[str]

STEPS: Sequence[Step] = (
    (
        """
        CREATE TABLE items (
            pk TEXT NOT NULL,
            sk TEXT NOT NULL,
            revision INTEGER NOT NULL,
            body TEXT NOT NULL,
            listed TEXT,
            PRIMARY KEY (pk, sk)
        )
        """,
        "CREATE INDEX items_listed ON items (listed, pk, sk) WHERE listed IS NOT NULL",
    ),
)
"""Step n leads from schema n to schema n + 1; steps are only ever added."""


def create(path: Path) -> None:
    """Make an empty registry file and its folder, unless the file is there.

    It is made under another name and linked into place, so nobody ever sees half of it.
    """
    with clear_errors():
        if path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-registry-", dir=path.parent) as folder:
            draft = Path(folder) / path.name
            _write_empty(draft)
            with suppress(FileExistsError):  # somebody else was faster: theirs is as good
                os.link(draft, path)


def connect(
    path: Path, *, busy_timeout: float, steps: Sequence[Step] = STEPS
) -> sqlite3.Connection:
    """Open the file, upgrading an older schema. The connection may be closed by any thread.

    Args:
        path: The file; it is never created here.
        busy_timeout: Seconds to wait for another process's transaction.
        steps: What leads from schema to schema.

    Raises:
        SettingsError: The file is no registry, or one of a newer release.
        RegistryUnavailableError: It cannot be read now.
    """
    with clear_errors():
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode=rw",
            uri=True,
            timeout=busy_timeout,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute("PRAGMA synchronous = FULL")
            _recognise(connection, newest=len(steps))
            if _schema(connection) < len(steps):
                _upgrade(connection, steps)
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def clear_errors() -> Iterator[None]:
    """Turn the errors of SQLite and the file system into ours, without paths.

    Raises:
        SettingsError: The place itself is wrong: no registry, not writable, not a folder.
        RegistryUnavailableError: It is right and does not work now: busy, full, failing.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise _clear(error) from error
    except OSError as error:
        raise SettingsError(
            f"The registry's file cannot be made or opened ({error.strerror}). "
            "Check the folder that MAAS_REGISTRY names.",
            field="MAAS_REGISTRY",
        ) from error


def _clear(error: sqlite3.Error) -> MaasError:
    name = getattr(error, "sqlite_errorname", None) or "SQLITE_ERROR"
    for start, reason in _NOT_NOW.items():
        if name.startswith(start):
            return RegistryUnavailableError(f"The registry {reason}.")
    for start, reason in _WRONG_PLACE.items():
        if name.startswith(start):
            return SettingsError(f"The registry's file {reason}.", field="MAAS_REGISTRY")
    return RegistryUnavailableError(f"The registry's file fails ({name}).")


_NOT_NOW = {
    "SQLITE_BUSY": "is locked by another process. Try again",
    "SQLITE_LOCKED": "is locked by another thread. Try again",
    "SQLITE_FULL": "could not be written: the disk is full. Make room, then try again",
    "SQLITE_IOERR": "could not be read or written: the disk fails or is full. Try again",
}
_WRONG_PLACE = {
    "SQLITE_NOTADB": "is not a SQLite file. Point MAAS_REGISTRY at another",
    "SQLITE_CORRUPT": "is damaged. Restore it from a copy",
    "SQLITE_READONLY": "may not be written by this user. Change its mode or MAAS_REGISTRY",
    "SQLITE_PERM": "may not be opened by this user. Change its mode or MAAS_REGISTRY",
    "SQLITE_CANTOPEN": "cannot be opened. Check MAAS_REGISTRY and the folder's mode",
}


def _write_empty(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        _upgrade(connection, STEPS)
    finally:
        connection.close()


def _schema(connection: sqlite3.Connection) -> int:
    (schema,) = connection.execute("PRAGMA user_version").fetchone()
    return int(schema)


def _recognise(connection: sqlite3.Connection, *, newest: int) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID:
        raise SettingsError(
            "The registry's file is of something else, not of maas. "
            "Point MAAS_REGISTRY at another.",
            field="MAAS_REGISTRY",
        )
    schema = _schema(connection)
    if schema > newest:
        raise SettingsError(
            f"The registry's file has schema {schema}; this release reads {newest} at the most. "
            "Upgrade maas.",
            field="MAAS_REGISTRY",
        )


def _upgrade(connection: sqlite3.Connection, steps: Sequence[Step]) -> None:
    """Go up in one transaction; the schema is read inside it, for another may have been faster."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in steps[_schema(connection) :]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(steps)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
