"""infra/training.yaml: what GPU training on AWS Batch has, costs and may do (P9, P10, S28, S29)."""

import email
import json
import re
from typing import Any

import pytest
from cfnlint.api import lint_file
from support.training_stack import TRAINING, read_training, training_stack

from maas_lab.batch.resources import TrainingTarget, find_training
from maas_lab.batch.store import RUNS
from maas_lab.batch.submit import FRESH, archive_key
from maas_lab.endings import exit_codes
from maas_lab.stack.aws_answers import Stack as StackAnswer

Stack = Any  # support.stack's
LOG = "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/batch/maas-training:*"
# What AWS knows no resources of, by its service authorization reference.
WITHOUT_RESOURCE = {"ecr:GetAuthorizationToken", "ecs:DiscoverPollEndpoint"}


@pytest.fixture(scope="module")
def stack() -> Stack:
    return training_stack()


@pytest.fixture(scope="module")
def nodes() -> Stack:
    return training_stack(NodeCount=4)


def test_cfn_lint_finds_nothing() -> None:
    assert [str(match) for match in lint_file(TRAINING)] == []


def test_it_is_plain_cloudformation() -> None:
    template, text = read_training(), TRAINING.read_text(encoding="utf-8")
    assert "Transform" not in template
    assert not re.findall(
        r"(?m)(?:^|[\s\[{:-])[&*][A-Za-z]\w*", text
    )  # CloudFormation has no aliases


def test_what_there_is(stack: Stack, nodes: Stack) -> None:
    kinds = sorted(resource["Type"] for resource in stack.resources.values())
    assert kinds == [
        "AWS::Batch::ComputeEnvironment",
        "AWS::Batch::ComputeEnvironment",
        "AWS::Batch::JobDefinition",
        "AWS::Batch::JobQueue",
        "AWS::EC2::LaunchTemplate",
        "AWS::EC2::SecurityGroup",
        "AWS::IAM::InstanceProfile",
        "AWS::IAM::Role",
        "AWS::IAM::Role",
        "AWS::IAM::Role",
        "AWS::Logs::LogGroup",
        "AWS::S3::Bucket",
        "AWS::S3::BucketPolicy",
    ]
    more = {r["Type"] for name, r in nodes.resources.items() if name not in stack.resources}
    assert len(nodes.resources) == len(stack.resources) + 7
    assert more >= {"AWS::Batch::JobQueue", "AWS::EC2::PlacementGroup"}


# ---- Costs --------------------------------------------------------------------------------------


def test_no_machine_is_there_while_no_job_runs(nodes: Stack) -> None:
    environments = nodes.of("AWS::Batch::ComputeEnvironment")
    assert set(environments) == {"SpotMachines", "OnDemandMachines", "NodesMachines"}
    for environment in environments.values():
        assert environment["ComputeResources"]["MinvCpus"] == 0
        assert "DesiredvCpus" not in environment["ComputeResources"]
        assert environment["ComputeResources"]["MaxvCpus"] == 16
        assert environment["Type"] == "MANAGED"


def test_nothing_in_it_is_paid_for_by_the_hour(nodes: Stack) -> None:
    kinds = {resource["Type"] for resource in nodes.resources.values()}
    free = {"Batch", "IAM", "Logs", "S3"}
    paid = {kind for kind in kinds if kind.split("::")[1] not in free}
    assert paid == {  # all of them free
        "AWS::EC2::LaunchTemplate",
        "AWS::EC2::PlacementGroup",
        "AWS::EC2::SecurityGroup",
        "AWS::EC2::SecurityGroupEgress",
        "AWS::EC2::SecurityGroupIngress",
    }


def test_spot_comes_first_and_on_demand_stands_in(stack: Stack) -> None:
    (queue,) = stack.of("AWS::Batch::JobQueue").values()
    assert queue["ComputeEnvironmentOrder"] == [
        {"Order": 1, "ComputeEnvironment": "<SpotMachines>"},
        {"Order": 2, "ComputeEnvironment": "<OnDemandMachines>"},
    ]
    environments = stack.of("AWS::Batch::ComputeEnvironment")
    spot = environments["SpotMachines"]["ComputeResources"]
    assert (spot["Type"], spot["AllocationStrategy"]) == ("SPOT", "SPOT_PRICE_CAPACITY_OPTIMIZED")
    assert "SpotIamFleetRole" not in spot  # only BEST_FIT needs one
    other = environments["OnDemandMachines"]["ComputeResources"]
    assert other["Type"] == "EC2"
    for name in ("InstanceTypes", "Subnets", "SecurityGroupIds", "InstanceRole", "LaunchTemplate"):
        assert spot[name] == other[name]
    assert len(spot["InstanceTypes"].split(",")) >= 3


