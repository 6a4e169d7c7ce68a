"""The versions of a model: chosen by policy, loaded once, bounded in number, or refused."""

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from support.function import routed
from support.tiny import (
    Home,
    describe_bundle,
    make_bundle,
    make_home,
    register_bundle,
    write_bundle,
)

from maas.bundle.manifest import digest16
from maas.bundle.verify import Bundle, verify_bundle
from maas.errors import (
    AmbiguousDigestError,
    DeadlineError,
    MaasError,
    ModelError,
    NotReadyError,
    VersionNotServedError,
)
from maas.limits import LIMITS
from maas.loaded import REFUSED_SECONDS
from maas.loading import LoadedVersion
from maas.registry.addresses import ByAlias, ByDigest, ByNumber
from maas.registry.policy_cache import PolicyCache
from maas.registry.records import Policy
from maas.service import Service
from maas.tasks.classify import ClassifyRequest, ClassifyResponse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from maas.registry.addresses import VersionAddress

TTL = 15.0


class Panic(BaseException):
    """What a native library raises: no Exception."""


class Clock:
    """Time that stands still until it is told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def make_service(
    home: Home,
    *,
    clock: "Callable[[], float]" = time.monotonic,
    full: bool = True,
    draw: "Callable[[], float]" = lambda: 0.0,
) -> Service:
    registry = home.registry()
    policies = PolicyCache(
        lambda: registry.policy("sentiment"), ttl=TTL, clock=clock, rng=lambda: 0.5, wait=5.0
    )
    return Service(
        "sentiment",
        policies=policies,
        bundles=home.settings.bundles / "sentiment",
        threads=1,
        full=full,
        draw=draw,
        clock=clock,
    )


def answer(service: Service, *, version: int | None = None) -> float:
    """The first logit of a fixed text, by which versions differ."""
    task = service.turn(ByNumber(version) if version else None).task
    request = ClassifyRequest(texts=("a good film",), function="none")
    response: ClassifyResponse = task.predict(request, deadline=time.monotonic() + 5)
    return {pair.label: pair.score for pair in response.rows[0]}["negative"]


def expected(home: Home, version: int) -> float:
    return float(home.bundles[version].logits(["a good film"])[0][0])


@pytest.mark.parametrize("full", [True, False])
def test_the_default_version_answers_and_says_who_it_is(home: Home, *, full: bool) -> None:
    service = make_service(home, full=full)
    turn = service.turn(None)
    assert (turn.version, turn.digest, turn.policy) == (1, home.bundles[1].digest, "live")
    assert turn.loaded.bundle.full is full
    assert turn.loaded.replay.requests == (3 if full else 1)
    assert answer(service) == pytest.approx(expected(home, 1), abs=1e-5)


def test_every_way_to_name_a_version_finds_it(home: Home) -> None:
    home.promote(2, alias="candidate")
    service = make_service(home)
    two = home.bundles[2].digest
    for address in (ByNumber(2), ByAlias("candidate"), ByDigest(two), ByDigest(two[:19])):
        assert service.turn(address).digest == two
    assert answer(service, version=2) == pytest.approx(expected(home, 2), abs=1e-5)


def test_a_version_that_nobody_asks_for_is_not_even_opened(home: Home) -> None:
    # Given a second version whose bundle is damaged
    (home.bundles[2].folder / "tokenizer.json").write_text("damaged")
    service = make_service(home)
    # Then the first answers
    service.warm_up()
    assert service.turn(None).version == 1
    # And only who asks for the second is told
    with pytest.raises(NotReadyError):
        service.turn(ByNumber(2))


def test_warming_up_loads_what_production_routes_to(home: Home) -> None:
    home.promote(2, weight=10)
    service = make_service(home)
    service.warm_up()
    # Given that the bundles are gone afterwards, both versions still answer
    shutil.rmtree(home.settings.bundles)
    for number in (1, 2):
        assert service.turn(ByNumber(number)).version == number


def test_sixteen_threads_load_a_version_once(home: Home) -> None:
    service = make_service(home)
    gate = threading.Barrier(16)

    def load(number: int) -> LoadedVersion:
        gate.wait()
        return service.turn(ByNumber(number % 2 + 1)).loaded

    with ThreadPoolExecutor(max_workers=16) as pool:
        loaded = list(pool.map(load, range(16)))
    assert len({id(version) for version in loaded}) == 2


def test_only_so_many_versions_are_kept_and_the_least_used_goes_first(tmp_path: "Path") -> None:
    # Given as many loaded versions as are kept, the first of them used last
    count = LIMITS.loaded_versions
    service = make_service(make_home(tmp_path, versions=count + 1))
    loaded = {number: service.turn(ByNumber(number)).loaded for number in range(1, count + 1)}
    assert service.turn(ByNumber(1)).loaded is loaded[1]

    # When one more is asked for
    service.turn(ByNumber(count + 1))

    # Then the one that was not used for longest has gone, and is loaded anew
    assert service.turn(ByNumber(1)).loaded is loaded[1]
    assert service.turn(ByNumber(3)).loaded is loaded[3]
    assert service.turn(ByNumber(2)).loaded is not loaded[2]


def test_a_pinned_version_whose_bundle_is_not_here_is_not_found(home: Home) -> None:
    shutil.rmtree(home.bundles[2].folder)
    service = make_service(home)
    for address in (ByNumber(2), ByDigest(home.bundles[2].digest)):
        with pytest.raises(VersionNotServedError, match="its bundle is not here"):
            service.turn(address)
    # And one that is not registered at all is not found either
    with pytest.raises(VersionNotServedError):
        service.turn(ByNumber(3))
    # But if production routes to it, that is our fault and not the caller's
    home.promote(2)
    with pytest.raises(NotReadyError):
        make_service(home).turn(None)


def test_a_damaged_bundle_is_refused_with_its_reason_until_it_is_whole(home: Home) -> None:
    clock = Clock()
    service = make_service(home, clock=clock)
    file = home.bundles[1].folder / "tokenizer.json"
    whole = file.read_bytes()
    file.write_bytes(whole + b" ")
    for _ in range(2):
        with pytest.raises(NotReadyError, match="the log says why") as refused:
            service.turn(None)
        assert "tokenizer.json has" in str(refused.value.__cause__)
        assert str(home.settings.home) not in str(refused.value)
        with pytest.raises(NotReadyError):
            service.warm_up()
    file.write_bytes(whole)
    clock.now += REFUSED_SECONDS
    assert service.turn(None).version == 1


def test_a_version_that_was_refused_is_not_hashed_anew_by_every_request(home: Home) -> None:
    clock = Clock()
    service = make_service(home, clock=clock)
    file = home.bundles[2].folder / "tokenizer.json"
    whole = file.read_bytes()
    file.write_bytes(whole + b" ")
    with pytest.raises(NotReadyError) as first:
        service.turn(ByNumber(2))
    # Given a bundle that is whole again, which nobody can know without reading it
    file.write_bytes(whole)
    # Then for some seconds the same answer is given, and the other version is not touched by it
    clock.now += REFUSED_SECONDS - 0.001
    with pytest.raises(NotReadyError) as again:
        service.turn(ByNumber(2))
    assert (str(again.value), again.value.__cause__) == (
        str(first.value),
        first.value.__cause__,
    )
    assert service.turn(ByNumber(1)).version == 1
    clock.now += 0.001
    assert service.turn(ByNumber(2)).version == 2


def test_nobody_waits_beyond_the_deadline_for_others_to_be_loaded(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening, go_on = threading.Event(), threading.Event()

    def slow(*arguments: Any, **options: Any) -> Bundle:  # noqa: ANN401
        opening.set()
        assert go_on.wait(5)
        return verify_bundle(*arguments, **options)

    service = make_service(home)
    service.warm_up()
    monkeypatch.setattr("maas.loaded.verify_bundle", slow)
    with ThreadPoolExecutor(1) as pool:
        # Given a thread that is loading the second version
        loading = pool.submit(service.turn, ByNumber(2))
        assert opening.wait(5)
        # Then who wants it too waits until the deadline and no longer
        for left in (0.02, 0.0, -1.0):
            with pytest.raises(DeadlineError, match="sentiment is still being loaded"):
                service.turn(ByNumber(2), deadline=time.monotonic() + left)
        # And who wants the first does not wait at all
        assert service.turn(ByNumber(1), deadline=time.monotonic()).version == 1
        go_on.set()
        assert loading.result().version == 2
    assert service.turn(ByNumber(2), deadline=time.monotonic()).version == 2


def test_f18_who_opens_a_version_waits_no_longer_than_others_and_it_goes_on_being_opened(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, opened = threading.Event(), []

    def slow(*arguments: Any, **options: Any) -> Bundle:  # noqa: ANN401
        assert go_on.wait(5)
        opened.append(arguments)
        return verify_bundle(*arguments, **options)

    monkeypatch.setattr("maas.loaded.verify_bundle", slow)
    service = make_service(home)
    # Given a disk that is slow: the request that would open the version gives up at its deadline
    for _ in range(2):
        started = time.monotonic()
        with pytest.raises(DeadlineError, match="sentiment is still being loaded"):
            service.turn(ByNumber(2), deadline=started + 0.05)
        assert 0.05 <= time.monotonic() - started < 0.05 + 0.25
    # When the disk has answered, then a later request finds the version, which was opened once
    go_on.set()
    assert service.turn(ByNumber(2), deadline=time.monotonic() + 5).version == 2
    assert len(opened) == 1


@pytest.mark.parametrize(
    "fault", [MemoryError("canary"), OSError(5, "canary"), KeyError("canary"), Panic("canary")]
)
def test_f21_whatever_opening_raises_is_not_ready_and_is_opened_again_later(
    home: Home, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    def failing(*_: Any, **__: Any) -> Bundle:  # noqa: ANN401
        raise fault

    clock = Clock()
    service = make_service(home, clock=clock)
    with monkeypatch.context() as patch:
        patch.setattr("maas.loaded.verify_bundle", failing)
        with pytest.raises(NotReadyError, match="the log says why") as refused:
            service.turn(ByNumber(2))
    # Then the log's line names the bundle and the kind of fault, and nothing of its text
    reason = f"{home.bundles[2].folder.name}: {type(fault).__name__} while it was loaded."
    assert str(refused.value.__cause__) == reason
    # And the other version answers, and this one when it can be opened
    assert service.turn(ByNumber(1)).version == 1
    clock.now += REFUSED_SECONDS
    assert service.turn(ByNumber(2)).version == 2


def test_f16_without_a_thread_to_open_it_a_version_is_not_ready_and_is_later(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    service = make_service(home)
    service.policy()
    with monkeypatch.context() as patch:
        patch.setattr("threading.Thread.start", no_thread)
        with pytest.raises(NotReadyError, match="cannot be loaded now"):
            service.turn(ByNumber(2))
    assert service.turn(ByNumber(2)).version == 2


def test_a_bundle_of_another_digest_in_the_right_place_is_refused(home: Home) -> None:
    # Given the second version's files where the first's should lie
    shutil.rmtree(home.bundles[1].folder)
    shutil.copytree(home.bundles[2].folder, home.bundles[1].folder)
    with pytest.raises(NotReadyError) as refused:
        make_service(home).turn(None)
    assert "the registry says" in str(refused.value.__cause__)


def test_a_bundle_that_is_whole_and_cannot_be_opened_is_refused(tmp_path: "Path") -> None:
    # Given a version that was registered with a graph that is none
    home = make_home(tmp_path, versions=0, promoted=False)
    bundle = make_bundle(home.settings.bundles, seed=1)
    for graph in bundle.folder.glob("*/model.onnx"):
        graph.write_bytes(b"garbage")
    digest = write_bundle(bundle.folder, describe_bundle(bundle.folder))
    bundle.folder.rename(bundle.folder.with_name(digest16(digest)))
    with home.registry() as registry:
        register_bundle(registry, replace(bundle, digest=digest))
    # Then the version is not ready, though every digest is right
    with pytest.raises(NotReadyError) as refused:
        make_service(home).turn(ByNumber(1))
    assert isinstance(refused.value.__cause__, ModelError)


def test_a_promote_is_seen_after_the_ttl_and_not_before(home: Home) -> None:
    clock = Clock()
    service = make_service(home, clock=clock)
    assert service.turn(None).version == 1
    home.promote(2)
    clock.now += TTL - 0.001
    assert service.turn(None).version == 1
    clock.now += 0.002
    turn = service.turn(None)
    assert (turn.version, turn.policy) == (2, "live")


def test_a_version_registered_later_is_found_without_a_restart(tmp_path: "Path") -> None:
    home = make_home(tmp_path / "home", versions=1)
    clock = Clock()
    service = make_service(home, clock=clock)
    with pytest.raises(VersionNotServedError):
        service.turn(ByNumber(2))
    assert home.add(seed=9) == 2
    clock.now += TTL + 0.001
    assert service.turn(ByNumber(2)).digest == home.bundles[2].digest


def test_weights_decide_by_the_draw(home: Home) -> None:
    home.promote(2, weight=10)
    draws = iter([0.0, 0.8999, 0.9001, 0.99])
    service = make_service(home, draw=lambda: next(draws))
    assert [service.turn(None).version for _ in range(4)] == [1, 1, 2, 2]


def test_answers_go_on_when_the_registry_has_gone(home: Home) -> None:
    clock = Clock()
    service = make_service(home, clock=clock)
    assert service.turn(None).policy == "live"
    for file in home.settings.home.glob("registry.sqlite*"):
        file.unlink()
    clock.now += TTL + 0.001
    for address in (None, ByNumber(1), ByNumber(2)):
        turn = service.turn(address)
        assert (turn.version, turn.policy) == (address.number if address else 1, "stale")


def test_a_model_of_which_nothing_is_promoted_is_not_ready_but_can_be_pinned(
    tmp_path: "Path",
) -> None:
    service = make_service(make_home(tmp_path, promoted=False))
    with pytest.raises(NotReadyError, match="No version of sentiment is promoted yet"):
        service.warm_up()
    with pytest.raises(NotReadyError, match="No version of sentiment is promoted yet"):
        service.turn(None)
    assert service.turn(ByNumber(2)).version == 2


def test_a_prefix_of_two_digests_is_ambiguous(tmp_path: "Path") -> None:
    # Given a policy in which two digests start alike
    home = make_home(tmp_path, versions=1)
    policy = home.registry().policy("sentiment")
    digest = policy.digests[1]
    policy.digests[2] = digest[:30] + "0" * 41
    service = Service(
        "sentiment",
        policies=PolicyCache(lambda: policy, ttl=TTL, clock=time.monotonic, rng=lambda: 0.5),
        bundles=home.settings.bundles / "sentiment",
        threads=1,
        full=True,
        draw=lambda: 0.0,
        clock=time.monotonic,
    )
    with pytest.raises(AmbiguousDigestError):
        service.turn(ByDigest(digest[:30]))
    assert service.turn(ByDigest(digest)).version == 1


@pytest.mark.parametrize("full", [True, False])
def test_a_version_too_old_for_the_policy_is_found_on_a_laptop_only(
    home: Home, *, full: bool
) -> None:
    # Given a policy that does not list version 2
    registry = home.registry()
    policy = registry.policy("sentiment")
    two = policy.digests.pop(2)

    def find(address: "VersionAddress") -> tuple[int, str]:
        version = registry.version("sentiment", address)
        return version.number, version.digest

    service = Service(
        "sentiment",
        policies=PolicyCache(lambda: policy, ttl=TTL, clock=time.monotonic, rng=lambda: 0.5),
        bundles=home.settings.bundles / "sentiment",
        threads=1,
        full=full,
        draw=lambda: 0.0,
        clock=time.monotonic,
        find=find if full else None,
    )
    # Then a laptop looks further, and a function does not
    for address in (ByNumber(2), ByDigest(two[:19])):
        if full:
            assert service.turn(address).digest == two
        else:
            with pytest.raises(VersionNotServedError):
                service.turn(address)
    # And what is nowhere is refused in the same words by both
    for nowhere in (ByNumber(99), ByDigest("sha256:" + "0" * 12), ByAlias("canary")):
        with pytest.raises(VersionNotServedError) as refused:
            service.turn(nowhere)
        assert str(nowhere) not in str(refused.value)


# ---- What is carried, and what the policy says --------------------------------------------------


def make_function(
    home: Home,
    read: "Callable[[], Policy]",
    *,
    baked: Policy,
    notice: "Callable[[MaasError], None]" = lambda _: None,
) -> Service:
    """A service that has a baked policy, and whose policies are read by `read`."""
    policies = PolicyCache(
        read, ttl=TTL, clock=time.monotonic, rng=lambda: 0.5, baked=baked, wait=5.0
    )
    return Service(
        "sentiment",
        policies=policies,
        bundles=home.settings.bundles / "sentiment",
        threads=1,
        full=False,
        draw=lambda: 0.0,
        clock=time.monotonic,
        notice=notice,
    )


def test_warming_up_reads_the_policy_while_the_baked_one_says_what_to_load(home: Home) -> None:
    reading, opened = threading.Event(), threading.Event()

    def read() -> Policy:
        reading.set()
        assert opened.wait(5)  # neither ends before the other has begun
        return routed(home, 2, v2=100)

    service = make_function(home, read, baked=routed(home, 1, v1=100))
    verify = verify_bundle

    def watched(*arguments: Any, **options: Any) -> Bundle:  # noqa: ANN401
        assert reading.wait(5)
        opened.set()
        return verify(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("maas.loaded.verify_bundle", watched)
        service.warm_up()
    # Then both are loaded, and the one that was read answers
    shutil.rmtree(home.settings.bundles)
    turn = service.turn(None)
    assert (turn.version, turn.policy) == (2, "live")
    assert service.turn(ByNumber(1)).version == 1


def test_what_is_begun_goes_on_while_nobody_waits(home: Home) -> None:
    reading, verifying, waited = threading.Event(), threading.Event(), threading.Event()

    def read() -> Policy:
        reading.set()
        assert waited.wait(5)
        return routed(home, 1, v1=100)

    service = make_function(home, read, baked=routed(home, 1, v1=100))
    verify, times = verify_bundle, []

    def watched(*arguments: Any, **options: Any) -> Bundle:  # noqa: ANN401
        times.append(1)
        verifying.set()
        assert waited.wait(5)
        return verify(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("maas.loaded.verify_bundle", watched)
        service.begin()  # returns although neither can end
        assert reading.wait(5)
        assert verifying.wait(5)
        waited.set()
        service.warm_up()
    # Then what was begun is what answers, and was opened once
    assert (service.turn(None).version, times) == (1, [1])


def test_what_cannot_be_begun_is_told_to_who_waits(home: Home) -> None:
    shutil.rmtree(home.bundles[1].folder)
    baked = routed(home, 1, v1=100)
    service = make_function(home, lambda: baked, baked=baked)
    service.begin()
    with pytest.raises(NotReadyError, match="cannot be loaded"):
        service.warm_up()


def test_a_baked_version_that_cannot_be_loaded_matters_only_while_it_is_routed_to(
    home: Home,
) -> None:
    shutil.rmtree(home.bundles[1].folder)
    baked = routed(home, 1, v1=100)
    make_function(home, lambda: routed(home, 2, v2=100), baked=baked).warm_up()
    with pytest.raises(NotReadyError):
        make_function(home, lambda: baked, baked=baked).warm_up()


def test_a_route_that_cannot_be_followed_is_told_once_of_each_policy(home: Home) -> None:
    shutil.rmtree(home.bundles[2].folder)
    told: list[MaasError] = []
    service = make_function(
        home,
        lambda: routed(home, 2, v1=1, v2=99),
        baked=routed(home, 1, v1=100),
        notice=told.append,
    )
    service.warm_up()
    assert [service.turn(None).version for _ in range(5)] == [1] * 5
    assert ["sentiment routes to 2, which is not carried here" in str(one) for one in told] == [
        True
    ]


def test_a_version_that_cannot_be_opened_is_answered_for_by_the_others_of_its_alias(
    home: Home,
) -> None:
    # Given a canary that is damaged, and a draw that always falls on it
    (home.bundles[2].folder / "tokenizer.json").write_text("damaged")
    two = home.bundles[2].digest
    told: list[MaasError] = []
    policy = routed(home, 1, v2=90, v1=10)
    service = make_function(home, lambda: policy, baked=policy, notice=told.append)
    # Then the other one answers each request, with the reason told once and each loss shown
    turns = [service.turn(None) for _ in range(5)]
    assert [(turn.version, turn.instead_of) for turn in turns] == [(1, ((2, two),))] * 5
    (error,) = told
    assert "tokenizer.json has" in str(error.__cause__)
    # And a caller that is given to it is answered as well, while who pins it is told
    for caller in map(str, range(20)):
        assert service.turn(None, caller=caller).version == 1
    with pytest.raises(NotReadyError):
        service.turn(ByNumber(2))


def test_where_no_version_of_an_alias_can_be_opened_it_is_not_ready(home: Home) -> None:
    for bundle in home.bundles.values():
        (bundle.folder / "tokenizer.json").write_text("damaged")
    policy = routed(home, 1, v1=50, v2=50)
    service = make_function(home, lambda: policy, baked=policy)
    with pytest.raises(NotReadyError, match="the log says why"):
        service.turn(None)


def test_after_a_restore_the_policy_is_read_anew_within_its_ttl(home: Home) -> None:
    policies = [routed(home, 3, v2=100), routed(home, 2, v1=100)]
    service = make_function(home, policies.pop, baked=routed(home, 1, v1=100))
    service.warm_up()
    assert service.turn(None).version == 1
    service.expire()
    turn = service.turn(None)
    assert (turn.version, turn.policy) == (2, "live")
    assert policies == []
