"""The file itself: made whole, recognised, upgraded, shared among threads and processes."""

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from multiprocessing import get_context
from pathlib import Path

import pytest

from maas.errors import MaasError, RegistryUnavailableError, SettingsError
from maas.registry.addresses import ByNumber
from maas.registry.records import Candidate
from maas.registry.registry import Registry
from maas.registry.sqlite import SqliteStore
from maas.registry.sqlite_file import STEPS, connect, create
from maas.registry.store import Item, Key, Write

FORK = get_context("fork")
# Python 3.12 warns of any fork beside threads; forking beside them is what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
A = Key("MODEL#a", "META")
FIRST = [Write(Item(A, 1, {}), None)]


@contextmanager
def stored(file: Path, *, busy_timeout: float = 5.0) -> Iterator[SqliteStore]:
    store = SqliteStore(file, busy_timeout=busy_timeout)
    try:
        yield store
    finally:
        store.close()


def raw(file: Path, *statements: str) -> None:
    """Change the file behind the store's back."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


# ---- No read looks at all rows -------------------------------------------------------------------


def test_each_read_finds_its_rows_by_an_index(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def traced(path: Path, *, busy_timeout: float) -> sqlite3.Connection:
        connection = connect(path, busy_timeout=busy_timeout)
        connection.set_trace_callback(asked.append)
        return connection

    monkeypatch.setattr("maas.registry.sqlite.connect", traced)
    with stored(file) as store:
        store.transact(FIRST)
        asked.clear()
        store.read([A, Key("MODEL#a", "POLICY")])
        store.query("MODEL#a", "VERSION#", limit=5)
        store.query(
            "MODEL#a", "EVENT#", limit=5, newest_first=True, after=Key("MODEL#a", "EVENT#9")
        )
        store.list_index("models", limit=5, after=A)
    with closing(sqlite3.connect(file)) as connection:
        plans = [
            [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
            for statement in asked
            if "FROM" in statement and "items" in statement
        ]
    assert len(plans) == 4
    for plan in plans:
        assert any(step.startswith("SEARCH items USING INDEX") for step in plan), plan
        assert not any(step.startswith("SCAN items") for step in plan), plan


# ---- Made and recognised ------------------------------------------------------------------------


def test_reading_makes_nothing(file: Path) -> None:
    with stored(file) as store:
        assert store.read([A]) == [None]
    assert not file.parent.exists()


def test_the_first_write_makes_the_folder_and_nothing_beside_the_file(file: Path) -> None:
    with stored(file) as store:
        store.transact(FIRST)
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_the_file_is_durable_and_uses_a_write_ahead_log(file: Path) -> None:
    create(file)
    with closing(connect(file, busy_timeout=5.0)) as connection:
        (journal,) = connection.execute("PRAGMA journal_mode").fetchone()
        (synchronous,) = connection.execute("PRAGMA synchronous").fetchone()
        (patience,) = connection.execute("PRAGMA busy_timeout").fetchone()
    full = 2
    assert (journal, synchronous, patience) == ("wal", full, 5_000)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "something else"),
        (b"not a database, but long enough to look at" * 20, "not a SQLite file"),
    ],
    ids=["empty", "text"],
)
def test_another_file_is_refused_and_kept(file: Path, content: bytes, reason: str) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    with stored(file) as store:
        for use in (lambda: store.read([A]), lambda: store.transact(FIRST)):
            with pytest.raises(SettingsError, match=reason) as refusal:
                use()
            assert str(file.parent) not in str(refusal.value)
    assert file.read_bytes() == content


def test_the_database_of_another_program_is_refused(file: Path) -> None:
    file.parent.mkdir()
    raw(file, "CREATE TABLE items (name TEXT)")
    with stored(file) as store, pytest.raises(SettingsError, match="something else"):
        store.transact(FIRST)


def test_a_folder_or_a_file_in_the_way_is_refused(file: Path) -> None:
    file.mkdir(parents=True)
    with stored(file) as store, pytest.raises(SettingsError):
        store.read([A])
    in_the_way = file.parent / "file"
    in_the_way.touch()
    with stored(in_the_way / "registry.sqlite") as store, pytest.raises(SettingsError):
        store.transact(FIRST)


def test_a_schema_of_a_newer_release_is_refused(file: Path) -> None:
    with stored(file) as store:
        store.transact(FIRST)
    raw(file, f"PRAGMA user_version = {len(STEPS) + 1}")
    with stored(file) as store:
        for use in (lambda: store.read([A]), lambda: store.transact(FIRST)):
            with pytest.raises(SettingsError, match="Upgrade maas"):
                use()


def test_an_older_schema_is_upgraded_once_and_keeps_its_items(file: Path) -> None:
    with stored(file) as store:
        store.transact(FIRST)
    later = (*STEPS, ("ALTER TABLE items ADD COLUMN note TEXT DEFAULT 'new'",))
    # When two connections of the next release open it
    for _ in range(2):
        with closing(connect(file, busy_timeout=5.0, steps=later)) as connection:
            rows = connection.execute("SELECT sk, note FROM items").fetchall()
            assert rows == [("META", "new")]
    # Then this release no longer does
    with stored(file) as store, pytest.raises(SettingsError, match="Upgrade maas"):
        store.read([A])


def test_an_upgrade_that_fails_leaves_the_file_as_it_was(file: Path) -> None:
    with stored(file) as store:
        store.transact(FIRST)
        broken = (*STEPS, ("CREATE TABLE half (a TEXT)", "CREATE TABLE items (a TEXT)"))
        with pytest.raises(RegistryUnavailableError):
            connect(file, busy_timeout=5.0, steps=broken)
        assert store.read([A]) == [Item(A, 1, {})]
    with closing(connect(file, busy_timeout=5.0)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        assert tables.fetchall() == [("items",)]


# ---- Trouble ------------------------------------------------------------------------------------


def test_a_file_that_another_process_holds_is_not_available_but_readable(file: Path) -> None:
    with stored(file, busy_timeout=0.01) as store:
        store.transact(FIRST)
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(RegistryUnavailableError, match="locked") as failure:
                store.transact([Write(Item(A, 2, {}), 1)])
            assert store.read([A]) == [Item(A, 1, {})]
        assert (failure.value.exit_code, failure.value.status) == (5, 503)
        store.transact([Write(Item(A, 2, {}), 1)])


def test_a_damaged_file_is_named_as_such(file: Path) -> None:
    with stored(file) as store:
        store.transact(FIRST)
    whole = bytearray(file.read_bytes())
    whole[4096:] = b"\xff" * (len(whole) - 4096)
    file.write_bytes(whole)
    with stored(file) as store, pytest.raises(SettingsError, match="damaged"):
        store.read([A])


def _write_unprivileged(file: Path) -> None:
    """In a child: write as somebody who may not; exit 0 if that is told as it should be."""
    if os.geteuid() == 0:  # root may write everywhere
        os.setuid(65534)
    try:
        with stored(file) as store:
            store.transact([Write(Item(A, 2, {}), 1)])
    except SettingsError as error:
        os._exit(0 if "mode" in str(error) else 3)
    os._exit(4)


def test_a_file_that_may_not_be_written() -> None:
    # Given a file that everybody may read and nobody may write, in a folder that can be reached
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        file = Path(folder) / "registry.sqlite"
        create(file)
        file.chmod(0o444)
        Path(folder).chmod(0o555)
        child = FORK.Process(target=_write_unprivileged, args=(file,))
        child.start()
        child.join()
        Path(folder).chmod(0o755)
    assert child.exitcode == 0


def _fill(file: Path) -> None:
    """In a child: write until no file may grow further; exit 5 if that is told as it should be."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    with stored(file) as store:
        for n in range(1, 100):
            try:
                store.transact(
                    [Write(Item(Key("MODEL#a", f"N#{n:03}"), 1, {"x": "x" * 9_999}), None)]
                )
            except MaasError as error:
                os._exit(error.exit_code)
    os._exit(0)


