"""Counts of what each version answered in this process."""

import time
from concurrent.futures import ThreadPoolExecutor

from maas.statistics import Statistics, Tally

A, B = "sha256:a", "sha256:b"


def test_each_version_has_its_own_tally() -> None:
    statistics = Statistics()
    before = time.time_ns() // 1_000_000
    statistics.count(A, rows=3, nanoseconds=100, done=True)
    statistics.count(A, rows=2, nanoseconds=10, done=True)
    statistics.count(A, rows=9, nanoseconds=7, done=False)
    after = time.time_ns() // 1_000_000
    tally = statistics.of(A)
    assert (tally.successes, tally.success_ns, tally.rows) == (2, 110, 5)
    assert (tally.failures, tally.failure_ns) == (1, 7)
    assert before <= tally.last <= after
    assert statistics.of(B) == Tally()


def test_no_count_is_lost_between_threads() -> None:
    statistics = Statistics()

    def work(number: int) -> None:
        for _ in range(200):
            statistics.count(A, rows=1, nanoseconds=1, done=number % 2 == 0)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    tally = statistics.of(A)
    assert (tally.successes, tally.failures, tally.rows) == (800, 800, 800)
