"""Drivers killed with no warning: the registry is before a step or after it, and a rerun converges.

A driver is killed just before or after anything that it asks of the registry, before any file that
it opens, and around the telling of the end; then the same command is given again, killed again, and
at last left alone.
"""

import random
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console
from support.effort import count, examples
from support.kills import killed, killer, stepping
from support.registries import store_opener
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
from maas.registry.store import Store
from maas_lab.registry.checks import contradictions
from maas_lab.registry.copies import copy_model
from maas_lab.rollout.notify import Notice
from maas_lab.rollout.release import Desk, Wish
from maas_lab.rollout.sources import Seen

# Python 3.12 warns of any fork beside threads; forking beside them is what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
WISH = Wish(MODEL, ByNumber(2), "production", STEPS, GATE, "")
POINTS = 105
"""Where a driver that nobody kills could be killed, from its begin to its end; about so many."""
AGAIN = (30, 30)
"""Those of the next two drivers, each of which goes on where the one before was killed."""
ENDS = {"finished": {2: 10_000}, "stopped": {1: 10_000}}
ROLLOUTS = [
    *(("sqlite", seed) for seed in range(examples(3, 80))),
    *(("dynamodb", seed) for seed in range(examples(1, 45))),
]


class Oversleeps(FakeTime):
    """Looks are rare, so that what is between them is killed as often as what they do."""

    def sleep(self, seconds: float) -> None:
        super().sleep(max(seconds, GATE.interval / 2))


class TurnsBad(FakeSource):
    """Figures that are well until the last step."""

    def __init__(self, registry: Registry) -> None:
        super().__init__(Seen(WELL, WELL))
        self._registry = registry

    def read(self, now: object) -> Seen:
        del now
        return Seen(FAILS if shares(self._registry) == {2: 10_000} else WELL, WELL)


class Scribe:
    """A channel that writes down what it is told."""

    name = "scribe"

    def __init__(self, file: Path, step: Callable[[], None]) -> None:
        self._file, self._step = file, step

    def send(self, notice: Notice) -> str:
        self._step()
        with self._file.open("a") as file:
            file.write(f"{notice.id}\n")
        self._step()
        return "written"


def roll_out(home: Path, open_store: Callable[[], Store], kill_at: int, *, bad: bool) -> None:
    """Give the command, as a process that ends at one of its points; -1: at none."""
    step = killer(kill_at)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in {"open", "os.mkdir", "os.rename"} and str(home / "rollouts") in str(
            arguments[0]
        ):
            step()

    sys.addaudithook(hook)
    time = Oversleeps()
    with Registry(stepping(open_store(), step), clock=time.now, actor="ada") as registry:
        source = TurnsBad(registry) if bad else FakeSource(Seen(WELL, WELL))
        desk = Desk(
            registry,
            home,
            Console(quiet=True),
            clock=time.now,
            ticks=time.ticks,
            sleep=time.sleep,
        )
        desk.begin(WISH, lambda *_: source, [Scribe(home / "told", step)])


@pytest.mark.parametrize("bad", [False, True], ids=["good", "bad"])
@pytest.mark.parametrize("rollout", ROLLOUTS, ids=lambda each: f"{each[0]}-{each[1]}")
def test_killed_drivers_leave_whole_steps_and_a_rerun_converges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rollout: tuple[str, int], *, bad: bool
) -> None:
    kind, seed = rollout
    rng = random.Random(f"{kind} {seed} {bad}")
    open_store = store_opener(kind, tmp_path / "registry.sqlite", monkeypatch)
    store = open_store()
    registry = two_versions(store, FakeTime().now)
    for kill_at in [*(rng.randrange(points) for points in (POINTS, *AGAIN)), -1]:
        if killed(partial(roll_out, tmp_path, open_store, kill_at, bad=bad)):
            count("faults")
        state, routes = registry.rollout(MODEL), shares(registry)
        assert contradictions(copy_model(store, MODEL)) == []
        if state.record is None:
            assert routes == {1: 10_000}
        elif state.running:  # before or after a step, never between
            assert routes.get(2, 0) == 100 * STEPS[state.record.step]
        elif not state.record.owed:  # perhaps killed at what comes after the end
            break
    assert state.record is not None
    assert state.record.status == ("stopped" if bad else "finished")
    assert routes == ENDS[state.record.status]
    events = [event for event in registry.history(MODEL).records if event.action == "rollout"]
    # Each step was made once, whoever made it, and so was the note that the end has been told
    assert len(events) == len(STEPS) + 2
    # It was told at least once, and always as the same end
    assert state.record.owed == ()
    told = (tmp_path / "told").read_text().splitlines()
    assert set(told) == {f"{MODEL}.production.{state.record.revision - 1}.{state.record.status}"}
    registry.close()
