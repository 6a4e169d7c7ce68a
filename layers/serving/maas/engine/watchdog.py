"""One thread that calls `stop` when a deadline comes first.

Imports the standard library alone. A `threading.Timer` per request would start a thread per
request (measured: 170 µs); this one thread is woken only by a deadline earlier than the one it
waits for, so arming it costs a few microseconds:

    key = watchdog.arm(deadline, stop)
    try:
        work()
    finally:
        watchdog.disarm(key)
"""

import itertools
import math
import os
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Watchdog:
    """Calls back when deadlines pass. Safe to share between threads; the thread is a daemon."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._condition = threading.Condition(self._lock)
        self._order = itertools.count()
        self._armed: dict[int, tuple[float, Callable[[], None]]] = {}
        self._awaited = math.inf
        self._process = 0

    def arm(self, deadline: float, stop: "Callable[[], None]") -> int:
        """Call `stop` from another thread unless this is disarmed before `deadline`.

        Args:
            deadline: Seconds on `time.monotonic`'s clock.
            stop: Must return at once and not raise.

        Returns:
            What `disarm` is told.

        Raises:
            RuntimeError: The machine has no more threads.
        """
        key = next(self._order)
        with self._lock:
            if self._process != os.getpid():  # first use, or after a fork, which takes no thread
                self._awaited = deadline
                threading.Thread(target=self._watch, name="watchdog", daemon=True).start()
                self._process = os.getpid()
            elif deadline < self._awaited:
                # All: after a fork the condition still counts the parent's thread as waiting, and a
                # single notification would go to it.
                self._awaited = deadline
                self._condition.notify_all()
            self._armed[key] = (deadline, stop)
        return key

    def disarm(self, key: int) -> None:
        """Watch no longer. The thread finds out when it next wakes, which costs nobody anything."""
        with self._lock:
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
