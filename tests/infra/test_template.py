"""template.yaml as AWS receives it: what every stack of ours has, whoever deploys it."""

import json
import re
from typing import Any

import pytest
from cfnlint.api import lint_file
from support.signing import KEY, WIDE
from support.stack import PSEUDO, TEMPLATE, Stack, read_template, translate

from maas import errors
from maas.settings import Settings

MODELS = ("sentiment", "spam")
GATEWAY_CODES = {"forbidden", "quota_exceeded"}  # what only a gateway can say
OUR_KEYS = ["error", "code", "field", "request_id"]


@pytest.fixture(scope="module")
def stack() -> Stack:
    return translate(MODELS)


def our_codes() -> set[str]:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    return {kind.code for kind in kinds if issubclass(kind, errors.MaasError)}


def test_cfn_lint_finds_nothing() -> None:
    assert [str(match) for match in lint_file(TEMPLATE)] == []


def test_every_function_is_bounded_traced_and_addressed_by_its_alias(stack: Stack) -> None:
    functions = stack.of("AWS::Lambda::Function")
    assert {f["FunctionName"] for f in functions.values()} == {
        "maas-model-sentiment",
        "maas-model-spam",
        "maas-catalog",
    }
    for name, function in functions.items():
        assert function["Timeout"] == 15
        assert function["Runtime"] == "python3.13"
        assert function["Architectures"] == ["x86_64"]
        assert int(function["MemorySize"]) >= 512
        assert function["TracingConfig"] == {"Mode": "Active"}
        assert stack.resources[f"{name}Aliaslive"]["Properties"]["Name"] == "live"
    for operation in stack.methods().values():  # no caller reaches the unpublished code
        assert re.search(
            r"Aliaslive>/invocations$", operation["x-amazon-apigateway-integration"]["uri"]
        )


def test_every_function_has_a_log_group_of_its_own_that_forgets(stack: Stack) -> None:
    groups = stack.of("AWS::Logs::LogGroup")
    used = [f["LoggingConfig"]["LogGroup"] for f in stack.of("AWS::Lambda::Function").values()]
    assert sorted(used) == sorted(f"<{name}>" for name in groups)
    assert all(group["RetentionInDays"] == "30" for group in groups.values())


def test_its_environment_is_one_that_the_settings_accept(stack: Stack) -> None:
    for name, function in stack.of("AWS::Lambda::Function").items():
        variables = dict(function["Environment"]["Variables"])
        # S25: none of these may make Python or the loader take a file from elsewhere
        assert not [v for v in variables if v.startswith(("PYTHON", "LD_", "ORT_", "AWS_LAMBDA_"))]
        variables["MAAS_REGISTRY"] = variables["MAAS_REGISTRY"].replace("<Registry>", "registry")
        settings = Settings.parse(variables)
        assert settings.aws.dynamodb_endpoint == ""
        assert settings.registry == "dynamodb://maas-registry"
        if name == "CatalogFunction":
            assert settings.model is None
        else:
            assert name == f"Model{settings.model}Function"
            assert str(settings.bundles) == "/opt/models"
            assert settings.policy_ttl == 15


def test_a_signature_is_required_where_a_key_is_given_and_nowhere_else(stack: Stack) -> None:
    def said(stack: Stack) -> set[str]:
        functions = stack.of("AWS::Lambda::Function")
        return {
            functions[f"Model{model}Function"]["Environment"]["Variables"]["MAAS_REQUIRE_SIGNATURE"]
            for model in MODELS
        }

    assert said(stack) == {""}
    assert Settings.parse({"MAAS_REQUIRE_SIGNATURE": ""}).require_signature == ""
    line = KEY.public.line
    assert said(translate(MODELS, RequireSignature=line)) == {line}


