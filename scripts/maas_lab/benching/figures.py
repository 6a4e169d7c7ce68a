"""What was measured, and what this project promises of it.

Imports msgspec and the rooms beside it.

    bench.variants["handler"].figures["cold"].median       # milliseconds
    bench.rows[0].ratio.median, bench.rows[0].must         # × the bare script, and the promise

A ratio is made within each round, of programs that met the same load, and its median over rounds is
what counts: on a shared machine a median of one program may move by a third, and ratios hardly do.
"""

import statistics
from typing import TYPE_CHECKING

from msgspec import Struct

from maas_lab.benching.programs import (
    CHECKED,
    CHECKS,
    HANDLER,
    INT8,
    REFERENCE,
    STUBBED,
    bare_name,
    handler_name,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    Rounds = dict[str, list[dict[str, float]]]

FIGURES = {
    "cold": "cold start, ms",
    "warm_p50": "warm p50, ms",
    "warm_p99": "warm p99, ms",
    "batch": "32 alike, ms",
    "mixed": "32 of all lengths, ms",
    "peak_mb": "peak memory, MB",
}
"""What is shown of every program, as far as it was measured."""


class Spread(Struct, frozen=True):
    """A figure over all rounds but the first."""

    low: float
    median: float
    high: float


class Row(Struct, frozen=True):
    """A figure that something is promised of.

    Attributes:
        name: What it is.
        unit: `×` for a ratio, else its unit.
        found: Over all rounds.
        must: What it must not exceed, or must reach where more is better; None for information.
        aim: What it should.
        more: Whether more is better.
    """

    name: str
    unit: str
    found: Spread
    must: float | None = None
    aim: float | None = None
    more: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the median is within the promise."""
        if self.must is None:
            return None
        return self.found.median >= self.must if self.more else self.found.median <= self.must


class Bench(Struct, frozen=True):
    """The figures of one run.

    Attributes:
        model: The model's name.
        version: The version's number.
        digest: Its bundle's digest.
        form: The form that the handler opened.
        tokens: Of the text that is asked alone.
        rounds: How many count.
        variants: Figures by program, in milliseconds and MB; `REFERENCE` is among them.
        rows: What is promised.
    """

    model: str
    version: int
    digest: str
    form: str
    tokens: int
    rounds: int
    variants: dict[str, dict[str, Spread]]
    rows: tuple[Row, ...]

    def ratio(self, variant: str, figure: str) -> float | None:
        """A program's median as a multiple of the bare script's; None where either has none."""
        mine = self.variants[variant].get(figure)
        reference = self.variants[REFERENCE].get(figure)
        return mine.median / reference.median if mine and reference else None


def spread(values: "Sequence[float]") -> Spread:
    """The least, the median and the most."""
    return Spread(min(values), statistics.median(values), max(values))


def summarise(rounds: "Rounds") -> dict[str, dict[str, Spread]]:
    """Every figure of every program."""
    return {
        name: {figure: spread([each[figure] for each in found]) for figure in found[0]}
        for name, found in rounds.items()
    }


def promised(rounds: "Rounds", own: str) -> tuple[Row, ...]:
    """What this project promises, as far as these programs show it.

    Args:
        rounds: Figures by program and round.
        own: The form that the handler opened.
    """
    same = bare_name(own)
    made = [
        _ratio(rounds, "cold start, handler over bare script", (HANDLER, REFERENCE, "cold"),
               must=0.9, aim=0.75),
        _alone(rounds, "hashing every byte", (CHECKS, "hashing"), unit="ms"),
        _alone(rounds, "replaying all golden requests", (CHECKS, "replaying"), unit="ms"),
        _ratio(rounds, "cold start, hashed and replayed", (CHECKED, REFERENCE, "cold")),
        _ratio(rounds, "warm p50, handler over tokenise and run", (HANDLER, same, "warm_p50"),
               must=1.05, aim=1.02),
        _alone(rounds, "framework share, model stubbed", (STUBBED, "warm_p50"), unit="µs",
               scale=1000, must=150, aim=80),
        _ratio(rounds, "peak memory, handler over bare script", (HANDLER, REFERENCE, "peak_mb"),
               must=0.7, aim=0.6),
        _ratio(rounds, "32 texts of all lengths, faster than padded to the longest",
               (same, HANDLER, "mixed"), must=1.5, aim=2, more=True),
    ]  # fmt: skip
    if handler_name(INT8, own) in rounds:
        int8 = handler_name(INT8, own)
        made += [
            _ratio(rounds, "cold start, int8 handler over bare script", (int8, REFERENCE, "cold"),
                   must=0.75, aim=0.6),
            _ratio(rounds, "warm p50, int8 faster than float32", (HANDLER, int8, "warm_p50"),
                   must=2.5, aim=3, more=True),
        ]  # fmt: skip
    return tuple(row for row in made if row is not None)


def _ratio(
    rounds: "Rounds",
    name: str,
    of: tuple[str, str, str],
    *,
    must: float | None = None,
    aim: float | None = None,
    more: bool = False,
) -> Row | None:
    upper, lower, figure = of
    if upper not in rounds or lower not in rounds:
        return None
    pairs = zip(rounds[upper], rounds[lower], strict=True)
    return Row(name, "×", spread([a[figure] / b[figure] for a, b in pairs]), must, aim, more)


def _alone(
    rounds: "Rounds",
    name: str,
    of: tuple[str, str],
    *,
    unit: str,
    scale: float = 1,
    must: float | None = None,
    aim: float | None = None,
) -> Row | None:
    program, figure = of
    if program not in rounds:
        return None
    return Row(name, unit, spread([each[figure] * scale for each in rounds[program]]), must, aim)
