"""What a deployment records, and what it asks of promotes and rollbacks (F34, F35)."""

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.rollouts import GATE, HOLDER

from maas.errors import (
    ConflictError,
    FieldError,
    ModelNotFoundError,
    RefusedError,
    VersionNotServedError,
)
from maas.registry.addresses import ByNumber
from maas.registry.deployment_records import DEPLOYMENTS_MAX, DeploymentRecord
from maas.registry.records import POLICY_VERSIONS, Candidate, Route
from maas.registry.registry import Registry
from maas.registry.rollout_plans import Plan

MakeCandidate = Callable[..., Candidate]
ALL_TO_1 = (Route(1, 10_000),)
AT_ONCE = Plan((100,), GATE, HOLDER)


def digests(*numbers: int) -> dict[int, str]:
    """The digests of the candidates whose seeds are their numbers."""
    return {number: f"sha256:{number:064x}" for number in numbers}


def deployed(
    registry: Registry, *numbers: int, target: str = "maas", function_version: str = "7"
) -> DeploymentRecord:
    return registry.record_deployment(
        "sentiment",
        target,
        function=f"{target}-model-sentiment:live",
        function_version=function_version,
        digests=digests(*numbers),
    ).record


@pytest.fixture
def three(two: Registry, candidate: MakeCandidate) -> Registry:
    """Versions 1 to 3, production at version 1, deployed nowhere."""
    two.register(candidate(3))
    return two


# ---- What is recorded ---------------------------------------------------------------------------


def test_a_deployment_is_what_was_seen(three: Registry) -> None:
    record = deployed(three, 2, 1)
    assert three.deployments("sentiment") == (record,)
    assert (record.target, record.status, record.revision) == ("maas", "live", 1)
    assert (record.function, record.function_version) == ("maas-model-sentiment:live", "7")
    assert list(record.digests.items()) == list(digests(1, 2).items())
    assert (record.by, record.at) == ("ada", "2030-01-02T03:04:05.678Z")


def test_history_and_the_policys_revision_move_on(three: Registry) -> None:
    deployed(three, 1, 2)
    deployed(three, 1, 2, 3, function_version="8")
    newest, first, *_ = three.history("sentiment").records
    assert (first.action, first.subject, first.before) == ("deploy", "maas", None)
    assert newest.before == first.after
    assert newest.after == {
        "status": "live",
        "function": "maas-model-sentiment:live",
        "function_version": "8",
        "versions": [1, 2, 3],
    }
    assert newest.revision == three.policy("sentiment").revision == 6
    assert three.policy("sentiment").aliases == {"production": ALL_TO_1}


def test_the_same_again_changes_nothing(three: Registry) -> None:
    first = deployed(three, 1, 2)
    again = three.record_deployment(
        "sentiment",
        "maas",
        function=first.function,
        function_version=first.function_version,
        digests=dict(reversed(first.digests.items())),
    )
    assert (again.changed, again.record) == (False, first)
    assert three.model("sentiment").revision == 5


def test_a_deployment_carries_every_version_that_an_alias_routes_to(three: Registry) -> None:
    three.promote("sentiment", ByNumber(2), alias="canary")
    three.promote("sentiment", ByNumber(2), weight=10)
    before = three.model("sentiment").revision
    with pytest.raises(
        RefusedError, match=r"maas would lack sentiment@2, which is in use by canary, production\."
    ):
        deployed(three, 1, 3)
    assert three.deployments("sentiment") == ()
    assert three.model("sentiment").revision == before
    assert deployed(three, 1, 2).status == "live"


def test_only_what_was_registered_is_recorded(three: Registry) -> None:
    with pytest.raises(RefusedError, match=r"sentiment@2 with sha256:0.*3; registered is"):
        three.record_deployment(
            "sentiment",
            "maas",
            function="f:live",
            function_version="1",
            digests={1: digests(1)[1], 2: digests(3)[3]},
        )
    with pytest.raises(VersionNotServedError, match="no version 4"):
        deployed(three, 1, 4)
    with pytest.raises(ModelNotFoundError):
        three.record_deployment(
            "spam", "maas", function="f:live", function_version="1", digests=digests(1)
        )
    assert three.deployments("sentiment") == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"target": "1maas"},
        {"target": "maas prod"},
        {"function": "f\nlive"},
        {"function_version": "$LATEST"},
    ],
    ids=str,
)
def test_a_malformed_deployment_is_refused(three: Registry, wrong: dict[str, str]) -> None:
    given = {"target": "maas", "function": "f:live", "function_version": "1"} | wrong
    with pytest.raises(FieldError):
        three.record_deployment("sentiment", digests=digests(1), **given)
    assert three.deployments("sentiment") == ()


