"""The few calls to AWS that deploying needs, typed and bounded; their errors become ours.

Imports boto3, as `stack.aws_errors` does and no other module of the lab; and the lab.

    cloud = open_cloud("eu-central-1")
    cloud.identity()                                   # Identity("123456789012", "arn:…")
    stack = cloud.stack("maas")                        # None where there is none
    cloud.invoke("maas-catalog", "live", event)        # Answer(version="7", payload={…}, error="")
"""

import json
from typing import TYPE_CHECKING, Any

import boto3
import botocore.exceptions as faults
from botocore.config import Config

from maas_lab.stack.aws_answers import Answer, Identity, LiveAlias, Stack, VersionState
from maas_lab.stack.aws_errors import ABSENT, code_of, message_of, our_errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sts import STSClient

CONNECT_SECONDS = 5
READ_SECONDS = 60
"""Above a function's timeout of 15 s and a cold start before it."""
TRIES = 3


class Cloud:
    """One account and region.

    Every method raises `SettingsError` for credentials that AWS does not take, `RefusedError` for
    what it does not allow, and `TryAgainError` where it does not answer or is too busy.

    Args:
        sts: boto3's clients.
        cloudformation: See `sts`.
        functions: Lambda's.
        dynamodb: See `sts`.
        gateway: API Gateway's.
    """

    def __init__(
        self,
        *,
        sts: "STSClient",
        cloudformation: "CloudFormationClient",
        functions: "LambdaClient",
        dynamodb: "DynamoDBClient",
        gateway: "APIGatewayClient",
    ) -> None:
        self._sts = sts
        self._stacks = cloudformation
        self._functions = functions
        self._dynamodb = dynamodb
        self._gateway = gateway

    def identity(self) -> Identity:
        """Ask AWS whose credentials these are."""
        with our_errors("sts:GetCallerIdentity"):
            answer = self._sts.get_caller_identity()
        return Identity(answer["Account"], answer["Arn"])

    def stack(self, name: str) -> Stack | None:
        """Look at a stack; None where there is none, or none any more."""
        with our_errors("cloudformation:DescribeStacks"):
            try:
                answer = self._stacks.describe_stacks(StackName=name)
            except faults.ClientError as error:
                if "does not exist" in message_of(error):
                    return None
                raise
        found = answer["Stacks"][0]
        status = found["StackStatus"]
        if status in ("DELETE_COMPLETE", "REVIEW_IN_PROGRESS"):  # the latter was never made
            return None
        outputs = {
            output.get("OutputKey", ""): output.get("OutputValue", "")
            for output in found.get("Outputs", ())
        }
        reason, description = found.get("StackStatusReason", ""), found.get("Description", "")
        return Stack(name, status, reason, description, outputs)

    def gateway_logs(self) -> bool:
        """Whether API Gateway has the role by which it logs, one for all of account and region."""
        with our_errors("apigateway:GET /account"):
            return bool(self._gateway.get_account().get("cloudwatchRoleArn"))

    def alias(self, function: str, name: str) -> LiveAlias | None:
        """Where an alias points; None where the function or the alias is not there."""
        with our_errors("lambda:GetAlias"):
            try:
                answer = self._functions.get_alias(FunctionName=function, Name=name)
            except faults.ClientError as error:
                if code_of(error) in ABSENT:
                    return None
                raise
        others = answer.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        return LiveAlias(answer["FunctionVersion"], dict(others))

    def version(self, function: str, version: str) -> VersionState | None:
        """How far a function version is; None where it is not there."""
        with our_errors("lambda:GetFunctionConfiguration"):
            try:
                answer = self._functions.get_function_configuration(
                    FunctionName=function, Qualifier=version
                )
            except faults.ClientError as error:
                if code_of(error) in ABSENT:
                    return None
                raise
        snapshot = answer.get("SnapStart", {})
        due = (
            snapshot.get("ApplyOn") == "PublishedVersions"
            and snapshot.get("OptimizationStatus") != "On"
        )
        return VersionState(
            answer.get("State", "Active"), answer.get("StateReason", ""), snapshot_due=due
        )

    def invoke(self, function: str, qualifier: str, event: "Mapping[str, object]") -> Answer:
        """Run a function once and wait for its answer.

        Raises:
            NotFoundError: There is no such function or alias.
        """
        with our_errors("lambda:InvokeFunction"):
            answer = self._functions.invoke(
                FunctionName=function, Qualifier=qualifier, Payload=json.dumps(event).encode()
            )
            data = answer["Payload"].read()
        version, fault = answer.get("ExecutedVersion", ""), answer.get("FunctionError", "")
        payload = _object(data)
        if fault or payload is None:
            kind = (payload or {}).get("errorType", "")
            text = (payload or {}).get("errorMessage", "no JSON object came back")
            return Answer(version, {}, f"{fault or 'Malformed'} {kind}: {text}"[:500])
        return Answer(version, payload, "")

    def has_table(self, name: str) -> bool:
        """Whether a table of this name is there."""
        with our_errors("dynamodb:DescribeTable"):
            try:
                answer = self._dynamodb.describe_table(TableName=name)
            except faults.ClientError as error:
                if code_of(error) in ABSENT:
                    return False
                raise
        return answer["Table"].get("TableStatus") != "DELETING"

    def unprotect_table(self, name: str) -> None:
        """Take a table's protection against deletion away."""
        with our_errors("dynamodb:UpdateTable"):
            self._dynamodb.update_table(TableName=name, DeletionProtectionEnabled=False)

    def delete_table(self, name: str) -> None:
        """Delete a table with all that is in it; `TryAgainError` while it is being updated."""
        with our_errors("dynamodb:DeleteTable"):
            self._dynamodb.delete_table(TableName=name)


def open_cloud(region: str) -> Cloud:
    """Make the clients; nothing is contacted yet.

    Raises:
        SettingsError: AWS_PROFILE names a profile that is not there.
    """
    with our_errors("the credentials"):
        session = boto3.Session(region_name=region)
        return Cloud(
            sts=session.client("sts", config=client_config(TRIES)),
            cloudformation=session.client("cloudformation", config=client_config(TRIES)),
            functions=session.client("lambda", config=client_config(1)),
            dynamodb=session.client("dynamodb", config=client_config(TRIES)),
            gateway=session.client("apigateway", config=client_config(TRIES)),
        )


def client_config(tries: int) -> Config:
    """The bounds of every call; the calls of a function are tried again by the truth check."""
    return Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": tries},
    )


def configured_region() -> str:
    """The region of boto3's own configuration (AWS_DEFAULT_REGION, the profile); else empty."""
    with our_errors("the credentials"):
        return boto3.Session().region_name or ""


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(data)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