def test_a_job_that_can_never_start_does_not_wait_for_ever(stack: Stack) -> None:
    (queue,) = stack.of("AWS::Batch::JobQueue").values()
    actions = queue["JobStateTimeLimitActions"]
    assert {(a["Action"], a["State"]) for a in actions} == {("CANCEL", "RUNNABLE")}
    assert all(a["Reason"].startswith("MISCONFIGURATION:") for a in actions)  # not for capacity


# ---- The job ------------------------------------------------------------------------------------


def test_the_job_has_a_gpu_and_ends_in_time(stack: Stack) -> None:
    (job,) = stack.of("AWS::Batch::JobDefinition").values()
    container = job["ContainerProperties"]
    assert {r["Type"]: r["Value"] for r in container["ResourceRequirements"]} == {
        "GPU": 1,
        "VCPU": 4,
        "MEMORY": 14000,
    }
    assert job["Timeout"] == {"AttemptDurationSeconds": 86400}
    assert job["PlatformCapabilities"] == ["EC2"]  # Fargate has no GPUs
    assert container["Privileged"] is False
    assert container["LinuxParameters"]["InitProcessEnabled"] is True  # SIGTERM reaches the job
    assert container["JobRoleArn"] == "<JobRole.Arn>"
    assert container["LogConfiguration"]["Options"]["awslogs-group"] == "<LogGroup>"


def test_p9_what_is_worth_another_try_is_tried_again(stack: Stack, nodes: Stack) -> None:
    for job in nodes.of("AWS::Batch::JobDefinition").values():
        assert job["RetryStrategy"] == {
            "Attempts": 10,
            "EvaluateOnExit": [
                {"Action": "RETRY", "OnStatusReason": "Host EC2*"},
                {"Action": "RETRY", "OnExitCode": "5"},
                {"Action": "EXIT", "OnReason": "*"},  # Batch retries what fits nothing
            ],
        }
    with pytest.raises(SystemExit) as ended, exit_codes(interrupted=5):
        raise KeyboardInterrupt
    assert ended.value.code == 5


def test_the_command_is_what_the_client_fills_in(stack: Stack) -> None:
    (job,) = stack.of("AWS::Batch::JobDefinition").values()
    command = job["ContainerProperties"]["Command"]
    assert command == [
        *("--bucket", "<Bucket>", "--job", "Ref::job", "--code", "Ref::code", "--gpus", 1)
    ]
    assert job["Parameters"].keys() == {"job", "code"}


def test_the_outputs_are_what_the_client_reads(stack: Stack, nodes: Stack) -> None:
    class Answers:
        def __init__(self, made: Stack) -> None:
            self.outputs = {name: str(o["Value"]) for name, o in made.outputs.items()}

        def stack(self, name: str) -> StackAnswer:
            return StackAnswer(name, "CREATE_COMPLETE", "", "", self.outputs)

    one: Any = Answers(stack)
    found = find_training(one, TrainingTarget("eu-west-1"))
    assert (found.bucket, found.queue) == ("<Bucket>", "<Queue>")
    assert (found.definition, found.log_group) == ("<JobDefinition>", "<LogGroup>")
    many: Any = Answers(nodes)
    found = find_training(many, TrainingTarget("eu-west-1", several=True))
    assert (found.queue, found.definition) == ("<NodesQueue>", "<NodesJobDefinition>")


@pytest.mark.parametrize(
    ("image", "good"),
    [
        (f"123456789012.dkr.ecr.eu-central-1.amazonaws.com/maas@sha256:{'0' * 64}", True),
        (f"123456789012.dkr.ecr.us-gov-west-1.amazonaws.com/a/b-c_d@sha256:{'f' * 64}", True),
        ("123456789012.dkr.ecr.eu-central-1.amazonaws.com/maas:latest", False),
        ("123456789012.dkr.ecr.eu-central-1.amazonaws.com/maas", False),
        (f"elsewhere.example/maas@sha256:{'0' * 64}", False),
        (f"123456789012.dkr.ecr.eu-central-1.amazonaws.com/maas@sha256:{'0' * 63}", False),
    ],
)
def test_s32_the_image_is_named_by_its_digest(image: str, good: bool) -> None:
    pattern = read_training()["Parameters"]["ImageUri"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, image)) is good