def test_targets_are_bounded_and_those_that_are_gone_do_not_count(three: Registry) -> None:
    for number in range(DEPLOYMENTS_MAX):
        deployed(three, 1, target=f"stack-{number}")
    with pytest.raises(RefusedError, match=r"is deployed to 16 targets.* maas destroy"):
        deployed(three, 1, target="one-more")
    assert deployed(three, 1, 2, target="stack-0").revision == 2
    three.remove_deployment("sentiment", "stack-3")
    deployed(three, 1, target="one-more")
    # Even then every one of them is asked, although they fill more than a page
    assert len(three.deployments("sentiment")) == DEPLOYMENTS_MAX + 1
    with pytest.raises(RefusedError, match="not deployed to"):
        three.promote("sentiment", ByNumber(2))
    deployed(three, 1, 2, target="one-more")
    for number in range(1, DEPLOYMENTS_MAX):
        if number != 3:
            deployed(three, 1, 2, target=f"stack-{number}")
    assert three.promote("sentiment", ByNumber(2)).changed


# ---- What it asks of a promote and a rollback ---------------------------------------------------


def test_f34_a_version_that_is_not_deployed_is_not_promoted(three: Registry) -> None:
    deployed(three, 1, 2)
    before = three.alias("sentiment", "production")
    with pytest.raises(RefusedError) as refusal:
        three.promote("sentiment", ByNumber(3), weight=10)
    assert (refusal.value.status, refusal.value.exit_code) == (409, 3)
    assert str(refusal.value) == (
        "sentiment@3 is not deployed to maas, which carries versions 1, 2. "
        "Run maas package --candidate sentiment@3 and maas deploy, then repeat this."
    )
    with pytest.raises(RefusedError, match="not deployed to maas"):
        three.promote("sentiment", ByNumber(3), alias="canary")
    assert three.aliases("sentiment") == (before,)
    # And the remedy works
    deployed(three, 1, 2, 3, function_version="8")
    assert three.promote("sentiment", ByNumber(3), weight=10).changed


def test_a_version_that_is_not_deployed_is_not_shadowed(three: Registry) -> None:
    deployed(three, 1, 2)
    before = three.policy("sentiment")
    with pytest.raises(RefusedError, match=r"sentiment@3 is not deployed to maas.*--candidate"):
        three.shadow("sentiment", ByNumber(3), sample=500)
    assert three.policy("sentiment") == before
    # And the remedy works
    deployed(three, 1, 2, 3, function_version="8")
    assert three.shadow("sentiment", ByNumber(3), sample=500).changed


def test_a_promote_asks_every_live_target(three: Registry) -> None:
    deployed(three, 1, 2, target="eu")
    deployed(three, 1, 3, target="us")
    for number, missing in ((2, "us"), (3, "eu")):
        with pytest.raises(RefusedError, match=f"not deployed to {missing}"):
            three.promote("sentiment", ByNumber(number))


def test_f35_a_rollback_goes_only_to_what_is_carried(three: Registry) -> None:
    # Given production at 2, at 1 before, and a function that has put version 1 off board
    three.promote("sentiment", ByNumber(2))
    deployed(three, 2, 3)
    with pytest.raises(RefusedError, match=r"sentiment@1 is not deployed to maas.*versions 2, 3"):
        three.rollback("sentiment")
    assert three.alias("sentiment", "production").routes == (Route(2, 10_000),)
    # When it carries it again, then the rollback goes, there and back
    deployed(three, 1, 2, function_version="8")
    assert three.rollback("sentiment").record.routes == ALL_TO_1
    assert three.rollback("sentiment").record.routes == (Route(2, 10_000),)


def test_a_target_that_is_gone_asks_nothing(three: Registry) -> None:
    deployed(three, 1)
    removed = three.remove_deployment("sentiment", "maas")
    assert (removed.changed, removed.record.status) == (True, "removed")
    assert three.promote("sentiment", ByNumber(3)).changed
    # Twice is once, and one that comes back is asked again
    assert not three.remove_deployment("sentiment", "maas").changed
    assert not three.leave_deployment("sentiment", "maas").changed
    deployed(three, 1, 3)
    with pytest.raises(RefusedError):
        three.promote("sentiment", ByNumber(2))


