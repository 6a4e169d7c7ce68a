"""`maas deploy` and `maas destroy` as they are typed, with the table in DynamoDB Local."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from support.aws_stand_in import AwsStandIn, Handler
from support.dynamo import REGION, drop_table, local_endpoint, set_aws
from support.sam_stand_in import SamStandIn, install_sam
from support.shipping import make_project, package_into
from support.tiny import Home, make_bundle, make_home, register_bundle
from typer.testing import CliRunner, Result

from maas.registry.dynamo import Table
from maas.registry.dynamo_table import create_table
from maas.registry.registry import Registry
from maas.registry.stores import open_registry
from maas_lab import aws as lab_aws
from maas_lab import cli
from maas_lab.packing.project import Project


@dataclass
class Machine:
    """The `maas` command beside an AWS that answers in this process."""

    home: Home
    project: Project
    sam: SamStandIn
    aws: AwsStandIn
    environ: dict[str, str]

    def run(self, *arguments: str, stdin: str | None = None) -> Result:
        options = ("--stack", self.aws.stack, "--project", str(self.project.root))
        return CliRunner().invoke(cli.app, [*arguments, *options], input=stdin, env=self.environ)

    def ok(self, *arguments: str) -> dict[str, object]:
        result = self.run(*arguments, "--yes", "--json")
        assert result.exit_code == 0, result.output
        # The functions run in this process too, and log to its stdout
        answer: dict[str, object] = json.loads(result.stdout.splitlines()[-1])
        return answer

    @property
    def url(self) -> str:
        return f"dynamodb://{self.aws.stack}-registry"

    def table(self) -> Registry:
        return open_registry(self.url, clock=lambda: datetime.now(UTC), actor="ada")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    set_aws(monkeypatch)  # before PATH is emptied: it may have to start DynamoDB Local
    stack = f"maas-{uuid4().hex[:8]}"
    home = make_home(tmp_path / "home")
    project = make_project(tmp_path / "project")
    sam = install_sam(tmp_path / "bin", monkeypatch)
    registry = f"dynamodb://{stack}-registry"
    aws = AwsStandIn(project, sam, registry=registry, folder=tmp_path / "aws", stack=stack)
    table = Table(f"{stack}-registry", region=REGION, endpoint=local_endpoint())
    aws.create_table = lambda: create_table(table, sleep=time.sleep)
    monkeypatch.setattr(lab_aws, "open_cloud", aws.cloud)
    package_into(project, home)
    environ = {"MAAS_HOME": str(home.settings.home), "MAAS_ACTOR": "ada"}
    yield Machine(home, project, sam, aws, environ)
    if aws.table:
        drop_table(table)
    table.close()


def test_from_a_laptop_to_a_stack_and_back(machine: Machine) -> None:
    # Given a laptop's registry and a first deployment
    deployed = machine.ok("deploy")
    assert deployed["registry"] == machine.url
    assert deployed["copied"] == ["sentiment"]
    assert deployed["notes"] == []
    with machine.table() as table:
        (record,) = table.deployments("sentiment")
    digests = {number: bundle.digest for number, bundle in machine.home.bundles.items()}
    assert (record.status, record.digests) == ("live", digests)

    # When the table is the registry, verbs read and promote there, and a deployment goes on
    machine.environ["MAAS_REGISTRY"] = machine.url
    runner = CliRunner()
    promoted = runner.invoke(cli.app, ["promote", "sentiment@2", "--json"], env=machine.environ)
    assert promoted.exit_code == 0, promoted.output
    shown = runner.invoke(cli.app, ["show", "sentiment"], env=machine.environ)
    assert "deployed to" in shown.stdout
    history = runner.invoke(cli.app, ["history", "sentiment"], env=machine.environ)
    assert "live with 1, 2" in history.stdout
    assert machine.ok("deploy")["copied"] == []

    # When it is destroyed, then the table stays with all that happened
    destroyed = machine.ok("destroy")
    assert (destroyed["stack_deleted"], destroyed["table_deleted"]) == (True, False)
    with machine.table() as table:
        assert table.deployments("sentiment")[0].status == "removed"
        actions = [event.action for event in table.history("sentiment").records]
        assert actions[:5] == ["remove", "leave", "deploy", "promote", "deploy"]


def test_a_deployment_says_where_the_key_comes_from_and_how_to_ask(machine: Machine) -> None:
    result = machine.run("deploy", stdin="y\n")
    assert result.exit_code == 0, result.output
    assert f"export MAAS_REGISTRY={machine.url}" in result.stdout
    assert "aws apigateway get-api-key --api-key k3y1d --include-value" in result.stdout
    assert "amazonaws.com/prod/models/sentiment" in result.stdout
    assert "Deploy to" in result.stderr
    assert "sam deploy begins" in result.stderr
    assert "sam deploy begins" not in result.stdout


def test_another_digest_ends_with_3_and_a_copy_of_it_is_not_recorded(machine: Machine) -> None:
    def wrong(name: str, handler: Handler) -> Handler:
        digest = {"x-maas-digest": "sha256:" + "f" * 64}
        if not name.endswith("sentiment"):
            return handler
        return lambda event, context: (
            handler(event, context)
            | {
                "headers": digest,
                "multiValueHeaders": {},
            }
        )

    machine.aws.wrap = wrong
    result = machine.run("deploy", "--yes", "--json")
    assert result.exit_code == 3
    error = json.loads(result.stderr.splitlines()[-1])
    assert machine.home.bundles[1].digest in error["error"]
    assert "sha256:ffff" in error["error"]
    with machine.table() as table:
        assert table.deployments("sentiment") == ()


def test_what_fails_before_is_said_at_once_and_ends_with_3(machine: Machine) -> None:
    machine.sam.version("SAM CLI, version 1.100.0")
    machine.sam.lack("make")
    result = machine.run("deploy", "--yes", "--json")
    assert result.exit_code == 3
    found = json.loads(result.stdout)
    assert found["ok"] is False
    assert [f["subject"] for f in found["findings"] if not f["ok"]] == ["sam", "make"]
    plain = machine.run("deploy", "--yes")
    assert "2 to mend" in plain.stdout
    assert machine.sam.calls == []


def test_nobody_is_deployed_or_destroyed_unasked(machine: Machine) -> None:
    assert machine.run("deploy", stdin="").exit_code == 2
    assert machine.run("deploy", stdin="n\n").exit_code == 3
    assert [call.split()[0] for call in machine.sam.calls] == ["validate", "validate"]
    machine.ok("deploy")
    assert machine.run("destroy", stdin="yes\n").exit_code == 3
    assert machine.aws.status
    stack = machine.aws.stack
    answers = f"{stack}\n{stack}-registry\n"
    result = machine.run("destroy", "--delete-table", stdin=answers)
    assert result.exit_code == 0, result.output
    assert "maas registry export" in result.stderr
    assert not machine.aws.status
    assert machine.aws.asked[-1] == "DeleteTable"
    machine.aws.table = True  # DynamoDB Local still has it: the stand-in answered for it


@pytest.mark.parametrize("command", ["build", "deploy"])
def test_a_failure_of_sam_ends_with_5_and_the_next_run_converges(
    machine: Machine, command: str
) -> None:
    machine.sam.fail(command, "it does not work today")
    result = machine.run("deploy", "--yes")
    assert result.exit_code == 5
    assert "it does not work today" in result.stderr
    machine.sam.mend(command)
    machine.ok("deploy")


def test_a_promote_to_what_is_not_deployed_ends_with_3(machine: Machine) -> None:
    machine.ok("deploy")
    with machine.table() as table:
        register_bundle(table, make_bundle(machine.home.settings.bundles, seed=5))
    machine.environ["MAAS_REGISTRY"] = machine.url
    result = CliRunner().invoke(cli.app, ["promote", "sentiment@3"], env=machine.environ)
    assert result.exit_code == 3
    assert "Run maas package --candidate sentiment@3 and maas deploy" in result.stderr
    package = ["package", "--candidate", "sentiment@3", "--project", str(machine.project.root)]
    assert CliRunner().invoke(cli.app, package, env=machine.environ).exit_code == 0
    machine.ok("deploy")
    again = CliRunner().invoke(cli.app, ["promote", "sentiment@3"], env=machine.environ)
    assert again.exit_code == 0, again.output


def test_ctrl_c_ends_with_130_and_says_how_things_stand(machine: Machine) -> None:
    def interrupted(_: str, __: Handler) -> Handler:
        def stop(event: dict[str, object], context: object) -> dict[str, object]:
            raise KeyboardInterrupt

        return stop

    machine.aws.wrap = interrupted
    result = machine.run("deploy", "--yes")
    assert result.exit_code == 130
    assert "not recorded yet; maas deploy goes on from there" in result.stderr
    machine.aws.wrap = lambda _, handler: handler
    machine.ok("deploy")


def test_a_profile_that_only_sam_would_take_is_refused(machine: Machine) -> None:
    text = machine.project.samconfig.read_text()
    section = "[default.deploy.parameters]\n"
    machine.project.samconfig.write_text(text.replace(section, f'{section}profile = "prod"\n'))
    for verb in ("deploy", "destroy"):
        result = machine.run(verb, "--yes")
        assert result.exit_code == 3
        assert "set AWS_PROFILE, which both take" in result.stderr
    assert machine.sam.calls == []


def test_another_dynamodb_than_aws_is_said_before_anybody_is_asked(machine: Machine) -> None:
    result = machine.run("deploy", stdin="n\n")
    said = f"DynamoDB is asked at {local_endpoint()}, not at AWS"
    assert result.stderr.index(said) < result.stderr.index("Deploy to")


def test_who_deletes_a_registry_is_told_how_much_it_holds(machine: Machine) -> None:
    machine.ok("deploy")
    result = machine.run("destroy", "--delete-table", stdin=f"{machine.aws.stack}\nno\n")
    assert result.exit_code == 3
    assert "every version and its history (models: 1)" in result.stderr
    assert machine.aws.status
    assert machine.aws.table
