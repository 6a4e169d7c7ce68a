"""Processes that end with no warning, at a step that a test has chosen.

def work() -> None:
    registry = Registry(stepping(open_store(), killer(7)), …)      # ends at its eighth step
    registry.promote(…)

if killed(work): ...

A step is any moment just before or after something is asked of a store. The processes are forks of
the test's own, which has imported everything: one costs some milliseconds, or a quarter of a second
where it has to open a table.
"""

import os
import signal
from collections.abc import Callable
from multiprocessing import get_context
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from maas.registry.store import Store

FORK = get_context("fork")


def killer(at: int) -> Callable[[], None]:
    """A step that kills its process when it comes for the `at`-th time, counted from 0."""
    left = at

    def step() -> None:
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    return step


class _Stepping:
    def __init__(self, store: "Store", step: Callable[[], object]) -> None:
        self._store, self._step = store, step

    def __getattr__(self, name: str) -> Callable[..., object]:
        asked = getattr(self._store, name)

        def stepping(*arguments: object, **options: object) -> object:
            self._step()
            answer = asked(*arguments, **options)
            self._step()
            return answer

        return stepping


def stepping(store: "Store", step: Callable[[], object]) -> "Store":
    """The store, which calls `step` just before and after everything that it is asked."""
    return cast("Store", _Stepping(store, step))


def killed(work: Callable[[], object]) -> bool:
    """Do some work in a process of its own; whether that was killed. It must not fail otherwise."""
    child = FORK.Process(target=work)
    child.start()
    child.join()
    assert child.exitcode in (0, -signal.SIGKILL)
    return child.exitcode != 0
