"""One query of a call of CloudWatch's GetMetricData, as this project asks it.

metric_query("errors3", "Errors", "Sum", number=3, period=60)
"""

from typing import Any


def metric_query(
    name: str, metric: str, statistic: str, *, number: int, period: int
) -> dict[str, Any]:
    """What is asked of one metric of a version of `sentiment`.

    Args:
        name: What the answer calls it.
        metric: The metric.
        statistic: `Sum`, `p99` and the like.
        number: The version.
        period: Seconds of each point.
    """
    dimensions = [("service", "maas"), ("model", "sentiment"), ("version", str(number))]
    return {
        "Id": name,
        "MetricStat": {
            "Metric": {
                "Namespace": "maas",
                "MetricName": metric,
                "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions],
            },
            "Period": period,
            "Stat": statistic,
        },
    }
