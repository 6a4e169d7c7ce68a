"""What the shadows of deployed functions have seen, read from CloudWatch.

Imports `maas` and the lab.

    report = read_metrics(metrics, "sentiment", [2], since=since, until=until)
    report.shadows[0].agreement

A shadow's function writes one line per request, which is its metrics. They do not say who answered,
what the queue forgot, nor the largest difference of a single number: each of these would be a
metric more, which is paid for by the month.
"""

from typing import TYPE_CHECKING

from maas.errors import NotFoundError
from maas_lab.cloudwatch import Statistic
from maas_lab.shadowing.figures import Report, ShadowFigures, Spread

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from maas.registry.addresses import VersionAddress
    from maas.registry.reader import Reader
    from maas_lab.cloudwatch import Points, VersionMetrics

_PARTS = {f"p{part}": part / 100 for part in (10, 25, 50, 75, 90, 95, 99)} | {"Maximum": 1.0}
_SPREADS = {
    "drifts": ("ShadowDrift", "drifted"),
    "answered_ms": ("ShadowAnsweredLatency", "answers"),
    "shadow_ms": ("ShadowLatency", "answers"),
}
"""The metric of each spread, and what says how many values it is of."""
_ASKED = (
    Statistic("requests", "ShadowRequests", "Sum"),
    Statistic("errors", "ShadowErrors", "Sum"),
    Statistic("rows", "ShadowRows", "Sum"),
    Statistic("agreed", "ShadowAgreed", "Sum"),
    Statistic("drift", "ShadowDrift", "Sum"),
    Statistic("drifted", "ShadowDrift", "SampleCount"),
    Statistic("answers", "ShadowLatency", "SampleCount"),
    *(
        Statistic(f"{name}_{of.lower()}_", metric, of)
        for name, (metric, _) in _SPREADS.items()
        for of in _PARTS
    ),
)


def shadows_of(registry: "Reader", model: str, address: "VersionAddress | None") -> tuple[int, ...]:
    """The shadows to ask of: the version that is named, or all that there are now.

    Raises:
        NotFoundError: There is no such model or version, or no shadow now.
    """
    if address is not None:
        return (registry.version(model, address).number,)
    shadows = registry.policy(model).shadows.values()
    if not shadows:
        raise NotFoundError(
            f"{model} has no shadow now. Name one that it had: maas shadow report {model}@N"
            " --cloudwatch"
        )
    return tuple(sorted({shadow.version for shadow in shadows}))


def read_metrics(
    metrics: "VersionMetrics",
    model: str,
    versions: "Sequence[int]",
    *,
    since: "datetime",
    until: "datetime",
) -> Report:
    """Ask CloudWatch of each shadow; those that have seen nothing are left out.

    Args:
        metrics: The account and region.
        model: The model's name.
        versions: The shadows.
        since: A whole minute.
        until: A later one; above a day the parts are means of each day's.

    Raises:
        RefusedError: AWS does not allow it.
        TryAgainError: It does not answer, or is too busy.
    """

    def told() -> "Iterator[ShadowFigures]":
        for number in versions:  # one at a time, as a call takes 500 statistics
            found = metrics.read(model, [number], _ASKED, since=since, until=until)[number]
            if any(found["requests"].values()):
                yield _figures(number, found)

    return Report(model, "cloudwatch", tuple(told()))


def _figures(number: int, found: "Mapping[str, Points]") -> ShadowFigures:
    def total(name: str) -> int:
        return round(sum(found[name].values()))

    drifted = total("drifted")
    return ShadowFigures(
        shadow=number,
        version=None,
        requests=total("requests") - total("errors"),
        errors=total("errors"),
        dropped=None,
        rows=total("rows"),
        agreed=total("agreed"),
        mean_drift=sum(found["drift"].values()) / drifted if drifted else None,
        worst=None,
        drifts=_spread(found, "drifts"),
        answered_ms=_spread(found, "answered_ms"),
        shadow_ms=_spread(found, "shadow_ms"),
    )


def _spread(found: "Mapping[str, Points]", name: str) -> Spread:
    weights = found[_SPREADS[name][1]]
    points = [(part, found[f"{name}_{of.lower()}_"]) for of, part in _PARTS.items()]
    return tuple((part, _together(values, weights, part)) for part, values in points if values)


def _together(values: "Points", weights: "Points", part: float) -> float:
    """The values of several stretches of time as one; by how many each is of, but for the most."""
    weight = sum(weights.get(at, 0.0) for at in values)
    if part == 1.0 or not weight:
        return max(values.values())
    return sum(weights.get(at, 0.0) * value for at, value in values.items()) / weight
