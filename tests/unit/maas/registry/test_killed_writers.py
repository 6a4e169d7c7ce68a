"""Writers killed with no warning: the registry is as before a change or after it, never between."""

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.effort import count, examples
from support.kills import FORK
from support.registries import opener

from maas.errors import MaasError
from maas.registry.addresses import ByNumber
from maas.registry.records import Candidate
from maas.registry.registry import Registry

# Python 3.12 warns of any fork beside threads; forking beside them is what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
MakeCandidate = Callable[..., Candidate]
Invariants = Callable[..., int]
# Store, seed, and the longest wait in seconds: a table's writer needs a while to begin.
KILLS = [
    *(("sqlite", seed, 0.05) for seed in range(examples(20, 400))),
    *(("dynamodb", seed, 0.6) for seed in range(examples(5, 100))),
]


def change_for_ever(registry: Registry, candidate: MakeCandidate, seed: int) -> None:
    """Change anything of the model at random, until killed."""
    rng = random.Random(seed)
    while True:
        try:
            last = registry.model("sentiment").last_version
            version = ByNumber(rng.randint(1, last))
            match rng.randrange(10):
                case 0:
                    registry.register(candidate(rng.randrange(1, 10**6)))
                case 1:
                    registry.rollback("sentiment")
                case 2:
                    registry.block("sentiment", version)
                case 3:
                    registry.unblock("sentiment", version)
                case 4:
                    registry.tag("sentiment", version, add=[f"t{rng.randrange(9)}"])
                case 5:
                    registry.shadow("sentiment", version, sample=rng.randint(1, 100))
                case _:
                    registry.promote("sentiment", version, weight=rng.choice((10, 50, 100)))
        except MaasError as error:
            if error.exit_code not in (3, 4):  # refused or lost: try something else
                raise


@pytest.mark.parametrize("kill", KILLS, ids=lambda kill: f"{kill[0]}-{kill[1]}")
def test_f6_killed_writers_leave_whole_changes(
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    candidate: MakeCandidate,
    invariants: Invariants,
    kill: tuple[str, int, float],
) -> None:
    store, seed, longest = kill
    rng = random.Random(seed)
    open_file = opener(store, file, monkeypatch)

    def work(number: int) -> None:
        registry = open_file()
        registry.register(candidate(10**6 + number))
        change_for_ever(registry, candidate, 1_000 * seed + number)

    # Given writers at work, the first of whom makes the file
    children = [FORK.Process(target=work, args=(number,)) for number in range(2)]
    for child in children:
        child.start()
    # When each of them is killed at some moment (a file's birth is among these moments)
    for child in children:
        time.sleep(rng.uniform(0.0, longest))
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
    count("faults", len(children))
