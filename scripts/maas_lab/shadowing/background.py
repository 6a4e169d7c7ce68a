"""Asks shadows in the background, one request after the other: a server's requests wait for none.

Imports `maas` and the tallies.

    background = Background(services, tallies, clock=time.monotonic)
    inference_routes(services, threads=True, watch=background.watch)

What waits is bounded; what comes while as many wait as may is dropped, and counted as such.
"""

import threading
import time
from contextlib import suppress
from queue import Full, Queue
from typing import TYPE_CHECKING, NamedTuple

from maas.limits import LIMITS
from maas.shadow.outcome import compare, outcome_of
from maas_lab.shadowing.tallies import Pair, Tallies

if TYPE_CHECKING:
    from collections.abc import Callable

    from maas.assembly import Services
    from maas.service import Turn
    from maas.tasks.task import Response, Task

HEAD_START = 0.003
"""Seconds that an answer has to be encoded and sent, before a shadow takes a processor from it."""
WAITING = 32
"""Requests that may wait for a shadow; each holds what was asked."""


class _Seen(NamedTuple):
    """A request that was answered."""

    pair: Pair
    digest: str
    ask: "Callable[[Task, float], Response]"
    answer: "Response"
    nanoseconds: int
    at: float


class Background:
    """A queue and the thread that empties it, which starts with the first request.

    Args:
        services: The service of each model.
        tallies: Told how answers compare.
        clock: Seconds, as the deadlines of tasks are told by.
        waiting: Requests that may wait.
    """

    def __init__(
        self,
        services: "Services",
        tallies: Tallies,
        *,
        clock: "Callable[[], float]" = time.monotonic,
        waiting: int = WAITING,
    ) -> None:
        self._services = services
        self._tallies = tallies
        self._clock = clock
        self._queue: Queue[_Seen] = Queue(waiting)
        self._started = False
        self._lock = threading.Lock()

    def watch(
        self,
        turn: "Turn",
        ask: "Callable[[Task, float], Response]",
        answer: "Response",
        nanoseconds: int,
    ) -> None:
        """Let the shadow see a request that was answered, when there is time."""
        if turn.shadow is None:
            return
        number, digest = turn.shadow
        pair = Pair(turn.loaded.bundle.manifest.name, turn.version, number)
        try:
            self._queue.put_nowait(_Seen(pair, digest, ask, answer, nanoseconds, self._clock()))
        except Full:
            self._tallies.drop(pair)
        if not self._started:
            self._start()

    def settle(self) -> None:
        """Wait until the shadow has seen all that waits."""
        self._queue.join()

    def _start(self) -> None:
        with self._lock, suppress(RuntimeError):  # the machine has no more threads; asked later
            if not self._started:
                threading.Thread(target=self._run, name="shadows", daemon=True).start()
                self._started = True

    def _run(self) -> None:
        while True:
            seen = self._queue.get()
            try:
                self._see(seen)
            except Exception:  # noqa: BLE001 - whatever a version raises is its own failure
                self._tallies.fail(seen.pair)
            finally:
                del seen  # what was asked is not kept while nothing waits
                self._queue.task_done()

    def _see(self, seen: _Seen) -> None:
        time.sleep(max(0.0, seen.at + HEAD_START - self._clock()))
        deadline = self._clock() + LIMITS.deadline_seconds
        loaded = self._services(seen.pair.model).open(seen.digest, deadline=deadline)
        started = time.perf_counter_ns()
        answer = seen.ask(loaded.task, deadline)
        spent = time.perf_counter_ns() - started
        self._tallies.count(
            seen.pair,
            compare(outcome_of(seen.answer), outcome_of(answer)),
            answered_ns=seen.nanoseconds,
            shadow_ns=spent,
        )
