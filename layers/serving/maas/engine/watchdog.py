"""One thread that calls `stop` when a deadline comes first.

Imports the standard library alone. A `threading.Timer` per request would start a thread per
request (measured: 170 µs); this one thread is woken only by a deadline earlier than the one it
waits for, so arming it costs a few microseconds:

    with watchdog.armed(deadline, stop):
        work()
"""

import itertools
import math
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Watchdog:
    """Calls back when deadlines pass. Safe to share between threads; the thread is a daemon."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._order = itertools.count()
        self._armed: dict[int, tuple[float, Callable[[], None]]] = {}
        self._awaited = math.inf
        self._thread: threading.Thread | None = None

    def armed(self, deadline: float, stop: "Callable[[], None]") -> "Armed":
        """Call `stop` from another thread if the block still runs at `deadline`.

        Args:
            deadline: Seconds on `time.monotonic`'s clock.
            stop: Must return at once and not raise.
        """
        return Armed(self, deadline, stop)

    def arm(self, deadline: float, stop: "Callable[[], None]") -> int:
        """Begin to watch; the answer is what `disarm` is told."""
        key = next(self._order)
        with self._condition:
            self._armed[key] = (deadline, stop)
            if self._thread is None or not self._thread.is_alive():  # first use, or after a fork
                self._awaited = deadline
                self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
                self._thread.start()
            elif deadline < self._awaited:
                # All: after a fork the condition still counts the parent's thread as waiting, and a
                # single notification would go to it.
                self._awaited = deadline
                self._condition.notify_all()
        return key

    def disarm(self, key: int) -> None:
        """Watch no longer. The thread finds out when it next wakes, which costs nobody anything."""
        with self._condition:
            self._armed.pop(key, None)

    def _watch(self) -> None:
        with self._condition:
            while True:
                now = time.monotonic()
                for deadline, key in sorted((at, key) for key, (at, _) in self._armed.items()):
                    if deadline > now:
                        break
                    self._armed.pop(key)[1]()
                self._awaited = min((at for at, _ in self._armed.values()), default=math.inf)
                self._condition.wait(min(self._awaited - now, threading.TIMEOUT_MAX))


class Armed:
    """A block that is watched while it runs."""

    __slots__ = ("_deadline", "_key", "_stop", "_watchdog")

    def __init__(self, watchdog: Watchdog, deadline: float, stop: "Callable[[], None]") -> None:
        self._watchdog = watchdog
        self._deadline = deadline
        self._stop = stop
        self._key = -1

    def __enter__(self) -> None:
        self._key = self._watchdog.arm(self._deadline, self._stop)

    def __exit__(self, *_: object) -> None:
        self._watchdog.disarm(self._key)
