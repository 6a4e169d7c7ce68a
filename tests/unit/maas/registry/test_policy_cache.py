"""The policy of a function: read seldom, kept when the registry is away."""

import inspect
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from maas.errors import (
    MaasError,
    ModelNotFoundError,
    NotReadyError,
    RegistryUnavailableError,
)
from maas.registry.policy_cache import FROZEN, READ_WAIT, PolicyCache
from maas.registry.records import Policy, Route

TTL = 10.0
PATIENCE = 5.0
"""Seconds to wait for reads that do come, however busy the machine is."""
AWAY = RegistryUnavailableError("The registry is away.")
UNKNOWN = ModelNotFoundError("There is no model sentiment.")


def policy(revision: int) -> Policy:
    return Policy("sentiment", revision, {"production": (Route(1, 10_000),)}, {})


@dataclass
class World:
    """A registry that answers or fails, a clock that moves when told, dice that do not roll."""

    answer: Policy | MaasError = field(default_factory=lambda: policy(1))
    reads: int = 0
    now: float = 100.0
    dice: float = 0.5

    def read(self) -> Policy:
        self.reads += 1
        if isinstance(self.answer, MaasError):
            raise self.answer
        return self.answer

    def cache(self, *, ttl: float = TTL, baked: Policy | None = None) -> PolicyCache:
        return PolicyCache(
            self.read,
            ttl=ttl,
            clock=lambda: self.now,
            rng=lambda: self.dice,
            baked=baked,
            wait=PATIENCE,
        )


@pytest.fixture
def world() -> World:
    return World()


def seen(cache: PolicyCache) -> tuple[int, str]:
    view = cache.current()
    return view.policy.revision, view.source


def test_nothing_is_read_before_it_is_needed(world: World) -> None:
    world.cache()
    assert world.reads == 0


def test_one_read_serves_for_the_ttl(world: World) -> None:
    cache = world.cache()
    assert seen(cache) == (1, "live")
    world.answer = policy(2)
    world.now += TTL - 0.01
    assert seen(cache) == (1, "live")
    assert world.reads == 1
    world.now += 0.01
    assert seen(cache) == (2, "live")
    assert world.reads == 2


@pytest.mark.parametrize(("dice", "wait"), [(0.0, 9.0), (0.5, 10.0), (1.0, 11.0)])
def test_the_ttl_varies_by_a_tenth(world: World, dice: float, wait: float) -> None:
    world.dice = dice
    cache = world.cache()
    cache.current()
    world.now += wait - 0.01
    cache.current()
    assert world.reads == 1
    world.now += 0.02
    cache.current()
    assert world.reads == 2


def test_a_ttl_of_zero_reads_every_time(world: World) -> None:
    cache = world.cache(ttl=0.0)
    assert [seen(cache) for _ in range(3)] == [(1, "live")] * 3
    assert world.reads == 3


def test_the_last_policy_stands_in_while_the_registry_is_away(world: World) -> None:
    cache = world.cache(baked=policy(1))
    world.answer = policy(2)
    cache.current()
    for failure in (AWAY, UNKNOWN):
        world.answer = failure
        world.now += TTL
        assert seen(cache) == (2, "stale")
    world.answer = policy(3)
    world.now += TTL
    assert seen(cache) == (3, "live")


def test_the_baked_policy_stands_in_when_nothing_was_ever_read(world: World) -> None:
    world.answer = AWAY
    cache = world.cache(baked=policy(1))
    assert seen(cache) == (1, "baked")
    world.answer = policy(1)
    world.now += TTL
    assert seen(cache) == (1, "live")


def test_after_failures_it_waits_longer_each_time_but_never_beyond_the_ttl(world: World) -> None:
    world.answer = AWAY
    cache = world.cache(baked=policy(1))
    moments = []
    for _ in range(400):
        before = world.reads
        cache.current()
        if world.reads > before:
            moments.append(world.now)
        world.now += 0.125
    waits = [later - sooner for sooner, later in pairwise(moments)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0]


def test_a_success_forgets_the_failures(world: World) -> None:
    cache = world.cache(baked=policy(1))
    for answer in (AWAY, AWAY, AWAY, policy(2), AWAY):
        world.answer = answer
        world.now += TTL
        cache.current()
    reads = world.reads
    world.now += 0.5
    cache.current()
    assert world.reads == reads + 1


def test_with_nothing_at_all_it_is_not_ready_until_it_is(world: World) -> None:
    world.answer = AWAY
    cache = world.cache()
    for _ in range(3):
        with pytest.raises(NotReadyError) as failure:
            cache.current()
        assert failure.value.__cause__ is AWAY
    assert world.reads == 1
    world.answer = policy(1)
    world.now += 0.5
    assert seen(cache) == (1, "live")