# ---- The bucket ---------------------------------------------------------------------------------


def test_s29_the_bucket_is_versioned_encrypted_private_and_kept(stack: Stack) -> None:
    bucket = stack.resources["Bucket"]
    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("Retain", "Retain")
    properties = bucket["Properties"]
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    (encryption,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(properties["PublicAccessBlockConfiguration"]) == 4
    (ownership,) = properties["OwnershipControls"]["Rules"]
    assert ownership == {"ObjectOwnership": "BucketOwnerEnforced"}


def test_s29_plain_http_and_old_tls_are_denied_to_everybody(stack: Stack) -> None:
    (policy,) = stack.of("AWS::S3::BucketPolicy").values()
    assert policy["Bucket"] == "<Bucket>"
    statements = policy["PolicyDocument"]["Statement"]
    assert [s["Condition"] for s in statements] == [
        {"Bool": {"aws:SecureTransport": "false"}},
        {"NumericLessThan": {"s3:TlsVersion": "1.2"}},
    ]
    for statement in statements:
        assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
        assert statement["Action"] == "s3:*"
        assert statement["Resource"] == ["<Bucket.Arn>", "<Bucket.Arn>/*"]


def test_what_is_in_the_bucket_expires_but_not_under_a_job(stack: Stack) -> None:
    rules = {
        rule["Id"]: rule
        for rule in stack.resources["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    }
    assert all(rule["Status"] == "Enabled" for rule in rules.values())
    code, runs, old = rules["packed-code"], rules["runs"], rules["old-checkpoints"]
    assert archive_key("0").startswith(code["Prefix"])
    assert runs["Prefix"] == f"{RUNS}/"
    assert runs["ExpirationInDays"] == 90
    assert old["NoncurrentVersionExpiration"] == {"NoncurrentDays": 7}
    assert old["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
    assert "Prefix" not in old

    # A job may try ten times, each as long as it may; its code is at most so old when it begins
    longest = read_training()["Parameters"]["AttemptSeconds"]["MaxValue"]
    assert code["ExpirationInDays"] > FRESH.days + 10 * longest / 86400


def test_logs_are_kept_for_a_while(stack: Stack) -> None:
    (group,) = stack.of("AWS::Logs::LogGroup").values()
    assert group == {"LogGroupName": "/aws/batch/maas-training", "RetentionInDays": 30}


# ---- Roles --------------------------------------------------------------------------------------


def actions(statement: dict[str, Any]) -> list[str]:
    asked = statement["Action"]
    return [asked] if isinstance(asked, str) else list(asked)


def resources(statement: dict[str, Any]) -> list[str]:
    asked = statement["Resource"]
    return [asked] if isinstance(asked, str) else list(asked)


def test_p10_the_job_may_read_its_code_keep_its_runs_and_nothing_else(stack: Stack) -> None:
    assert stack.statements()["JobRole"] == [
        {
            "Sid": "ReadCode",
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": "<Bucket.Arn>/code/*",
        },
        {
            "Sid": "KeepRuns",
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
            "Resource": "<Bucket.Arn>/runs/*",
        },
        {
            "Sid": "ListRuns",
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": "<Bucket.Arn>",
            "Condition": {"StringLike": {"s3:prefix": "runs/*"}},
        },
    ]


def test_p10_starting_a_job_needs_its_image_and_its_log(stack: Stack) -> None:
    login, image, log = stack.statements()["ExecutionRole"]
    assert actions(login) == ["ecr:GetAuthorizationToken"]
    assert image["Resource"] == "arn:aws:ecr:eu-central-1:210987654321:repository/teams/maas"
    assert log["Resource"] == LOG
    assert stack.statements()["MachineRole"][-3:] == [login, image, log]


def test_p10_no_action_is_a_pattern_and_no_resource_is_all_but_where_aws_knows_none(
    nodes: Stack,
) -> None:
    statements = nodes.statements()
    assert set(statements) == {"JobRole", "ExecutionRole", "MachineRole"}
    for statement in (each for role in statements.values() for each in role):
        assert statement["Effect"] == "Allow"
        assert not [action for action in actions(statement) if "*" in action]
        assert not statement.keys() & {"NotAction", "NotResource"}
        if set(actions(statement)) <= WITHOUT_RESOURCE:
            assert statement["Resource"] == "*"
            continue
        for resource in resources(statement):
            # The parts that only AWS knows: an id at the end, a key in the bucket, a log stream
            assert re.fullmatch(r"[^*]{10,}(-\*|/\*|:\*)?", resource), resource
            assert "maas" in resource or resource.startswith("<Bucket.Arn>")


def test_p10_a_machine_joins_clusters_of_this_stack_alone(stack: Stack) -> None:
    _find, join, work, *_rest = stack.statements()["MachineRole"]
    for statement, kind in ((join, "cluster"), (work, "container-instance")):
        base = f"arn:aws:ecs:eu-west-1:123456789012:{kind}/"
        # Batch has named clusters both ways: AWSBatch-<environment>-<id>, <environment>_Batch_<id>
        assert statement["Resource"] == [
            f"{base}AWSBatch-maas-training-*",
            f"{base}maas-training-*",
        ]
    names = [
        environment["ComputeEnvironmentName"]
        for environment in stack.of("AWS::Batch::ComputeEnvironment").values()
    ]
    assert all(name.startswith("maas-training-") for name in names)


def test_p10_each_role_is_for_one_service_and_has_no_managed_policy(stack: Stack) -> None:
    trusted = {}
    for name, role in stack.of("AWS::IAM::Role").items():
        assert role.keys() == {"AssumeRolePolicyDocument", "Policies"}
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        trusted[name] = (statement["Principal"]["Service"], statement.get("Condition"))
    ours = {"StringEquals": {"aws:SourceAccount": "123456789012"}}
    assert trusted == {
        "JobRole": ("ecs-tasks.amazonaws.com", ours),
        "ExecutionRole": ("ecs-tasks.amazonaws.com", ours),
        "MachineRole": ("ec2.amazonaws.com", None),
    }


# ---- Machines -----------------------------------------------------------------------------------


def test_a_machine_has_an_encrypted_disk_and_keeps_its_metadata_to_itself(stack: Stack) -> None:
    (template,) = stack.of("AWS::EC2::LaunchTemplate").values()
    data = template["LaunchTemplateData"]
    assert data["MetadataOptions"] == {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}
    (disk,) = data["BlockDeviceMappings"]
    assert disk["Ebs"]["Encrypted"] is True
    assert disk["Ebs"]["DeleteOnTermination"] is True
    parts = email.message_from_string(data["UserData"]["Fn::Base64"]).walk()
    scripts = [str(p.get_payload()) for p in parts if p.get_content_type() == "text/x-shellscript"]
    (script,) = scripts
    assert script.startswith("#!/bin/bash\n")
    assert "ECS_CONTAINER_STOP_TIMEOUT=110s" in script  # before two minutes are over
    assert "ECS_AWSVPC_BLOCK_IMDS=true" in script


def test_nothing_comes_in_and_only_https_goes_out(stack: Stack, nodes: Stack) -> None:
    for group in nodes.of("AWS::EC2::SecurityGroup").values():
        assert "SecurityGroupIngress" not in group
        (out,) = group["SecurityGroupEgress"]
        assert (out["IpProtocol"], out["FromPort"], out["ToPort"]) == ("tcp", 443, 443)
    assert not stack.of("AWS::EC2::SecurityGroupIngress")
    (between,) = nodes.of("AWS::EC2::SecurityGroupIngress").values()
    assert between["SourceSecurityGroupId"] == between["GroupId"] == "<NodesGroup>"
    assert "CidrIp" not in between


def test_several_machines_run_the_same_container_on_demand(stack: Stack, nodes: Stack) -> None:
    job = nodes.of("AWS::Batch::JobDefinition")["NodesJobDefinition"]
    (group,) = job["NodeProperties"]["NodeRangeProperties"]
    one = stack.of("AWS::Batch::JobDefinition")["JobDefinition"]
    assert json.dumps(group["Container"]) == json.dumps(one["ContainerProperties"])
    assert (group["TargetNodes"], job["NodeProperties"]["NumNodes"]) == ("0:", 4)
    assert job["Type"] == "multinode"
    for name in ("RetryStrategy", "Timeout", "Parameters"):
        assert job[name] == one[name]
    machines = nodes.of("AWS::Batch::ComputeEnvironment")["NodesMachines"]["ComputeResources"]
    assert machines["Type"] == "EC2"  # Batch runs them on no Spot machine
    assert machines["PlacementGroup"] == "<NodesPlacement>"
    assert machines["Subnets"] == ["subnet-1"]
