"""The driver over a real registry, with a clock and figures of the tests' own."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.rollouts import (
    FAILS,
    GATE,
    HOLDER,
    MODEL,
    NONE,
    PLAN,
    SLOW,
    STEPS,
    WELL,
    FakeSource,
    FakeTime,
    candidate,
    shares,
    two_versions,
)

from maas.errors import ConflictError, RegistryUnavailableError, TryAgainError
from maas.registry.addresses import ByNumber
from maas.registry.registry import Registry
from maas.registry.rollout_records import RolloutRecord
from maas_lab.rollout.driver import Driver
from maas_lab.rollout.judge import Figures
from maas_lab.rollout.outcome import Ending
from maas_lab.rollout.sources import Seen

if TYPE_CHECKING:
    from maas_lab.rollout.timeline import Mark

GOOD = Seen(WELL, WELL)
AWAY = TryAgainError("No server answers at this --url.")


class Drive:
    """One driver, and what it told."""

    def __init__(self, registry: Registry, time: FakeTime) -> None:
        self.registry, self.time = registry, time
        self.marks: list[Mark] = []

    def __call__(
        self,
        source: FakeSource,
        *,
        through: Any = None,  # noqa: ANN401 - what stands before the registry
        record: RolloutRecord | None = None,
        reference: Figures | None = None,
    ) -> Ending:
        driver = Driver(
            through or self.registry,
            source,
            clock=self.time.now,
            ticks=self.time.ticks,
            sleep=self.time.sleep,
            tell=self.marks.append,
            reference=reference,
        )
        if record is None:
            record = self.registry.begin_rollout(MODEL, ByNumber(2), plan=PLAN)
        return driver.drive(record)

    @property
    def kinds(self) -> list[str]:
        return [mark.kind for mark in self.marks]


class Faulty:
    """A registry some of whose calls fail, before or after they are done."""

    def __init__(self, registry: Registry, *, fail: dict[str, list[str]]) -> None:
        self._registry, self._fail = registry, fail

    def __getattr__(self, name: str) -> Callable[..., object]:
        def call(*args: object, **options: object) -> object:
            faults = self._fail.get(name, [])
            fault = faults.pop(0) if faults else ""
            if fault == "before":
                raise RegistryUnavailableError("The registry does not answer.")
            answer: object = getattr(self._registry, name)(*args, **options)
            if fault == "after":
                raise RegistryUnavailableError("The registry does not answer.")
            return answer

        return call


def deploy(registry: Registry, *numbers: int) -> None:
    """Record a function that carries these versions."""
    digests = {number: registry.version(MODEL, ByNumber(number)).digest for number in numbers}
    registry.record_deployment(
        MODEL, "maas", function="f:live", function_version="1", digests=digests
    )


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def drive(tmp_path: Path, time: FakeTime) -> Iterator[Drive]:
    with two_versions(tmp_path / "registry.sqlite", time.now) as registry:
        yield Drive(registry, time)


def test_a_good_version_goes_through_all_steps_in_their_time(drive: Drive) -> None:
    began = drive.time.now()
    ending = drive(FakeSource(GOOD))
    assert ending.kind == "finished"
    assert shares(drive.registry) == {2: 10_000}
    spent = (drive.time.now() - began).total_seconds()
    assert len(STEPS) * GATE.interval <= spent <= len(STEPS) * (GATE.interval + 30)
    moved = [mark for mark in drive.marks if mark.kind in {"began", "advanced", "finished"}]
    assert [mark.percent for mark in moved] == [1, 10, 100, 100]


@pytest.mark.parametrize(("bad", "why"), [(FAILS, "errors"), (SLOW, "p99")])
@pytest.mark.parametrize("step", range(3))
def test_a_bad_version_is_taken_back_at_once(
    drive: Drive, bad: Figures, why: str, step: int
) -> None:
    class TurnsBad(FakeSource):
        def read(self, now: Any) -> Seen:  # noqa: ANN401 - not looked at
            super().read(now)
            return Seen(bad, WELL) if self.begun == step + 1 else GOOD

    began = drive.time.now()
    ending = drive(TurnsBad(GOOD))
    assert ending.kind == "stopped"
    assert why in ending.reason
    assert shares(drive.registry) == {1: 10_000}
    assert (drive.time.now() - began).total_seconds() <= step * (GATE.interval + 30)
    alias = drive.registry.alias(MODEL, "production")
    assert alias.reason.startswith("taken back: ")
    assert drive.marks[-1].percent == 0


@pytest.mark.parametrize("new", [NONE, Figures(99, 0, 40.0)], ids=["none", "too-few"])
def test_with_too_few_requests_it_waits_however_long(drive: Drive, new: Figures) -> None:
    few = Seen(new, WELL)
    ending = drive(FakeSource(*[few] * 1_000, GOOD))
    assert ending.kind == "finished"
    assert drive.kinds.count("wait") == 1_000
    assert drive.kinds.index("advanced") > 1_000


def test_at_all_requests_the_last_figures_of_the_others_are_what_counts(drive: Drive) -> None:
    class LastIsSlow(FakeSource):
        def read(self, now: Any) -> Seen:  # noqa: ANN401 - not looked at
            super().read(now)
            return Seen(SLOW, NONE) if self.begun == len(STEPS) else GOOD

    ending = drive(LastIsSlow(GOOD))
    assert (ending.kind, "p99" in ending.reason) == ("stopped", True)
    assert shares(drive.registry) == {1: 10_000}


def test_figures_of_before_a_kill_count_too(drive: Drive) -> None:
    record = drive.registry.begin_rollout(MODEL, ByNumber(2), plan=PLAN)
    ending = drive(FakeSource(Seen(SLOW, NONE)), record=record, reference=WELL)
    assert ending.kind == "stopped"


def test_no_figures_for_a_while_cost_nothing_but_time(drive: Drive) -> None:
    ending = drive(FakeSource(*[AWAY] * 20, GOOD))
    assert ending.kind == "finished"
    assert drive.kinds.count("blind") == 20


def test_a_driver_that_stays_blind_takes_the_version_back(drive: Drive) -> None:
    began = drive.time.now()
    ending = drive(FakeSource(AWAY))
    assert (ending.kind, shares(drive.registry)) == ("stopped", {1: 10_000})
    assert "no figures for 1800 s" in ending.reason
    assert (drive.time.now() - began).total_seconds() < 1_900


@pytest.mark.parametrize("change", ["promote", "rollback", "block", "stop", "take"])
def test_a_person_wins_and_the_driver_ends(drive: Drive, change: str) -> None:
    registry = drive.registry
    changes: dict[str, Callable[[], object]] = {
        "promote": lambda: registry.promote(MODEL, ByNumber(2), weight=30, reason="I know it"),
        "rollback": lambda: registry.rollback(MODEL),
        "block": lambda: registry.block(MODEL, ByNumber(2), reason="it leaks"),
        "stop": lambda: registry.stop_rollout(MODEL, reason="enough"),
        "take": lambda: registry.take_rollout(MODEL, holder="b2"),
    }
    after: list[dict[int, int]] = []

    def interfere(sleeps: int) -> None:
        if sleeps == 30:  # in the middle of a step
            changes[change]()
            after.append(shares(registry))

    drive.time.on_sleep = interfere
    ending = drive(FakeSource(GOOD))
    assert ending.kind == "overtaken"
    said = {"promote": "I know it", "rollback": "ada", "block": "it leaks", "stop": "enough"}
    said["take"] = "another driver"
    assert said[change] in ending.reason
    assert [shares(registry)] == after


def test_a_person_between_a_look_and_its_consequence_wins_too(drive: Drive) -> None:
    registry = drive.registry

    class Interferes(FakeSource):
        def read(self, now: Any) -> Seen:  # noqa: ANN401 - not looked at
            registry.promote(MODEL, ByNumber(2))
            return super().read(now)

    ending = drive(Interferes(Seen(FAILS, WELL)))
    assert (ending.kind, shares(registry)) == ("overtaken", {2: 10_000})


def test_changes_of_something_else_only_cost_another_try(drive: Drive) -> None:
    registry = drive.registry

    def register(sleeps: int) -> None:
        registry.register(candidate(f"{sleeps % 7 + 3}"))

    drive.time.on_sleep = register
    assert drive(FakeSource(GOOD)).kind == "finished"


@pytest.mark.parametrize("fault", ["before", "after"])
@pytest.mark.parametrize("call", ["rollout", "advance_rollout", "stop_rollout"])
@pytest.mark.parametrize("bad", [False, True])
def test_a_registry_that_fails_now_and_then(
    drive: Drive, call: str, fault: str, *, bad: bool
) -> None:
    through = Faulty(
        drive.registry, fail={call: ["", *[fault] * 3, "", fault][call != "rollout" :]}
    )
    ending = drive(FakeSource(GOOD, GOOD, *[Seen(FAILS, WELL) if bad else GOOD]), through=through)
    assert ending.kind == ("stopped" if bad else "finished")
    assert shares(drive.registry) == ({1: 10_000} if bad else {2: 10_000})


def test_a_registry_that_stays_away_leaves_the_weights_and_says_so(drive: Drive) -> None:
    through = Faulty(drive.registry, fail={"rollout": ["before"] * 10_000})
    ending = drive(FakeSource(GOOD), through=through)
    assert (ending.kind, "does not answer" in ending.reason) == ("stuck", True)
    assert shares(drive.registry) == {1: 9900, 2: 100}
    assert drive.registry.rollout(MODEL).running


def test_what_cannot_be_taken_back_is_said(drive: Drive) -> None:
    # Given a version that has all requests, and a target that is being destroyed
    registry = drive.registry
    record = registry.begin_rollout(MODEL, ByNumber(2), plan=PLAN)
    while record.steps[record.step] != 100:
        record = registry.advance_rollout(MODEL, holder=HOLDER)
    deploy(registry, 1, 2)
    registry.leave_deployment(MODEL, "maas")
    # When it fails
    ending = drive(FakeSource(Seen(FAILS, NONE)), record=record)
    # Then nothing is changed, and the reason says why
    assert ending.kind == "stuck"
    assert "cannot be taken back" in ending.reason
    assert "maas destroy" in ending.reason
    assert shares(registry) == {2: 10_000}


def test_a_version_that_may_have_no_more_traffic_stays_where_it_is_with_a_word(
    drive: Drive,
) -> None:
    registry = drive.registry
    deploy(registry, 1, 2)

    def leave(sleeps: int) -> None:
        if sleeps == 10:  # nobody may be given traffic while a target is being destroyed
            registry.leave_deployment(MODEL, "maas")

    drive.time.on_sleep = leave
    ending = drive(FakeSource(GOOD))
    assert (ending.kind, "maas destroy" in ending.reason) == ("stuck", True)


def test_what_sleep_raises_ends_the_driver_and_leaves_the_rollout(drive: Drive) -> None:
    def interrupt(sleeps: int) -> None:
        if sleeps == 5:
            raise TryAgainError("Stopped watching.")

    drive.time.on_sleep = interrupt
    with pytest.raises(TryAgainError, match="Stopped watching"):
        drive(FakeSource(GOOD))
    state = drive.registry.rollout(MODEL)
    assert state.running
    with pytest.raises(ConflictError):
        drive.registry.begin_rollout(MODEL, ByNumber(2), plan=PLAN)
    drive.time.on_sleep = lambda _: None
    assert drive(FakeSource(GOOD), record=state.record).kind == "finished"


@pytest.mark.parametrize("hours", [-24, -1, 1, 24])
def test_a_clock_that_is_set_makes_no_step_shorter_or_longer(drive: Drive, hours: int) -> None:
    def set_clock(sleeps: int) -> None:
        if sleeps % 10 == 5:
            drive.time.at += timedelta(hours=hours)

    drive.time.on_sleep = set_clock
    looks: list[Seen | TryAgainError] = [AWAY, GOOD]
    assert drive(FakeSource(*looks * 30, GOOD)).kind == "finished"
    assert len(STEPS) * GATE.interval <= drive.time.slept <= len(STEPS) * (GATE.interval + 60)


def test_what_another_server_says_in_several_lines_keeps_nothing_from_being_taken_back(
    drive: Drive,
) -> None:
    source = FakeSource(TryAgainError("The server answered 502: <html>\n\x1b[31m" + "x" * 2_000))
    assert drive(source).kind == "stopped"
    assert shares(drive.registry) == {1: 10_000}


def test_a_registry_that_can_be_read_and_not_be_written_is_said_to_be_stuck(drive: Drive) -> None:
    through = Faulty(drive.registry, fail={"stop_rollout": ["before"] * 10_000})
    ending = drive(FakeSource(Seen(FAILS, WELL)), through=through)
    assert (ending.kind, "cannot be taken back" in ending.reason) == ("stuck", True)
    assert drive.time.slept < 2_000
    assert drive.kinds.count("blind") > 10