def test_a_full_disk_says_try_again_and_loses_nothing(file: Path) -> None:
    create(file)
    child = FORK.Process(target=_fill, args=(file,))
    child.start()
    child.join()
    assert child.exitcode == RegistryUnavailableError.exit_code
    with stored(file) as store:
        items = store.query("MODEL#a", "N#", limit=100).items
        assert [item.key.sk for item in items] == [f"N#{n:03}" for n in range(1, len(items) + 1)]
        assert items
        store.transact(FIRST)


# ---- Threads and processes ----------------------------------------------------------------------


def test_a_thread_that_ends_leaves_no_connection_behind(file: Path) -> None:
    create(file)
    store = SqliteStore(file)
    log = file.with_name(file.name + "-wal")
    seen: list[bool] = []

    def work() -> None:
        store.transact(FIRST)
        seen.append(log.exists())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    # SQLite removes the log when the last connection is closed
    assert (seen, log.exists()) == ([True], False)
    assert store.read([A]) == [Item(A, 1, {})]
    store.close()


def test_closing_closes_the_connections_of_all_threads(file: Path) -> None:
    create(file)
    store = SqliteStore(file)
    opened, finish = threading.Barrier(5), threading.Event()

    def work() -> None:
        store.read([A])
        opened.wait()
        finish.wait()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    opened.wait()
    assert file.with_name(file.name + "-wal").exists()
    store.close()
    assert not file.with_name(file.name + "-wal").exists()
    finish.set()
    for thread in threads:
        thread.join()


