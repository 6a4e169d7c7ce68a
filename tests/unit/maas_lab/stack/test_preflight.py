"""What a deployment looks at before it changes anything; every lack at once, each with a remedy."""

from dataclasses import replace
from pathlib import Path

import botocore.exceptions
import pytest
from support.aws_stand_in import RefusalError
from support.aws_stand_in_bench import Bench, make_bench
from support.rollouts import GATE, HOLDER
from support.tiny import make_bundle, register_bundle

from maas.registry.addresses import ByNumber
from maas.registry.rollout_plans import Plan
from maas_lab.packing import size_plan
from maas_lab.packing.served_sets import parse_wishes


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return make_bench(tmp_path, monkeypatch)


def failing(bench: Bench) -> dict[str, str]:
    """What fails, by subject."""
    result = bench.look()
    found = {finding.subject: finding.detail for finding in result.findings if not finding.ok}
    assert (result.ready is None) == bool(found)
    return found


def test_all_is_well(bench: Bench) -> None:
    result = bench.look()
    assert [finding.subject for finding in result.findings if finding.ok] == [
        *("sam", "python3.13", "make", "template", "packaged", "sizes", "names", "credentials"),
        *("stack", "registry"),
    ]
    ready = result.ready
    assert ready is not None
    assert (ready.stack, ready.absent) == (None, ("sentiment",))
    assert bench.sam.calls == ["validate --lint --region eu-central-1"]


def test_everything_that_fails_is_said_at_once(bench: Bench) -> None:
    bench.sam.lack("sam")
    bench.sam.lack("python3.13")
    bench.sam.lack("make")
    bench.project.template.write_text("Resources: {}")
    bench.target = replace(bench.target, stack="m" * 60, region="")
    found = failing(bench)
    assert list(found) == ["sam", "python3.13", "make", "packaged", "names", "credentials"]
    assert "Install the AWS SAM CLI 1.170" in found["sam"]
    assert "--use-container" in found["python3.13"]
    assert "maas package" in found["packaged"]
    assert "Choose a shorter --stack" in found["names"]
    assert "--region" in found["credentials"]
    assert bench.aws.asked == []


def test_a_container_needs_neither_python_nor_make(bench: Bench) -> None:
    bench.sam.lack("python3.13")
    bench.sam.lack("make")
    bench.target = replace(bench.target, container=True)
    assert failing(bench) == {}
    bench.deploy()
    assert "build --use-container" in bench.sam.calls


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("SAM CLI, version 1.169.2", "1.169.2 is older than 1.170"),
        ("SAM CLI, version 2.0.0", ""),
        ("something else", "says nothing that is a version"),
    ],
)
def test_the_sam_cli_is_new_enough(bench: Bench, said: str, words: str) -> None:
    bench.sam.version(said)
    assert words in failing(bench).get("sam", "")
    assert bool(words) == ("sam" in failing(bench))


def test_a_template_that_lint_refuses_is_refused_with_its_words(bench: Bench) -> None:
    bench.sam.fail("validate", "[[E3001: Resource type `AWS::Nothing` does not exist]]")
    assert "E3001: Resource type" in failing(bench)["template"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RefusalError("ExpiredToken", "The security token is expired", 403), "Log in again"),
        (botocore.exceptions.NoCredentialsError(), "aws sso login"),
        (
            botocore.exceptions.EndpointConnectionError(endpoint_url="https://sts"),
            "Look at the network",
        ),
    ],
    ids=["expired", "none", "no network"],
)
def test_credentials_must_work(bench: Bench, error: Exception, words: str) -> None:
    bench.aws.refusals["GetCallerIdentity"] = error
    assert words in failing(bench)["credentials"]
    assert bench.aws.asked == ["GetCallerIdentity"]


def test_what_was_changed_after_packaging_must_be_packaged_again(bench: Bench) -> None:
    layer = next((bench.project.models / "sentiment").glob("*/tokenizer.json"))
    layer.write_text("{}")
    assert "maas package" in failing(bench)["packaged"]
    bench.package()
    assert failing(bench) == {}
    text = bench.project.samconfig.read_text()
    bench.project.samconfig.write_text(text.replace("Models=sentiment", "Models=sentiment,spam"))
    assert "maas package" in failing(bench)["packaged"]


def test_what_does_not_fit_is_not_deployed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(size_plan, "MARGIN_BYTES", 1_000_000)
    assert "Too large for Lambda: sentiment" in failing(bench)["sizes"]


# ---- The stack ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("UPDATE_IN_PROGRESS", "somebody changes it"),
        ("ROLLBACK_COMPLETE", "maas destroy --stack maas --delete-table"),
        ("DELETE_FAILED", "maas destroy --stack maas"),
        (
            "UPDATE_ROLLBACK_FAILED",
            "continue-update-rollback --stack-name maas --region eu-central",
        ),
        ("UPDATE_FAILED", "CloudFormation's console"),
        ("UPDATE_ROLLBACK_COMPLETE", ""),
    ],
)
def test_a_stack_must_be_one_that_can_be_updated(bench: Bench, status: str, words: str) -> None:
    bench.deploy()
    bench.aws.status = status
    assert words in failing(bench).get("stack", "")
    assert bool(words) == ("stack" in failing(bench))


