"""Figures out of CloudWatch: what is asked of it, and what is made of its answers."""

from datetime import UTC, datetime, timedelta

import pytest
from botocore.stub import Stubber
from support.aws_session import aws_session
from support.metric_queries import metric_query

from maas.errors import RefusedError, TryAgainError
from maas_lab.rollout.aws import CloudWatchSource, RolloutCloud
from maas_lab.rollout.judge import Figures
from maas_lab.rollout.sources import Seen

AT = datetime(2030, 1, 2, 3, 4, 30, tzinfo=UTC)
SINCE = datetime(2030, 1, 2, 3, 5, tzinfo=UTC)


class Stubs:
    """A source whose client answers what was put in."""

    def __init__(self) -> None:
        session = aws_session()
        metrics = session.client("cloudwatch")
        self.stub = Stubber(metrics)
        self.stub.activate()
        cloud = RolloutCloud(metrics=metrics, topics=session.client("sns"))
        self.source = CloudWatchSource(cloud, "sentiment", version=3, others=(1, 2))

    def answer(
        self, until: datetime, points: dict[str, list[float]], since: datetime = SINCE
    ) -> None:
        period = int((until - since).total_seconds())
        queries = [
            metric_query(f"{name}{number}", metric, statistic, number=number, period=period)
            for number in (3, 1, 2)
            for name, metric, statistic in (
                ("requests", "Requests", "Sum"),
                ("errors", "Errors", "Sum"),
                ("p99", "Latency", "p99"),
            )
        ]
        results = [
            {
                "Id": name,
                "Label": name,
                "Timestamps": [since + timedelta(minutes=place) for place in range(len(values))],
                "Values": values,
                "StatusCode": "Complete",
            }
            for name, values in points.items()
        ]
        asked = {"MetricDataQueries": queries, "StartTime": since, "EndTime": until}
        self.stub.add_response("get_metric_data", {"MetricDataResults": results}, asked)


@pytest.fixture
def stubs() -> Stubs:
    return Stubs()


def test_one_period_from_the_next_minute_on_covers_the_step(stubs: Stubs) -> None:
    before = SINCE - timedelta(minutes=1)
    stubs.answer(SINCE, {}, since=before)  # that it may be read is seen before a step begins
    stubs.source.begin(AT)
    assert stubs.source.read(AT + timedelta(seconds=20)) == Seen(
        Figures(0, 0, None), Figures(0, 0, None)
    )
    stubs.answer(
        SINCE + timedelta(minutes=4),
        {
            "requests3": [100.0, 20.0],
            "errors3": [2.0],
            "p99" + "3": [40.0, 70.0],
            "requests1": [900.0],
            "errors1": [0.0],
            "p991": [30.0],
            "requests2": [100.0],
            "p992": [50.0],
        },
    )
    seen = stubs.source.read(SINCE + timedelta(minutes=3, seconds=5))
    assert seen.new == Figures(120, 2, 45.0)
    assert seen.baseline == Figures(1000, 0, 32.0)


def test_a_clock_that_is_set_back_begins_the_stretch_anew(stubs: Stubs) -> None:
    stubs.answer(SINCE, {}, since=SINCE - timedelta(minutes=1))
    stubs.source.begin(AT)
    earlier = AT - timedelta(hours=1)
    since = SINCE - timedelta(hours=1)
    stubs.answer(since, {}, since=since - timedelta(minutes=1))
    assert stubs.source.read(earlier).new == Figures(0, 0, None)
    stubs.answer(since + timedelta(minutes=2), {"requests3": [70.0]}, since=since)
    assert stubs.source.read(earlier + timedelta(minutes=2)).new == Figures(70, 0, None)


@pytest.mark.parametrize(
    ("code", "error"), [("AccessDenied", RefusedError), ("Throttling", TryAgainError)]
)
def test_what_aws_refuses_is_an_error_of_ours(
    stubs: Stubs, code: str, error: type[Exception]
) -> None:
    stubs.stub.add_client_error("get_metric_data", code, "no")
    with pytest.raises(error, match="cloudwatch:GetMetricData"):
        stubs.source.begin(AT)
