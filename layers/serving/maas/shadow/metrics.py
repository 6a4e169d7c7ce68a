"""How a shadow's answer compares, as CloudWatch's metrics in a log line. Pure; imports msgspec.

values = metrics_of(comparison, milliseconds=4.9, answered_milliseconds=5.1, at=time.time())
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maas.shadow.outcome import Comparison

_UNITS = {"ShadowDrift": "None", "ShadowLatency": "Milliseconds"}
_UNITS |= {"ShadowAnsweredLatency": "Milliseconds"}


def metrics_of(
    comparison: "Comparison | None",
    *,
    milliseconds: float,
    answered_milliseconds: float,
    at: float,
) -> dict[str, object]:
    """The metrics of one request that a shadow has seen, by model and the shadow's version.

    Args:
        comparison: How far apart the answers are; None where the shadow has none.
        milliseconds: How long the shadow's task took.
        answered_milliseconds: How long that of the version took that answered.
        at: Seconds since 1970.
    """
    values: dict[str, object] = {"ShadowRequests": 1, "ShadowErrors": int(comparison is None)}
    if comparison is not None:
        values |= {"ShadowRows": comparison.rows, "ShadowAgreed": comparison.agreed}
        values |= {"ShadowLatency": round(milliseconds, 3)}
        values |= {"ShadowAnsweredLatency": round(answered_milliseconds, 3)}
    if comparison is not None and comparison.scores:
        values["ShadowDrift"] = comparison.drift
    directive = {
        "Namespace": "maas",
        "Dimensions": [["service", "model", "version"]],
        "Metrics": [{"Name": name, "Unit": _UNITS.get(name, "Count")} for name in values],
    }
    return {"_aws": {"Timestamp": int(at * 1000), "CloudWatchMetrics": [directive]}, **values}
