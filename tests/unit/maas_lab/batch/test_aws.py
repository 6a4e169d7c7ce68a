"""The calls to Batch and its logs with botocore's own stubs: what is asked, and understood."""

from typing import Any

import pytest
from botocore.stub import Stubber
from support.aws_session import aws_session

from maas.errors import MaasError, NotFoundError, RefusedError, SettingsError, TryAgainError
from maas_lab.batch.aws import (
    Attempt,
    JobState,
    ListedJob,
    LogPage,
    TrainingCloud,
    open_bucket,
    open_training_cloud,
)

QUEUE = "arn:aws:batch:eu-central-1:123456789012:job-queue/maas-training"
NAME = "tiny-s3-00112233aabbccdd"
FIXED = {"jobName": NAME, "jobQueue": QUEUE, "jobDefinition": "d:1", "startedAt": 1}
# As AWS Batch answers after a Spot machine was taken away and the job was started again.
INTERRUPTED = FIXED | {
    "jobId": "j1",
    "status": "RUNNING",
    "attempts": [
        {
            "container": {"logStreamName": "train/default/a"},
            "startedAt": 1,
            "stoppedAt": 2,
            "statusReason": "Host EC2 (instance i-0123456789abcdef0) terminated.",
        }
    ],
    "container": {"logStreamName": "train/default/b", "image": "x"},
}


class Stubs:
    """A cloud whose clients answer what was put in."""

    def __init__(self) -> None:
        session = aws_session()
        self.batch, self.logs = session.client("batch"), session.client("logs")
        self.cloud = TrainingCloud(batch=self.batch, logs=self.logs)

    def put(self, client: Any, call: str, *exchanges: tuple[Any, Any]) -> None:  # noqa: ANN401
        stub = Stubber(client)
        for asked, answer in exchanges:
            stub.add_response(call, answer, asked)
        stub.activate()

    def fail(self, client: Any, call: str, code: str, message: str = "no") -> None:  # noqa: ANN401
        stub = Stubber(client)
        stub.add_client_error(call, code, message)
        stub.activate()


@pytest.fixture
def stubs() -> Stubs:
    return Stubs()


def test_the_jobs_of_a_name_over_all_pages_the_oldest_first(stubs: Stubs) -> None:
    asked = {"jobQueue": QUEUE, "filters": [{"name": "JOB_NAME", "values": [NAME]}]}
    entry = {"jobName": NAME, "status": "FAILED"}
    stubs.put(
        stubs.batch,
        "list_jobs",
        (
            asked,
            {"jobSummaryList": [entry | {"jobId": "b", "createdAt": 2}], "nextToken": "t"},
        ),
        (
            asked | {"nextToken": "t"},
            {
                "jobSummaryList": [
                    {"jobId": "a", "jobName": NAME, "createdAt": 1, "status": "RUNNING"},
                    {"jobId": "c", "jobName": NAME.upper(), "createdAt": 0},
                ]
            },
        ),
    )
    found = stubs.cloud.jobs(QUEUE, NAME)
    assert found == [ListedJob("a", "RUNNING", 1), ListedJob("b", "FAILED", 2)]
    assert [job.active for job in found] == [True, False]


def test_what_is_submitted(stubs: Stubs) -> None:
    asked = {
        "jobName": NAME,
        "jobQueue": QUEUE,
        "jobDefinition": "d:1",
        "parameters": {"job": NAME},
        "tags": {"maas:job": NAME},
        "propagateTags": True,
    }
    stubs.put(stubs.batch, "submit_job", (asked, {"jobId": "j1", "jobName": NAME}))
    parameters = {"job": NAME}
    job = stubs.cloud.submit(queue=QUEUE, definition="d:1", name=NAME, parameters=parameters)
    assert job == "j1"


def test_how_far_a_job_is_after_a_spot_interruption(stubs: Stubs) -> None:
    stubs.put(stubs.batch, "describe_jobs", ({"jobs": ["j1"]}, {"jobs": [INTERRUPTED]}))
    reason = "Host EC2 (instance i-0123456789abcdef0) terminated."
    attempts = (Attempt(reason, None, "train/default/a"),)
    assert stubs.cloud.job("j1") == JobState("j1", "RUNNING", "", "train/default/b", attempts, 1)


def test_a_job_of_several_machines(stubs: Stubs) -> None:
    nodes = {"numNodes": 4, "mainNode": 0, "nodeRangeProperties": []}
    answer = FIXED | {"jobId": "j1", "status": "FAILED", "nodeProperties": nodes}
    stubs.put(stubs.batch, "describe_jobs", ({"jobs": ["j1"]}, {"jobs": [answer]}))
    state = stubs.cloud.job("j1")
    assert (state.nodes, state.ended, state.stream) == (4, True, "")


def test_a_job_that_batch_forgot(stubs: Stubs) -> None:
    stubs.put(stubs.batch, "describe_jobs", ({"jobs": ["j1"]}, {"jobs": []}))
    with pytest.raises(NotFoundError, match="after a week"):
        stubs.cloud.job("j1")


def test_a_job_is_ended(stubs: Stubs) -> None:
    stubs.put(stubs.batch, "terminate_job", ({"jobId": "j1", "reason": "twice"}, {}))
    stubs.cloud.stop("j1", "twice")


def test_a_log_is_read_on_where_it_was_left(stubs: Stubs) -> None:
    asked = {"logGroupName": "g", "logStreamName": "s", "startFromHead": True}
    stubs.put(
        stubs.logs,
        "get_log_events",
        (asked, {"events": [{"message": "one"}], "nextForwardToken": "f/1"}),
        (asked | {"nextToken": "f/1"}, {"events": [], "nextForwardToken": "f/1"}),
    )
    assert stubs.cloud.log_page("g", "s", "") == LogPage(("one",), "f/1")
    assert stubs.cloud.log_page("g", "s", "f/1") == LogPage((), "f/1")


def test_a_log_stream_that_was_not_written_to_yet_has_no_lines(stubs: Stubs) -> None:
    stubs.fail(stubs.logs, "get_log_events", "ResourceNotFoundException")
    assert stubs.cloud.log_page("g", "s", "") == LogPage((), "")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("TooManyRequestsException", TryAgainError),
        ("ThrottlingException", TryAgainError),
        ("ServerException", TryAgainError),
        ("ClientException", RefusedError),
        ("AccessDeniedException", RefusedError),
        ("ExpiredTokenException", SettingsError),
    ],
)
def test_what_batch_refuses_becomes_an_error_of_ours(
    stubs: Stubs, code: str, kind: type[MaasError]
) -> None:
    stubs.fail(stubs.batch, "describe_jobs", code, "Some words.")
    with pytest.raises(kind, match=r"batch:DescribeJobs|credentials"):
        stubs.cloud.job("j1")


def test_opening_contacts_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    open_training_cloud("eu-central-1")
    assert open_bucket("jobs").name == "jobs"
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(SettingsError, match="nobody"):
        open_training_cloud("eu-central-1")
    with pytest.raises(SettingsError, match="nobody"):
        open_bucket("jobs", "eu-central-1")
