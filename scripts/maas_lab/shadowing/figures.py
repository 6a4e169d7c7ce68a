"""What is told of shadows, wherever they were counted. Imports msgspec and the tallies.

report = of_server(read_report(url, "sentiment"))
report.shadows[0].agreement
reached(report.shadows[0].shadow_ms, 0.99)       # milliseconds, None where none were counted
"""

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maas_lab.shadowing.tallies import ModelShadows, ShadowReport

_MS = 1e6

Spread = tuple[tuple[float, float], ...]
"""Parts of the requests, ascending to 1, and what none of that part exceeded."""


class ShadowFigures(Struct, frozen=True):
    """One shadow beside who answered. What its source does not count is None.

    Attributes:
        shadow: Who saw the requests too.
        version: Who answered.
        requests: Requests that the shadow answered.
        errors: Requests that it did not.
        dropped: Requests that it was not asked.
        rows: Labels or texts that were compared.
        agreed: How many of them are the same.
        mean_drift: The mean difference of the numbers that were compared; in CloudWatch, of the
            requests' means.
        worst: The largest difference of a number.
        drifts: The requests' mean differences.
        answered_ms: How long the version took that answered.
        shadow_ms: How long the shadow took.
    """

    shadow: int
    version: int | None
    requests: int
    errors: int
    dropped: int | None
    rows: int
    agreed: int
    mean_drift: float | None
    worst: float | None
    drifts: Spread
    answered_ms: Spread
    shadow_ms: Spread

    @property
    def agreement(self) -> float | None:
        """The part of the rows that are the same."""
        return self.agreed / self.rows if self.rows else None


class Report(Struct, frozen=True):
    """All shadows of a model that have seen requests.

    Attributes:
        model: The model.
        source: Who counted: a server since it started, or CloudWatch in some time.
        shadows: By version.
    """

    model: str
    source: Literal["server", "cloudwatch"]
    shadows: tuple[ShadowFigures, ...]


def of_server(found: "ModelShadows", *, only: int | None = None) -> Report:
    """What a server counted.

    Args:
        found: What it told.
        only: The one shadow that is asked for; None means all.
    """
    shadows = (report for report in found.shadows if only in (None, report.shadow))
    return Report(found.model, "server", tuple(map(_counted, shadows)))


def reached(spread: Spread, part: float) -> float | None:
    """What this part of the requests did not exceed."""
    return next((value for share, value in spread if share >= part), None)


def _counted(report: "ShadowReport") -> ShadowFigures:
    return ShadowFigures(
        shadow=report.shadow,
        version=report.version,
        requests=report.requests,
        errors=report.errors,
        dropped=report.dropped,
        rows=report.rows,
        agreed=report.agreed,
        mean_drift=report.drift / report.scores if report.scores else None,
        worst=report.worst if report.scores else None,
        drifts=_spread(report.drifts),
        answered_ms=_spread(report.answered_ns, _MS),
        shadow_ms=_spread(report.shadow_ns, _MS),
    )


def _spread(counts: "Mapping[int, int] | Mapping[float, int]", unit: float = 1.0) -> Spread:
    total, seen, spread = sum(counts.values()), 0, []
    for bound, count in sorted(counts.items()):
        seen += count
        spread.append((seen / total, bound / unit))
    return tuple(spread)