@pytest.mark.parametrize(
    ("value", "taken"),
    [
        ("", True),
        (KEY.public.line, True),
        (WIDE.public.line, True),
        ("on", False),
        (KEY.public.line[:-1], False),
        (KEY.public.line + "x", False),
        (KEY.public.pem, False),
        ("key.pub", False),
    ],
    ids=["none", "P-256", "P-384", "on", "short", "long", "PEM", "a path"],
)
def test_only_what_the_function_can_read_is_taken_as_a_key(value: str, *, taken: bool) -> None:
    # CloudFormation matches the whole value
    pattern = read_template()["Parameters"]["RequireSignature"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, value)) is taken


def test_a_function_has_the_shared_layers_and_those_of_its_own_model(stack: Stack) -> None:
    def plain(layer: str) -> str:  # SAM adds a digest to a layer's id
        return re.sub(r"[0-9a-f]{10}", "", layer).strip("<>")

    layers = {
        name: [plain(layer) for layer in function["Layers"]]
        for name, function in stack.of("AWS::Lambda::Function").items()
    }
    shared = ["RuntimeLayer", "ServingLayer"]
    assert layers == {
        "ModelsentimentFunction": [*shared, "ModelsentimentLayer"],
        "ModelspamFunction": [*shared, "ModelspamLayer"],
        "CatalogFunction": shared,
    }
    folders = {v["Content"]["S3Key"] for v in stack.of("AWS::Lambda::LayerVersion").values()}
    assert folders == {
        "layers/runtime",
        "layers/serving",
        "layers/models/sentiment",
        "layers/models/spam",
    }


def test_the_table_cannot_be_lost(stack: Stack) -> None:
    (table,) = stack.of("AWS::DynamoDB::Table").values()
    assert table["DeletionProtectionEnabled"] is True
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["SSESpecification"] == {"SSEEnabled": True}
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    resource = stack.resources["Registry"]
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_f9_nothing_in_the_table_expires(stack: Stack) -> None:
    (table,) = stack.of("AWS::DynamoDB::Table").values()
    assert "TimeToLiveSpecification" not in table


