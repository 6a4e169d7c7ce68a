"""What deployed functions count of each version of a model, read from CloudWatch.

Imports boto3, as `maas_lab.aws` does, whose bounds and errors it shares; `mypy`'s stubs.

    metrics = open_metrics("eu-central-1")
    asked = (Statistic("requests", "Requests", "Sum"), Statistic("p99", "Latency", "p99"))
    metrics.read("sentiment", [2], asked, since=since, until=until)[2]["p99"]   # {time: value}
"""

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import boto3

from maas_lab.aws import TRIES, client_config
from maas_lab.stack.aws_errors import our_errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef, MetricDataResultTypeDef

MINUTE = 60
DAY = 86_400

Points = dict[datetime, float]
"""A statistic by the beginning of the stretch of time that it is of."""


class Statistic(NamedTuple):
    """What is asked of a metric.

    Attributes:
        name: What the answer is called: lower case, digits and underscores.
        metric: The metric's name.
        of: CloudWatch's word for the statistic, such as Sum or p99.
    """

    name: str
    metric: str
    of: str


class VersionMetrics:
    """One account and region. Raises as the methods of `maas_lab.aws.Cloud` do.

    Args:
        client: boto3's client of CloudWatch.
    """

    def __init__(self, client: "CloudWatchClient") -> None:
        self._client = client

    def read(
        self,
        model: str,
        versions: "Sequence[int]",
        statistics: "Sequence[Statistic]",
        *,
        since: datetime,
        until: datetime,
    ) -> dict[int, dict[str, Points]]:
        """What all functions wrote of each version, by the statistic's name.

        Args:
            model: The model's name.
            versions: Their numbers.
            statistics: What is asked; with all versions 500 at the most.
            since: A whole minute.
            until: A later one. Up to a day one period covers all, so that its percentiles are those
                of all requests; CloudWatch may split it in two.
        """
        period = min(DAY, max(MINUTE, int((until - since).total_seconds())))
        queries = [
            _query(statistic, model=model, number=number, period=period)
            for number in versions
            for statistic in statistics
        ]
        with our_errors("cloudwatch:GetMetricData"):
            pages = self._client.get_paginator("get_metric_data").paginate(
                MetricDataQueries=queries, StartTime=since, EndTime=until
            )
            found: dict[str, Points] = {}
            for page in pages:
                _collect(found, page["MetricDataResults"])
        return {
            number: {each.name: found.get(f"{each.name}{number}", {}) for each in statistics}
            for number in versions
        }


def open_metrics(region: str) -> VersionMetrics:
    """Make the client; nothing is contacted yet.

    Args:
        region: AWS's; where it is empty, that of boto3's own configuration.

    Raises:
        SettingsError: AWS_PROFILE names a profile that is not there, or no region is named.
    """
    with our_errors("the credentials"):
        session = boto3.Session(region_name=region or None)
        return VersionMetrics(session.client("cloudwatch", config=client_config(TRIES)))


def minute_of(now: datetime) -> datetime:
    """The minute that has begun; CloudWatch counts by whole ones."""
    return now.replace(second=0, microsecond=0)


def _query(
    statistic: Statistic, *, model: str, number: int, period: int
) -> "MetricDataQueryTypeDef":
    return {
        "Id": f"{statistic.name}{number}",
        "MetricStat": {
            "Metric": {
                "Namespace": "maas",
                "MetricName": statistic.metric,
                "Dimensions": [
                    {"Name": "service", "Value": "maas"},
                    {"Name": "model", "Value": model},
                    {"Name": "version", "Value": str(number)},
                ],
            },
            "Period": period,
            "Stat": statistic.of,
        },
    }


def _collect(found: dict[str, Points], results: "Iterable[MetricDataResultTypeDef]") -> None:
    for result in results:
        points = zip(result.get("Timestamps", ()), result.get("Values", ()), strict=True)
        found.setdefault(result.get("Id", ""), {}).update(points)