def test_nothing_is_promoted_while_a_target_is_being_destroyed(three: Registry) -> None:
    deployed(three, 1, 2)
    left = three.leave_deployment("sentiment", "maas")
    assert (left.changed, left.record.status) == (True, "leaving")
    assert not three.leave_deployment("sentiment", "maas").changed
    with pytest.raises(RefusedError, match="End that with maas destroy --stack maas"):
        three.promote("sentiment", ByNumber(2))
    # Either end of it frees the model
    deployed(three, 1, 2)
    assert three.promote("sentiment", ByNumber(2)).changed
    three.leave_deployment("sentiment", "maas")
    three.remove_deployment("sentiment", "maas")
    assert three.promote("sentiment", ByNumber(3)).changed
    actions = [event.action for event in three.history("sentiment", limit=6).records]
    assert actions == ["promote", "remove", "leave", "promote", "deploy", "leave"]


def test_what_was_never_deployed_cannot_be_removed(three: Registry) -> None:
    for end in (three.leave_deployment, three.remove_deployment):
        with pytest.raises(RefusedError, match="never deployed to maas"):
            end("sentiment", "maas")


# ---- While a deployment runs --------------------------------------------------------------------


def test_before_a_deployment_a_target_is_narrowed_to_what_stays(three: Registry) -> None:
    # Given a function with versions 1 and 2, and one on its way with 1 and 3
    deployed(three, 1, 2)
    narrowed = three.narrow_deployment("sentiment", "maas", digests(1, 3))
    assert narrowed is not None
    assert (narrowed.changed, narrowed.record.digests) == (True, digests(1))
    assert narrowed.record.function_version == "7"
    # Then neither the version that goes nor the one that is not yet there is promoted
    for number in (2, 3):
        with pytest.raises(RefusedError, match=r"carries versions 1\."):
            three.promote("sentiment", ByNumber(number))
    # Once is enough
    again = three.narrow_deployment("sentiment", "maas", digests(1, 3))
    assert again is not None
    assert not again.changed
    # When it has been seen, the new version may answer
    deployed(three, 1, 3, function_version="8")
    assert three.promote("sentiment", ByNumber(3)).changed


def test_a_deployment_that_would_put_off_a_routed_version_is_refused_before_it_begins(
    three: Registry,
) -> None:
    with pytest.raises(RefusedError, match="would lack sentiment@1"):
        three.narrow_deployment("sentiment", "maas", digests(2, 3))  # nothing deployed yet
    assert three.narrow_deployment("sentiment", "maas", digests(1)) is None
    deployed(three, 1, 2)
    with pytest.raises(RefusedError, match="would lack sentiment@1"):
        three.narrow_deployment("sentiment", "maas", digests(2, 3))
    assert three.deployments("sentiment")[0].digests == digests(1, 2)


def test_a_shadow_stays_carried_until_it_ends(three: Registry) -> None:
    deployed(three, 1, 3)
    three.shadow("sentiment", ByNumber(3), sample=500)
    lacking = (
        r"would lack sentiment@3, which is in use by production as its shadow\..*end the shadow"
    )
    with pytest.raises(RefusedError, match=lacking):
        three.narrow_deployment("sentiment", "maas", digests(1, 2))
    with pytest.raises(RefusedError, match=lacking):
        deployed(three, 1, 2, function_version="8")
    assert three.deployments("sentiment")[0].digests == digests(1, 3)
    # When it has ended, then the version may leave
    three.shadow("sentiment", None)
    assert deployed(three, 1, 2, function_version="8").digests == digests(1, 2)


def test_what_a_rollout_goes_back_to_stays_carried_until_it_ends(three: Registry) -> None:
    # Given a rollout that has given all requests to version 2, before anything was deployed
    three.begin_rollout("sentiment", ByNumber(2), plan=AT_ONCE)
    lacking = (
        r"would lack sentiment@1, which is in use by production as its rollout's baseline\."
        ".*let the rollout end"
    )
    for _ in range(2):
        with pytest.raises(RefusedError, match=lacking):
            three.narrow_deployment("sentiment", "maas", digests(2, 3))
        with pytest.raises(RefusedError, match=lacking):
            deployed(three, 2, 3, function_version="8")
        # And so it is where there is a deployment
        deployed(three, 1, 2)
    with pytest.raises(RefusedError, match=lacking):
        three.narrow_deployment("sentiment", "maas", digests(2) | {1: f"sha256:{7:064x}"})
    assert three.deployments("sentiment")[0].digests == digests(1, 2)
    # Then it can be stopped, and begin anew
    three.stop_rollout("sentiment")
    assert three.alias("sentiment", "production").routes == ALL_TO_1
    three.begin_rollout("sentiment", ByNumber(2), plan=AT_ONCE)
    # When it has ended, then the version may leave
    three.advance_rollout("sentiment", holder=HOLDER)
    assert deployed(three, 2, 3, function_version="8").digests == digests(2, 3)


