"""Promises are held against medians of ratios within rounds, and say so where they are missed."""

import pytest

from maas_lab.benching.figures import Bench, Row, Spread, promised, spread, summarise
from maas_lab.benching.plot import draw_bench

OWN = "optimised-x86"


def rounds_of(*cold: tuple[float, float]) -> dict[str, list[dict[str, float]]]:
    """A handler's and the bare script's cold starts, by round."""
    rest = {"warm_p50": 5.0, "mixed": 1.0, "peak_mb": 60.0}
    return {
        "handler": [{"cold": mine, **rest} for mine, _ in cold],
        "bare script": [{"cold": reference, **rest} for _, reference in cold],
        f"bare script, {OWN}": [{"cold": reference, **rest} for _, reference in cold],
    }


def the_row(rows: tuple[Row, ...], start: str) -> Row:
    (found,) = (row for row in rows if row.name.startswith(start))
    return found


def test_a_ratio_is_of_programs_that_met_the_same_load() -> None:
    # Given a round on a machine that was twice as slow
    rounds = rounds_of((80, 100), (180, 200), (85, 100))
    row = the_row(promised(rounds, OWN), "cold start, handler")
    assert row.found == Spread(0.8, 0.85, 0.9)
    assert row.met is True


@pytest.mark.parametrize(
    ("more", "found", "met"),
    [(False, 0.9, True), (False, 0.91, False), (True, 0.9, True), (True, 0.89, False)],
)
def test_a_promise_is_met_up_to_its_bound(found: float, *, more: bool, met: bool) -> None:
    assert Row("it", "×", spread([found]), must=0.9, aim=1, more=more).met is met


def test_nothing_is_promised_of_what_was_not_measured() -> None:
    rows = promised({"bare script": [{"cold": 1.0}]}, OWN)
    assert rows == ()
    assert Row("it", "ms", spread([1.0])).met is None


def test_int8_is_held_against_float32_where_there_is_both() -> None:
    one = [{"cold": 50.0, "warm_p50": 2.0, "peak_mb": 50.0}]
    rounds = {
        "handler": [{"cold": 80.0, "warm_p50": 6.0, "peak_mb": 60.0, "mixed": 1.0}],
        "handler, int8": one,
        "bare script": [{"cold": 100.0, "warm_p50": 5.0, "peak_mb": 100.0, "mixed": 2.0}],
        f"bare script, {OWN}": [{"cold": 70.0, "warm_p50": 5.0, "peak_mb": 80.0, "mixed": 2.0}],
    }
    rows = promised(rounds, OWN)
    assert the_row(rows, "cold start, int8").found.median == 0.5
    assert the_row(rows, "warm p50, int8").found.median == 3.0
    assert the_row(rows, "warm p50, handler").met is False
    assert the_row(rows, "32 texts").met is True


def test_the_view_is_of_medians_and_the_plot_of_promises() -> None:
    rounds = rounds_of((80, 100), (90, 100), (95, 100))
    rows = promised(rounds, OWN)
    bench = Bench("sentiment", 1, "sha256:0", OWN, 20, 3, summarise(rounds), rows)
    assert bench.ratio("handler", "cold") == 0.9
    assert bench.ratio("handler", "batch") is None
    assert draw_bench(bench) == draw_bench(bench)
