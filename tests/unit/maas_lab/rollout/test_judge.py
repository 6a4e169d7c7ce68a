"""The judge: what must be true of every verdict, and some that a person would give."""

from hypothesis import assume, given
from hypothesis import strategies as st

from maas.registry.rollout_records import Gate
from maas_lab.rollout.judge import Figures, judge

GATE = Gate(interval=600, max_error_rate=0.01, max_p99_ratio=1.5, min_requests=100)
NOBODY = Figures(0, 0, None)


@st.composite
def figures(draw: st.DrawFn, least: int = 0) -> Figures:
    requests = draw(st.integers(least, 100_000))
    errors = draw(st.integers(0, requests) | st.integers(0, min(requests, 20)))
    p99 = draw(st.floats(0.1, 10_000)) if errors < requests else None
    return Figures(requests, errors, p99)


@st.composite
def gates(draw: st.DrawFn) -> Gate:
    return Gate(
        interval=1,
        max_error_rate=draw(st.floats(0, 1)),
        max_p99_ratio=draw(st.floats(1, 100)),
        min_requests=draw(st.integers(1, 1_000)),
    )


@given(figures(), figures(), gates())
def test_nothing_goes_on_above_a_limit_or_unseen(new: Figures, old: Figures, gate: Gate) -> None:
    verdict = judge(new, old, gate)
    assert verdict.reason.isprintable()
    if verdict.kind == "go_on":
        assert new.requests >= gate.min_requests
        assert new.error_rate <= gate.max_error_rate * (1 + 1e-9)
        if old.requests >= gate.min_requests and new.p99 and old.p99:
            assert new.p99 <= max(gate.max_p99_ratio * old.p99, old.p99 + 1.001)


@given(figures(), figures(), gates(), st.integers(1, 1_000))
def test_more_errors_never_help(new: Figures, old: Figures, gate: Gate, more: int) -> None:
    assume(judge(new, old, gate).kind == "stop" and new.errors)
    worse = Figures(new.requests, min(new.requests, new.errors + more), new.p99)
    assert judge(worse, old, gate).kind == "stop"


@given(figures(), figures(), gates(), st.floats(1, 100))
def test_slower_never_helps(new: Figures, old: Figures, gate: Gate, times: float) -> None:
    assume(judge(new, old, gate).kind == "stop" and new.p99)
    assert (
        judge(Figures(new.requests, new.errors, (new.p99 or 0) * times), old, gate).kind == "stop"
    )


@given(figures(), gates())
def test_one_that_does_as_the_others_is_stopped_by_the_limit_alone(
    both: Figures, gate: Gate
) -> None:
    verdict = judge(both, both, gate)
    if both.errors <= gate.max_error_rate * both.requests:
        assert verdict.kind == ("go_on" if both.requests >= gate.min_requests else "wait")


@given(figures(), gates())
def test_who_has_too_few_requests_is_never_compared(new: Figures, gate: Gate) -> None:
    few = Figures(gate.min_requests - 1, 0, 0.1)
    assert judge(new, few, gate).kind == judge(new, NOBODY, gate).kind


@given(gates(), st.integers(0, 999))
def test_an_early_stop_is_one_that_nothing_could_have_averted(gate: Gate, requests: int) -> None:
    assume(requests < gate.min_requests)
    for errors in range(0, requests + 1, max(1, requests // 10)):
        if judge(Figures(requests, errors, 1.0), NOBODY, gate).kind == "stop":
            rest = gate.min_requests - requests
            best = Figures(requests + rest, errors, 1.0)
            assert judge(best, NOBODY, gate).kind == "stop"


def test_verdicts_of_a_person() -> None:
    well = Figures(10_000, 10, 40.0)
    for new, kind in (
        (Figures(99, 0, 500.0), "wait"),
        (Figures(2, 2, None), "stop"),  # two of a hundred are above one per cent already
        (Figures(1, 1, None), "wait"),
        (Figures(100, 1, 41.0), "go_on"),  # one error may be chance
        (Figures(10_000, 60, 41.0), "stop"),  # below the limit, and six times as many
        (Figures(10_000, 15, 41.0), "go_on"),
        (Figures(10_000, 101, 41.0), "stop"),
        (Figures(1_000, 1, 61.0), "stop"),
        (Figures(1_000, 1, 59.0), "go_on"),
        (Figures(1_000, 1, None), "go_on"),
    ):
        assert judge(new, well, GATE).kind == kind, new


def test_a_millisecond_is_no_slowness() -> None:
    assert judge(Figures(200, 0, 1.0), Figures(200, 0, 0.2), GATE).kind == "go_on"
    assert judge(Figures(200, 0, 2.0), Figures(200, 0, 0.2), GATE).kind == "stop"


def test_a_reason_says_the_figures_and_the_limit() -> None:
    said = judge(Figures(200, 12, 48.0), Figures(1_000, 0, 40.0), GATE).reason
    assert said == "12 errors (6.000%) of 200 requests, above the limit of 1.000%"
    said = judge(Figures(200, 0, 90.0), Figures(1_000, 0, 40.0), GATE).reason
    assert said == "p99 90.0 ms is 2.2 × the other versions' 40.0 ms, above the limit of 1.5 ×"
