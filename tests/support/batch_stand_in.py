"""AWS Batch as a training sees it: boto3's own clients, answered in this process by a script.

aws = BatchStandIn()
aws.script = [step("RUNNABLE"), step("RUNNING", "s1", log={"s1": ["epoch 1"]}), step("SUCCEEDED")]
aws.training_cloud(), aws.cloud()       # whose calls end here; each DescribeJobs is one step on

Every answer is checked against botocore's own description of the service.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.validate import ParamValidator
from support.aws_session import REGION, aws_session
from support.aws_stand_in import RefusalError

from maas_lab.aws import Cloud
from maas_lab.batch.aws import TrainingCloud

QUEUE = f"arn:aws:batch:{REGION}:123456789012:job-queue/maas-training"
DEFINITION = f"arn:aws:batch:{REGION}:123456789012:job-definition/maas-training:1"
GROUP = "/aws/batch/maas-training"
OUTPUTS = {"Bucket": "jobs", "Queue": QUEUE, "JobDefinition": DEFINITION, "LogGroup": GROUP}
Event = dict[str, Any]


@dataclass
class Step:
    """What a look at a job finds.

    Attributes:
        state: The job as DescribeJobs has it, but for names.
        log: What was written meanwhile, by stream.
        does: What happens meanwhile.
    """

    state: Event
    log: dict[str, list[str]] = field(default_factory=dict)
    does: Callable[[], object] = lambda: None


def step(
    status: str,
    stream: str = "",
    *,
    reason: str = "",
    attempts: list[tuple[str, int | None, str]] | None = None,
    log: dict[str, list[str]] | None = None,
    does: Callable[[], object] = lambda: None,
) -> Step:
    """A step; an attempt is a reason, an exit code and a stream."""
    state: Event = {"status": status, "startedAt": 1}
    if reason:
        state["statusReason"] = reason
    if stream:
        state["container"] = {"logStreamName": stream}
    state["attempts"] = [
        {
            "statusReason": why,
            "container": {"logStreamName": where} | ({} if code is None else {"exitCode": code}),
        }
        for why, code, where in attempts or []
    ]
    return Step(state, log or {}, does)


@dataclass
class _Job:
    name: str
    created: int
    script: list[Step]
    status: str = "SUBMITTED"
    parameters: dict[str, str] = field(default_factory=dict)


class BatchStandIn:
    """One account and region with a stack, a queue and its logs.

    Attributes:
        script: What the next job that is submitted goes through; its last step stays.
        outputs: Of the stack; None where there is no stack.
        jobs: By id.
        log: Lines by stream.
        refusals: What the next calls of a name end with, first to last.
        asked: The names of all calls.
        hidden: Whether a list does not show jobs yet.
        submitted: Called when a job was submitted.
    """

    def __init__(self) -> None:
        self.script: list[Step] = []
        self.outputs: dict[str, str] | None = dict(OUTPUTS)
        self.jobs: dict[str, _Job] = {}
        self.log: dict[str, list[str]] = {}
        self.refusals: dict[str, list[Exception | None]] = {}
        self.asked: list[str] = []
        self.hidden = False
        self.submitted: Callable[[], object] = lambda: None
        self.page = 2
        self.nodes = 1
        self._clients: dict[str, Any] = {}

    def cloud(self, _region: str = REGION) -> Cloud:
        """The clients that read stacks; the others are asked nothing."""
        nobody: Any = None
        return Cloud(
            sts=nobody,
            cloudformation=self._client("cloudformation"),
            functions=nobody,
            dynamodb=nobody,
            gateway=nobody,
        )

    def training_cloud(self, _region: str = REGION) -> TrainingCloud:
        """The clients of Batch and its logs."""
        return TrainingCloud(batch=self._client("batch"), logs=self._client("logs"))

    def put(self, name: str, script: list[Step], *, created: int = 1) -> str:
        """Let there be a job that somebody else submitted; its id."""
        job = f"job-{len(self.jobs) + 1}"
        self.jobs[job] = _Job(name, created, script)
        return job

    def _client(self, service: str) -> Any:  # noqa: ANN401 - boto3 makes its class at run time
        if service in self._clients:
            return self._clients[service]
        session = aws_session()
        once = Config(retries={"total_max_attempts": 1})  # no waits of botocore's own
        client: Any = session.client(service, config=once)  # type: ignore[call-overload]
        client.meta.events.register("provide-client-params.*.*", self._remember)
        client.meta.events.register("before-call.*.*", self._answer)
        self._clients[service] = client
        return client

    def _remember(self, params: Event, context: Event, **_: object) -> None:
        context["asked"] = params

    def _answer(self, model: Any, context: Event, **_: object) -> object:  # noqa: ANN401
        self.asked.append(model.name)
        try:
            due = self.refusals.get(model.name, [])
            refusal = due.pop(0) if due else None
            if refusal is not None:
                raise refusal
            parsed = getattr(self, f"_{model.name}")(**context["asked"])
        except RefusalError as refused:
            error = {"Error": {"Code": refused.code, "Message": refused.message}}
            return AWSResponse("https://stand-in", refused.status, HTTPHeaders(), None), error
        report = ParamValidator().validate(parsed, model.output_shape)
        assert not report.has_errors(), report.generate_report()
        return AWSResponse("https://stand-in", 200, HTTPHeaders(), None), parsed

    # ---- What is answered, named as boto3 names it ----------------------------------------------

    def _DescribeStacks(self, StackName: str) -> Event:  # noqa: N802, N803
        if self.outputs is None:
            raise RefusalError("ValidationError", f"Stack with id {StackName} does not exist")
        stack = {
            "StackName": StackName,
            "CreationTime": "2030-01-02T03:04:05Z",
            "StackStatus": "CREATE_COMPLETE",
            "Outputs": [{"OutputKey": k, "OutputValue": v} for k, v in self.outputs.items()],
        }
        return {"Stacks": [stack]}

    def _ListJobs(  # noqa: N802
        self,
        jobQueue: str,  # noqa: N803
        filters: list[dict[str, Any]],
        nextToken: str = "0",  # noqa: N803
    ) -> Event:
        assert jobQueue.startswith("arn:aws:batch:")
        (wanted,) = filters[0]["values"]
        found = [] if self.hidden else list(self.jobs.items())
        matching = [(i, job) for i, job in found if job.name.lower() == wanted.lower()]
        begin = int(nextToken)
        shown = matching[begin : begin + self.page]
        more = {"nextToken": str(begin + self.page)} if matching[begin + self.page :] else {}
        summaries = [
            {"jobId": i, "jobName": job.name, "createdAt": job.created, "status": job.status}
            for i, job in shown
        ]
        return {"jobSummaryList": summaries, **more}

    def _SubmitJob(self, jobName: str, **asked: Any) -> Event:  # noqa: ANN401, N802, N803
        definition = asked["jobDefinition"].rpartition("/")[2].partition(":")[0]
        assert asked["jobQueue"].endswith(definition)
        assert asked["propagateTags"]
        assert asked["tags"] == {"maas:job": jobName}
        job = self.put(jobName, self.script, created=100 + len(self.jobs))
        self.jobs[job].parameters = asked["parameters"]
        self.submitted()
        return {"jobId": job, "jobName": jobName}

    def _DescribeJobs(self, jobs: list[str]) -> Event:  # noqa: N802
        (asked,) = jobs
        job = self.jobs.get(asked.partition("#")[0])
        if job is None:
            return {"jobs": []}
        if "#" not in asked:  # a look at the job itself is what moves it on
            now = job.script.pop(0) if len(job.script) > 1 else job.script[0]
            self._happen(now)
            job.status = now.state["status"]
            self._last = now
        state = dict(self._last.state)
        if self.nodes > 1 and "#" not in asked:
            nodes = {"numNodes": self.nodes, "mainNode": 0, "nodeRangeProperties": []}
            state = {k: v for k, v in state.items() if k != "container"} | {"nodeProperties": nodes}
        fixed = {
            "jobId": asked,
            "jobName": job.name,
            "jobQueue": QUEUE,
            "jobDefinition": DEFINITION,
        }
        return {"jobs": [fixed | state]}

    def _TerminateJob(self, jobId: str, reason: str) -> Event:  # noqa: N802, N803
        assert reason
        self.jobs[jobId].status = "FAILED"
        return {}

    def _GetLogEvents(  # noqa: N802
        self,
        logGroupName: str,  # noqa: N803
        logStreamName: str,  # noqa: N803
        startFromHead: bool,  # noqa: N803
        nextToken: str = "f/0",  # noqa: N803
    ) -> Event:
        assert logGroupName == GROUP
        assert startFromHead
        lines = self.log.get(logStreamName)
        if lines is None:
            raise RefusalError("ResourceNotFoundException", "The log stream does not exist.")
        begin = int(nextToken.partition("/")[2])
        shown = lines[begin : begin + self.page]
        events = [{"timestamp": 1, "message": line, "ingestionTime": 1} for line in shown]
        token = f"f/{begin + len(shown)}"
        return {"events": events, "nextForwardToken": token, "nextBackwardToken": "b/0"}

    def _happen(self, now: Step) -> None:
        for stream, lines in now.log.items():
            self.log.setdefault(stream, []).extend(lines)
        now.log = {}
        does, now.does = now.does, lambda: None
        does()
