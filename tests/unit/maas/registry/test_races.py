"""Who loses a race in the registry: nothing of it is written, and it is told where things are."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.registries import NOW, Watched

from maas.errors import ConflictError
from maas.registry.addresses import ByNumber
from maas.registry.records import Candidate, Verification
from maas.registry.registry import REGISTER_TRIES, Registry
from maas.registry.rollout_plans import Plan
from maas.registry.rollout_records import Gate
from maas.registry.sqlite import SqliteStore

MakeCandidate = Callable[..., Candidate]
Invariants = Callable[..., int]


class Rival:
    """Somebody else, who is faster for the first so many transactions."""

    def __init__(self, act: Callable[[], object], losses: int) -> None:
        self._act, self._losses = act, losses
        self.met = 0

    def __call__(self) -> None:
        self.met += 1
        if self.met <= self._losses:
            self._act()


def racing(file: Path, act: Callable[[], object], *, losses: int) -> tuple[Registry, Rival]:
    """A registry, and the rival who acts just before it writes."""
    rival = Rival(act, losses)
    return Registry(Watched(SqliteStore(file), rival), clock=lambda: NOW, actor="bob"), rival


def test_a_registration_that_loses_a_race_is_tried_again(
    two: Registry, file: Path, candidate: MakeCandidate, invariants: Invariants
) -> None:
    seeds = iter(range(100, 200))
    registry, rival = racing(file, lambda: two.register(candidate(next(seeds))), losses=3)
    with registry:
        assert registry.register(candidate(3)).record.number == 6
    assert rival.met == 4
    assert invariants(two) == 7


def test_a_registration_that_loses_to_its_own_digest_finds_it(
    two: Registry, file: Path, candidate: MakeCandidate
) -> None:
    registry, _ = racing(file, lambda: two.register(candidate(3)), losses=1)
    with registry:
        outcome = registry.register(candidate(3))
    assert (outcome.record.number, outcome.created, outcome.record.registered_by) == (
        3,
        False,
        "ada",
    )


def test_a_registration_gives_up_in_the_end(
    two: Registry, file: Path, candidate: MakeCandidate
) -> None:
    seeds = iter(range(100, 1_000))
    registry, rival = racing(file, lambda: two.register(candidate(next(seeds))), losses=10_000)
    with registry, pytest.raises(ConflictError):
        registry.register(candidate(3))
    assert rival.met == REGISTER_TRIES


def test_a_promote_or_rollback_that_loses_a_race_is_not_tried_again(
    two: Registry, file: Path, candidate: MakeCandidate, invariants: Invariants
) -> None:
    # Given that somebody rolls production on while we are about to change it
    two.promote("sentiment", ByNumber(2), weight=10)
    registry, rival = racing(file, lambda: two.rollback("sentiment"), losses=10)
    with registry:
        with pytest.raises(ConflictError, match="it is at revision 5"):
            registry.promote("sentiment", ByNumber(2))
        with pytest.raises(ConflictError, match="it is at revision 6"):
            registry.rollback("sentiment")
    assert rival.met == 2
    assert invariants(two) == 6


def lost(by: str) -> Callable[[Registry], object]:
    """A change that lost its race, by name; each from versions 1 and 2, production at 1."""
    number = ByNumber(2)
    plan = Plan((10, 100), Gate(600.0, 0.01, 1.5, 50), "a1")
    passed = Verification(8, 0.0, 0.25)
    changes: dict[str, Callable[[Registry], object]] = {
        "block": lambda registry: registry.block("sentiment", number),
        "retire": lambda registry: registry.retire("sentiment", number),
        "verify": lambda registry: registry.record_verification("sentiment", number, passed),
        "tag": lambda registry: registry.tag("sentiment", number, add=["good"]),
        "describe": lambda registry: registry.describe_version("sentiment", number, "small"),
        "describe model": lambda registry: registry.describe_model("sentiment", "small"),
        "shadow": lambda registry: registry.shadow("sentiment", number, sample=1),
        "rollout": lambda registry: registry.begin_rollout("sentiment", number, plan=plan),
        "deploy": lambda registry: registry.record_deployment(
            "sentiment",
            "maas",
            function="maas-sentiment:live",
            function_version="1",
            digests={1: registry.version("sentiment", ByNumber(1)).digest},
        ),
    }
    return changes[by]


@pytest.mark.parametrize(
    "act",
    [
        "block",
        "retire",
        "verify",
        "tag",
        "describe",
        "describe model",
        "shadow",
        "rollout",
        "deploy",
    ],
)
def test_f5_whatever_loses_a_race_is_told_the_present_revision(
    two: Registry, file: Path, invariants: Invariants, act: str
) -> None:
    # Given that somebody else changes version 2 first
    registry, _ = racing(file, lambda: two.tag("sentiment", ByNumber(2), add=["slow"]), losses=1)
    with registry:
        with pytest.raises(ConflictError, match="nothing was written; it is at revision 4") as told:
            lost(act)(registry)
        assert (told.value.status, told.value.exit_code) == (409, 4)
        assert invariants(two) == 4
        # Then the same again is done
        lost(act)(registry)
    assert two.model("sentiment").revision == 5


def test_f5_an_unblock_and_a_step_of_a_rollout_are_told_too(two: Registry, file: Path) -> None:
    lost("rollout")(two)
    registry, _ = racing(file, lambda: two.tag("sentiment", ByNumber(2), add=["slow"]), losses=1)
    with registry, pytest.raises(ConflictError, match="it is at revision 5"):
        registry.advance_rollout("sentiment", holder="a1")
    two.block("sentiment", ByNumber(2))
    registry, _ = racing(file, lambda: two.tag("sentiment", ByNumber(2), add=["big"]), losses=1)
    with registry, pytest.raises(ConflictError, match="it is at revision 7"):
        registry.unblock("sentiment", ByNumber(2))
