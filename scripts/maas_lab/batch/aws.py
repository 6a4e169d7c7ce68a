"""The few calls to AWS Batch and CloudWatch Logs that a training needs, typed and bounded.

Imports boto3, as `maas_lab.aws` does, whose bounds and errors it shares; `mypy`'s stubs.

    cloud = open_training_cloud("eu-central-1")
    for job in cloud.jobs("maas-training", "sentiment-s1-3f2a"): ...
    cloud.job(job_id).status                                   # "RUNNING"
    cloud.log_page("/aws/batch/maas-training", stream, token)  # what was written since
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3

from maas.errors import NotFoundError
from maas_lab.aws import TRIES, client_config
from maas_lab.batch.bucket import Bucket
from maas_lab.stack.aws_errors import our_errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_batch import BatchClient
    from mypy_boto3_batch.type_defs import JobDetailTypeDef
    from mypy_boto3_logs import CloudWatchLogsClient

ENDED = frozenset(("SUCCEEDED", "FAILED"))


@dataclass(frozen=True, slots=True)
class ListedJob:
    """A job as a list of Batch shows it.

    Attributes:
        id: Batch's.
        status: SUBMITTED, PENDING, RUNNABLE, STARTING, RUNNING, SUCCEEDED or FAILED.
        created: When it was submitted, in milliseconds since 1970.
    """

    id: str
    status: str
    created: int

    @property
    def active(self) -> bool:
        """Whether it may still run."""
        return self.status not in ENDED


@dataclass(frozen=True, slots=True)
class Attempt:
    """A start of a job that is over.

    Attributes:
        reason: Why it ended, where Batch says it, such as "Host EC2 (instance i-…) terminated."
        exit_code: The container's; None where the machine went away first.
        stream: The log stream; empty where the container never started.
    """

    reason: str
    exit_code: int | None
    stream: str


@dataclass(frozen=True, slots=True)
class JobState:
    """How far a job is.

    Attributes:
        id: Batch's.
        status: See `ListedJob`.
        reason: Why it is so, where Batch says it.
        stream: The log stream of the present attempt; empty before it starts.
        attempts: Those that are over, in order.
        nodes: Machines that it runs on at once.
    """

    id: str
    status: str
    reason: str
    stream: str
    attempts: tuple[Attempt, ...]
    nodes: int

    @property
    def ended(self) -> bool:
        """Whether nothing of it will run any more."""
        return self.status in ENDED


@dataclass(frozen=True, slots=True)
class LogPage:
    """Some lines of a log stream.

    Attributes:
        lines: In order.
        token: Where the next page begins; the same again when there is nothing more by now.
    """

    lines: tuple[str, ...]
    token: str


class TrainingCloud:
    """Batch and its logs in one account and region. It raises what `maas_lab.aws.Cloud` raises.

    Args:
        batch: boto3's client.
        logs: See `batch`.
    """

    def __init__(self, *, batch: "BatchClient", logs: "CloudWatchLogsClient") -> None:
        self._batch = batch
        self._logs = logs

    def jobs(self, queue: str, name: str) -> list[ListedJob]:
        """The jobs of this name, the oldest first; Batch forgets those that ended a week ago."""
        with our_errors("batch:ListJobs"):
            pages = self._batch.get_paginator("list_jobs").paginate(
                jobQueue=queue, filters=[{"name": "JOB_NAME", "values": [name]}]
            )
            found = [
                ListedJob(entry["jobId"], entry.get("status", "SUBMITTED"), entry["createdAt"])
                for page in pages
                for entry in page["jobSummaryList"]
                if entry["jobName"] == name  # the filter does not tell upper from lower case
            ]
        return sorted(found, key=lambda job: (job.created, job.id))

    def submit(
        self, *, queue: str, definition: str, name: str, parameters: "Mapping[str, str]"
    ) -> str:
        """Put a job into a queue; its id."""
        with our_errors("batch:SubmitJob"):
            answer = self._batch.submit_job(
                jobName=name,
                jobQueue=queue,
                jobDefinition=definition,
                parameters=dict(parameters),
                tags={"maas:job": name},
                propagateTags=True,
            )
        return answer["jobId"]

    def job(self, job: str) -> JobState:
        """Ask how far a job is.

        Raises:
            NotFoundError: Batch does not know it, or no more.
        """
        with our_errors("batch:DescribeJobs"):
            found = self._batch.describe_jobs(jobs=[job])["jobs"]
        if not found:
            raise NotFoundError(f"AWS Batch knows no job {job}; it forgets them after a week.")
        return _state(found[0])

    def stop(self, job: str, reason: str) -> None:
        """End a job, whether it runs or waits."""
        with our_errors("batch:TerminateJob"):
            self._batch.terminate_job(jobId=job, reason=reason)

    def log_page(self, group: str, stream: str, token: str) -> LogPage:
        """Read on in a log stream.

        Args:
            group: The log group.
            stream: Whose; it is made when the first line is written.
            token: Of the page before; empty for the beginning.
        """
        try:
            with our_errors("logs:GetLogEvents"):
                if token:
                    answer = self._logs.get_log_events(
                        logGroupName=group, logStreamName=stream, startFromHead=True,
                        nextToken=token,
                    )  # fmt: skip
                else:
                    answer = self._logs.get_log_events(
                        logGroupName=group, logStreamName=stream, startFromHead=True
                    )
        except NotFoundError:
            return LogPage((), token)
        lines = tuple(event.get("message", "") for event in answer["events"])
        return LogPage(lines, answer["nextForwardToken"])


def open_training_cloud(region: str) -> TrainingCloud:
    """Make the clients; nothing is contacted yet.

    Raises:
        SettingsError: AWS_PROFILE names a profile that is not there.
    """
    with our_errors("the credentials"):
        session = boto3.Session(region_name=region)
        return TrainingCloud(
            batch=session.client("batch", config=client_config(TRIES)),
            logs=session.client("logs", config=client_config(TRIES)),
        )


def open_bucket(name: str, region: str | None = None) -> Bucket:
    """Make S3's client for a bucket; nothing is contacted yet.

    Args:
        name: The bucket's.
        region: AWS's; None leaves it to AWS_DEFAULT_REGION, as inside a job.

    Raises:
        SettingsError: See `open_training_cloud`, or no region is named anywhere.
    """
    with our_errors("the credentials"):
        session = boto3.Session(region_name=region)
        return Bucket(session.client("s3", config=client_config(TRIES)), name)


def _state(found: "JobDetailTypeDef") -> JobState:
    attempts = tuple(
        Attempt(
            each.get("statusReason", "") or each.get("container", {}).get("reason", ""),
            each.get("container", {}).get("exitCode"),
            each.get("container", {}).get("logStreamName", ""),
        )
        for each in found.get("attempts", ())
    )
    return JobState(
        id=found["jobId"],
        status=found["status"],
        reason=found.get("statusReason", ""),
        stream=found.get("container", {}).get("logStreamName", ""),
        attempts=attempts,
        nodes=found.get("nodeProperties", {}).get("numNodes", 1),
    )
