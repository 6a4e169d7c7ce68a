"""The calls to AWS with botocore's own stubs: what is asked, understood and refused."""

import io
import json
from typing import Any

import botocore.exceptions
import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber
from support.aws_session import aws_session

from maas.errors import MaasError, NotFoundError, RefusedError, SettingsError, TryAgainError
from maas_lab.aws import Cloud, client_config, configured_region, open_cloud
from maas_lab.stack.aws_answers import LiveAlias, VersionState
from maas_lab.stack.aws_errors import our_errors

STACK = {
    "StackName": "maas",
    "StackId": "arn:aws:cloudformation:eu-central-1:123456789012:stack/maas/1",
    "CreationTime": "2030-01-02T03:04:05Z",
    "StackStatus": "UPDATE_COMPLETE",
    "Description": "maas: Model as a Service.",
    "Outputs": [{"OutputKey": "Url", "OutputValue": "https://x/prod/", "ExportName": "u"}],
}


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")


class Stubs:
    """A cloud whose clients answer what was put in."""

    def __init__(self) -> None:
        session = aws_session()
        self.sts, self.functions = session.client("sts"), session.client("lambda")
        self.gateway = session.client("apigateway")
        self.stacks, self.dynamodb = session.client("cloudformation"), session.client("dynamodb")
        self.cloud = Cloud(
            sts=self.sts,
            cloudformation=self.stacks,
            functions=self.functions,
            dynamodb=self.dynamodb,
            gateway=self.gateway,
        )

    def put(self, client: Any, call: str, answer: dict[str, Any], asked: dict[str, Any]) -> None:  # noqa: ANN401
        stub = Stubber(client)
        stub.add_response(call, answer, asked)
        stub.activate()

    def fail(self, client: Any, call: str, code: str, message: str = "no") -> None:  # noqa: ANN401
        stub = Stubber(client)
        stub.add_client_error(call, code, message)
        stub.activate()


@pytest.fixture
def stubs() -> Stubs:
    return Stubs()


def payload(answer: object) -> StreamingBody:
    data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return StreamingBody(io.BytesIO(data), len(data))


def test_whose_credentials_these_are(stubs: Stubs) -> None:
    arn = "arn:aws:iam::123456789012:user/ada"
    answer = {"UserId": "AIDA", "Account": "123456789012", "Arn": arn}
    stubs.put(stubs.sts, "get_caller_identity", answer, {})
    assert stubs.cloud.identity().account == "123456789012"


def test_a_stack_and_its_outputs(stubs: Stubs) -> None:
    stubs.put(stubs.stacks, "describe_stacks", {"Stacks": [STACK]}, {"StackName": "maas"})
    stack = stubs.cloud.stack("maas")
    assert stack is not None
    assert (stack.status, stack.busy, stack.outputs) == (
        "UPDATE_COMPLETE",
        False,
        {"Url": "https://x/prod/"},
    )


@pytest.mark.parametrize("status", ["DELETE_COMPLETE", "REVIEW_IN_PROGRESS"])
def test_a_stack_that_is_gone_or_was_never_made_is_none(stubs: Stubs, status: str) -> None:
    stubs.put(
        stubs.stacks,
        "describe_stacks",
        {"Stacks": [STACK | {"StackStatus": status}]},
        {"StackName": "maas"},
    )
    assert stubs.cloud.stack("maas") is None


def test_a_stack_that_is_not_there_is_none_and_another_complaint_is_not(stubs: Stubs) -> None:
    stubs.fail(stubs.stacks, "describe_stacks", "ValidationError", "Stack with id x does not exist")
    assert stubs.cloud.stack("x") is None
    other = Stubs()
    other.fail(other.stacks, "describe_stacks", "ValidationError", "1 validation error detected")
    with pytest.raises(RefusedError, match="1 validation error"):
        other.cloud.stack("x")


def test_where_an_alias_points(stubs: Stubs) -> None:
    routing = {"AdditionalVersionWeights": {"6": 0.1}}
    stubs.put(
        stubs.functions,
        "get_alias",
        {"Name": "live", "FunctionVersion": "7", "RoutingConfig": routing},
        {"FunctionName": "f", "Name": "live"},
    )
    assert stubs.cloud.alias("f", "live") == LiveAlias("7", {"6": 0.1})
    gone = Stubs()
    gone.fail(gone.functions, "get_alias", "ResourceNotFoundException")
    assert gone.cloud.alias("f", "live") is None


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (
            {"State": "Pending", "StateReason": "creating"},
            VersionState("Pending", "creating", False),
        ),
        (
            {
                "State": "Active",
                "SnapStart": {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"},
            },
            VersionState("Active", "", True),
        ),
        (
            {
                "State": "Active",
                "SnapStart": {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"},
            },
            VersionState("Active", "", False),
        ),
        (
            {"State": "Active", "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"}},
            VersionState("Active", "", False),
        ),
    ],
)
def test_how_far_a_version_is(stubs: Stubs, answer: dict[str, Any], state: VersionState) -> None:
    asked = {"FunctionName": "f", "Qualifier": "7"}
    stubs.put(stubs.functions, "get_function_configuration", answer, asked)
    assert stubs.cloud.version("f", "7") == state


