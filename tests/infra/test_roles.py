"""Least privilege (P10, S26 to S28): what each role may do, on what, and that this is all."""

import json
import re

import pytest
from support.stack import Stack, translate

MODELS = ("sentiment", "spam")
READS = {"dynamodb:GetItem", "dynamodb:Query"}


@pytest.fixture(scope="module")
def stack() -> Stack:
    return translate(MODELS)


def actions(statement: dict[str, object]) -> list[str]:
    asked = statement["Action"]
    return [asked] if isinstance(asked, str) else list(asked)  # type: ignore[call-overload]


def test_each_function_has_a_role_that_nobody_else_has(stack: Stack) -> None:
    roles = {name: f["Role"] for name, f in stack.of("AWS::Lambda::Function").items()}
    assert roles == {
        "ModelsentimentFunction": "<ModelsentimentRole.Arn>",
        "ModelspamFunction": "<ModelspamRole.Arn>",
        "CatalogFunction": "<CatalogRole.Arn>",
    }
    assert set(stack.of("AWS::IAM::Role")) == {r.strip("<>").split(".")[0] for r in roles.values()}


def test_only_lambda_may_take_a_role_and_all_that_it_allows_is_written_here(stack: Stack) -> None:
    for role in stack.of("AWS::IAM::Role").values():
        assert role.keys() == {"AssumeRolePolicyDocument", "Policies"}  # no managed policy
        (trusted,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert trusted["Principal"] == {"Service": "lambda.amazonaws.com"}
        assert trusted["Action"] == "sts:AssumeRole"
    assert not stack.of("AWS::IAM::Policy")
    assert not stack.of("AWS::IAM::ManagedPolicy")


def test_no_action_is_a_pattern_and_only_xray_has_no_resource(stack: Stack) -> None:
    for statements in stack.statements().values():
        for statement in statements:
            assert statement["Effect"] == "Allow"
            assert "NotAction" not in statement
            assert "NotResource" not in statement
            assert not [action for action in actions(statement) if "*" in action]
            if all(action.startswith("xray:Put") for action in actions(statement)):
                assert statement["Resource"] == "*"
            else:
                resources = statement["Resource"]
                for resource in [resources] if isinstance(resources, str) else resources:
                    # A log group's streams are all that may be left open
                    assert re.fullmatch(r"<Registry\.Arn>[\w/]*|arn:aws:logs:[^*]+:\*", resource)


def test_no_role_can_write_or_restore_the_table(stack: Stack) -> None:
    allowed = {a for role in stack.statements().values() for s in role for a in actions(s)}
    assert {action for action in allowed if action.startswith("dynamodb:")} == READS
    assert {action.split(":")[0] for action in allowed} == {"dynamodb", "logs", "xray"}


@pytest.mark.parametrize("model", MODELS)
def test_a_model_reads_its_own_partition_and_writes_its_own_log(stack: Stack, model: str) -> None:
    log = f"arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/maas-model-{model}:*"
    assert stack.statements()[f"Model{model}Role"] == [
        {
            "Sid": "ReadOwnPolicy",
            "Effect": "Allow",
            "Action": "dynamodb:GetItem",
            "Resource": "<Registry.Arn>",
            "Condition": {
                "ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [f"MODEL#{model}"]}
            },
        },
        {
            "Sid": "WriteOwnLog",
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": log,
        },
        {
            "Sid": "SendTraces",
            "Effect": "Allow",
            "Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
            "Resource": "*",
        },
    ]
    (group,) = [g for g in stack.of("AWS::Logs::LogGroup").values() if model in json.dumps(g)]
    assert log.endswith(f":{group['LogGroupName']}:*")


def test_the_catalog_reads_the_registry_and_its_index(stack: Stack) -> None:
    reads, log, _traces = stack.statements()["CatalogRole"]
    assert reads["Action"] == ["dynamodb:GetItem", "dynamodb:Query"]
    assert reads["Resource"] == ["<Registry.Arn>", "<Registry.Arn>/index/listed"]
    assert log["Resource"].endswith(":log-group:/aws/lambda/maas-catalog:*")


def test_only_this_api_may_call_a_function(stack: Stack) -> None:
    permissions = stack.of("AWS::Lambda::Permission").values()
    assert len(permissions) == len(stack.methods())
    for permission in permissions:
        assert permission["Principal"] == "apigateway.amazonaws.com"
        assert permission["Action"] == "lambda:InvokeFunction"
        assert permission["FunctionName"].endswith("Aliaslive>")
        assert permission["SourceArn"].startswith(
            "arn:aws:execute-api:eu-west-1:123456789012:<Api>/"
        )
