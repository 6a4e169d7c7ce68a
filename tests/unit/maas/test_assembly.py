"""A service per model, made when its name is first asked for; unknown names leave nothing."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from msgspec import structs
from support.function import pack, routed
from support.tiny import Home, make_home, register_bundle

from maas.assembly import Services, build_registry, build_services, utc_now
from maas.errors import (
    BundleError,
    ModelNotFoundError,
    NotReadyError,
    RegistryUnavailableError,
    SettingsError,
    VersionBlockedError,
    VersionNotServedError,
)
from maas.loading import optimised_form
from maas.registry.addresses import ByDigest, ByNumber
from maas.registry.records import BLOCKED_MAX, POLICY_VERSIONS, Candidate, Policy
from maas.served import SERVED, seal_served
from maas.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


def services_of(home: Home, model: str | None) -> Services:
    registry = home.registry()
    settings = structs.replace(home.settings, model=model)
    return Services(settings, registry.policy, full=True, registry=registry)


def test_a_name_has_one_service(home: Home) -> None:
    services = services_of(home, None)
    assert services("sentiment") is services("sentiment")
    assert services("sentiment").model == "sentiment"


@pytest.mark.parametrize("model", [None, "sentiment", "other"])
def test_unknown_names_are_all_refused_in_the_same_words(home: Home, model: str | None) -> None:
    # Given a process of all models, of one, or of one that nobody registered
    services = services_of(home, model)
    for name in ("nothing", "other", *(() if model == "sentiment" or model is None else ("x1",))):
        with pytest.raises(ModelNotFoundError) as refused:
            services(name)
        assert str(refused.value) == "No model of this name is served here."


def test_a_model_that_is_registered_later_is_found(tmp_path: "Path") -> None:
    home = make_home(tmp_path / "home", versions=0, promoted=False)
    services = services_of(home, None)
    with pytest.raises(ModelNotFoundError):
        services("sentiment")
    home.add(seed=1)
    home.promote(1)
    assert services("sentiment").turn(None).version == 1


def test_a_model_whose_first_policy_is_slow_holds_up_no_other_and_has_one_service(
    home: Home,
) -> None:
    reading, go_on = threading.Barrier(3), threading.Event()

    registry = home.registry()

    def read_policy(model: str) -> Policy:
        if model == "slow":
            reading.wait(5)
            assert go_on.wait(5)
            return structs.replace(registry.policy("sentiment"), model=model)
        return registry.policy(model)

    services = Services(structs.replace(home.settings, model=None), read_policy, full=True)
    with ThreadPoolExecutor(2) as pool:
        # Given two requests that wait for the first policy of a model
        waiting = [pool.submit(services, "slow") for _ in range(2)]
        reading.wait(5)
        # Then another model is there at once
        assert services("sentiment").model == "sentiment"
        assert not any(one.done() for one in waiting)
        go_on.set()
        one, other = (each.result() for each in waiting)
    assert one is other is services("slow")


def test_a_function_names_its_model_and_a_laptop_all_of_them(home: Home) -> None:
    # Given more models than one page of the registry holds
    bundle = home.bundles[1]
    with home.registry() as registry:
        for number in range(101):
            manifest = structs.replace(bundle.manifest, name=f"model-{number:03}")
            register_bundle(registry, replace(bundle, manifest=manifest))
    assert services_of(home, "sentiment").models() == ["sentiment"]
    names = services_of(home, None).models()
    assert names == [*(f"model-{number:03}" for number in range(101)), "sentiment"]


def test_settings_become_services_and_a_registry(home: Home) -> None:
    assert build_services(home.settings, full=False)("sentiment").turn(None).version == 1
    with build_registry(home.settings) as registry:
        assert registry.model("sentiment").last_version == 2
    assert utc_now().utcoffset() is not None


def test_a_registry_that_is_none_is_refused(home: Home) -> None:
    with pytest.raises(SettingsError, match="MAAS_REGISTRY"):
        build_services(structs.replace(home.settings, registry="mysql://x"), full=False)


def test_a_registry_that_does_not_answer_is_not_ready(home: Home) -> None:
    (home.settings.home / "registry.sqlite").write_bytes(b"this is no database" * 100)
    with pytest.raises(NotReadyError):
        services_of(home, None)("sentiment")


def test_a_laptop_serves_versions_that_are_too_old_for_the_policy_to_list(home: Home) -> None:
    # Given so many newer versions that the policy no longer lists the second
    with home.registry() as registry:
        template = registry.version("sentiment", ByNumber(2))
        for number in range(POLICY_VERSIONS + 1):
            registry.register(
                Candidate(
                    model="sentiment",
                    digest=f"sha256:{number:064x}",
                    task=template.task,
                    inputs=template.inputs,
                    outputs=template.outputs,
                    verification=template.verification,
                )
            )
        assert 2 not in registry.policy("sentiment").digests

        # Then a laptop finds it by number and digest, and a function, which reads the policy,
        # does not
        laptop, function = services_of(home, None), build_services(home.settings, full=False)
        addresses = (ByNumber(2), ByDigest(template.digest[:20]))
        for address in addresses:
            assert laptop("sentiment").turn(address).version == 2
            with pytest.raises(VersionNotServedError):
                function("sentiment").turn(address)

        # And if it is blocked, and so many others too that the policy does not name it at all, a
        # laptop says so, and a function as before that it is not served there
        for number in range(2, BLOCKED_MAX + 3):
            registry.block("sentiment", ByNumber(number))
        assert 2 not in registry.policy("sentiment").blocked
    laptop, function = services_of(home, None), build_services(home.settings, full=False)
    for address in addresses:
        with pytest.raises(VersionBlockedError, match="it answers nobody") as refused:
            laptop("sentiment").turn(address)
        assert (refused.value.status, refused.value.code) == (403, "version_blocked")
        with pytest.raises(VersionNotServedError):
            function("sentiment").turn(address)


# ---- A function ---------------------------------------------------------------------------------


def test_a_packed_function_needs_no_registry_to_know_its_model(
    home: Home, tmp_path: "Path"
) -> None:
    # Given a registry that never answers
    def read_policy(model: str) -> Policy:
        raise RegistryUnavailableError(f"{model} is away.")

    models = pack(home, tmp_path / "models", routed(home, 4, v2=100))
    told: list[tuple[str, str]] = []
    services = Services(
        structs.replace(home.settings, bundles=models),
        read_policy,
        full=False,
        notice=lambda model, error: told.append((model, str(error))),
    )
    services("sentiment").warm_up()
    turn = services("sentiment").turn(None)
    assert (turn.version, turn.policy, turn.loaded.form) == (2, "baked", optimised_form())
    assert services.models() == ["sentiment"]
    assert told == [("sentiment", "sentiment is away.")]


@pytest.mark.parametrize("text", ["", "{}", "other"])
def test_a_served_set_that_cannot_be_read_is_our_fault_and_not_the_callers(
    home: Home, tmp_path: "Path", text: str
) -> None:
    models = pack(home, tmp_path / "models", routed(home, 4, v1=100))
    file = models / "sentiment" / SERVED
    other = file.read_bytes().partition(b'"served":')[2][:-1].replace(b"sentiment", b"other")
    file.write_bytes(seal_served(other) if text == "other" else text.encode())
    services = build_services(structs.replace(home.settings, bundles=models), full=False)
    with pytest.raises(NotReadyError, match="carries of sentiment cannot be read") as refused:
        services("sentiment")
    assert isinstance(refused.value.__cause__, BundleError)


@pytest.mark.parametrize("snapshot", [True, False])
def test_a_snapshot_is_made_of_what_was_hashed_as_a_whole(
    home: Home, tmp_path: "Path", *, snapshot: bool
) -> None:
    models = pack(home, tmp_path / "models", routed(home, 4, v1=100))
    settings = structs.replace(home.settings, bundles=models, snapshot=snapshot)
    loaded = build_services(settings, full=False)("sentiment").turn(None).loaded
    assert loaded.bundle.full is snapshot
    assert loaded.replay.requests == (3 if snapshot else 1)


def test_a_restore_renews_the_reader_and_every_service(home: Home) -> None:
    registry = home.registry()
    reads: list[str] = []

    def read_policy(model: str) -> Policy:
        reads.append(model)
        return registry.policy(model)

    services = Services(
        home.settings, read_policy, full=False, renew=lambda: reads.append("renewed")
    )
    services("sentiment").warm_up()
    services.renew()
    services("sentiment").turn(None)
    assert reads == ["sentiment", "renewed", "sentiment"]


def test_without_a_model_and_a_registry_there_is_nothing_to_list(home: Home) -> None:
    services = Services(
        structs.replace(home.settings, model=None),
        home.registry().policy,
        full=False,
        registry=None,
    )
    with pytest.raises(SettingsError, match="MAAS_MODEL"):
        services.models()


def test_a_laptop_opens_its_table_and_a_function_only_reads_it(home: Home) -> None:
    # Given a table at an address where nobody answers
    environ = {
        **home.environ,
        "MAAS_REGISTRY": "dynamodb://maas-registry",
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:9",
    }
    settings = Settings.parse(environ)
    # Then neither fails when it is made, and a function says so when it has nothing else
    with pytest.raises(NotReadyError) as refused:
        build_services(settings, full=False)("sentiment")
    assert isinstance(refused.value.__cause__, RegistryUnavailableError)
    assert build_services(settings, full=True).models() == ["sentiment"]
