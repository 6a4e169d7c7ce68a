"""Which versions a function carries: what answers, what answered before, and candidates."""

from typing import TYPE_CHECKING

import pytest
from support.rollouts import GATE, HOLDER
from support.shipping import add_model, set_status
from support.tiny import Home, make_home

from maas.errors import (
    ConflictError,
    FieldError,
    ModelNotFoundError,
    RefusedError,
    VersionNotServedError,
)
from maas.registry.addresses import ByNumber
from maas.registry.reader import Reader
from maas.registry.records import Verification
from maas.registry.rollout_plans import Plan
from maas.registry.stores import open_store
from maas_lab.packing.models import wish_models
from maas_lab.packing.served_sets import ChosenSet, choose_served, parse_wishes

if TYPE_CHECKING:
    from pathlib import Path

    from maas.registry.records import Policy


FAILED = Verification(8, 0.5, 0.1, passed=False, problem="request 3 differs by 0.5")


@pytest.fixture
def home(tmp_path: "Path") -> Home:
    """Versions 1 to 4; nothing is promoted."""
    return make_home(tmp_path / "home", versions=4, promoted=False)


def chosen(
    home: Home, *, candidates: list[str] | None = None, without: list[str] | None = None
) -> ChosenSet:
    wishes = parse_wishes(candidates=candidates, without=without)
    with home.registry() as registry:
        return choose_served(registry, "sentiment", wishes)


def reasons(picked: ChosenSet) -> dict[int, str]:
    return {version.record.number: version.reason for version in picked.versions}


def test_a_shadow_is_carried_and_what_is_blocked_is_not(home: Home) -> None:
    home.promote(1)
    with home.registry() as registry:
        registry.shadow("sentiment", ByNumber(2), sample=100)
        registry.block("sentiment", ByNumber(4))
        policy = registry.policy("sentiment")
        registry.tag("sentiment", ByNumber(2), add=["quick"])
    picked = chosen(home)
    assert reasons(picked) == {
        1: "production",
        2: "shadow of production",
        3: "newest candidate",
    }
    # What changes neither routes nor blocks changes nothing that is baked
    assert picked.policy == policy


def test_what_a_running_rollout_goes_back_to_is_carried_whatever_else_is_left_out(
    home: Home,
) -> None:
    home.promote(1)
    with home.registry() as registry:
        registry.begin_rollout("sentiment", ByNumber(2), plan=Plan((100,), GATE, HOLDER))
        registry.record_verification("sentiment", ByNumber(1), FAILED)
        policy = registry.policy("sentiment")
        picked = chosen(home, without=["newest", "previous"])
        assert reasons(picked) == {1: "baseline of production's rollout", 2: "production"}
        assert picked.policy.aliases == policy.aliases
        registry.advance_rollout("sentiment", holder=HOLDER)
    assert reasons(chosen(home, without=["newest", "previous"])) == {2: "production"}


def test_what_is_routed_what_was_before_and_the_newest_are_carried(home: Home) -> None:
    # Given production that went from 1 to a split of 2 and 1, and a second alias
    home.promote(1)
    home.promote(2, weight=10)
    home.promote(1, alias="staging")

    # Then both of the split are there, the newest besides, and 3, which nobody uses, is not
    picked = chosen(home)
    assert reasons(picked) == {
        1: "production, staging, before in production",
        2: "production",
        4: "newest candidate",
    }
    assert picked.left_out == ()
    assert picked.policy.aliases.keys() == {"production", "staging"}


def test_a_rollback_finds_every_version_that_shared_the_alias_before(home: Home) -> None:
    home.promote(1)
    home.promote(2, weight=50)
    home.promote(4)
    assert reasons(chosen(home)) == {
        1: "before in production",
        2: "before in production",
        4: "production",
    }


def test_named_candidates_come_besides_the_newest(home: Home) -> None:
    home.promote(1)
    assert reasons(chosen(home, candidates=["sentiment@3", "sentiment@2"])) == {
        1: "production",
        2: "named candidate",
        3: "named candidate",
        4: "newest candidate",
    }
    by_digest = f"sentiment@{home.bundles[2].digest[:30]}"
    assert 2 in reasons(chosen(home, candidates=[by_digest]))


def test_without_leaves_out_the_newest_and_the_previous_but_nothing_that_is_routed(
    home: Home,
) -> None:
    home.promote(1)
    home.promote(2)
    assert reasons(chosen(home, without=["newest", "previous"])) == {2: "production"}
    home.promote(4)
    assert reasons(chosen(home, without=["newest", "previous"])) == {4: "production"}


def test_the_newest_verified_version_is_the_candidate(home: Home) -> None:
    home.promote(1)
    set_status(home, 4, "blocked")
    assert reasons(chosen(home)) == {1: "production", 3: "newest candidate"}


def test_a_routed_version_is_kept_whatever_its_status(home: Home) -> None:
    home.promote(1)
    set_status(home, 1, "blocked")
    assert 1 in reasons(chosen(home))


def test_a_previous_version_that_is_blocked_is_left_out_and_said(home: Home) -> None:
    home.promote(1)
    home.promote(2)
    set_status(home, 1, "blocked")
    picked = chosen(home)
    assert list(reasons(picked)) == [2, 4]
    assert picked.left_out == (
        "sentiment@1, before in production, is blocked; no rollback will reach it.",
    )


