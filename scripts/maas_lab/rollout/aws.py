"""The calls to CloudWatch and SNS that a rollout needs, typed and bounded.

Imports boto3, as `maas_lab.aws` does, whose bounds and errors it shares; `mypy`'s stubs.

    cloud = open_rollout_cloud("eu-central-1")
    source = CloudWatchSource(cloud, "sentiment", version=2, others=(1,))
    cloud.publish("arn:aws:sns:…", subject="maas: sentiment@2 was stopped", text="…")
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import boto3

from maas_lab.aws import TRIES, client_config
from maas_lab.cloudwatch import Points, Statistic, VersionMetrics, minute_of
from maas_lab.rollout.judge import Figures
from maas_lab.rollout.sources import Seen
from maas_lab.stack.aws_errors import our_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_sns import SNSClient

_STATISTICS = (
    Statistic("requests", "Requests", "Sum"),
    Statistic("errors", "Errors", "Sum"),
    Statistic("p99", "Latency", "p99"),
)
_SUBJECT_CHARACTERS = 100  # SNS's limit

Point = tuple[float, float]
"""Requests and their p99 in one stretch of time."""


class RolloutCloud:
    """One account and region. Its methods raise as those of `maas_lab.aws.Cloud` do.

    Args:
        metrics: boto3's client of CloudWatch.
        topics: That of SNS.
    """

    def __init__(self, *, metrics: "CloudWatchClient", topics: "SNSClient") -> None:
        self._metrics = VersionMetrics(metrics)
        self._topics = topics

    def figures(
        self, model: str, versions: "Sequence[int]", *, since: datetime, until: datetime
    ) -> dict[int, tuple[int, int, list[Point]]]:
        """What each version's functions wrote: requests, errors, and points of p99.

        Args:
            model: The model's name.
            versions: Their numbers.
            since: A whole minute.
            until: A later one.
        """
        found = self._metrics.read(model, versions, _STATISTICS, since=since, until=until)
        return {number: _joined(found[number]) for number in versions}

    def publish(self, topic: str, *, subject: str, text: str) -> None:
        """Tell all subscribers of a topic."""
        with our_errors("sns:Publish"):
            self._topics.publish(
                TopicArn=topic, Subject=subject[:_SUBJECT_CHARACTERS], Message=text
            )


class CloudWatchSource:
    """The metrics of all functions that answer for a model.

    They come by whole minutes and late, so a stretch begins with the next minute, and the last
    minutes of it are judged with what was there by then.

    Args:
        cloud: Where to ask.
        model: The model's name.
        version: The new version.
        others: Those that it is to replace.
    """

    def __init__(
        self, cloud: RolloutCloud, model: str, *, version: int, others: "Sequence[int]"
    ) -> None:
        self._cloud, self._model = cloud, model
        self._version, self._others = version, tuple(others)
        self._begun = self._since = datetime.min

    def begin(self, now: datetime) -> None:
        """Count from the next minute on; that the metrics may be read is seen at once."""
        self._begun, self._since = now, minute_of(now) + timedelta(minutes=1)
        self._figures(self._since - timedelta(minutes=1), self._since)

    def read(self, now: datetime) -> Seen:
        """What CloudWatch has by now of the time since `begin`."""
        if now < self._begun:  # the clock was set back: this stretch may lie in the future
            self.begin(now)
        return self._figures(self._since, minute_of(now) + timedelta(minutes=1))

    def _figures(self, since: datetime, until: datetime) -> Seen:
        if until <= since:
            return Seen(Figures(0, 0, None), Figures(0, 0, None))
        numbers = (self._version, *self._others)
        found = self._cloud.figures(self._model, numbers, since=since, until=until)
        return Seen(
            _together([found[self._version]]), _together([found[other] for other in self._others])
        )


def open_rollout_cloud(region: str) -> RolloutCloud:
    """Make the clients; nothing is contacted yet.

    Args:
        region: AWS's; where it is empty, that of boto3's own configuration.

    Raises:
        SettingsError: AWS_PROFILE names a profile that is not there, or no region is named.
    """
    with our_errors("the credentials"):
        session = boto3.Session(region_name=region or None)
        return RolloutCloud(
            metrics=session.client("cloudwatch", config=client_config(TRIES)),
            topics=session.client("sns", config=client_config(TRIES)),
        )


def _joined(found: dict[str, Points]) -> tuple[int, int, list[Point]]:
    requests, errors, p99 = (found[statistic.name] for statistic in _STATISTICS)
    points = [(requests.get(at, 0.0), value) for at, value in p99.items()]
    return round(sum(requests.values())), round(sum(errors.values())), points


def _together(versions: "Sequence[tuple[int, int, list[Point]]]") -> Figures:
    """Several versions' figures as one; p99 as the mean of theirs by requests."""
    points = [point for _, _, some in versions for point in some]
    weight = sum(requests for requests, _ in points)
    return Figures(
        requests=sum(requests for requests, _, _ in versions),
        errors=sum(errors for _, errors, _ in versions),
        p99=sum(requests * value for requests, value in points) / weight if weight else None,
    )
