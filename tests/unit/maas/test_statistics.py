"""Counts of what each version answered in this process."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from maas.statistics import BUCKETS_PER_OCTAVE, Statistics, Tally, latency_bound, quantile

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


def test_errors_of_our_own_are_told_from_those_of_callers() -> None:
    statistics = Statistics()
    statistics.count(A, rows=1, nanoseconds=5, done=False)
    statistics.count(A, rows=1, nanoseconds=5, done=False, error=True)
    statistics.count(A, rows=1, nanoseconds=5, done=True)
    tally = statistics.of(A)
    assert (tally.successes, tally.failures, tally.errors) == (1, 2, 1)


@pytest.mark.parametrize("milliseconds", [0.07, 1, 4.9, 33, 250, 9_999])
def test_a_latency_is_kept_within_a_tenth(milliseconds: float) -> None:
    statistics = Statistics()
    spent = int(milliseconds * 1e6)
    statistics.count(A, rows=1, nanoseconds=spent, done=True)
    ((bound, count),) = statistics.of(A).latencies.items()
    assert count == 1
    assert spent <= bound <= spent * 2 ** (1 / BUCKETS_PER_OCTAVE) + 1


@pytest.mark.parametrize("nanoseconds", [70_000, 4_900_000, 10**9])
def test_a_buckets_bound_belongs_to_it(nanoseconds: int) -> None:
    bound = latency_bound(nanoseconds)
    assert latency_bound(bound) == bound
    assert latency_bound(bound + 1) > bound


@pytest.mark.parametrize("nanoseconds", [0, 1, 2**16, 10**12])
def test_what_is_too_short_or_too_long_is_counted_at_the_ends(nanoseconds: int) -> None:
    statistics = Statistics()
    statistics.count(A, rows=1, nanoseconds=nanoseconds, done=True)
    ((bound, _),) = statistics.of(A).latencies.items()
    assert bound in (2**16, 2**36)


def test_a_quantile_is_the_bound_that_so_many_did_not_exceed() -> None:
    latencies = {10: 98, 20: 1, 40: 1}
    assert quantile(latencies, 0.5) == 10
    assert quantile(latencies, 0.98) == 10
    assert quantile(latencies, 0.99) == 20
    assert quantile(latencies, 1.0) == 40
    assert quantile({}, 0.99) is None
    assert quantile({10: 0}, 0.99) is None
