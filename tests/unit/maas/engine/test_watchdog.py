"""One thread calls back when deadlines come, and only for blocks that still run."""

import os
import random
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest

from maas.engine.watchdog import Watchdog

LATE = 0.25
WAIT = 5.0


@pytest.fixture
def watchdog() -> Watchdog:
    return Watchdog()


@contextmanager
def armed(watchdog: Watchdog, deadline: float, stop: Callable[[], None]) -> Iterator[None]:
    key = watchdog.arm(deadline, stop)
    try:
        yield
    finally:
        watchdog.disarm(key)


def test_a_block_that_outlives_its_deadline_is_told_once(watchdog: Watchdog) -> None:
    called: list[float] = []
    told = threading.Event()

    def stop() -> None:
        called.append(time.monotonic())
        told.set()

    deadline = time.monotonic() + 0.03
    with armed(watchdog, deadline, stop):
        assert told.wait(WAIT)
    assert len(called) == 1
    assert deadline <= called[0] < deadline + LATE


def test_a_deadline_that_has_passed_is_told_at_once(watchdog: Watchdog) -> None:
    told = threading.Event()
    with armed(watchdog, time.monotonic() - 1, told.set):
        assert told.wait(LATE)


def test_a_block_that_has_ended_is_never_told(watchdog: Watchdog) -> None:
    # Given many blocks that end before the deadline that they share, one of them by an error
    called: list[int] = []
    deadline = time.monotonic() + 0.03
    for number in range(100):
        with armed(watchdog, deadline, partial(called.append, number)):
            pass
    with pytest.raises(ValueError, match="ended"), armed(watchdog, deadline, lambda: None):
        raise ValueError("ended")

    # When the watchdog has dealt with a later deadline than theirs
    told = threading.Event()
    with armed(watchdog, deadline + 0.01, told.set):
        assert told.wait(WAIT)

    # Then it has called none of them
    assert called == []


def test_deadlines_are_told_in_their_own_order_whatever_order_they_came_in(
    watchdog: Watchdog,
) -> None:
    # Given 300 blocks at once, with deadlines in no order
    begin = time.monotonic() + 0.02
    deadlines = [begin + number / 5_000 for number in range(300)]
    random.Random(5).shuffle(deadlines)
    called: list[tuple[float, float]] = []
    last = threading.Event()

    def stop(deadline: float) -> None:
        called.append((deadline, time.monotonic()))
        if len(called) == len(deadlines):
            last.set()

    # When all of them come
    with ExitStack() as blocks:
        for deadline in deadlines:
            blocks.enter_context(armed(watchdog, deadline, partial(stop, deadline)))
        all_armed = time.monotonic()
        assert last.wait(WAIT)

    # Then each was told, none too early, none late, and in order once all were there
    order = [deadline for deadline, _ in called]
    assert sorted(order) == sorted(deadlines)
    assert all(deadline <= at < deadline + LATE for deadline, at in called)
    later = [deadline for deadline in order if deadline > all_armed]
    assert later
    assert later == sorted(later)


def test_an_earlier_deadline_wakes_it_from_waiting_for_a_later_one(watchdog: Watchdog) -> None:
    later, earlier = threading.Event(), threading.Event()
    with (
        armed(watchdog, time.monotonic() + 60, later.set),
        armed(watchdog, time.monotonic() + 0.02, earlier.set),
    ):
        assert earlier.wait(LATE)
    assert not later.is_set()


def test_many_threads_arm_it_at_once(watchdog: Watchdog) -> None:
    told = [threading.Event() for _ in range(16)]

    def block(event: threading.Event) -> None:
        for _ in range(50):
            with armed(watchdog, time.monotonic() + 60, lambda: None):
                pass
        with armed(watchdog, time.monotonic() + 0.01, event.set):
            event.wait(WAIT)

    threads = [threading.Thread(target=block, args=(event,)) for event in told]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(event.is_set() for event in told)
    assert sum(thread.name == "watchdog" for thread in threading.enumerate()) >= 1


def test_one_thread_serves_all_and_none_exists_before_it_is_needed() -> None:
    before = set(threading.enumerate())
    watchdog = Watchdog()
    assert set(threading.enumerate()) == before
    for _ in range(20):
        with armed(watchdog, time.monotonic() + 60, lambda: None):
            pass
    new = set(threading.enumerate()) - before
    assert [(thread.name, thread.daemon) for thread in new] == [("watchdog", True)]


def test_it_keeps_its_promise_after_a_fork(watchdog: Watchdog) -> None:
    # Given a watchdog that waits for a deadline in the parent
    with armed(watchdog, time.monotonic() + 60, lambda: None):
        while watchdog_is_busy(watchdog):
            pass
        # When a child of this process waits for a later and then for an earlier one
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # 3.12: fork beside threads
            child = os.fork()
        if child == 0:
            os._exit(_earlier_is_told(watchdog))
        _, status = os.waitpid(child, 0)

    # Then it is told of the earlier one, though its parent's thread is not there
    assert os.waitstatus_to_exitcode(status) == 0


def watchdog_is_busy(watchdog: Watchdog) -> bool:
    """Whether its thread has not come to wait yet; told by an earlier deadline's answer."""
    told = threading.Event()
    with armed(watchdog, time.monotonic(), told.set):
        return not told.wait(WAIT)


def _earlier_is_told(watchdog: Watchdog) -> int:
    earlier = threading.Event()
    with armed(watchdog, time.monotonic() + 60, lambda: None):
        ready = time.monotonic() + 0.05
        while time.monotonic() < ready:
            time.sleep(0.005)  # until the new thread waits
        with armed(watchdog, time.monotonic() + 0.02, earlier.set):
            return 0 if earlier.wait(1.0) else 1


def test_a_deadline_that_never_comes_does_not_end_the_thread(watchdog: Watchdog) -> None:
    called = threading.Event()
    never, soon = float("inf"), time.monotonic() + 0.01
    with armed(watchdog, never, called.set), armed(watchdog, soon, called.set):
        assert called.wait(5)
    called.clear()
    with armed(watchdog, time.monotonic(), called.set):
        assert called.wait(5)