def test_a_named_candidate_that_is_not_verified_is_refused(home: Home) -> None:
    set_status(home, 2, "retired")
    with pytest.raises(RefusedError, match="sentiment@2 is retired; only a verified version"):
        chosen(home, candidates=["sentiment@2"])


def test_a_set_of_nothing_is_refused_with_the_remedy(home: Home) -> None:
    with pytest.raises(RefusedError, match="Promote a version, or name one: --candidate"):
        chosen(home, without=["newest"])
    for number in range(1, 5):
        set_status(home, number, "blocked")
    with pytest.raises(RefusedError, match="nothing is promoted"):
        chosen(home)


def test_a_deployment_changes_nothing_of_what_is_baked(home: Home) -> None:
    home.promote(1)
    before = chosen(home)
    with home.registry() as registry:
        registry.record_deployment(
            "sentiment",
            "maas",
            function="maas-model-sentiment:live",
            function_version="1",
            digests={n: bundle.digest for n, bundle in home.bundles.items()},
        )
        assert registry.policy("sentiment").revision > before.policy.revision
    assert chosen(home) == before


def test_the_last_change_of_a_route_is_found_behind_many_deployments(home: Home) -> None:
    home.promote(1)
    before = chosen(home).policy
    with home.registry() as registry:
        for version in range(120):  # more than a page of history
            registry.record_deployment(
                "sentiment",
                "maas",
                function="maas-model-sentiment:live",
                function_version=str(version + 1),
                digests={n: bundle.digest for n, bundle in home.bundles.items()},
            )
    assert chosen(home).policy == before


class Restless(Reader):
    """A registry that somebody changes between two reads, so many times."""

    def __init__(self, home: Home, times: int) -> None:
        super().__init__(open_store(home.settings.registry))
        self._home = home
        self.times = times

    def policy(self, model: str) -> "Policy":
        policy = super().policy(model)
        if self.times:
            self.times -= 1
            routed = policy.aliases["production"][0].version
            self._home.promote(2 if routed == 1 else 1)
        return policy


def test_a_change_between_the_reads_begins_anew(home: Home) -> None:
    home.promote(1)
    picked = choose_served(Restless(home, times=1), "sentiment", parse_wishes())
    assert {route.version for route in picked.policy.aliases["production"]} == {2}
    assert reasons(picked)[2] == "production"


def test_changes_without_end_are_a_conflict(home: Home) -> None:
    home.promote(1)
    with pytest.raises(ConflictError, match="Others keep changing sentiment"):
        choose_served(Restless(home, times=99), "sentiment", parse_wishes())


# ---- Which models -------------------------------------------------------------------------------


def test_all_models_are_packaged_unless_some_are_named(home: Home) -> None:
    add_model(home, "stars", seed=9)
    with home.registry() as registry:
        assert wish_models(registry, parse_wishes()) == ("sentiment", "stars")
        assert wish_models(registry, parse_wishes(["stars", "stars"])) == ("stars",)


def test_a_name_that_aws_cannot_hold_is_refused_with_two_ways_on(home: Home) -> None:
    add_model(home, "senti-ment", seed=9)
    with home.registry() as registry:
        for wishes in (parse_wishes(), parse_wishes(["senti-ment", "sentiment"])):
            with pytest.raises(RefusedError, match="senti-ment can be served here") as refusal:
                wish_models(registry, wishes)
            assert "train or import it again with --name sentiment" in str(refusal.value)
            assert str(refusal.value).endswith("Without it: maas package sentiment")
        with pytest.raises(RefusedError, match=r"--name sentiment\.$"):
            wish_models(registry, parse_wishes(["senti-ment"]))
        assert wish_models(registry, parse_wishes(["sentiment"])) == ("sentiment",)


def test_an_empty_registry_is_refused_with_the_remedy(tmp_path: "Path") -> None:
    home = make_home(tmp_path / "home", versions=0, promoted=False)
    with (
        home.registry() as registry,
        pytest.raises(RefusedError, match="no model; register a bundle first"),
    ):
        wish_models(registry, parse_wishes())


def test_models_that_are_not_there_are_named(home: Home) -> None:
    with home.registry() as registry:
        with pytest.raises(ModelNotFoundError, match="no model stars"):
            wish_models(registry, parse_wishes(["stars"]))
        with pytest.raises(FieldError, match="stars is not in the registry"):
            wish_models(registry, parse_wishes(candidates=["stars@1"]))


@pytest.mark.parametrize(
    ("wishes", "reason"),
    [
        ((["No!"], [], []), "must be 2 to 32"),
        (([], ["sentiment"], []), "say which version, such as sentiment@5"),
        ((["stars"], ["sentiment@1"], []), "not among the models"),
        (([], [], ["routed"]), "routed is neither newest nor previous"),
    ],
)
def test_wishes_that_cannot_be_meant_are_refused(
    wishes: tuple[list[str], list[str], list[str]], reason: str
) -> None:
    models, candidates, without = wishes
    with pytest.raises(FieldError, match=reason):
        parse_wishes(models, candidates=candidates, without=without)


def test_a_candidate_that_does_not_exist_is_refused(home: Home) -> None:
    with pytest.raises(VersionNotServedError, match="no version 9"):
        chosen(home, candidates=["sentiment@9"])
