"""Promote and rollback in the lab: the bundle here, or the functions that carry it elsewhere."""

import shutil

import pytest
from support.tiny import Home

from maas.errors import RefusedError
from maas.registry.addresses import ByAlias, ByNumber
from maas_lab.releasing import promote, roll_back


def deploy(home: Home, *numbers: int, target: str = "maas") -> None:
    with home.registry() as registry:
        registry.record_deployment(
            "sentiment",
            target,
            function="maas-model-sentiment:live",
            function_version="1",
            digests={number: home.bundles[number].digest for number in numbers},
        )


def promote_version(home: Home, number: int) -> bool:
    with home.registry() as registry:
        bundles = home.settings.bundles
        return promote(registry, bundles, "sentiment", ByNumber(number)).changed


def routed(home: Home) -> int:
    with home.registry() as registry:
        return registry.version("sentiment", ByAlias("production")).number


def lose(home: Home, number: int) -> None:
    shutil.rmtree(home.bundles[number].folder)


def test_deployed_nowhere_the_bundle_must_lie_here(home: Home) -> None:
    lose(home, 2)
    with pytest.raises(RefusedError, match=r"Version 2 could not answer.*maas bundle tiny"):
        promote_version(home, 2)
    assert routed(home) == 1


def test_deployed_nowhere_a_damaged_bundle_is_refused(home: Home) -> None:
    (home.bundles[2].folder / "tokenizer.json").write_text("{}")
    with pytest.raises(RefusedError, match=r"tokenizer\.json"):
        promote_version(home, 2)


def test_deployed_somewhere_no_bundle_is_needed_here(home: Home) -> None:
    deploy(home, 1, 2)
    lose(home, 2)
    assert promote_version(home, 2)
    assert routed(home) == 2


def test_what_is_not_carried_there_is_refused_although_it_lies_here(home: Home) -> None:
    deploy(home, 1)
    with pytest.raises(RefusedError, match="not deployed to maas"):
        promote_version(home, 2)
    assert routed(home) == 1


def test_a_target_that_is_gone_leaves_the_bundle_here_to_answer(home: Home) -> None:
    deploy(home, 1)
    with home.registry() as registry:
        registry.remove_deployment("sentiment", "maas")
    assert promote_version(home, 2)
    lose(home, 1)
    with home.registry() as registry, pytest.raises(RefusedError, match="Version 1 could not"):
        roll_back(registry, home.settings.bundles, "sentiment")
    assert routed(home) == 2


def test_a_rollback_needs_the_bundle_here_only_where_it_is_deployed_nowhere(home: Home) -> None:
    promote_version(home, 2)
    lose(home, 1)
    deploy(home, 1, 2)
    with home.registry() as registry:
        roll_back(registry, home.settings.bundles, "sentiment", reason="slower")
    assert routed(home) == 1


def test_while_a_target_is_being_destroyed_the_refusal_names_it(home: Home) -> None:
    deploy(home, 1, 2)
    with home.registry() as registry:
        registry.leave_deployment("sentiment", "maas")
    with pytest.raises(RefusedError, match="maas destroy --stack maas"):
        promote_version(home, 2)
