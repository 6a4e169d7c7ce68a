"""Sequences of changes whose writers are killed again and again, at steps that a seed chooses.

Every kill leaves the model as it is before the change that was under way, or after it; whoever goes
on from there ends where nobody was killed. What that is, a registry beside it says that nobody
kills.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from support.effort import count, examples
from support.kills import FORK, killed, killer, stepping
from support.registries import NOW, store_opener
from support.rollouts import GATE, MODEL, candidate

from maas.errors import MaasError
from maas.registry.addresses import ByNumber
from maas.registry.registry import Registry
from maas.registry.rollout_plans import Plan
from maas.registry.sqlite import SqliteStore
from maas.registry.store import Item, Store, Write
from maas_lab.registry.checks import contradictions
from maas_lab.registry.copies import copy_model

# Python 3.12 warns of any fork beside threads; forking beside them is what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
CHANGES = 6
STEPS_TO_A_KILL = 30
"""At the most; a sequence has more, so that each has a kill, and three or four as a rule."""
KILLS_MAX = 100
SEQUENCES = [
    *(("sqlite", seed) for seed in range(examples(12, 350))),
    *(("dynamodb", seed) for seed in range(examples(2, 150))),
]
Items = tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the registry.

    Attributes:
        make: Makes it.
        again: Whether to make it once more, when it is there already, must change nothing.
    """

    make: Callable[[Registry], object]
    again: bool = False


def draw(rng: random.Random, number: int) -> Change:
    """Any change; the registry may refuse it."""
    version, holder = ByNumber(rng.randint(1, 4)), "a1"
    match rng.randrange(12):
        case 0 | 1:
            return Change(lambda registry: registry.register(candidate(f"{number % 6 + 3}")), True)
        case 2 | 3:
            weight = rng.choice((10, 50, 100))
            return Change(lambda registry: registry.promote(MODEL, version, weight=weight), True)
        case 4 | 5:
            return Change(lambda registry: registry.rollback(MODEL))
        case 6 | 7 | 8:
            plan = Plan(rng.choice(((100,), (10, 100), (1, 10, 100))), GATE, holder)
            return Change(lambda registry: registry.begin_rollout(MODEL, version, plan=plan))
        case 9 | 10:
            return Change(lambda registry: registry.advance_rollout(MODEL, holder=holder))
        case _:
            return Change(lambda registry: registry.stop_rollout(MODEL, reason="slow"))


def items_of(store: Store) -> Items:
    """All that is stored, which fits together."""
    copy = copy_model(store, MODEL)
    assert contradictions(copy) == []
    return copy.items


def registry_on(store: Store) -> Registry:
    return Registry(store, clock=lambda: NOW, actor="ada")


def undisturbed(store: Store, rng: random.Random) -> tuple[list[Change], list[Items]]:
    """Changes that the registry takes one after the other, and what is stored before each and last.

    Versions 1 and 2 are there; production is version 1.
    """
    registry = registry_on(store)
    registry.register(candidate("1"))
    registry.register(candidate("2"))
    registry.promote(MODEL, ByNumber(1))
    changes: list[Change] = []
    states = [items_of(store)]
    while len(changes) < CHANGES:
        change = draw(rng, len(changes))
        try:
            change.make(registry)
        except MaasError as error:
            if error.exit_code not in (3, 4):  # refused: try something else
                raise
        if (now := items_of(store)) != states[-1]:
            changes.append(change)
            states.append(now)
    return changes, states


@pytest.mark.parametrize("sequence", SEQUENCES, ids=lambda each: f"{each[0]}-{each[1]}")
def test_f6_sequences_of_killed_changes_leave_whole_ones_and_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sequence: tuple[str, int]
) -> None:
    kind, seed = sequence
    rng = random.Random(f"{kind} {seed}")
    # Given changes, and the registry as it is before them
    calm = SqliteStore(tmp_path / "calm.sqlite")
    changes, states = undisturbed(calm, rng)
    calm.close()
    open_store = store_opener(kind, tmp_path / "registry.sqlite", monkeypatch)
    store = open_store()
    store.transact([Write(item, None) for item in states[0]])
    under_way = FORK.Value("i", 0)

    def go_on(begin: int, kill_at: int) -> None:
        registry = registry_on(stepping(open_store(), killer(kill_at)))
        for place in range(begin, CHANGES):
            under_way.value = place
            changes[place].make(registry)

    begin = kills = 0
    # When they are made by one process after the other, each of which is killed at one of its steps
    while killed(partial(go_on, begin, rng.randrange(STEPS_TO_A_KILL))):
        kills += 1
        assert kills < KILLS_MAX
        # Then the change under way is there as a whole, or nothing of it
        begin, now = under_way.value, items_of(store)
        assert now in states[begin : begin + 2]
        if now == states[begin + 1] and not changes[begin].again:
            begin += 1
    # And what is there in the end is what is there where nobody was killed
    assert items_of(store) == states[-1]
    assert kills
    count("faults", kills)
    store.close()
