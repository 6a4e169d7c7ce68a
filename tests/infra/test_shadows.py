"""What the parameter Shadows adds to the stack, and that without it there is nothing of it."""

import json
from typing import Any

import pytest
from support.stack import Stack, translate

from maas.settings import Settings
from maas.shadow.message import MESSAGE_BYTES

MODELS = ("sentiment", "spam")
KINDS = (
    *("AWS::SQS::Queue", "AWS::Lambda::Function", "AWS::Lambda::Version", "AWS::Lambda::Alias"),
    *("AWS::Lambda::EventSourceMapping", "AWS::IAM::Role", "AWS::Logs::LogGroup"),
)


@pytest.fixture(scope="module")
def on() -> Stack:
    return translate(MODELS, Shadows="on")


@pytest.fixture(scope="module")
def off() -> Stack:
    return translate(MODELS)


def shadows(stack: Stack) -> dict[str, Any]:
    """The functions, of which the names are those of models."""
    functions = stack.of("AWS::Lambda::Function")
    return {model: functions[f"Model{model}ShadowFunction"] for model in MODELS}


def queue_of(stack: Stack, model: str) -> Any:  # noqa: ANN401
    return stack.of("AWS::SQS::Queue")[f"Model{model}ShadowQueue"]


def test_it_is_off_until_asked_for_and_then_nothing_of_it_is_there(off: Stack) -> None:
    assert not off.of("AWS::SQS::Queue")
    assert not off.of("AWS::Lambda::EventSourceMapping")
    assert "shadow" not in json.dumps(off.resources).lower().replace("maas_shadow_queue", "")
    for model in MODELS:
        variables = off.of("AWS::Lambda::Function")[f"Model{model}Function"]["Environment"]
        assert variables["Variables"]["MAAS_SHADOW_QUEUE"] == ""
        assert "sqs:" not in json.dumps(off.statements()[f"Model{model}Role"])
    assert Settings.parse({"MAAS_SHADOW_QUEUE": ""}).shadow_queue == ""


def test_what_it_adds_per_model(on: Stack, off: Stack) -> None:
    added = sorted(
        resource["Type"] for name, resource in on.resources.items() if name not in off.resources
    )
    assert added == sorted(KINDS * len(MODELS))


@pytest.mark.parametrize("model", MODELS)
def test_requests_lie_encrypted_for_an_hour_at_the_most(on: Stack, model: str) -> None:
    queue = queue_of(on, model)
    assert queue["KmsMasterKeyId"] == "alias/aws/sqs"
    assert queue["MessageRetentionPeriod"] <= 3_600
    # A queue for what failed would keep them longer
    assert "RedrivePolicy" not in queue
    assert queue["VisibilityTimeout"] >= 6 * shadows(on)[model]["Timeout"]
    assert MESSAGE_BYTES < 262_144  # what SQS takes


@pytest.mark.parametrize("model", MODELS)
def test_a_model_may_send_to_its_own_queue_alone(on: Stack, off: Stack, model: str) -> None:
    before, after = (stack.statements()[f"Model{model}Role"] for stack in (off, on))
    assert after == [
        *before,
        {
            "Sid": "SendToOwnShadow",
            "Effect": "Allow",
            "Action": "sqs:SendMessage",
            "Resource": f"<Model{model}ShadowQueue.Arn>",
        },
    ]
    variables = on.of("AWS::Lambda::Function")[f"Model{model}Function"]["Environment"]["Variables"]
    assert variables["MAAS_SHADOW_QUEUE"] == f"<Model{model}ShadowQueue>"


@pytest.mark.parametrize("model", MODELS)
def test_its_shadow_may_read_that_queue_and_write_its_own_log(on: Stack, model: str) -> None:
    reads, log, traces = on.statements()[f"Model{model}ShadowRole"]
    assert reads["Action"] == ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
    assert reads["Resource"] == f"<Model{model}ShadowQueue.Arn>"
    assert log["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert log["Resource"].endswith(f":log-group:/aws/lambda/maas-shadow-{model}:*")
    assert {action.split(":")[0] for action in traces["Action"]} == {"xray"}


@pytest.mark.parametrize("model", MODELS)
def test_a_shadow_is_its_models_code_with_no_way_to_callers(on: Stack, model: str) -> None:
    function = shadows(on)[model]
    own = on.of("AWS::Lambda::Function")[f"Model{model}Function"]
    for same in ("Runtime", "Architectures", "MemorySize", "Timeout", "TracingConfig", "Layers"):
        assert function[same] == own[same]
    assert function["LoggingConfig"] == {"LogGroup": f"<Model{model}ShadowLog>"}
    settings = Settings.parse(function["Environment"]["Variables"])
    assert (settings.model, str(settings.bundles)) == (model, "/opt/models")
    (mapping,) = [
        each
        for each in on.of("AWS::Lambda::EventSourceMapping").values()
        if model in each["EventSourceArn"]
    ]
    assert mapping["EventSourceArn"] == f"<Model{model}ShadowQueue.Arn>"
    assert mapping["FunctionName"] == f"<Model{model}ShadowFunctionAliaslive>"
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 2}
    # Nobody else calls it
    assert "Shadow" not in json.dumps(on.of("AWS::Lambda::Permission"))
    assert "Shadow" not in json.dumps(sorted(map(str, on.methods().values())))
