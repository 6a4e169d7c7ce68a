"""One SQLite connection per thread, and none that a fork could carry along.

Imports the standard library. A child process that inherits an open connection inherits SQLite's
belief in locks which it does not hold, even for connections that it opens itself: its writes can
vanish with the parent's write-ahead log. So before a fork every connection is closed, and parent
and child open their own again. A thread's connection is closed when the thread ends:

    connections = Connections(lambda: connect(path, busy_timeout=5.0))
    with connections.use(file_identity) as connection: ...
    connections.close()
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from weakref import WeakSet

FORK_WAIT = 6.0
"""Seconds that a fork waits for a running transaction; above the busy timeout."""


class _Slot:
    """A thread's connection, or the place for one. Its lock is held while it is in use."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.connection: sqlite3.Connection | None = None
        self.file: tuple[int, int] | None = None

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def __del__(self) -> None:
        self.close()


class Connections:
    """The connections of one file, opened as threads come and closed as they go.

    Args:
        connect: Opens a connection that any thread may close.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._local = threading.local()
        self._slots: WeakSet[_Slot] = WeakSet()
        self._lock = threading.Lock()
        _FORKS.add(self)

    @contextmanager
    def use(self, file: tuple[int, int]) -> Iterator[sqlite3.Connection]:
        """This thread's connection, for one operation.

        Args:
            file: Device and inode now. A connection to another one is to a deleted file, where
                writes would be lost; it is closed and opened anew.
        """
        slot = self._slot()
        with slot.lock:
            if slot.file != file:
                slot.close()
            if slot.connection is None:
                slot.connection, slot.file = self._connect(), file
            yield slot.connection

    def close(self) -> None:
        """Close the connections of all threads, each as soon as its operation ends."""
        with self._lock:
            slots = list(self._slots)
        for slot in slots:
            with slot.lock:
                slot.close()

    def hold(self) -> list[threading.Lock]:
        """Close everything and keep it closed until the returned locks are released."""
        self._lock.acquire()
        held = [self._lock]
        for slot in list(self._slots):
            if slot.lock.acquire(timeout=FORK_WAIT):
                slot.close()
                held.append(slot.lock)
        return held

    def _slot(self) -> _Slot:
        slot: _Slot | None = getattr(self._local, "slot", None)
        if slot is None:
            slot = self._local.slot = _Slot()
            with self._lock:
                self._slots.add(slot)
        return slot


class _ForkWatch:
    """Closes all connections of this process before a fork. Starts with the first one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: list[threading.Lock] = []
        self._watched: WeakSet[Connections] = WeakSet()
        self._started = False

    def add(self, connections: Connections) -> None:
        with self._lock:
            self._watched.add(connections)
            if not self._started and hasattr(os, "register_at_fork"):
                self._started = True
                os.register_at_fork(
                    before=self._before, after_in_parent=self._after, after_in_child=self._after
                )

    def _before(self) -> None:
        self._lock.acquire()
        self._held = [lock for each in list(self._watched) for lock in each.hold()]

    def _after(self) -> None:
        for lock in self._held:
            lock.release()
        self._held = []
        self._lock.release()


_FORKS = _ForkWatch()