def test_an_unknown_model_is_told_as_such_and_looked_for_again(world: World) -> None:
    world.answer = UNKNOWN
    cache = world.cache()
    for _ in range(3):
        with pytest.raises(ModelNotFoundError):
            cache.current()
    assert world.reads == 1
    world.answer = policy(1)
    world.now += 0.5
    assert seen(cache) == (1, "live")


def test_a_lower_revision_takes_nothing_back_and_shows(world: World) -> None:
    # Given a registry that was restored from a backup
    world.answer = policy(5)
    cache = world.cache()
    cache.current()
    for revision, expected in ((4, (5, "stale")), (5, (5, "live")), (6, (6, "live"))):
        world.answer = policy(revision)
        world.now += TTL
        assert seen(cache) == expected
        # And it is read no more often for that
        assert seen(cache) == expected
    assert world.reads == 4


def test_a_lower_revision_than_the_baked_one_is_not_taken(world: World) -> None:
    cache = world.cache(baked=policy(7))
    assert seen(cache) == (7, "baked")
    world.answer = policy(8)
    world.now += TTL
    assert seen(cache) == (8, "live")


def test_an_expired_cache_reads_again(world: World) -> None:
    cache = world.cache()
    cache.current()
    world.answer = policy(2)
    cache.expire()
    assert seen(cache) == (2, "live")
    assert world.reads == 2


# ---- Beginning early, restoring, telling -----------------------------------------------------


def test_a_read_that_was_begun_early_is_there_when_it_is_asked_for(world: World) -> None:
    cache = world.cache(baked=policy(1))
    world.answer = policy(2)
    cache.begin()
    cache.begin()
    for thread in background():
        thread.join(5)
    assert seen(cache) == (2, "live")
    cache.begin()
    assert world.reads == 1
    assert cache.baked == policy(1)


def test_after_a_restore_nothing_counts_as_heard(world: World) -> None:
    cache = world.cache(baked=policy(1))
    world.answer = policy(2)
    assert seen(cache) == (2, "live")
    # Given a snapshot, restored while the registry is away
    world.answer = AWAY
    cache.expire()
    assert seen(cache) == (2, "stale")
    # When it answers again
    world.now += 0.5
    world.answer = policy(3)
    assert seen(cache) == (3, "live")


def test_each_kind_of_failure_is_told_once_until_another_comes(world: World) -> None:
    told: list[MaasError] = []
    cache = PolicyCache(
        world.read,
        ttl=TTL,
        clock=lambda: world.now,
        rng=lambda: 0.5,
        baked=policy(1),
        wait=PATIENCE,
        notice=told.append,
    )
    for answer in (AWAY, AWAY, UNKNOWN, UNKNOWN, policy(2), AWAY, policy(2), policy(3)):
        world.answer = answer
        cache.current()
        for thread in background():
            thread.join(5)
        world.now += TTL
    assert told == [AWAY, UNKNOWN, AWAY]


# ---- Threads ------------------------------------------------------------------------------------


@dataclass
class SlowReader:
    """Reads that take until they are let go."""

    world: World
    entered: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)

    def read(self) -> Policy:
        self.entered.set()
        assert self.let_go.wait(5)
        return self.world.read()

    def cache(self, *, wait: float = 0.01, baked: Policy | None = None) -> PolicyCache:
        return PolicyCache(
            self.read,
            ttl=TTL,
            clock=lambda: self.world.now,
            rng=lambda: 0.5,
            baked=baked,
            wait=wait,
        )

    def finish(self) -> None:
        """Let the reads go and wait for the thread in the background."""
        self.let_go.set()
        for thread in background():
            thread.join(5)
        self.let_go.clear()
        self.entered.clear()


def background() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "maas-policy"]


def test_a_read_that_hangs_holds_up_no_request_and_is_taken_when_it_comes(world: World) -> None:
    slow = SlowReader(world)
    cache = slow.cache(baked=policy(1))
    for before, after in (((1, "baked"), 2), ((2, "stale"), 3)):
        # Given a read that does not come back
        world.answer = policy(after)
        # Then every request is answered by what is there, and no second read is begun
        assert [seen(cache) for _ in range(5)] == [before] * 5
        assert slow.entered.is_set()
        assert [thread.daemon for thread in background()] == [True]
        # And when it does come, it is taken
        slow.finish()
        assert seen(cache) == (after, "live")
        world.now += TTL
    assert world.reads == 2


def test_a_read_adds_fifty_milliseconds_at_the_most() -> None:
    assert inspect.signature(PolicyCache).parameters["wait"].default == READ_WAIT == 0.05


def test_only_the_request_that_is_due_waits_and_it_has_the_new_policy(world: World) -> None:
    slow = SlowReader(world)
    cache = slow.cache(wait=PATIENCE)
    slow.let_go.set()
    assert seen(cache) == (1, "live")
    slow.finish()
    world.answer = policy(2)
    world.now += TTL
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(seen, cache)
        assert slow.entered.wait(5)
        # The second one answers while the first one waits
        assert seen(cache) == (1, "stale")
        assert not first.done()
        slow.let_go.set()
        assert first.result() == (2, "live")


