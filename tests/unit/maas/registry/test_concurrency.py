"""Many writers at once, in threads and in processes: one winner for each revision, no gaps."""

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.effort import examples
from support.kills import FORK
from support.registries import STORES, opener

from maas.errors import ConflictError
from maas.registry.addresses import ByNumber
from maas.registry.records import Candidate
from maas.registry.registry import Registry

# Python 3.12 warns of any fork beside threads; forking beside them is what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
MakeCandidate = Callable[..., Candidate]
Invariants = Callable[..., int]
WRITERS = 32


@pytest.fixture(params=STORES)
def open_file(
    request: pytest.FixtureRequest, file: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Registry]:
    """Opens the registry as another process would; in each of the stores."""
    return opener(request.param, file, monkeypatch)


def test_of_many_threads_that_promote_one_wins_each_revision(
    two: Registry, invariants: Invariants
) -> None:
    rounds = examples(6, 100)
    wins: list[int] = []
    start = threading.Barrier(WRITERS)

    def promote(writer: int) -> None:
        for revision in range(1, rounds + 1):
            start.wait()
            try:
                # Each round's change differs from the round's before, so that it is no no-op
                version = ByNumber(1 + revision % 2)
                two.promote(
                    "sentiment", version, expected_alias_revision=revision, reason=f"{writer}"
                )
            except ConflictError:
                continue
            wins.append(revision + 1)

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(promote, range(WRITERS)))
    assert sorted(wins) == list(range(2, rounds + 2))
    assert invariants(two) == 3 + rounds


def test_of_several_processes_that_promote_one_wins_each_revision(
    two: Registry, open_file: Callable[[], Registry], invariants: Invariants
) -> None:
    rounds, processes, threads = examples(5, 100), 8, WRITERS // 8
    start = FORK.Barrier(processes * threads)
    wins = FORK.SimpleQueue()

    def promote(registry: Registry) -> None:
        for revision in range(1, rounds + 1):
            start.wait(60)
            version = ByNumber(1 + revision % 2)
            try:
                registry.promote("sentiment", version, expected_alias_revision=revision)
            except ConflictError:
                continue
            wins.put(revision + 1)

    def work() -> None:
        with open_file() as registry, ThreadPoolExecutor(threads) as pool:
            list(pool.map(promote, [registry] * threads))

    children = [FORK.Process(target=work) for _ in range(processes)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0] * processes
    won = []
    while not wins.empty():
        won.append(wins.get())
    assert sorted(won) == list(range(2, rounds + 2))
    assert invariants(two) == 3 + rounds


def test_everybody_registers_in_the_end_and_each_digest_once(
    file: Path,
    open_file: Callable[[], Registry],
    candidate: MakeCandidate,
    invariants: Invariants,
) -> None:
    # Given processes that begin together on a file that does not exist, with digests in common
    processes, each = 8, 10
    start = FORK.Barrier(processes)

    def work(seed: int) -> None:
        seeds = random.Random(seed).sample(range(1, 16), each)
        with open_file() as registry:
            start.wait(20)
            for number in seeds:
                registry.register(candidate(number))

    children = [FORK.Process(target=work, args=(seed,)) for seed in range(processes)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0] * processes
    assert [path.name for path in file.parent.glob("*")] in ([], [file.name])  # no drafts
    wanted = {
        n for seed in range(processes) for n in random.Random(seed).sample(range(1, 16), each)
    }
    with open_file() as registry:
        assert invariants(registry) == len(wanted)
