"""How often each version answered in this process, and for how long. Imports msgspec alone.

statistics.count(digest, rows=3, nanoseconds=4_900_000, done=True)
tally = statistics.of(digest)
quantile(tally.latencies, 0.99)      # nanoseconds
"""

import bisect
import math
import threading
import time
from collections.abc import Mapping

from msgspec import Struct

BUCKETS_PER_OCTAVE = 8
"""Buckets of latencies between one time and its double: a quantile is right within a tenth."""
_BOUNDS = tuple(
    math.ceil(2 ** (16 + index / BUCKETS_PER_OCTAVE))
    for index in range(20 * BUCKETS_PER_OCTAVE + 1)
)
"""Each bucket's upper one in nanoseconds, 66 µs to 69 s; what is longer counts in the last."""


class Tally(Struct, frozen=True):
    """One version's counts since the process started.

    Attributes:
        successes: Requests that were answered.
        success_ns: Nanoseconds that they took, the task alone.
        failures: Requests that were not.
        failure_ns: Nanoseconds that these took.
        errors: Failures of our own, whose status is 5xx; the others are the callers'.
        rows: Texts, images, tables or rows of tensors that were answered.
        last: When it was last asked, in milliseconds since 1970; 0 is never.
        latencies: Answered requests by how long the task took: the upper bound of a bucket in
            nanoseconds, ascending, and its count. Those that count none are left out.
    """

    successes: int = 0
    success_ns: int = 0
    failures: int = 0
    failure_ns: int = 0
    errors: int = 0
    rows: int = 0
    last: int = 0
    latencies: dict[int, int] = {}


class _Counts:
    """A tally while it is counted."""

    __slots__ = ("buckets", "errors", "failure_ns", "failures", "last", "rows", "success_ns")

    def __init__(self) -> None:
        self.success_ns = self.failures = self.failure_ns = self.errors = self.rows = self.last = 0
        self.buckets: dict[int, int] = {}

    def tally(self) -> Tally:
        """The counts as they are."""
        return Tally(
            successes=sum(self.buckets.values()),
            success_ns=self.success_ns,
            failures=self.failures,
            failure_ns=self.failure_ns,
            errors=self.errors,
            rows=self.rows,
            last=self.last,
            latencies={_BOUNDS[index]: self.buckets[index] for index in sorted(self.buckets)},
        )


class Statistics:
    """Tallies by digest. Safe to share between threads."""

    def __init__(self) -> None:
        self._counts: dict[str, _Counts] = {}
        self._lock = threading.Lock()

    def of(self, digest: str) -> Tally:
        """The tally of a version; zeros where it was not asked yet."""
        with self._lock:
            counts = self._counts.get(digest)
            return counts.tally() if counts else Tally()

    def count(
        self, digest: str, *, rows: int, nanoseconds: int, done: bool, error: bool = False
    ) -> None:
        """Count one request.

        Args:
            digest: The version's digest.
            rows: What was asked about.
            nanoseconds: How long the task took.
            done: Whether it was answered.
            error: Whether it was our fault that it was not.
        """
        now = time.time_ns() // 1_000_000
        with self._lock:
            counts = self._counts.get(digest) or self._counts.setdefault(digest, _Counts())
            counts.last = now
            if done:
                index = _bucket(nanoseconds)
                counts.buckets[index] = counts.buckets.get(index, 0) + 1
                counts.success_ns += nanoseconds
                counts.rows += rows
            else:
                counts.failures += 1
                counts.failure_ns += nanoseconds
                counts.errors += error


def latency_bound(nanoseconds: int) -> int:
    """The upper bound of the bucket that a latency counts in, as in `Tally.latencies`."""
    return _BOUNDS[_bucket(nanoseconds)]


def quantile(latencies: Mapping[int, int], part: float) -> int | None:
    """The latency that `part` of the requests did not exceed: the upper bound of its bucket.

    Args:
        latencies: Counts by upper bound, of a `Tally` or of the difference between two.
        part: Above 0, and 1 at the most.

    Returns:
        Nanoseconds; None where nothing was counted.
    """
    wanted = part * sum(latencies.values())
    seen = 0
    for bound in sorted(latencies):
        seen += latencies[bound]
        if seen and seen >= wanted:
            return bound
    return None


def _bucket(nanoseconds: int) -> int:
    return bisect.bisect_left(_BOUNDS, nanoseconds, 0, len(_BOUNDS) - 1)