def test_until_the_registry_was_heard_once_whoever_comes_waits_for_the_read(world: World) -> None:
    slow = SlowReader(world)
    cache = slow.cache(wait=PATIENCE, baked=policy(1))
    world.answer = policy(2)
    # Given a read that was begun by a request which has gone
    cache.begin()
    assert slow.entered.wait(5)
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(seen, cache)
        assert not second.done()
        slow.let_go.set()
        assert second.result() == (2, "live")
    assert world.reads == 1


def test_a_read_that_was_frozen_with_its_function_is_worth_the_wait(world: World) -> None:
    # Given a policy that was heard, and a later read that its own request could not wait for
    slow = SlowReader(world)
    cache = slow.cache(wait=0.25)
    slow.let_go.set()
    assert seen(cache) == (1, "live")
    slow.finish()
    world.answer = policy(2)
    world.now += TTL
    assert seen(cache) == (1, "stale")
    # When the function was frozen, and the next request thaws it
    world.now += FROZEN + TTL
    patient = threading.Timer(0.02, slow.let_go.set)
    patient.start()
    # Then that request waits and has what was read, which may be as old as the freeze
    assert seen(cache) == (2, "stale")
    patient.join()
    # And the next one reads anew
    assert seen(cache) == (2, "live")
    assert world.reads == 3


def test_a_read_from_before_a_snapshot_is_lost(world: World) -> None:
    slow = SlowReader(world)
    cache = slow.cache(baked=policy(1))
    world.answer = policy(2)
    cache.begin()
    assert slow.entered.wait(5)
    # Given that it was under way when the snapshot was made
    cache.expire()
    slow.finish()
    assert world.reads == 1
    # Then what it brought counts for nothing, and another one is begun
    world.answer = policy(3)
    slow.let_go.set()
    cache.begin()
    for thread in background():
        thread.join(5)
    assert seen(cache) == (3, "live")
    assert world.reads == 2


def test_what_was_read_before_a_freeze_is_not_called_live_after_it(world: World) -> None:
    slow = SlowReader(world)
    cache = slow.cache(baked=policy(1))
    world.answer = policy(2)
    seen(cache)
    # Given a function that is frozen while it reads
    world.now += 3600.0
    slow.finish()
    # Then it is due again at once
    assert seen(cache) == (2, "stale")
    assert slow.entered.wait(5)
    slow.finish()
    assert seen(cache) == (2, "live")


def test_a_machine_without_threads_left_answers_by_what_is_there(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    cache = world.cache(baked=policy(1))
    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", start)
        assert [seen(cache) for _ in range(3)] == [(1, "baked")] * 3
    world.now += 0.5
    assert seen(cache) == (1, "live")


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_process_does_not_wait_for_the_parents_reader(world: World) -> None:
    slow = SlowReader(world)
    cache = slow.cache(wait=0.0, baked=policy(1))
    seen(cache)
    assert slow.entered.wait(5)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            slow.let_go = threading.Event()
            slow.let_go.set()
            seen(cache)
            for thread in background():
                thread.join(5)
            status = 0 if seen(cache) == (1, "live") else 1
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    slow.finish()


def test_with_nothing_there_the_others_wait_for_the_first_read(world: World) -> None:
    slow = SlowReader(world)
    cache = slow.cache()
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(seen, cache) for _ in range(8)]
        assert slow.entered.wait(5)
        slow.let_go.set()
        assert [answer.result() for answer in answers] == [(1, "live")] * 8
    assert world.reads == 1


def test_many_threads_read_once_in_each_ttl(world: World) -> None:
    cache = world.cache()
    with ThreadPoolExecutor(16) as pool:
        for reads in range(1, 6):
            list(pool.map(lambda _: cache.current(), range(200)))
            assert world.reads == reads
            world.now += TTL


@pytest.mark.parametrize("baked", [policy(1), None])
@pytest.mark.parametrize("fault", [KeyError("x"), MemoryError()])
def test_a_fault_of_the_reader_in_the_background_is_reported_and_does_not_jam_the_cache(
    world: World, monkeypatch: pytest.MonkeyPatch, fault: Exception, baked: Policy | None
) -> None:
    reported: list[type[BaseException]] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: reported.append(args.exc_type))
    faults = [fault]

    def read() -> Policy:
        if faults:
            raise faults.pop()
        return world.read()

    cache = PolicyCache(
        read, ttl=TTL, clock=lambda: world.now, rng=lambda: 0.5, baked=baked, wait=PATIENCE
    )
    if baked is None:
        with pytest.raises(NotReadyError):
            cache.current()
    else:
        assert seen(cache) == (1, "baked")
    for thread in background():
        thread.join(5)
    assert reported == [type(fault)]
    world.now += TTL
    assert seen(cache) == (1, "live")
