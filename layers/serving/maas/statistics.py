"""How often each version answered in this process, and for how long. Imports msgspec alone.

statistics.count(digest, rows=3, nanoseconds=4_900_000, done=True)
statistics.of(digest).successes
"""

import threading
import time

from msgspec import Struct
from msgspec.structs import replace


class Tally(Struct, frozen=True):
    """One version's counts since the process started.

    Attributes:
        successes: Requests that were answered.
        success_ns: Nanoseconds that they took, the task alone.
        failures: Requests that were not.
        failure_ns: Nanoseconds that these took.
        rows: Texts, images, tables or rows of tensors that were answered.
        last: When it was last asked, in milliseconds since 1970; 0 is never.
    """

    successes: int = 0
    success_ns: int = 0
    failures: int = 0
    failure_ns: int = 0
    rows: int = 0
    last: int = 0


class Statistics:
    """Tallies by digest. Safe to share between threads."""

    def __init__(self) -> None:
        self._tallies: dict[str, Tally] = {}
        self._lock = threading.Lock()

    def of(self, digest: str) -> Tally:
        """The tally of a version; zeros where it was not asked yet."""
        return self._tallies.get(digest, Tally())

    def count(self, digest: str, *, rows: int, nanoseconds: int, done: bool) -> None:
        """Count one request.

        Args:
            digest: The version's digest.
            rows: What was asked about.
            nanoseconds: How long the task took.
            done: Whether it was answered.
        """
        now = time.time_ns() // 1_000_000
        with self._lock:
            old = self.of(digest)
            if done:
                new = replace(
                    old,
                    successes=old.successes + 1,
                    success_ns=old.success_ns + nanoseconds,
                    rows=old.rows + rows,
                    last=now,
                )
            else:
                new = replace(
                    old,
                    failures=old.failures + 1,
                    failure_ns=old.failure_ns + nanoseconds,
                    last=now,
                )
            self._tallies[digest] = new
