"""Writers killed with no warning: the file is as before a change or as after it, never between."""

import os
import random
import signal
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import pytest

from maas.errors import MaasError
from maas.registry.addresses import ByNumber
from maas.registry.records import Candidate
from maas.registry.registry import Registry

FORK = get_context("fork")
# Python 3.12 warns of any fork beside threads; forking beside them is what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
MakeCandidate = Callable[..., Candidate]
Invariants = Callable[..., int]
SEEDS = range(20)


def change_for_ever(registry: Registry, candidate: MakeCandidate, seed: int) -> None:
    """Register, promote and roll back at random, until killed."""
    rng = random.Random(seed)
    while True:
        try:
            last = registry.model("sentiment").last_version
            match rng.randrange(4):
                case 0:
                    registry.register(candidate(rng.randrange(1, 10**6)))
                case 1:
                    registry.rollback("sentiment")
                case _:
                    version = ByNumber(rng.randint(1, last))
                    registry.promote("sentiment", version, weight=rng.choice((10, 50, 100)))
        except MaasError as error:
            if error.exit_code not in (3, 4):  # refused or lost: try something else
                raise


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_writers_leave_whole_changes(
    file: Path,
    open_file: Callable[[], Registry],
    candidate: MakeCandidate,
    invariants: Invariants,
    seed: int,
) -> None:
    rng = random.Random(seed)

    def work(number: int) -> None:
        registry = open_file()
        registry.register(candidate(10**6 + number))
        change_for_ever(registry, candidate, 1_000 * seed + number)

    # Given writers at work, the first of whom makes the file
    children = [FORK.Process(target=work, args=(number,)) for number in range(2)]
    for child in children:
        child.start()
    # When each of them is killed at some moment (the file's birth is among these moments)
    for child in children:
        time.sleep(rng.uniform(0.0, 0.05))
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [-signal.SIGKILL] * 2
    # Then another process finds whole changes only, and goes on from there
    with open_file() as registry:
        if registry.models().records:
            invariants(registry)
        for number in range(2):
            registry.register(candidate(10**6 + number))
        assert invariants(registry) >= 2
