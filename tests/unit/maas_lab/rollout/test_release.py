"""A rollout from wish to end: one driver at a time, resumed here or elsewhere, shown and drawn."""

import io
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from rich.console import Console
from support.rollouts import (
    FAILS,
    GATE,
    MODEL,
    NONE,
    SLOW,
    STEPS,
    WELL,
    FakeSource,
    FakeTime,
    shares,
    two_versions,
)

from maas.errors import ConflictError, RefusedError, TryAgainError
from maas.registry.addresses import ByNumber
from maas.registry.registry import Registry
from maas_lab.rollout.notify import Notice
from maas_lab.rollout.outcome import Outcome
from maas_lab.rollout.release import Desk, Wish
from maas_lab.rollout.sources import Seen
from maas_lab.rollout.timeline import FILE, Timeline, last_baseline

GOOD, BAD = Seen(WELL, WELL), Seen(FAILS, WELL)
WISH = Wish(MODEL, ByNumber(2), "production", STEPS, GATE, "better")


class Heard:
    """A channel that keeps what it is told."""

    name = "a friend"

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def send(self, notice: Notice) -> str:
        self.notices.append(notice)
        return "heard"


class Office:
    """A machine's desk."""

    def __init__(self, registry: Registry, home: Path, *, terminal: bool = False) -> None:
        self.time = FakeTime()
        self.said = io.StringIO()
        self.friend = Heard()
        console = Console(file=self.said, force_terminal=terminal, width=120)
        self.desk = Desk(
            registry,
            home,
            console,
            clock=self.time.now,
            ticks=self.time.ticks,
            sleep=self.time.sleep,
        )

    def begin(self, *looks: Seen, wish: Wish = WISH) -> Outcome:
        return self.desk.begin(wish, lambda *_: FakeSource(*looks), [self.friend])

    def resume(self, *looks: Seen) -> Outcome:
        return self.desk.resume(MODEL, "production", lambda *_: FakeSource(*looks), [self.friend])

    def interrupt(self, at: int) -> None:
        """End the driver as a kill would, at one of its sleeps."""

        def end(sleeps: int) -> None:
            if sleeps == at:
                raise TryAgainError("Stopped watching.")

        self.time.on_sleep = end


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with two_versions(tmp_path / "registry.sqlite") as registry:
        yield registry


@pytest.fixture
def office(registry: Registry, tmp_path: Path) -> Office:
    return Office(registry, tmp_path / "here")


def test_the_end_is_told_drawn_and_written_down(office: Office) -> None:
    outcome = office.begin(GOOD)
    assert (outcome.ending.kind, outcome.notices) == ("finished", ["a friend: heard"])
    (notice,) = office.friend.notices
    assert (notice.event, notice.percent) == ("finished", 100)
    assert notice.id == "sentiment.production.4.finished"
    assert outcome.plot is not None
    assert outcome.plot.read_bytes().startswith(b"\x89PNG")
    assert [mark.percent for mark in outcome.marks if mark.kind == "advanced"] == [10, 100]
    said = office.said.getvalue()
    assert said.count("advanced") == 2
    # Lines, and not one for each look
    assert len(said.splitlines()) < len(outcome.marks)
    assert "\x1b" not in said


def test_a_terminal_has_a_table_of_the_steps(registry: Registry, tmp_path: Path) -> None:
    office = Office(registry, tmp_path / "here", terminal=True)
    office.begin(GOOD, BAD)
    said = office.said.getvalue()
    for word in ("share", "100 %", "1000 requests", "stops"):
        assert word in said


def test_the_same_command_goes_on_where_its_driver_was_killed(
    office: Office, registry: Registry
) -> None:
    office.interrupt(60)
    with pytest.raises(TryAgainError):
        office.begin(GOOD)
    assert shares(registry) == {1: 9000, 2: 1000}
    office.time.on_sleep = lambda _: None
    outcome = office.begin(GOOD)
    assert outcome.ending.kind == "finished"
    kinds = [mark.kind for mark in outcome.marks if mark.kind not in {"go_on", "wait"}]
    assert kinds == ["began", "advanced", "resumed", "advanced", "finished"]


