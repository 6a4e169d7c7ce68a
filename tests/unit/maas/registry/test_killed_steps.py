"""A change killed between any two of its steps: the model is before it or after it, never between.

Its steps are what it asks of the store: reads, and the one transaction. In a table all changes are
tried with `--full` alone, for each of their steps takes a second there.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.dynamo import empty_table
from support.effort import count, examples
from support.kills import killed, killer, stepping
from support.registries import NOW, store_opener

from maas.registry.addresses import ByNumber
from maas.registry.historian import AtRevision
from maas.registry.records import Candidate, TensorSpec, Verification
from maas.registry.registry import Registry
from maas.registry.rollout_plans import Plan
from maas.registry.rollout_records import Gate
from maas.registry.store import Item, Store
from maas_lab.registry.checks import contradictions
from maas_lab.registry.copies import copy_model

# Python 3.12 warns of any fork beside threads; forking beside them is what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
PLAN = Plan((10, 100), Gate(600.0, 0.01, 1.5, 50), "a1")
MOST_STEPS = 100
Act = Callable[[Registry], object]
ACTS: dict[str, Act] = {
    "promote": lambda registry: registry.promote("sentiment", ByNumber(2)),
    "register": lambda registry: registry.register(candidate(3)),
    "rollback": lambda registry: registry.rollback("sentiment", to=AtRevision(3)),
    "block": lambda registry: registry.block("sentiment", ByNumber(1)),
    "shadow": lambda registry: registry.shadow("sentiment", ByNumber(1), sample=5),
    "rollout": lambda registry: registry.begin_rollout("sentiment", ByNumber(1), plan=PLAN),
    "rollout step": lambda registry: registry.advance_rollout("sentiment", holder="a1"),
    "rollout stop": lambda registry: registry.stop_rollout("sentiment", reason="slow"),
    "rollout block": lambda registry: registry.block("sentiment", ByNumber(1)),
    "rollout shadow": lambda registry: registry.shadow("sentiment", ByNumber(2), sample=5),
}
"""From version 1 at 40 % and version 2 at 60 % of production, which version 1 had alone before."""
CASES = [
    *(("sqlite", act) for act in ACTS),
    *(("dynamodb", act) for act in list(ACTS)[: examples(1, len(ACTS))]),
]


def candidate(seed: int) -> Candidate:
    return Candidate(
        model="sentiment",
        digest=f"sha256:{seed:064x}",
        task="text-classification",
        inputs=(TensorSpec("input_ids", "int64", ("batch",)),),
        outputs=(),
        verification=Verification(golden=8, max_difference=0.0, seconds=0.0),
    )


class Scene:
    """A registry that can be put back to where a change starts from."""

    def __init__(self, kind: str, file: Path, act: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self._file = None if kind == "dynamodb" else file
        self._act = act
        self._monkeypatch = monkeypatch
        self._open = store_opener(kind, file, monkeypatch)
        self._store = self._open()

    def prepare(self) -> tuple[Item, ...]:
        """Everything anew, as it is before the change."""
        if self._file is None:
            empty_table(self._monkeypatch)
        else:
            self._store.close()
            for path in self._file.parent.glob(f"{self._file.name}*"):
                path.unlink()
        registry = registry_on(self._store)
        for seed in (1, 2):
            registry.register(candidate(seed))
        registry.promote("sentiment", ByNumber(1))
        registry.promote("sentiment", ByNumber(2), weight=60)
        if self._act.startswith("rollout "):
            registry.begin_rollout("sentiment", ByNumber(1), plan=PLAN)
        return self.items()

    def items(self) -> tuple[Item, ...]:
        """All that is stored, which fits together."""
        copy = copy_model(self._store, "sentiment")
        assert contradictions(copy) == []
        return copy.items

    def change(self) -> tuple[Item, ...]:
        """Make the change here; answers with what is stored then."""
        ACTS[self._act](registry_on(self._store))
        return self.items()

    def killed(self, at: int) -> bool:
        """Make the change in a process that is killed at one of its steps, if it has so many."""
        return killed(lambda: ACTS[self._act](registry_on(stepping(self._open(), killer(at)))))

    def close(self) -> None:
        self._store.close()


def registry_on(store: Store) -> Registry:
    return Registry(store, clock=lambda: NOW, actor="ada")


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_f6_a_change_that_is_killed_at_any_step_is_whole_or_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: tuple[str, str]
) -> None:
    kind, act = case
    scene = Scene(kind, tmp_path / "registry.sqlite", act, monkeypatch)
    before = scene.prepare()
    after = scene.change()
    assert before != after
    done: list[bool] = []
    for at in range(MOST_STEPS):
        # Given the model as it was, and a writer that is killed at its next step
        scene.prepare()
        if not scene.killed(at):  # it has no such step
            break
        # Then the change is there as a whole, or nothing of it
        now = scene.items()
        assert now in (before, after)
        done.append(now == after)
        # And who makes it again ends where nobody was killed
        assert now == after or scene.change() == after
    assert scene.items() == after
    assert done == sorted(done)
    assert set(done) == {False, True}
    count("faults", len(done))
    scene.close()
