"""The policy of a function: read seldom, kept when the registry is away."""

import threading
from collections.abc import Callable
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
from maas.registry.policy_cache import PolicyCache
from maas.registry.records import Policy, Route

TTL = 10.0
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
            self.read, ttl=ttl, clock=lambda: self.now, rng=lambda: self.dice, baked=baked
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


def test_a_lower_revision_takes_nothing_back(world: World) -> None:
    world.answer = policy(5)
    cache = world.cache()
    cache.current()
    for revision, expected in ((4, 5), (5, 5), (6, 6)):
        world.answer = policy(revision)
        world.now += TTL
        assert seen(cache) == (expected, "live")


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


def test_a_reader_with_a_fault_of_its_own_does_not_jam_the_cache(world: World) -> None:
    class BrokenError(Exception):
        pass

    faults = iter([BrokenError()])

    def read() -> Policy:
        for fault in faults:
            raise fault
        return world.read()

    cache = PolicyCache(read, ttl=TTL, clock=lambda: world.now, rng=lambda: 0.5)
    with pytest.raises(BrokenError):
        cache.current()
    world.now += TTL
    assert seen(cache) == (1, "live")


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


def start(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_while_one_thread_reads_the_others_go_on_with_what_is_there(world: World) -> None:
    slow = SlowReader(world)
    cache = PolicyCache(
        slow.read, ttl=TTL, clock=lambda: world.now, rng=lambda: 0.5, baked=policy(1)
    )
    results: list[tuple[int, str]] = []
    for before, answer in (((1, "baked"), 2), ((2, "stale"), 3)):
        # Given a read that does not come back
        slow.entered.clear()
        slow.let_go.clear()
        world.answer = policy(answer)
        reader = start(lambda: results.append(seen(cache)))
        assert slow.entered.wait(5)
        # Then the others answer at once
        assert seen(cache) == before
        # And when it does come back, its thread has the new policy
        slow.let_go.set()
        reader.join()
        assert results.pop() == (answer, "live")
        world.now += TTL
    assert world.reads == 2


def test_with_nothing_there_the_others_wait_for_the_first_read(world: World) -> None:
    slow = SlowReader(world)
    cache = PolicyCache(slow.read, ttl=TTL, clock=lambda: world.now, rng=lambda: 0.5)
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
