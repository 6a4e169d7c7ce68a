"""Versions that a running rollout needs: retired they cannot be, blocked they can; and shadows."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.registries import NOW, STORES, Watched, store_opener
from support.rollouts import GATE, HOLDER, MODEL, PLAN, candidate, shares

from maas.errors import ConflictError, RefusedError
from maas.registry.addresses import ByNumber
from maas.registry.records import Route, Shadow, Verification
from maas.registry.registry import Registry
from maas.registry.rollout_plans import Plan
from maas.registry.rollout_records import RolloutRecord
from maas.registry.store import Store
from maas_lab.registry.checks import contradictions
from maas_lab.registry.copies import copy_model

FAILED = Verification(8, 0.5, 0.1, passed=False, problem="request 3 differs by 0.5")
AT_ONCE = Plan((100,), GATE, HOLDER)


@pytest.fixture
def open_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Store]:
    return store_opener("sqlite", tmp_path / "registry.sqlite", monkeypatch)


@pytest.fixture
def registry(open_store: Callable[[], Store]) -> Iterator[Registry]:
    with three_versions(open_store()) as registry:
        yield registry


@contextmanager
def three_versions(store: Store) -> Iterator[Registry]:
    """Production is version 1 at 70 % and 2 at 30 %. At the end all fits together."""
    with Registry(store, clock=lambda: NOW, actor="ada") as registry:
        for digit in "123":
            registry.register(candidate(digit))
        registry.promote(MODEL, ByNumber(1))
        registry.promote(MODEL, ByNumber(2), weight=30)
        yield registry
        assert contradictions(copy_model(store, MODEL)) == []


def begin(registry: Registry, number: int, plan: Plan = PLAN, alias: str = "production") -> None:
    registry.begin_rollout(MODEL, ByNumber(number), plan=plan, alias=alias)


def rollout(registry: Registry) -> RolloutRecord:
    record = registry.rollout(MODEL).record
    assert record is not None
    return record


def deploy(registry: Registry, *numbers: int) -> None:
    digests = {number: registry.version(MODEL, ByNumber(number)).digest for number in numbers}
    registry.record_deployment(
        MODEL, "maas", function="maas-sentiment:live", function_version="1", digests=digests
    )


@pytest.mark.parametrize("kind", STORES)
def test_the_same_in_each_store(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_opener(kind, tmp_path / "another.sqlite", monkeypatch)()
    with three_versions(store) as registry:
        begin(registry, 3)
        registry.shadow(MODEL, ByNumber(2), sample=100)
        with pytest.raises(RefusedError, match="maas rollout stop"):
            registry.retire(MODEL, ByNumber(1))
        registry.block(MODEL, ByNumber(1))
        assert shares(registry) == {2: 9_900, 3: 100}
        registry.block(MODEL, ByNumber(3))
        assert (shares(registry), rollout(registry).status) == ({2: 10_000}, "stopped")


# ---- Retire -------------------------------------------------------------------------------------


@pytest.mark.parametrize("plan", [PLAN, AT_ONCE])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_what_a_rollout_needs_is_not_retired(registry: Registry, plan: Plan, number: int) -> None:
    begin(registry, 3, plan)
    revision = registry.model(MODEL).revision
    said = r"rollout of version 3 to production of sentiment.*maas rollout stop sentiment[, ]"
    with pytest.raises(RefusedError, match=said) as refused:
        registry.retire(MODEL, ByNumber(number))
    assert refused.value.field == "version"
    assert registry.model(MODEL).revision == revision
    # Once it is over, what is not routed to can be
    while registry.rollout(MODEL).running:
        registry.advance_rollout(MODEL, holder=HOLDER)
    if number != 3:
        assert registry.retire(MODEL, ByNumber(number)).record.status == "retired"


def test_a_rollout_of_any_alias_needs_its_versions(registry: Registry) -> None:
    registry.promote(MODEL, ByNumber(3), alias="staging")
    begin(registry, 1, AT_ONCE, alias="staging")
    with pytest.raises(RefusedError, match="maas rollout stop sentiment --alias staging"):
        registry.retire(MODEL, ByNumber(3))
    # One that somebody ended by a promote needs nothing more
    registry.promote(MODEL, ByNumber(2), alias="staging")
    assert registry.retire(MODEL, ByNumber(3)).changed


# ---- Block --------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", range(3))
def test_a_block_of_what_is_rolled_out_ends_that_at_once(registry: Registry, steps: int) -> None:
    begin(registry, 3)
    for _ in range(steps):
        registry.advance_rollout(MODEL, holder=HOLDER)
    registry.block(MODEL, ByNumber(3), reason="it leaks")
    assert shares(registry) == {1: 7_000, 2: 3_000}
    record = rollout(registry)
    assert (record.status, record.reason) == ("stopped", "blocked: it leaks")
    with pytest.raises(ConflictError, match="stopped already"):
        registry.advance_rollout(MODEL, holder=HOLDER)
    # History tells it of all three, and the next rollout may begin
    (event,) = registry.history(MODEL, limit=1).records
    assert (event.action, event.subject) == ("block", "3")
    assert event.after["rollouts"] == {
        "production": {"version": 3, "status": "stopped", "step": steps + 1, "steps": [1, 10, 100]}
    }
    begin(registry, 2)


def test_a_blocked_version_is_not_gone_back_to_where_it_had_a_share_before(
    registry: Registry,
) -> None:
    begin(registry, 2, AT_ONCE)
    registry.block(MODEL, ByNumber(2))
    assert shares(registry) == {1: 10_000}
    assert (rollout(registry).baseline, rollout(registry).reason) == (
        (Route(1, 10_000),),
        "blocked",
    )


@pytest.mark.parametrize("plan", [PLAN, AT_ONCE])
def test_a_rollout_goes_on_without_one_of_the_versions_from_before(
    registry: Registry, plan: Plan
) -> None:
    begin(registry, 3, plan)
    registry.block(MODEL, ByNumber(1), reason="it leaks")
    assert shares(registry) == ({2: 9_900, 3: 100} if plan is PLAN else {3: 10_000})
    assert rollout(registry).baseline == (Route(2, 10_000),)
    assert registry.rollout(MODEL).running
    # Its driver needs to know nothing of it, and a rollback goes to what is left
    registry.advance_rollout(MODEL, holder=HOLDER)
    if plan is PLAN:
        assert shares(registry) == {2: 9_000, 3: 1_000}
    registry.rollback(MODEL)
    assert shares(registry) == {2: 10_000}


def test_a_stop_after_such_a_block_restores_what_is_left(registry: Registry) -> None:
    begin(registry, 3)
    registry.block(MODEL, ByNumber(2))
    registry.stop_rollout(MODEL, holder=HOLDER, reason="slow")
    assert shares(registry) == {1: 10_000}


@pytest.mark.parametrize("plan", [PLAN, AT_ONCE])
def test_all_that_a_rollout_could_go_back_to_is_not_blocked(registry: Registry, plan: Plan) -> None:
    begin(registry, 2, plan)
    with pytest.raises(RefusedError, match=r"maas promote sentiment@2, which ends") as refused:
        registry.block(MODEL, ByNumber(1))
    assert "sentiment@1 is all that the rollout of version 2 to production" in str(refused.value)
    assert registry.rollout(MODEL).running
    # The remedy is one
    registry.promote(MODEL, ByNumber(3))
    assert registry.block(MODEL, ByNumber(1)).changed
    assert shares(registry) == {3: 10_000}


def test_a_block_gives_nobody_new_traffic_while_a_target_is_leaving(registry: Registry) -> None:
    begin(registry, 3, AT_ONCE)
    deploy(registry, 1, 2, 3)
    registry.leave_deployment(MODEL, "maas")
    with pytest.raises(RefusedError, match="maas destroy"):
        registry.block(MODEL, ByNumber(3))
    assert (shares(registry), registry.rollout(MODEL).running) == ({3: 10_000}, True)
    registry.remove_deployment(MODEL, "maas")
    registry.block(MODEL, ByNumber(3))
    assert shares(registry) == {1: 7_000, 2: 3_000}


def test_a_leaving_target_keeps_nobody_from_blocking_a_share(registry: Registry) -> None:
    begin(registry, 3)
    deploy(registry, 1, 2, 3)
    registry.leave_deployment(MODEL, "maas")
    registry.block(MODEL, ByNumber(3))
    assert shares(registry) == {1: 7_000, 2: 3_000}


def test_what_had_the_traffic_before_has_it_again_though_its_replay_failed(
    registry: Registry,
) -> None:
    begin(registry, 3)
    registry.record_verification(MODEL, ByNumber(1), FAILED)
    registry.stop_rollout(MODEL, holder=HOLDER, reason="slow")
    assert shares(registry) == {1: 7_000, 2: 3_000}


# ---- Shadow -------------------------------------------------------------------------------------


def test_a_shadow_ends_no_rollout(registry: Registry) -> None:
    begin(registry, 3)
    for number, sample in ((2, 500), (3, 100), (None, 0)):
        address = None if number is None else ByNumber(number)
        registry.shadow(MODEL, address, sample=sample, reason="is it faster?")
        assert registry.rollout(MODEL).running
        registry.advance_rollout(MODEL, holder=HOLDER)
    assert (shares(registry), rollout(registry).status) == ({3: 10_000}, "finished")
    # Over it is for a shadow too
    registry.shadow(MODEL, ByNumber(1), sample=1)
    assert rollout(registry).status == "finished"


def test_a_block_of_a_shadow_ends_no_rollout(registry: Registry) -> None:
    registry.register(candidate("4"))
    begin(registry, 3)
    registry.shadow(MODEL, ByNumber(4), sample=100)
    registry.block(MODEL, ByNumber(4))
    registry.advance_rollout(MODEL, holder=HOLDER)
    assert (shares(registry)[3], registry.alias(MODEL, "production").shadow) == (1_000, None)


def test_after_a_promote_no_shadow_brings_a_rollout_back(registry: Registry) -> None:
    begin(registry, 3)
    registry.promote(MODEL, ByNumber(3), weight=50)
    registry.shadow(MODEL, ByNumber(2), sample=100)
    assert not registry.rollout(MODEL).running
    with pytest.raises(ConflictError, match=r"ada changed production.*sentiment is at revision 8"):
        registry.advance_rollout(MODEL, holder=HOLDER)


@pytest.mark.parametrize("first", ["shadow", "step"])
def test_a_shadow_and_a_step_at_once_are_one_after_the_other(
    registry: Registry, open_store: Callable[[], Store], first: str
) -> None:
    begin(registry, 3)
    acts: dict[str, Callable[[Registry], object]] = {
        "shadow": lambda registry: registry.shadow(MODEL, ByNumber(2), sample=100),
        "step": lambda registry: registry.advance_rollout(MODEL, holder=HOLDER),
    }
    second = "step" if first == "shadow" else "shadow"
    # Given somebody who is faster between the other's look and its write
    slow = Watched(open_store(), lambda: acts[first](registry))
    with (
        Registry(slow, clock=lambda: NOW, actor="bob") as other,
        pytest.raises(ConflictError, match="nothing was written"),
    ):
        acts[second](other)
    # Then the slower one looks again, and both were done
    acts[second](registry)
    assert registry.rollout(MODEL).running
    assert shares(registry)[3] == 1_000
    assert registry.alias(MODEL, "production").shadow == Shadow(2, 100)
