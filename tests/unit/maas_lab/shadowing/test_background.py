"""Shadows of a laptop's server: asked in the background, counted, dropped when too many."""

import gc
import threading
import time
import weakref
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from support.tiny import make_home

from maas.errors import ModelError
from maas.registry.addresses import ByNumber
from maas.shadow.outcome import Comparison
from maas.tasks.classify import ClassifyRequest
from maas_lab.shadowing.background import Background
from maas_lab.shadowing.tallies import Pair, ShadowReport, Tallies

if TYPE_CHECKING:
    from pathlib import Path

    from maas.assembly import Services
    from maas.service import Turn

PAIR = Pair("sentiment", 1, 2)
ANSWER = SimpleNamespace(rows=())


def turn() -> "Turn":
    manifest = SimpleNamespace(name="sentiment")
    loaded = SimpleNamespace(bundle=SimpleNamespace(manifest=manifest))
    return cast("Turn", SimpleNamespace(version=1, shadow=(2, "sha256:b"), loaded=loaded))


def services(opened: Any = None) -> "Services":  # noqa: ANN401
    """What opens any version, or raises."""

    def of_digest(_digest: str, *, deadline: float) -> object:
        assert deadline > time.monotonic()
        if isinstance(opened, Exception):
            raise opened
        return SimpleNamespace(task=None)

    return cast("Services", lambda _: SimpleNamespace(open=of_digest))


def only(tallies: Tallies) -> ShadowReport:
    (report,) = tallies.report("sentiment").shadows
    return report


def test_a_shadow_is_asked_what_was_asked_and_compared(tmp_path: "Path") -> None:
    home = make_home(tmp_path)
    with home.registry() as registry:
        registry.shadow("sentiment", ByNumber(2), sample=10_000)
    real, tallies = home.services(), Tallies()
    background = Background(real, tallies)
    asked = ClassifyRequest(texts=("a good film", "bad"))
    turned = real("sentiment").turn(None)
    answer = turned.task.predict(asked, deadline=time.monotonic() + 5)

    background.watch(
        turned, lambda task, deadline: task.predict(asked, deadline=deadline), answer, 5_000_000
    )
    background.settle()

    report = only(tallies)
    assert (report.version, report.shadow) == (1, 2)
    assert (report.requests, report.errors, report.dropped, report.rows) == (1, 0, 0, 2)
    tops = [
        max(home.bundles[number].probabilities(text).items(), key=lambda pair: pair[1])
        for text in asked.texts
        for number in (1, 2)
    ]
    same = [one[0] == other[0] for one, other in zip(tops[::2], tops[1::2], strict=True)]
    apart = [abs(one[1] - other[1]) for one, other in zip(tops[::2], tops[1::2], strict=True)]
    assert report.agreed == sum(same)
    assert report.drift == pytest.approx(sum(apart), abs=1e-4)
    assert report.worst == pytest.approx(max(apart), abs=1e-4)
    assert sum(report.answered_ns.values()) == sum(report.shadow_ns.values()) == 1


def test_what_nobody_shadows_is_not_even_queued() -> None:
    tallies = Tallies()
    plain = turn()
    plain.shadow = None  # type: ignore[misc]
    background = Background(services(), tallies)
    background.watch(plain, lambda _, __: cast("Any", ANSWER), cast("Any", ANSWER), 1)
    background.settle()
    assert tallies.report("sentiment").shadows == []


def test_nobody_waits_for_a_slow_shadow_and_what_is_too_much_is_dropped() -> None:
    tallies, go_on, began = Tallies(), threading.Event(), threading.Event()
    background = Background(services(), tallies, waiting=2)

    def slow(_task: object, _deadline: float) -> Any:  # noqa: ANN401
        began.set()
        assert go_on.wait(5)
        return ANSWER

    background.watch(turn(), slow, cast("Any", ANSWER), 1)
    assert began.wait(5)
    started = time.monotonic()
    for _ in range(5):
        background.watch(turn(), slow, cast("Any", ANSWER), 1)
    assert time.monotonic() - started < 1
    go_on.set()
    background.settle()
    report = only(tallies)
    assert (report.requests, report.dropped) == (1 + 2, 3)


@pytest.mark.parametrize("fault", [ModelError("no"), KeyError("canary"), MemoryError()])
def test_a_shadow_that_fails_is_counted_and_the_next_request_is_seen(fault: Exception) -> None:
    tallies = Tallies()

    def failing(_task: object, _deadline: float) -> Any:  # noqa: ANN401
        raise fault

    background = Background(services(), tallies)
    background.watch(turn(), failing, cast("Any", ANSWER), 1)
    background.watch(turn(), lambda _, __: cast("Any", ANSWER), cast("Any", ANSWER), 1)
    background.settle()
    assert (only(tallies).errors, only(tallies).requests) == (1, 1)
    broken = Background(services(ModelError("cannot be opened")), tallies)
    broken.watch(turn(), failing, cast("Any", ANSWER), 1)
    broken.settle()
    assert only(tallies).errors == 2


def test_what_was_asked_is_forgotten_once_it_was_seen() -> None:
    class Asked:
        """Stands for a request."""

    asked = Asked()
    kept = weakref.ref(asked)
    background = Background(services(), Tallies())

    def ask(_task: object, _deadline: float, held: Asked = asked) -> Any:  # noqa: ANN401
        assert held is not None
        return ANSWER

    background.watch(turn(), ask, cast("Any", ANSWER), 1)
    background.settle()
    del asked, ask
    gc.collect()
    assert kept() is None


def test_without_a_thread_nothing_is_seen_and_nothing_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    tallies = Tallies()
    background = Background(services(), tallies)
    with monkeypatch.context() as patch:
        patch.setattr("threading.Thread.start", no_thread)
        background.watch(turn(), lambda _, __: cast("Any", ANSWER), cast("Any", ANSWER), 1)
    background.watch(turn(), lambda _, __: cast("Any", ANSWER), cast("Any", ANSWER), 1)
    background.settle()
    assert only(tallies).requests == 2


def test_figures_of_each_pair_are_kept_apart_and_add_up() -> None:
    tallies = Tallies()
    other = PAIR._replace(version=3)
    for drift in (0.01, 0.03, 7.0):
        tallies.count(PAIR, Comparison(2, 1, 4, drift, drift), answered_ns=10**6, shadow_ns=10**7)
    tallies.count(other, Comparison(1, 1, 0, 0.0, 0.0), answered_ns=1, shadow_ns=1)
    tallies.fail(PAIR._replace(model="topics"))
    one, two = tallies.report("sentiment").shadows
    assert (one.version, one.requests, one.rows, one.agreed, one.scores) == (1, 3, 6, 3, 12)
    assert one.drift == pytest.approx(4 * 7.04)
    assert one.worst == 7.0
    assert one.drifts == {0.02: 1, 0.04: 1, 1.0: 1}
    assert (two.version, two.drifts, two.requests) == (3, {}, 1)
    assert tallies.report("nobody").shadows == []
