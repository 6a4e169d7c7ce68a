"""AWS as deploying sees it: boto3's own clients, answered in this process; functions are real.

    aws = AwsStandIn(project, sam, registry="sqlite:///…", folder=tmp_path / "aws")
    cloud = aws.cloud()                  # a Cloud whose calls end here

Every answer is checked against botocore's own description of the service. A deployment by the
stand-in `sam` publishes a version of each function: the handler that Lambda would run, over a copy
of what was packaged then.
"""

import functools
import io
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.response import StreamingBody
from botocore.validate import ParamValidator
from support.aws_session import REGION, aws_session
from support.doors import LambdaContext
from support.sam_stand_in import SamStandIn

from maas.http.catalog_entry import build_catalog_handler
from maas.http.entry import build_handler
from maas.settings import Settings
from maas_lab.aws import Cloud
from maas_lab.packing.project import Project

Event = dict[str, Any]
Handler = Callable[[Event, object], Event]
ACCOUNT = "123456789012"
TIMED_OUT = {
    "errorType": "Sandbox.Timedout",
    "errorMessage": "RequestId: 1 Error: Task timed out after 15.00 seconds",
}
NO_MODULE = {"errorType": "Runtime.ImportModuleError", "errorMessage": "No module named 'app'"}


class RefusalError(Exception):
    """An error that AWS answers with."""

    def __init__(self, code: str, message: str = "no", status: int = 400) -> None:
        super().__init__(code)
        self.code, self.message, self.status = code, message, status


@dataclass
class FunctionStandIn:
    """A function with its versions and its alias `live`.

    Attributes:
        versions: Handlers by version.
        live: Where the alias points.
        others: Its further versions with their share.
        pending: How many looks find the live version pending.
        snapshots: How many more find it waiting for its snapshot.
        forgets: Whether former versions are deleted, as `VersionDeletionPolicy: Delete` does.
        faults: What the next invocations end with: a refusal, or a function error's payload.
    """

    versions: dict[str, Handler] = field(default_factory=dict)
    live: str = ""
    others: dict[str, float] = field(default_factory=dict)
    state: str = "Active"
    published: int = 0
    forgets: bool = False
    pending: int = 0
    snapshots: int = 0
    faults: list[Exception | dict[str, str]] = field(default_factory=list)
    invoked: list[str] = field(default_factory=list)

    def publish(self, handler: Handler) -> None:
        """Make a new version; the alias points at it."""
        self.published += 1
        self.live = str(self.published)
        self.versions = {self.live: handler} | ({} if self.forgets else self.versions)