def test_what_a_function_answers(stubs: Stubs) -> None:
    answer = {"StatusCode": 200, "ExecutedVersion": "7", "Payload": payload({"statusCode": 200})}
    asked = {"FunctionName": "f", "Qualifier": "live", "Payload": b'{"path": "/health"}'}
    stubs.put(stubs.functions, "invoke", answer, asked)
    said = stubs.cloud.invoke("f", "live", {"path": "/health"})
    assert (said.version, said.payload, said.error) == ("7", {"statusCode": 200}, "")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (
            {
                "FunctionError": "Unhandled",
                "Payload": {"errorType": "KeyError", "errorMessage": "'x'"},
            },
            "Unhandled KeyError: 'x'",
        ),
        ({"FunctionError": "Unhandled", "Payload": b""}, "Unhandled : no JSON object came back"),
        ({"Payload": b"[1]"}, "Malformed : no JSON object came back"),
    ],
)
def test_a_function_that_fails(stubs: Stubs, answer: dict[str, Any], error: str) -> None:
    answer = {"StatusCode": 200, **answer, "Payload": payload(answer["Payload"])}
    asked = {"FunctionName": "f", "Qualifier": "live", "Payload": b"{}"}
    stubs.put(stubs.functions, "invoke", answer, asked)
    said = stubs.cloud.invoke("f", "live", {})
    assert (said.payload, said.error) == ({}, error)


@pytest.mark.parametrize("role", ["", "arn:aws:iam::123456789012:role/gateway-logs"])
def test_whether_api_gateway_may_log(stubs: Stubs, role: str) -> None:
    stubs.put(stubs.gateway, "get_account", {"cloudwatchRoleArn": role} if role else {}, {})
    assert stubs.cloud.gateway_logs() is bool(role)


def test_whether_a_table_is_there(stubs: Stubs) -> None:
    table = {"TableName": "maas", "TableStatus": "DELETING"}
    stubs.put(stubs.dynamodb, "describe_table", {"Table": table}, {"TableName": "maas"})
    assert not stubs.cloud.has_table("maas")
    gone = Stubs()
    gone.fail(gone.dynamodb, "describe_table", "ResourceNotFoundException")
    assert not gone.cloud.has_table("maas")


@pytest.mark.parametrize(
    ("code", "kind", "exit_code"),
    [
        ("ExpiredToken", SettingsError, 2),
        ("UnrecognizedClientException", SettingsError, 2),
        ("AccessDenied", RefusedError, 3),
        ("ThrottlingException", TryAgainError, 5),
        ("SnapStartNotReadyException", TryAgainError, 5),
        ("ResourceNotFoundException", NotFoundError, 3),
        ("SomethingNewException", RefusedError, 3),
    ],
)
def test_what_aws_refuses_becomes_an_error_of_ours(
    stubs: Stubs, code: str, kind: type[MaasError], exit_code: int
) -> None:
    stubs.fail(stubs.functions, "invoke", code, "Some words.")
    with pytest.raises(kind, match=r"lambda:InvokeFunction|credentials") as error:
        stubs.cloud.invoke("f", "live", {})
    assert error.value.exit_code == exit_code


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (botocore.exceptions.NoCredentialsError(), SettingsError),
        (botocore.exceptions.ProfileNotFound(profile="x"), SettingsError),
        (botocore.exceptions.ConnectTimeoutError(endpoint_url="https://x"), TryAgainError),
        (botocore.exceptions.EndpointConnectionError(endpoint_url="https://x"), TryAgainError),
    ],
)
def test_what_never_reaches_aws_becomes_an_error_of_ours(
    fault: Exception, kind: type[MaasError]
) -> None:
    with pytest.raises(kind), our_errors("sts:GetCallerIdentity"):
        raise fault


def test_the_clients_are_bounded_and_contact_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    open_cloud("eu-central-1")
    config = vars(client_config(1))
    assert (config["connect_timeout"], config["read_timeout"]) == (5, 60)
    assert config["retries"]["total_max_attempts"] == 1
    assert configured_region() == ""
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(SettingsError, match="nobody"):
        open_cloud("eu-central-1")