def test_what_a_child_writes_outlives_its_parents_connection(file: Path) -> None:
    # Given a parent with an open connection, and a child forked from it that opens its own.
    # SQLite would take the parent's lock for the child's, and drop the log when the parent closes.
    with stored(file) as store:
        store.transact(FIRST)
        ready, go = FORK.Event(), FORK.Event()

        def work() -> None:
            store.read([A])
            ready.set()
            go.wait(10)
            store.transact([Write(Item(A, 2, {"by": "child"}), 1)])

        child = FORK.Process(target=work)
        child.start()
        assert ready.wait(10)
        store.close()
        go.set()
        child.join()
        assert child.exitcode == 0
        # Then the child's write is there
        assert store.read([A]) == [Item(A, 2, {"by": "child"})]


def test_a_fork_waits_for_the_operations_of_other_threads(file: Path) -> None:
    # Given threads that write all the time
    with stored(file) as store:
        store.transact(FIRST)
        stop = threading.Event()

        def work(name: str) -> None:
            revision = 0
            while not stop.wait(0.001):  # SQLite's queue is not fair: leave the others a turn
                item = Item(Key("MODEL#a", name), revision + 1, {})
                store.transact([Write(item, revision or None)])
                revision += 1

        threads = [threading.Thread(target=work, args=(f"T#{n}",)) for n in range(3)]
        for thread in threads:
            thread.start()
        # When children are forked meanwhile, each of them can use the store at once
        for n in range(10):
            write = Write(Item(A, n + 2, {}), n + 1)
            child = FORK.Process(target=store.transact, args=([write],))
            child.start()
            child.join(20)
            assert child.exitcode == 0
        stop.set()
        for thread in threads:
            thread.join()
        assert store.read([A]) == [Item(A, 11, {})]


def test_a_file_that_was_replaced_is_opened_anew(
    file: Path, open_file: Callable[[], Registry], candidate: Callable[..., Candidate]
) -> None:
    # Given a process with an open registry, whose folder is then removed and made again
    with open_file() as serving, open_file() as other:
        for seed in (1, 2):
            other.register(candidate(seed))
        assert serving.version("sentiment", ByNumber(2)).number == 2
        shutil.rmtree(file.parent)
        assert serving.models().records == ()
        other.register(candidate(3))
        # Then both see the new file
        assert serving.register(candidate(4)).record.number == 2
        assert other.model("sentiment").last_version == 2


def test_importing_the_registrys_records_does_not_import_sqlite() -> None:
    rooms = "maas.registry.policy_cache, maas.registry.reader"
    code = f"import sys, {rooms}; print('sqlite3' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