def test_a_live_stack_is_never_proposed_for_removal(bench: Bench) -> None:
    bench.deploy()
    for status in ("UPDATE_ROLLBACK_FAILED", "UPDATE_FAILED"):
        bench.aws.status = status
        assert "destroy" not in failing(bench)["stack"]


def test_another_applications_stack_is_not_updated(bench: Bench) -> None:
    bench.aws.status, bench.aws.outputs = "UPDATE_COMPLETE", False
    bench.aws.description = "The shop's payments"
    assert "is another application's" in failing(bench)["stack"]
    # A first deployment that failed is ours, although it has no outputs
    bench.aws.status, bench.aws.description = "ROLLBACK_COMPLETE", "maas: Model as a Service."
    assert "ROLLBACK_COMPLETE" in failing(bench)["stack"]


def test_an_access_log_needs_the_role_that_api_gateway_logs_by(bench: Bench) -> None:
    text = bench.project.samconfig.read_text()
    bench.project.samconfig.write_text(text.replace('"Models=', '"AccessLog=on", "Models=', 1))
    bench.package()
    assert "update-account --patch-operations" in failing(bench)["access log"]
    bench.aws.log_role = "arn:aws:iam::123456789012:role/gateway-logs"
    assert failing(bench) == {}


def test_a_table_without_its_stack_is_in_the_way(bench: Bench) -> None:
    bench.aws.table = True
    assert "maas destroy --stack maas --delete-table" in failing(bench)["stack"]


def test_what_aws_does_not_allow_is_named(bench: Bench) -> None:
    bench.aws.refusals["DescribeStacks"] = RefusalError(
        "AccessDenied", "User: ada is not authorized to perform: cloudformation:DescribeStacks", 403
    )
    assert "AWS does not allow cloudformation:DescribeStacks" in failing(bench)["stack"]


# ---- The registry -------------------------------------------------------------------------------


def test_a_routed_version_that_is_not_packaged_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_bench(tmp_path, monkeypatch, versions=3)  # 1 is routed, 3 the newest
    with bench.home.registry() as here:
        here.promote("sentiment", ByNumber(2), weight=10)
    assert "would lack sentiment@2" in failing(bench)["registry"]
    bench.package()
    assert failing(bench) == {}


def test_a_shadowed_version_that_is_not_packaged_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_bench(tmp_path, monkeypatch, versions=3)  # 1 is routed, 3 the newest
    with bench.home.registry() as here:
        here.shadow("sentiment", ByNumber(2), sample=500)
    said = failing(bench)["registry"]
    assert "would lack sentiment@2, which is in use by production as its shadow" in said
    bench.package()
    assert failing(bench) == {}


def test_what_a_rollout_goes_back_to_and_is_not_packaged_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_bench(tmp_path, monkeypatch, versions=2)
    with bench.home.registry() as here:
        here.promote("sentiment", ByNumber(2))
        bench.package(parse_wishes(without=["previous"]))
        here.promote("sentiment", ByNumber(1))
        here.begin_rollout("sentiment", ByNumber(2), plan=Plan((100,), GATE, HOLDER))
    said = failing(bench)["registry"]
    assert "lack sentiment@1, which is in use by production as its rollout's baseline" in said
    bench.package()
    assert failing(bench) == {}


def test_a_registry_that_is_behind_the_table_is_fine(bench: Bench) -> None:
    bench.deploy()
    with bench.table() as table:
        table.promote("sentiment", ByNumber(2))
    assert failing(bench) == {}
    result = bench.look()
    assert result.ready is not None
    assert result.ready.absent == ()


def test_two_histories_are_refused_before_anything_is_changed(bench: Bench) -> None:
    # Given a table that has gone on, and a laptop that has too
    bench.deploy()
    bundle = make_bundle(bench.home.settings.bundles, seed=8)
    with bench.home.registry() as here:
        register_bundle(here, bundle)
    calls = bench.sam.calls
    found = failing(bench)
    assert "The table's counts. Set MAAS_REGISTRY to it" in found["registry"]
    assert [call.split()[0] for call in bench.sam.calls[len(calls) :]] == ["validate"]
    # When MAAS_REGISTRY is the table, nothing is in the way
    bench.registry = bench.target.registry
    assert failing(bench) == {}


def test_the_same_length_is_not_the_same_history(bench: Bench) -> None:
    with bench.home.registry() as here, bench.table() as table:
        for bundle in reversed(bench.home.bundles.values()):
            register_bundle(table, bundle)
        table.promote("sentiment", ByNumber(1))
        assert table.model("sentiment").revision == here.model("sentiment").revision
    bench.aws.table, bench.aws.status = True, "CREATE_COMPLETE"
    assert "another one in the stack's table" in failing(bench)["registry"]


def test_a_digest_that_was_not_registered_is_refused(bench: Bench) -> None:
    bench.deploy()
    bench.registry = bench.target.registry
    with bench.open("sqlite:///" + str(bench.aws.folder / "other.sqlite")) as other:
        for bundle in reversed(bench.home.bundles.values()):
            register_bundle(other, bundle)
    bench.where = "sqlite:///" + str(bench.aws.folder / "other.sqlite")
    assert "and registered with" in failing(bench)["registry"]
