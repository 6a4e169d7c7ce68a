"""One thread that calls `stop` when a deadline comes first.

Imports the standard library alone. A `threading.Timer` per request would start a thread per
request (measured: 170 µs); this one thread is woken only by a deadline earlier than the one it
waits for, so arming it costs a few microseconds:

    with watchdog.armed(deadline, stop):
        work()
"""

import heapq
import itertools
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Watchdog:
    """Calls back when deadlines pass. Safe to share between threads; the thread is a daemon."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._order = itertools.count()
        self._entries: list[tuple[float, int]] = []
        self._stops: dict[int, Callable[[], None]] = {}
        self._thread: threading.Thread | None = None

    @contextmanager
    def armed(self, deadline: float, stop: "Callable[[], None]") -> "Iterator[None]":
        """Call `stop` from another thread if the block still runs at `deadline`.

        Args:
            deadline: Seconds on `time.monotonic`'s clock.
            stop: Must return at once and not raise.
        """
        key = next(self._order)
        with self._condition:
            self._stops[key] = stop
            heapq.heappush(self._entries, (deadline, key))
            if self._thread is None or not self._thread.is_alive():  # first use, or after a fork
                self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
                self._thread.start()
            elif self._entries[0] == (deadline, key):
                # All: after a fork the condition still counts the parent's thread as waiting, and a
                # single notification would go to it.
                self._condition.notify_all()
        try:
            yield
        finally:
            with self._condition:
                self._stops.pop(key, None)

    def _watch(self) -> None:
        with self._condition:
            while True:
                while self._entries and self._entries[0][1] not in self._stops:
                    heapq.heappop(self._entries)  # its block has ended
                if not self._entries:
                    self._condition.wait()
                    continue
                deadline, key = self._entries[0]
                left = deadline - time.monotonic()
                if left > 0:
                    self._condition.wait(min(left, threading.TIMEOUT_MAX))
                else:
                    heapq.heappop(self._entries)
                    self._stops.pop(key)()