class AwsStandIn:
    """One account and region with at most one stack.

    Args:
        project: What is deployed.
        sam: What deploys it.
        registry: The URL that the functions find the table at.
        folder: Where what they carry is kept.
        stack: The stack's name.
    """

    def __init__(
        self,
        project: Project,
        sam: SamStandIn,
        *,
        registry: str,
        folder: Path,
        stack: str = "maas",
    ) -> None:
        self._project = project
        self._sam = sam
        self._registry = registry
        self.folder = folder
        self._seen = 0
        self.stack = stack
        self.status = ""
        self.table = False
        self.protected = True
        self.updating = 0
        self.functions: dict[str, FunctionStandIn] = {}
        self.description = "maas: Model as a Service."
        self.outputs = True
        self.log_role = ""
        self.refusals: dict[str, Exception] = {}
        self.asked: list[str] = []
        self.create_table: Callable[[], object] = lambda: None
        self.wrap: Callable[[str, Handler], Handler] = lambda _, handler: handler

    def cloud(self, region: str = REGION) -> Cloud:
        """The clients, with keys that open nothing."""
        session = aws_session(region)
        sts, stacks = session.client("sts"), session.client("cloudformation")
        functions, dynamodb = session.client("lambda"), session.client("dynamodb")
        gateway = session.client("apigateway")
        answer: Any = self._answer  # its result counts, whatever the stubs say
        for client in (sts, stacks, functions, dynamodb, gateway):
            client.meta.events.register("provide-client-params.*.*", self._remember)
            client.meta.events.register("before-call.*.*", answer)
        return Cloud(
            sts=sts,
            cloudformation=stacks,
            functions=functions,
            dynamodb=dynamodb,
            gateway=gateway,
        )

    def _remember(self, params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        context["asked"] = params

    def _answer(self, model: Any, context: dict[str, Any], **_: object) -> object:  # noqa: ANN401
        self._follow_sam()
        self.asked.append(model.name)
        try:
            if refusal := self.refusals.get(model.name):
                raise refusal
            parsed = getattr(self, f"_{model.name}")(**context["asked"])
        except RefusalError as refusal:
            error = {"Error": {"Code": refusal.code, "Message": refusal.message}}
            return AWSResponse("https://stand-in", refusal.status, HTTPHeaders(), None), error
        report = ParamValidator().validate(
            {name: value for name, value in parsed.items() if name != "Payload"}, model.output_shape
        )
        assert not report.has_errors(), report.generate_report()
        return AWSResponse("https://stand-in", 200, HTTPHeaders(), None), parsed

    def _follow_sam(self) -> None:
        done = self._sam.done
        for call in done[self._seen :]:
            if call.startswith("deploy "):
                self._deploy()
            if call.startswith("delete "):
                self.status = ""
                self.functions = {}
        self._seen = len(done)

    def _deploy(self) -> None:
        self.status = "UPDATE_COMPLETE" if self.status else "CREATE_COMPLETE"
        if not self.table:
            self.create_table()
        self.table = True
        opt = self.folder / str(self._seen) / "models"
        shutil.copytree(self._project.models, opt)
        models = sorted(path.parent.name for path in opt.glob("*/served.json"))
        for model in models:
            environ = {
                "MAAS_MODEL": model,
                "MAAS_BUNDLES": str(opt),
                **self._environ(),
            }
            settings = Settings.parse(environ)
            self._publish(f"{self.stack}-model-{model}", _cold(build_handler, settings))
        settings = Settings.parse(self._environ())
        self._publish(f"{self.stack}-catalog", _cold(build_catalog_handler, settings))
        kept = {f"{self.stack}-model-{model}" for model in models} | {f"{self.stack}-catalog"}
        self.functions = {name: f for name, f in self.functions.items() if name in kept}

    def _environ(self) -> dict[str, str]:
        aws = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        return {"MAAS_REGISTRY": self._registry, "MAAS_HOME": str(self.folder), **aws}

    def _publish(self, name: str, handler: Handler) -> None:
        function = self.functions.setdefault(name, FunctionStandIn())
        function.publish(self.wrap(name, handler))

    # ---- What is answered, named as boto3 names it ----------------------------------------------

    def _GetCallerIdentity(self) -> Event:  # noqa: N802
        arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/ada"
        return {"UserId": "AROAEXAMPLE:ada", "Account": ACCOUNT, "Arn": arn}

    def _DescribeStacks(self, StackName: str) -> Event:  # noqa: N802, N803
        if not self.status or StackName != self.stack:
            raise RefusalError("ValidationError", f"Stack with id {StackName} does not exist")
        url = "https://abc123.execute-api.eu-central-1.amazonaws.com/prod/"
        outputs = {
            "Url": url,
            "ApiKeyId": "k3y1d",
            "Table": f"{self.stack}-registry",
            "RegistryUrl": f"dynamodb://{self.stack}-registry",
        }
        stack = {
            "StackName": StackName,
            "CreationTime": "2030-01-02T03:04:05Z",
            "StackStatus": self.status,
            "Description": self.description,
            "Outputs": [{"OutputKey": k, "OutputValue": v} for k, v in outputs.items()]
            if self.outputs
            else [],
        }
        return {"Stacks": [stack]}

    def _GetAccount(self) -> Event:  # noqa: N802
        return {"cloudwatchRoleArn": self.log_role} if self.log_role else {}

    def _GetAlias(self, FunctionName: str, Name: str) -> Event:  # noqa: N802, N803
        function = self._function(FunctionName)
        answer: Event = {"Name": Name, "FunctionVersion": function.live}
        if function.others:
            answer["RoutingConfig"] = {"AdditionalVersionWeights": dict(function.others)}
            function.others = {}
        return answer

    def _GetFunctionConfiguration(self, FunctionName: str, Qualifier: str) -> Event:  # noqa: N802, N803
        function = self._function(FunctionName)
        if Qualifier not in function.versions:
            raise RefusalError("ResourceNotFoundException", "no such version", 404)
        answer: Event = {"FunctionName": FunctionName, "Version": Qualifier}
        if function.pending:
            function.pending -= 1
            return answer | {"State": "Pending", "StateReason": "The function is being created."}
        if function.snapshots:
            function.snapshots -= 1
            snapshot = {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"}
            return answer | {"State": "Active", "SnapStart": snapshot}
        return answer | {"State": function.state, "StateReason": "it does not start"}

    def _Invoke(self, FunctionName: str, Qualifier: str, Payload: bytes) -> Event:  # noqa: N802, N803
        function = self._function(FunctionName)
        assert Qualifier == "live"
        event = json.loads(Payload)
        function.invoked.append(event["path"])
        answer: Event = {"StatusCode": 200, "ExecutedVersion": function.live}
        if function.faults:
            fault = function.faults.pop(0)
            if isinstance(fault, Exception):
                raise fault
            return answer | {"FunctionError": "Unhandled", "Payload": _body(fault)}
        handler = function.versions[function.live]
        return answer | {"Payload": _body(handler(event, LambdaContext()))}

    def _DescribeTable(self, TableName: str) -> Event:  # noqa: N802, N803
        if not self.table or TableName != f"{self.stack}-registry":
            raise RefusalError("ResourceNotFoundException", f"Table: {TableName} not found")
        return {"Table": {"TableName": TableName, "TableStatus": "ACTIVE"}}

    def _UpdateTable(self, TableName: str, DeletionProtectionEnabled: bool) -> Event:  # noqa: N802, N803
        self.protected = DeletionProtectionEnabled
        return {"TableDescription": self._DescribeTable(TableName)["Table"]}

    def _DeleteTable(self, TableName: str) -> Event:  # noqa: N802, N803
        if self.protected:
            raise RefusalError("ValidationException", "Table is protected against deletion")
        if self.updating:
            self.updating -= 1
            raise RefusalError("ResourceInUseException", "Table is being updated")
        self.table = False
        return {}

    def _function(self, name: str) -> FunctionStandIn:
        if name not in self.functions:
            raise RefusalError("ResourceNotFoundException", f"Function not found: {name}", 404)
        return self.functions[name]


def _cold(build: Callable[[Settings], Handler], settings: Settings) -> Handler:
    """A function that starts with its first request."""
    started = functools.cache(build)

    def handler(event: Event, context: object) -> Event:
        return started(settings)(event, context)

    return handler


def _body(answer: object) -> StreamingBody:
    data = json.dumps(answer).encode()
    return StreamingBody(io.BytesIO(data), len(data))
