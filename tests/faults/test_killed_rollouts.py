"""Drivers killed with no warning: the registry is before a step or after it, and a rerun converges.

A driver is killed just before or after any of its transactions, and before any file that it opens;
then the same command is given again, killed again, and at last left alone.
"""

import os
import random
import signal
import sys
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from pathlib import Path

import pytest
from rich.console import Console
from support.effort import count, examples
from support.rollouts import (
    FAILS,
    GATE,
    MODEL,
    STEPS,
    WELL,
    FakeSource,
    FakeTime,
    shares,
    two_versions,
)

from maas.registry.addresses import ByNumber
from maas.registry.registry import Registry
from maas.registry.sqlite import SqliteStore
from maas.registry.store import Write
from maas_lab.registry.checks import contradictions
from maas_lab.registry.copies import copy_model
from maas_lab.rollout.release import Desk, Wish
from maas_lab.rollout.sources import Seen

FORK = get_context("fork")
# Python 3.12 warns of any fork beside threads; forking beside them is what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
WISH = Wish(MODEL, ByNumber(2), "production", STEPS, GATE, "")
KILLS = 3
"""Of each rollout, one after the other."""
ENDS = {"finished": {2: 10_000}, "stopped": {1: 10_000}}


class Killing(SqliteStore):
    """A file that tells when something is about to be written, and when it has been."""

    def __init__(self, path: Path, point: Callable[[], None]) -> None:
        super().__init__(path)
        self._point = point

    def transact(self, writes: Sequence[Write]) -> None:
        self._point()
        super().transact(writes)
        self._point()


class TurnsBad(FakeSource):
    """Figures that are well until the last step."""

    def __init__(self, registry: Registry) -> None:
        super().__init__(Seen(WELL, WELL))
        self._registry = registry

    def read(self, now: object) -> Seen:
        del now
        return Seen(FAILS if shares(self._registry) == {2: 10_000} else WELL, WELL)


def roll_out(home: Path, *, bad: bool, kill_at: int) -> None:
    """Give the command, as a process that ends at one of its points; -1: at none."""
    seen = 0

    def point() -> None:
        nonlocal seen
        if seen == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        seen += 1

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in {"open", "os.mkdir"} and str(home / "rollouts") in str(arguments[0]):
            point()

    sys.addaudithook(hook)
    time = FakeTime()
    store = Killing(home / "registry.sqlite", point)
    with Registry(store, clock=time.now, actor="ada") as registry:
        source = TurnsBad(registry) if bad else FakeSource(Seen(WELL, WELL))
        desk = Desk(
            registry,
            home,
            Console(quiet=True),
            clock=time.now,
            sleep=time.sleep,
            pause=300,  # few looks, so that a point is as likely a transaction
        )
        desk.begin(WISH, lambda *_: source)


@pytest.mark.parametrize("bad", [False, True], ids=["good", "bad"])
@pytest.mark.parametrize("seed", range(examples(4, 125)))
def test_killed_drivers_leave_whole_steps_and_a_rerun_converges(
    tmp_path: Path, seed: int, *, bad: bool
) -> None:
    rng = random.Random(seed)
    file = tmp_path / "registry.sqlite"
    two_versions(file, FakeTime().now).close()
    store = SqliteStore(file)
    points = [rng.randrange(24) for _ in range(KILLS)]
    for kill_at in [*points, -1]:
        child = FORK.Process(
            target=roll_out, args=(tmp_path,), kwargs={"bad": bad, "kill_at": kill_at}
        )
        child.start()
        child.join()
        with two_versions(file) as registry:
            state, routes = registry.rollout(MODEL), shares(registry)
        assert contradictions(copy_model(store, MODEL)) == []
        if child.exitcode:
            assert child.exitcode == -signal.SIGKILL
            count("faults")
        if state.record is None:
            assert routes == {1: 10_000}
        elif state.running:  # before or after a step, never between
            assert routes.get(2, 0) == 100 * STEPS[state.record.step]
        else:  # perhaps killed at what comes after the end
            break
    assert state.record is not None
    assert state.record.status == ("stopped" if bad else "finished")
    assert routes == ENDS[state.record.status]
    with two_versions(file) as registry:
        events = [e for e in registry.history(MODEL).records if e.action == "rollout"]
    # Each step was made once, whoever made it
    assert len(events) == len(STEPS) + 1
    store.close()