def test_the_table_is_what_the_registry_writes(stack: Stack) -> None:
    (table,) = stack.of("AWS::DynamoDB::Table").values()
    assert table["TableName"] == "maas-registry"
    assert table["KeySchema"] == [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ]
    assert table["GlobalSecondaryIndexes"] == [
        {
            "IndexName": "listed",
            "KeySchema": [
                {"AttributeName": "listed", "KeyType": "HASH"},
                {"AttributeName": "place", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        }
    ]


def test_every_route_but_health_asks_for_a_key(stack: Stack) -> None:
    routes = {route: operation["security"] for route, operation in stack.methods().items()}
    key: list[Any] = [{"api_key": []}]
    shared = (
        *("/catalog", "/catalog/{proxy+}"),
        *("/v2", "/v2/health/{proxy+}", "/v2/models", "/v2/repository/{proxy+}"),
    )
    of_models = [
        f"{prefix}/{model}{below}"
        for model in MODELS
        for prefix in ("/models", "/v2/models", "/v1/models")
        for below in ("", "/{proxy+}")
    ]
    of_models += [f"/v1/models/{model}:predict" for model in MODELS]
    assert routes == {
        ("/health", "GET"): [],
        **{(path, "ANY"): key for path in (*shared, *of_models)},
    }


@pytest.mark.parametrize("choice", ["on", "off"])
def test_keys_are_asked_for_also_where_people_bring_their_own(choice: str) -> None:
    stack = translate(ApiKey=choice)
    assert stack.methods()[("/models/sentiment", "ANY")]["security"] == [{"api_key": []}]
    (plan,) = stack.of("AWS::ApiGateway::UsagePlan").values()
    assert plan["ApiStages"] == [{"ApiId": "<Api>", "Stage": "prod"}]
    assert plan["Quota"] == {"Limit": "1000000", "Period": "MONTH"}
    assert bool(stack.of("AWS::ApiGateway::ApiKey")) is (choice == "on")
    assert bool(stack.of("AWS::ApiGateway::UsagePlanKey")) is (choice == "on")
    assert ("ApiKeyId" in stack.outputs) is (choice == "on")


def test_what_waits_for_another_resource_waits_for_one_that_is_there(stack: Stack) -> None:
    waits: dict[str, Any] = {
        name: resource["DependsOn"]
        for name, resource in stack.resources.items()
        if "DependsOn" in resource
    }
    for name, others in waits.items():
        for other in [others] if isinstance(others, str) else others:
            assert other in stack.resources, name
    (stage,) = (n for n, r in stack.resources.items() if r["Type"] == "AWS::ApiGateway::Stage")
    assert waits["UsagePlan"] == stage  # no plan takes a stage that does not exist yet
    # SAM names the stage's resource after a plain name; CloudFormation knows the value of a
    # parameter when SAM runs, sam build does not: only a plain one is the same for both
    assert read_template()["Resources"]["Api"]["Properties"]["StageName"] == "prod"


def test_the_whole_api_is_throttled_and_logs_no_request(stack: Stack) -> None:
    (stage,) = stack.of("AWS::ApiGateway::Stage").values()
    (settings,) = stage["MethodSettings"]
    assert (settings["ResourcePath"], settings["HttpMethod"]) == ("/*", "*")
    assert (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]) == ("50", "100")
    assert (settings["LoggingLevel"], settings["DataTraceEnabled"]) == ("OFF", False)
    assert "AccessLogSetting" not in stage


def test_an_access_log_holds_routes_and_not_what_callers_sent() -> None:
    stack = translate(AccessLog="on")
    (stage,) = stack.of("AWS::ApiGateway::Stage").values()
    log = stage["AccessLogSetting"]
    line = json.loads(re.sub(r":\$[\w.]+", ":1", log["Format"]))
    asked = set(re.findall(r"\$context\.([\w.]+)", log["Format"]))
    assert asked == {
        "requestId",
        "status",
        "httpMethod",
        "resourcePath",
        "identity.apiKeyId",
        "responseLength",
        "responseLatency",
        "error.responseType",
    }
    assert len(line) == len(asked)
    group = stack.resources[log["DestinationArn"].strip("<>").removesuffix(".Arn")]
    assert group["Properties"]["RetentionInDays"] == "30"


def gateway_responses(stack: Stack) -> dict[str, Any]:
    (api,) = stack.of("AWS::ApiGateway::RestApi").values()
    responses: dict[str, Any] = api["Body"]["x-amazon-apigateway-gateway-responses"]
    return responses


def test_what_never_reaches_a_function_has_our_error_body(stack: Stack) -> None:
    found = {}
    for kind, response in gateway_responses(stack).items():
        assert list(response["responseTemplates"]) == ["application/json"]
        text = response["responseTemplates"]["application/json"]
        # The gateway's message is a quoted string already; whatever it says, the body is JSON
        quoted = text.replace("$context.error.messageString", json.dumps('a "quoted" \\ text'))
        body = json.loads(quoted.replace("$context.requestId", "c6af9ac6"))
        assert "$" not in quoted.replace("$context.requestId", "")
        assert list(body) == OUR_KEYS
        assert body["code"] in our_codes() | GATEWAY_CODES
        assert response["responseParameters"]["gatewayresponse.header.x-request-id"] == (
            "context.requestId"
        )
        found[kind] = (response.get("statusCode"), body["code"])
    assert found == {
        "MISSING_AUTHENTICATION_TOKEN": ("404", "not_found"),
        "RESOURCE_NOT_FOUND": ("404", "not_found"),
        "INVALID_API_KEY": ("403", "forbidden"),
        "WAF_FILTERED": ("403", "forbidden"),
        "THROTTLED": ("429", "overloaded"),
        "QUOTA_EXCEEDED": ("429", "quota_exceeded"),
        "REQUEST_TOO_LARGE": ("413", "too_large"),
        "UNSUPPORTED_MEDIA_TYPE": ("415", "unsupported_media_type"),
        "INTEGRATION_FAILURE": ("502", "internal"),
        "INTEGRATION_TIMEOUT": ("504", "deadline_exceeded"),
        "DEFAULT_4XX": (None, "bad_request"),
        "DEFAULT_5XX": (None, "internal"),
    }


def test_who_is_throttled_is_told_when_to_come_again(stack: Stack) -> None:
    for kind in ("THROTTLED", "QUOTA_EXCEEDED"):
        header = gateway_responses(stack)[kind]["responseParameters"][
            "gatewayresponse.header.Retry-After"
        ]
        assert re.fullmatch(r"'[1-9][0-9]*'", header)


def test_bodies_of_any_type_pass_and_no_other_origin_is_let_in(stack: Stack) -> None:
    (api,) = stack.of("AWS::ApiGateway::RestApi").values()
    assert api["Body"]["x-amazon-apigateway-binary-media-types"] == ["*/*"]
    assert api["BinaryMediaTypes"] == ["*~1*"]
    assert "access-control" not in json.dumps(api).lower()  # S11


def test_there_is_no_secret_in_it() -> None:
    text = TEMPLATE.read_text(encoding="utf-8")
    assert not re.search(r"AKIA[0-9A-Z]{16}|-----BEGIN|(?i:password|secret)\w*:", text)
    (key,) = translate().of("AWS::ApiGateway::ApiKey").values()
    assert "Value" not in key  # the gateway makes it up


def test_what_costs_money_while_idle_is_off_until_asked_for() -> None:
    default, asked = translate(), translate(SnapStart="on", ProvisionedConcurrency=2)
    alias = "ModelsentimentFunctionAliaslive"
    assert "ProvisionedConcurrencyConfig" not in default.resources[alias]["Properties"]
    assert asked.resources[alias]["Properties"]["ProvisionedConcurrencyConfig"] == {
        "ProvisionedConcurrentExecutions": "2"
    }
    for stack, applied in ((default, "None"), (asked, "PublishedVersions")):
        function = stack.of("AWS::Lambda::Function")["ModelsentimentFunction"]
        assert function["SnapStart"] == {"ApplyOn": applied}
    assert "SnapStart" not in asked.of("AWS::Lambda::Function")["CatalogFunction"]


def test_snapshots_and_provisioned_concurrency_together_are_refused() -> None:
    # Given Lambda takes one of them, When both are asked for, Then a rule says so before anything
    (rule,) = read_template()["Rules"].values()
    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "SnapStart"}, "on"]}
    (assertion,) = rule["Assertions"]
    assert assertion["Assert"] == {"Fn::Equals": [{"Ref": "ProvisionedConcurrency"}, "0"]}
    assert "SnapStart and ProvisionedConcurrency" in assertion["AssertDescription"]


def test_it_tells_where_everything_is(stack: Stack) -> None:
    assert {name: output["Value"] for name, output in stack.outputs.items()} == {
        "Url": "https://<Api>.execute-api.eu-west-1.amazonaws.com/prod",
        "ApiKeyId": "<FirstKey>",
        "UsagePlanId": "<UsagePlan>",
        "Table": "<Registry>",
        "RegistryUrl": "dynamodb://<Registry>",
    }


@pytest.mark.parametrize(
    ("kind", "policy"),
    [("AWS::Lambda::Version", "Retain"), ("AWS::Lambda::LayerVersion", "Delete")],
)
def test_former_versions_are_a_way_back_and_former_layers_do_not_pile_up(
    stack: Stack, kind: str, policy: str
) -> None:
    made = [resource for resource in stack.resources.values() if resource["Type"] == kind]
    assert {resource.get("DeletionPolicy") for resource in made} == {policy}


def test_names_fit_where_aws_bounds_them() -> None:
    stack = translate(("a" * 32,))
    room = 64 - len(f"-model-{'a' * 32}")
    assert room >= len(PSEUDO["AWS::StackName"])
    assert max(len(f["FunctionName"]) for f in stack.of("AWS::Lambda::Function").values()) <= 64
