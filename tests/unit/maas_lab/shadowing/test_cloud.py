"""A report of deployed shadows: what CloudWatch is asked, and what is made of its answers."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.stub import Stubber
from support.aws_session import aws_session
from support.metric_queries import metric_query
from support.tiny import make_home

from maas.errors import NotFoundError, RefusedError, TryAgainError
from maas.registry.addresses import ByNumber
from maas.shadow.metrics import metrics_of
from maas.shadow.outcome import Comparison
from maas_lab.cloudwatch import VersionMetrics
from maas_lab.output import Output
from maas_lab.shadowing.cloud import read_metrics, shadows_of
from maas_lab.shadowing.figures import Report
from maas_lab.shadowing.plot import draw_shadows
from maas_lab.views.shadows import report_view

SINCE = datetime(2030, 1, 2, 3, 5, tzinfo=UTC)
UNTIL = SINCE + timedelta(hours=24)
PARTS = {"p10": 0.1, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99}
SUMS = [
    ("requests", "ShadowRequests", "Sum"),
    ("errors", "ShadowErrors", "Sum"),
    ("rows", "ShadowRows", "Sum"),
    ("agreed", "ShadowAgreed", "Sum"),
    ("drift", "ShadowDrift", "Sum"),
    ("drifted", "ShadowDrift", "SampleCount"),
    ("answers", "ShadowLatency", "SampleCount"),
]
SPREADS = [
    ("drifts", "ShadowDrift"),
    ("answered_ms", "ShadowAnsweredLatency"),
    ("shadow_ms", "ShadowLatency"),
]
SEEN: dict[str, list[float]] = {
    "requests": [100.0, 1.0],
    "errors": [1.0, 0.0],
    "rows": [198.0, 2.0],
    "agreed": [150.0, 2.0],
    "drift": [0.99, 0.01],
    "drifted": [99.0, 1.0],
    "answers": [99.0, 1.0],
    "shadow_ms_p50_": [10.0, 20.0],
    "shadow_ms_p99_": [40.0, 20.0],
    "shadow_ms_maximum_": [45.0, 20.0],
    "answered_ms_p50_": [8.0],
    "drifts_p50_": [0.01, 0.01],
    "drifts_maximum_": [0.02, 0.5],
}


class Stubs:
    """CloudWatch, which answers what was put in."""

    def __init__(self) -> None:
        client = aws_session().client("cloudwatch")
        self.stub = Stubber(client)
        self.stub.activate()
        self.metrics = VersionMetrics(client)

    def answer(self, number: int, points: dict[str, list[float]]) -> None:
        asked = SUMS + [
            (f"{name}_{statistic.lower()}_", metric, statistic)
            for name, metric in SPREADS
            for statistic in (*PARTS, "Maximum")
        ]
        queries = [
            metric_query(f"{name}{number}", metric, of, number=number, period=86_400)
            for name, metric, of in asked
        ]
        results = [
            {
                "Id": f"{name}{number}",
                "Timestamps": [SINCE + timedelta(hours=place) for place in range(len(values))],
                "Values": values,
            }
            for name, values in points.items()
        ]
        expected = {"MetricDataQueries": queries, "StartTime": SINCE, "EndTime": UNTIL}
        self.stub.add_response("get_metric_data", {"MetricDataResults": results}, expected)

    def read(self, *versions: int) -> Report:
        return read_metrics(self.metrics, "sentiment", versions, since=SINCE, until=UNTIL)


@pytest.fixture
def stubs() -> Stubs:
    return Stubs()


def test_what_a_shadows_function_wrote_is_told_and_who_saw_nothing_is_not(stubs: Stubs) -> None:
    stubs.answer(2, SEEN)
    stubs.answer(3, {})
    (report,) = stubs.read(2, 3).shadows
    assert (report.shadow, report.version, report.dropped, report.worst) == (2, None, None, None)
    assert (report.requests, report.errors) == (100, 1)
    assert report.agreement == 152 / 200
    assert report.mean_drift == pytest.approx(0.01)
    # Then stretches of time count by how many requests they are of, and the largest is the largest
    assert dict(report.shadow_ms) == pytest.approx({0.5: 10.1, 0.99: 39.8, 1.0: 45.0})
    assert dict(report.answered_ms) == {0.5: 8.0}
    assert dict(report.drifts) == pytest.approx({0.5: 0.01, 1.0: 0.5})


def test_it_is_told_to_people_and_machines_and_drawn(
    stubs: Stubs, capsys: pytest.CaptureFixture[str]
) -> None:
    stubs.answer(2, SEEN)
    found = stubs.read(2)
    assert draw_shadows(found).startswith(b"\x89PNG")
    Output(as_json=True).show(report_view(found, Path("a.png")))
    said = json.loads(capsys.readouterr().out)
    assert (said["source"], said["plot"]) == ("cloudwatch", "a.png")
    (shadow,) = said["shadows"]
    assert shadow["shadow_p50_ms"] == pytest.approx(10.1)
    assert (shadow["version"], shadow["dropped"], shadow["worst"]) == (None, None, None)
    Output(as_json=False).show(report_view(found, Path("a.png")))
    assert "Metrics do not say" in capsys.readouterr().out


def test_where_nothing_was_seen_it_says_what_to_look_at(
    stubs: Stubs, capsys: pytest.CaptureFixture[str]
) -> None:
    stubs.answer(2, {"requests": [0.0]})
    Output(as_json=False).show(report_view(stubs.read(2), None))
    assert "Shadows=on" in capsys.readouterr().out


def test_every_metric_that_is_asked_of_is_written(stubs: Stubs) -> None:
    del stubs
    line = metrics_of(Comparison(2, 1, 4, 0.1, 0.2), milliseconds=1, answered_milliseconds=1, at=0)
    assert {metric for _, metric, _ in SUMS} | {metric for _, metric in SPREADS} == {
        name for name in line if name.startswith("Shadow")
    }


def test_the_shadows_of_now_are_asked_of_or_one_by_name(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    with home.registry() as registry:
        with pytest.raises(NotFoundError, match="sentiment@N"):
            shadows_of(registry, "sentiment", None)
        assert shadows_of(registry, "sentiment", ByNumber(1)) == (1,)
        registry.shadow("sentiment", ByNumber(2), sample=100)
        assert shadows_of(registry, "sentiment", None) == (2,)


@pytest.mark.parametrize(
    ("code", "error"), [("AccessDenied", RefusedError), ("Throttling", TryAgainError)]
)
def test_what_aws_refuses_is_an_error_of_ours(
    stubs: Stubs, code: str, error: type[Exception]
) -> None:
    stubs.stub.add_client_error("get_metric_data", code, "no")
    with pytest.raises(error, match="cloudwatch:GetMetricData"):
        stubs.read(2)