def test_another_wish_is_refused_while_one_is_running(office: Office, registry: Registry) -> None:
    office.interrupt(3)
    with pytest.raises(TryAgainError):
        office.begin(GOOD)
    before = registry.model(MODEL).revision
    other = msgspec.structs.replace(GATE, min_requests=7)
    for wish in (
        Wish(MODEL, ByNumber(2), "production", (50, 100), GATE, ""),
        Wish(MODEL, ByNumber(2), "production", STEPS, other, ""),
    ):
        with pytest.raises(ConflictError, match="maas rollout resume sentiment"):
            office.begin(GOOD, wish=wish)
    assert registry.model(MODEL).revision == before


def test_another_machine_must_say_resume(
    office: Office, registry: Registry, tmp_path: Path
) -> None:
    office.interrupt(3)
    with pytest.raises(TryAgainError):
        office.begin(GOOD)
    elsewhere = Office(registry, tmp_path / "there")
    with pytest.raises(ConflictError, match="maas rollout resume sentiment"):
        elsewhere.begin(GOOD)
    assert elsewhere.resume(GOOD).ending.kind == "finished"
    # Here it is over, too
    office.time.on_sleep = lambda _: None
    with pytest.raises(ConflictError, match="finished already"):
        office.resume(GOOD)
    with pytest.raises(RefusedError, match="answers all"):
        office.begin(GOOD)


def test_a_driver_that_lives_here_is_not_joined_by_another(office: Office) -> None:
    tried: list[str] = []

    def try_both(sleeps: int) -> None:
        calls: tuple[Callable[..., Outcome], ...] = (office.begin, office.resume)
        for call in calls if sleeps == 3 else ():
            with pytest.raises(ConflictError, match="driven from here already") as refused:
                call(GOOD)
            tried.append(str(refused.value))

    office.time.on_sleep = try_both
    assert office.begin(GOOD).ending.kind == "finished"
    assert len(tried) == 2


def test_figures_of_the_others_outlive_a_killed_driver(office: Office) -> None:
    wish = Wish(MODEL, ByNumber(2), "production", (50, 100), GATE, "")
    office.interrupt(21)
    with pytest.raises(TryAgainError):
        office.begin(GOOD, wish=wish)
    office.time.on_sleep = lambda _: None
    outcome = office.begin(Seen(SLOW, NONE), wish=wish)  # the others are asked nothing any more
    assert (outcome.ending.kind, "p99" in outcome.ending.reason) == ("stopped", True)


def test_what_cannot_be_watched_is_given_nothing(registry: Registry, office: Office) -> None:
    class Absent(FakeSource):
        def begin(self, now: object) -> None:
            del now
            raise TryAgainError("No server answers at this --url.")

    before = registry.model(MODEL).revision
    with pytest.raises(TryAgainError):
        office.desk.begin(WISH, lambda *_: Absent(GOOD))
    assert registry.model(MODEL).revision == before


def test_a_refused_wish_leaves_nothing_behind(office: Office, tmp_path: Path) -> None:
    wish = Wish(MODEL, ByNumber(1), "production", STEPS, GATE, "")
    with pytest.raises(RefusedError):
        office.begin(GOOD, wish=wish)
    assert not list((tmp_path / "here").glob("rollouts/*/*"))


def test_a_line_that_a_kill_has_cut_is_left_out(office: Office) -> None:
    outcome = office.begin(GOOD)
    assert outcome.plot is not None
    file = outcome.plot.parent / FILE
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    marks = Timeline(file.parent).marks()
    assert marks == outcome.marks[:-1]
    assert last_baseline(marks, least=1_000) == WELL
    assert last_baseline(marks, least=1_001) is None


def test_a_full_disk_and_a_terminal_that_is_gone_end_no_rollout(
    registry: Registry, tmp_path: Path
) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(text)

    office = Office(registry, tmp_path / "here")
    office.desk = replace(office.desk, console=Console(file=Gone(), width=120))

    def fill(sleeps: int) -> None:
        if sleeps == 3:  # nothing can be opened for writing any more
            (folder,) = (tmp_path / "here/rollouts/sentiment.production").iterdir()
            shutil.rmtree(folder)
            folder.write_text("no folder")

    office.time.on_sleep = fill
    outcome = office.begin(GOOD)
    assert (outcome.ending.kind, shares(registry)) == ("finished", {2: 10_000})
    assert outcome.plot is None
    assert [mark.percent for mark in outcome.marks if mark.kind == "advanced"] == [10, 100]
    assert len(office.friend.notices) == 1