def test_what_a_rollout_goes_back_to_may_leave_when_a_person_has_decided(three: Registry) -> None:
    three.begin_rollout("sentiment", ByNumber(2), plan=AT_ONCE)
    three.promote("sentiment", ByNumber(3))
    assert deployed(three, 3).digests == digests(3)


def test_a_rollouts_baseline_is_known_however_many_versions_came_after_it(
    three: Registry, candidate: MakeCandidate
) -> None:
    three.begin_rollout("sentiment", ByNumber(2), plan=AT_ONCE)
    for seed in range(4, POLICY_VERSIONS + 4):
        three.register(candidate(seed))
    assert 1 not in three.policy("sentiment").digests
    with pytest.raises(RefusedError, match="would lack sentiment@1"):
        deployed(three, 2)
    assert deployed(three, 1, 2).digests == digests(1, 2)


def test_of_a_promote_and_a_deployment_at_once_exactly_one_wins(
    three: Registry, open_file: Callable[[], Registry]
) -> None:
    """Whoever wins, no live target lacks a routed version afterwards."""
    outcomes: set[tuple[str, ...]] = set()
    for number in range(30):
        target = f"t{number}"
        three.promote("sentiment", ByNumber(1), reason=str(number))
        deployed(three, 1, 2, target=target)
        start = threading.Barrier(2)

        def attempt(change: Callable[[Registry], object], start: threading.Barrier = start) -> str:
            with open_file() as registry:
                registry.model("sentiment")
                start.wait()
                try:
                    change(registry)
                except ConflictError:
                    return "conflict"
                except RefusedError:
                    return "refused"
                return "done"

        def narrow(registry: Registry, target: str = target) -> object:
            return registry.narrow_deployment("sentiment", target, digests(1, 3))

        def promote(registry: Registry) -> object:
            return registry.promote("sentiment", ByNumber(2))

        with ThreadPoolExecutor(2) as pool:
            outcome = tuple(pool.map(attempt, (narrow, promote)))
        outcomes.add(outcome)
        assert outcome.count("done") == 1
        assert_carried(three)
        three.remove_deployment("sentiment", target)
    assert outcomes <= {("done", "conflict"), ("done", "refused"), ("conflict", "done")} | {
        ("refused", "done")
    }


def test_whatever_is_done_in_any_order_no_live_target_lacks_a_routed_version(
    three: Registry,
) -> None:
    rng = random.Random(7)
    done = refused = 0
    for _ in range(300):
        numbers = rng.sample((1, 2, 3), rng.randint(1, 3))
        target = rng.choice(("eu", "us"))
        changes: list[Callable[[], object]] = [
            lambda n=numbers: three.promote(  # type: ignore[misc]
                "sentiment", ByNumber(n[0]), weight=rng.choice((100, 30))
            ),
            lambda: three.rollback("sentiment"),
            lambda n=numbers, t=target: deployed(three, *n, target=t),  # type: ignore[misc]
            lambda n=numbers, t=target: three.narrow_deployment(  # type: ignore[misc]
                "sentiment", t, digests(*n)
            ),
            lambda t=target: three.leave_deployment("sentiment", t),  # type: ignore[misc]
            lambda t=target: three.remove_deployment("sentiment", t),  # type: ignore[misc]
        ]
        try:
            rng.choices(changes, weights=(4, 2, 5, 2, 1, 1))[0]()
            done += 1
        except RefusedError:
            refused += 1
        assert_carried(three)
    assert done > 100
    assert refused > 50
    events = three.history("sentiment", limit=1_000).records
    assert [event.revision for event in events] == list(range(len(events), 0, -1))


def assert_carried(registry: Registry) -> None:
    policy = registry.policy("sentiment")
    for routes in policy.aliases.values():
        for route in routes:
            for deployment in registry.deployments("sentiment"):
                if deployment.status == "live":
                    assert deployment.digests.get(route.version) == policy.digests[route.version]
