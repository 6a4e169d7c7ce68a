"""Whoever is to be told of an end is told at least once, whatever comes between."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from support.rollouts import (
    FAILS,
    GATE,
    HOLDER,
    MODEL,
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
from maas.registry.rollout_plans import Plan
from maas.registry.rollout_records import RolloutRecord
from maas_lab.rollout.delivery import PAUSES, deliver
from maas_lab.rollout.notify import Notice
from maas_lab.rollout.outcome import Outcome
from maas_lab.rollout.release import Desk, Wish
from maas_lab.rollout.sources import Seen

GOOD, BAD = Seen(WELL, WELL), Seen(FAILS, WELL)
WISH = Wish(MODEL, ByNumber(2), "production", STEPS, GATE, "better")
TRIES = len(PAUSES) + 1


class Friend:
    """A channel that fails some times, and keeps what it takes."""

    def __init__(self, *, fails: int = 0, name: str = "a friend") -> None:
        self.name, self.fails = name, fails
        self.notices: list[Notice] = []

    def send(self, notice: Notice) -> str:
        if self.fails:
            self.fails -= 1
            raise TryAgainError("it answered 503")
        self.notices.append(notice)
        return "heard"

    @property
    def ids(self) -> list[str]:
        return [notice.id for notice in self.notices]


class Killed(BaseException):
    """Ends everything, as a kill does; but for files and locks that are left open."""


class Deadly(list[Friend]):
    """Channels at which the process ends when it begins to tell them."""

    def __iter__(self) -> Iterator[Friend]:
        raise Killed


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with two_versions(tmp_path / "registry.sqlite") as registry:
        yield registry


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def desk(registry: Registry, tmp_path: Path, time: FakeTime) -> Desk:
    return desk_at(registry, tmp_path / "here", time)


def desk_at(registry: Registry, home: Path, time: FakeTime) -> Desk:
    return Desk(
        registry, home, Console(quiet=True), clock=time.now, ticks=time.ticks, sleep=time.sleep
    )


def begin(desk: Desk, look: Seen, *friends: Friend, wish: Wish = WISH) -> Outcome:
    return desk.begin(wish, lambda *_: FakeSource(look), friends)


def resume(desk: Desk, *friends: Friend) -> Outcome:
    def no_source(*_: object) -> FakeSource:
        raise AssertionError("nothing is watched any more")

    return desk.resume(MODEL, "production", no_source, friends)


def record_of(registry: Registry) -> RolloutRecord:
    record = registry.rollout(MODEL).record
    assert record is not None
    return record


@pytest.mark.parametrize("fails", range(TRIES))
def test_a_channel_that_fails_first_is_told_again(
    desk: Desk, registry: Registry, fails: int
) -> None:
    friend, other = Friend(fails=fails), Friend(name="another")
    outcome = begin(desk, GOOD, friend, other)
    assert friend.ids == other.ids == ["sentiment.production.4.finished"]  # the other only once
    assert outcome.notices == ["a friend: heard", "another: heard"]
    assert outcome.ending.record.owed == record_of(registry).owed == ()
    assert registry.history(MODEL).records[0].reason == "told a friend: heard, another: heard"


def test_what_a_channel_does_not_take_is_owed_and_resume_sends_it(
    desk: Desk, registry: Registry, tmp_path: Path
) -> None:
    away, other = Friend(fails=TRIES), Friend(name="another")
    outcome = begin(desk, BAD, away, other)
    assert (outcome.ending.kind, shares(registry)) == ("stopped", {1: 10_000})
    assert outcome.notices == ["a friend: failed: it answered 503", "another: heard"]
    assert len(outcome.ending.record.owed) == 1
    # Nobody to be told is a conflict that says what to do, and changes nothing
    before = registry.model(MODEL).revision
    with pytest.raises(ConflictError, match="--notify"):
        resume(desk)
    assert registry.model(MODEL).revision == before
    # From here or another machine it is sent, with the same id
    elsewhere = desk_at(registry, tmp_path / "there", FakeTime())
    told = resume(elsewhere, away, other)
    assert (told.ending.kind, told.plot, told.marks) == ("stopped", None, [])
    assert away.ids == ["sentiment.production.2.stopped"]
    assert other.ids == away.ids * 2
    (notice,) = away.notices
    assert notice == other.notices[0]
    assert (notice.version, notice.percent) == (2, 0)
    assert notice.text.startswith("sentiment@2 was taken back from production by itself: 500 err")
    # and then it is not owed any more
    with pytest.raises(ConflictError, match="stopped already"):
        resume(desk, away)
    assert len(away.ids) == 1


@pytest.mark.parametrize("look", [GOOD, BAD], ids=["good", "bad"])
@pytest.mark.parametrize("verb", ["begin", "resume"])
def test_a_kill_between_the_end_and_its_notice_loses_none(
    desk: Desk, registry: Registry, look: Seen, verb: str
) -> None:
    # Given a driver that is killed when the end is written and nobody was told
    with pytest.raises(Killed):
        desk.begin(WISH, lambda *_: FakeSource(look), Deadly([Friend()]))
    assert len(record_of(registry).owed) == 1
    ended = shares(registry)
    # When the same command is given again, or resume
    friend = Friend()
    outcome = begin(desk, look, friend) if verb == "begin" else resume(desk, friend)
    # Then it is told, no other rollout is begun, and the outcome is as it would have been
    assert [notice.event for notice in friend.notices] == [outcome.ending.kind]
    assert outcome.ending.kind == ("finished" if look is GOOD else "stopped")
    assert outcome.plot is not None
    assert outcome.marks
    assert (shares(registry), record_of(registry).owed) == (ended, ())


def test_a_kill_between_the_delivery_and_its_mark_tells_it_twice_with_one_id(
    desk: Desk, registry: Registry
) -> None:
    class Breaks(Friend):
        """The process ends when it has heard."""

        def send(self, notice: Notice) -> str:
            super().send(notice)
            raise TryAgainError("no answer came")

    friend = Breaks()
    begin(desk, GOOD, friend)
    again = Friend()
    resume(desk, again)
    assert set(friend.ids) == set(again.ids)
    assert record_of(registry).owed == ()


def test_another_rollout_tells_what_is_owed_first_or_carries_it_on(
    desk: Desk, registry: Registry
) -> None:
    registry.register(candidate("3"))
    begin(desk, BAD, Friend(fails=TRIES))
    other = Wish(MODEL, ByNumber(3), "production", STEPS, GATE, "")
    # Without channels nobody is told, and it is not forgotten
    begin(desk, BAD, wish=other)
    assert [owed.version for owed in record_of(registry).owed] == [2]
    with pytest.raises(ConflictError, match="somebody is still to be told"):
        resume(desk)
    # With one, the former end is told before its own
    friend = Friend()
    begin(desk, BAD, friend, wish=other)
    assert [notice.version for notice in friend.notices] == [2, 3]
    assert record_of(registry).owed == ()


def test_resume_tells_of_a_former_end_though_the_newest_owes_nothing(
    desk: Desk, registry: Registry
) -> None:
    begin(desk, BAD, Friend(fails=TRIES))
    begin(desk, GOOD)
    friend = Friend()
    outcome = resume(desk, friend)
    assert (outcome.ending.kind, [notice.event for notice in friend.notices]) == (
        "finished",
        ["stopped"],
    )
    # as where somebody has ended the newest
    registry.promote(MODEL, ByNumber(1))
    begin(desk, BAD, Friend(fails=TRIES))
    registry.begin_rollout(MODEL, ByNumber(2), plan=Plan(STEPS, GATE, HOLDER))
    registry.promote(MODEL, ByNumber(1))
    assert resume(desk, friend).ending.kind == "overtaken"
    assert len(friend.notices) == 2


def test_a_registry_that_cannot_note_a_delivery_has_it_told_again(
    desk: Desk, registry: Registry
) -> None:
    class Away(Registry):
        def settle_rollout(self, *_: object, **__: object) -> RolloutRecord:
            raise RegistryUnavailableError("DynamoDB does not answer.")

    begin(desk, GOOD, Friend(fails=TRIES))
    record = record_of(registry)
    friend = Friend()
    away = object.__new__(Away)
    left, said = deliver(away, record, [friend], sleep=FakeTime().sleep)
    assert (left, said) == (record, ["a friend: heard"])
    resume(desk, friend)
    assert len(friend.ids) == 2
    assert len(set(friend.ids)) == 1


def test_changes_of_something_else_do_not_keep_a_delivery_from_being_noted(
    desk: Desk, registry: Registry
) -> None:
    class Busy(Friend):
        def send(self, notice: Notice) -> str:
            registry.register(candidate("3"))
            return super().send(notice)

    begin(desk, GOOD, Busy())
    assert record_of(registry).owed == ()


def test_a_signal_ends_the_waiting_and_not_the_outcome(
    desk: Desk, registry: Registry, time: FakeTime
) -> None:
    def interrupt(_: int) -> None:
        if not registry.rollout(MODEL).running:
            raise TryAgainError("Stopped watching.")

    time.on_sleep = interrupt
    friend = Friend(fails=1)
    outcome = begin(desk, GOOD, friend)
    assert (outcome.ending.kind, friend.ids) == ("finished", [])
    assert len(outcome.ending.record.owed) == 1


def test_nobody_to_be_told_is_owed_nothing(desk: Desk, registry: Registry) -> None:
    begin(desk, GOOD)
    assert record_of(registry).owed == ()


def test_who_is_overtaken_tells_it_and_owes_nothing(
    desk: Desk, registry: Registry, time: FakeTime
) -> None:
    def promote(sleeps: int) -> None:
        if sleeps == 5:
            registry.promote(MODEL, ByNumber(1))

    time.on_sleep = promote
    friend = Friend(fails=1)
    assert begin(desk, GOOD, friend).ending.kind == "overtaken"
    assert friend.ids == ["sentiment.production.1.overtaken"]
    assert record_of(registry).owed == ()
    with pytest.raises(ConflictError, match="changed production"):
        registry.take_rollout(MODEL, holder="b2")
    registry.begin_rollout(MODEL, ByNumber(2), plan=Plan(STEPS, GATE, HOLDER))
