"""A deployment against an AWS that answers in this process and functions that really answer."""

import itertools
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import botocore.exceptions
import pytest
from support.aws_stand_in import NO_MODULE, TIMED_OUT, Handler, RefusalError
from support.aws_stand_in_bench import NOW, Bench, make_bench
from support.rollouts import GATE, HOLDER
from support.shipping import add_model
from support.tiny import make_bundle, register_bundle

from maas.errors import ConflictError, MaasError, RefusedError, TryAgainError
from maas.registry.addresses import ByNumber
from maas.registry.registry import Registry
from maas.registry.rollout_plans import Plan
from maas.registry.sqlite import SqliteStore
from maas.registry.store import Write
from maas_lab.deploying import deploy
from maas_lab.packing.served_sets import parse_wishes
from maas_lab.stack.records import record
from maas_lab.stack.truth import Check

THROTTLED = RefusalError("TooManyRequestsException", "Rate Exceeded.", 429)
SLOW = botocore.exceptions.ReadTimeoutError(endpoint_url="https://lambda.stand-in")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return make_bench(tmp_path, monkeypatch)


def promote(bench: Bench, number: int) -> None:
    with bench.table() as table:
        table.promote("sentiment", ByNumber(number))


def carried(bench: Bench) -> list[int]:
    with bench.table() as table:
        (record,) = table.deployments("sentiment")
    assert record.status == "live"
    return list(record.digests)


def register(bench: Bench, seed: int) -> int:
    bundle = make_bundle(bench.home.settings.bundles, seed=seed)
    with bench.table() as table:
        return register_bundle(table, bundle)


def another_digest(_: str, handler: Handler) -> Handler:
    """A function that answers for version 2 with the digest of another bundle."""

    def answer(event: dict[str, Any], context: object) -> dict[str, Any]:
        result = handler(event, context)
        if event["path"].endswith("/versions/2"):
            headers = dict(result["headers"], **{"x-maas-digest": "sha256:" + "0" * 64})
            return {**result, "headers": headers, "multiValueHeaders": {}}
        return result

    return answer


# ---- The first deployment -----------------------------------------------------------------------


def test_a_deployment_is_recorded_as_the_functions_answered(bench: Bench) -> None:
    deployed = bench.deploy()
    digests = {number: bundle.digest for number, bundle in bench.home.bundles.items()}
    assert deployed.models["sentiment"].digests == digests
    assert deployed.url.startswith("https://")
    assert (deployed.api_key_id, deployed.account) == ("k3y1d", "123456789012")
    with bench.table() as table:
        (record,) = table.deployments("sentiment")
    assert (record.target, record.status, record.function_version) == ("maas", "live", "1")
    assert record.function == "maas-model-sentiment:live"
    assert record.digests == digests
    asked = dict.fromkeys(bench.aws.functions["maas-model-sentiment"].invoked)  # again, while cold
    assert list(asked) == ["/models/sentiment/versions/1", "/models/sentiment/versions/2"]
    assert bench.aws.functions["maas-catalog"].invoked == ["/health", "/catalog/models"]


def test_sam_is_told_what_it_needs(bench: Bench) -> None:
    bench.deploy()
    assert bench.sam.calls == [
        "validate --lint --region eu-central-1",
        "build",
        "deploy --stack-name maas --region eu-central-1 --s3-prefix maas"
        " --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND"
        " --no-confirm-changeset --no-fail-on-empty-changeset",
    ]
    assert "sam deploy begins" in bench.lines


def test_the_laptops_history_is_copied_to_the_stacks_table(bench: Bench) -> None:
    assert bench.deploy().copied == ("sentiment",)
    with bench.home.registry() as here, bench.table() as table:
        (newest, *copied) = table.history("sentiment").records
        assert copied == list(here.history("sentiment").records)
        assert newest.action == "deploy"
        assert here.deployments("sentiment") == ()
        assert table.alias("sentiment", "production") == here.alias("sentiment", "production")


def test_again_changes_nothing_and_copies_nothing(bench: Bench) -> None:
    bench.deploy()
    with bench.table() as table:
        before = table.model("sentiment")
    again = bench.deploy()
    assert again.copied == ()
    # Each deployment of the stand-in publishes anew, and only that is recorded
    with bench.table() as table:
        assert table.model("sentiment").revision == before.revision + 1
        assert table.deployments("sentiment")[0].function_version == "2"


def test_two_models_are_asked_and_recorded_each(bench: Bench) -> None:
    add_model(bench.home, "stars", seed=9)
    bench.package()
    assert set(bench.deploy().models) == {"sentiment", "stars"}
    with bench.table() as table:
        assert table.deployments("stars")[0].function == "maas-model-stars:live"


# ---- Waiting ------------------------------------------------------------------------------------


def test_it_waits_until_versions_are_active_and_their_snapshots_made(bench: Bench) -> None:
    def slow(line: str) -> None:
        if line.startswith("copying"):
            function = bench.aws.functions["maas-model-sentiment"]
            function.pending, function.snapshots, function.others = 2, 2, {"0": 0.1}

    bench.heard = slow
    bench.deploy()
    assert bench.slept[:5] == [5.0] * 5
    assert set(bench.slept[5:]) <= {1.0}  # a cold policy is asked for again
    waits = [line for line in bench.lines if line.startswith("maas-model-sentiment:live ")]
    assert [line.split(" ", 1)[1] for line in waits] == [
        "shares its traffic among function versions",
        "version 1 is pending",
        "version 1 waits for its snapshot",
    ]


def test_it_does_not_wait_for_ever(bench: Bench) -> None:
    def never(line: str) -> None:
        if line.startswith("copying"):
            bench.aws.functions["maas-model-sentiment"].snapshots = 10_000

    bench.heard = never
    with pytest.raises(TryAgainError, match=r"waits for its snapshot after 60 s.* maas deploy"):
        bench.deploy()
    assert "not recorded yet" in bench.lines[-1]
    # And the next one goes on from there
    bench.heard = lambda _: None
    bench.aws.functions["maas-model-sentiment"].snapshots = 0
    assert bench.deploy().copied == ()


def test_a_version_that_does_not_start_is_named(bench: Bench) -> None:
    def failed(line: str) -> None:
        if line.startswith("copying"):
            bench.aws.functions["maas-model-sentiment"].state = "Failed"

    bench.heard = failed
    with pytest.raises(RefusedError, match="maas-model-sentiment version 1: it does not start"):
        bench.deploy()


# ---- The truth check ----------------------------------------------------------------------------


def test_another_digest_is_refused_and_not_recorded(bench: Bench) -> None:
    bench.aws.wrap = another_digest
    with pytest.raises(RefusedError) as refusal:
        bench.deploy()
    registered = bench.home.bundles[2].digest
    text = str(refusal.value)
    assert "maas-model-sentiment version 1, sentiment@2" in text
    assert f"expected {registered}, answered sha256:{'0' * 64}" in text
    assert "No former function version" in text
    assert refusal.value.exit_code == 3
    with bench.table() as table:
        assert table.deployments("sentiment") == ()


def test_a_refusal_names_the_way_back_to_the_former_version(bench: Bench) -> None:
    bench.deploy()
    bench.aws.wrap = another_digest
    with pytest.raises(RefusedError) as refusal:
        bench.deploy()
    assert (
        "aws lambda update-alias --function-name maas-model-sentiment --name live"
        " --function-version 1 --region eu-central-1"
    ) in str(refusal.value)
    with bench.table() as table:
        assert table.deployments("sentiment")[0].function_version == "1"
    # When the fault is mended, the same command records it
    bench.aws.wrap = lambda _, handler: handler
    bench.deploy()
    with bench.table() as table:
        assert table.deployments("sentiment")[0].function_version == "3"


def test_no_way_back_is_named_that_is_not_there(bench: Bench) -> None:
    """As template.yaml is: CloudFormation deletes the former version when the new one is live."""
    bench.deploy()
    bench.aws.functions["maas-model-sentiment"].forgets = True
    bench.aws.wrap = another_digest
    with pytest.raises(RefusedError, match="No former function version is left") as refusal:
        bench.deploy()
    assert "update-alias" not in str(refusal.value)


@pytest.mark.parametrize("fault", [THROTTLED, SLOW, TIMED_OUT], ids=["throttled", "slow", "cold"])
def test_a_function_that_starts_slowly_is_asked_again(
    bench: Bench, fault: Exception | dict[str, str]
) -> None:
    bench.heard = faults(bench, [fault, fault])
    assert carried_after(bench) == [1, 2]
    assert bench.slept[:2] == [1.0, 2.0]
    assert set(bench.slept[2:]) <= {1.0}  # a cold policy is asked for again


def carried_after(bench: Bench) -> list[int]:
    bench.deploy()
    return carried(bench)


@pytest.mark.parametrize(("cold", "notes"), [(0, 0), (3, 0), (100, 1)])
def test_a_function_that_answers_by_its_baked_policy_is_asked_again_before_that_is_noted(
    bench: Bench, cold: int, notes: int
) -> None:
    def starting(name: str, handler: Handler) -> Handler:
        """Of the model, answers as registered; the first ones by the baked policy."""
        answered = itertools.count(1)

        def answer(event: dict[str, Any], context: object) -> dict[str, Any]:
            number = int(event["path"].rpartition("/")[2])
            policy = "baked" if next(answered) <= cold else "live"
            digest = bench.home.bundles[number].digest
            headers = {"x-maas-digest": digest, "x-maas-policy": policy}
            return {"statusCode": 200, "headers": headers, "body": "{}"}

        return answer if name.endswith("sentiment") else handler

    bench.aws.wrap = starting
    deployed = bench.deploy()
    assert len(deployed.notes) == notes
    assert all("by its baked policy" in note for note in deployed.notes)
    assert carried(bench) == [1, 2]
    asked = len(bench.aws.functions["maas-model-sentiment"].invoked)
    assert asked == min(max(cold + 1, 2), 7)


def faults(bench: Bench, which: list[Exception | dict[str, str]]) -> Callable[[str], None]:
    def hear(line: str) -> None:
        if line == "asking maas-model-sentiment:live":
            bench.aws.functions["maas-model-sentiment"].faults = list(which)

    return hear


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        (THROTTLED, TryAgainError, "TooManyRequestsException"),
        (SLOW, TryAgainError, "did not answer lambda:InvokeFunction"),
        (TIMED_OUT, RefusedError, "Unhandled Sandbox.Timedout: RequestId"),
        (NO_MODULE, RefusedError, "Unhandled Runtime.ImportModuleError: No module named 'app'"),
    ],
    ids=["throttled", "slow", "cold", "import"],
)
def test_a_function_that_does_not_answer_is_not_recorded(
    bench: Bench, fault: Exception | dict[str, str], error: type[MaasError], words: str
) -> None:
    bench.heard = faults(bench, [fault] * 20)
    with pytest.raises(error, match=re.escape(words)):
        bench.deploy()
    with bench.table() as table:
        assert table.deployments("sentiment") == ()
    assert sum(bench.slept) < 200


def test_a_version_that_cannot_be_loaded_is_named_with_its_status(bench: Bench) -> None:
    def damage(line: str) -> None:
        if line.startswith("copying"):
            for file in bench.aws.folder.glob("*/models/sentiment/*/tokenizer.json"):
                file.write_text("{}")

    bench.heard = damage
    with pytest.raises(RefusedError, match=r"sentiment@2: expected sha256:.*answered status 503"):
        bench.deploy()


def test_another_deployment_at_the_same_time_is_noticed(bench: Bench) -> None:
    def overtaken(line: str) -> None:
        if line == "asking maas-model-sentiment:live":
            function = bench.aws.functions["maas-model-sentiment"]
            function.publish(function.versions[function.live])

    bench.heard = overtaken
    with pytest.raises(ConflictError, match="version 1 and now answers from version 2"):
        bench.deploy()


def test_a_catalog_that_does_not_list_the_model_is_refused(bench: Bench) -> None:
    def empty(name: str, handler: Handler) -> Handler:
        if name != "maas-catalog":
            return handler
        return lambda event, context: (
            {"statusCode": 200, "headers": {}, "body": '{"models": []}'}
            if event["path"] == "/catalog/models"
            else handler(event, context)
        )

    bench.aws.wrap = empty
    with pytest.raises(
        RefusedError,
        match="maas-catalog version 1, sentiment: expected last version 2, answered not",
    ):
        bench.deploy()


# ---- Somebody promotes meanwhile ----------------------------------------------------------------


def test_what_is_leaving_or_not_yet_there_is_not_promoted_while_it_is_deployed(
    bench: Bench,
) -> None:
    # Given a stack with versions 1 and 2, and a package of 2 and 3
    bench.deploy()
    bench.registry = bench.target.registry
    promote(bench, 2)
    register(bench, 3)
    bench.package(parse_wishes(without=["previous"]))
    refused: list[str] = []

    def hear(line: str) -> None:
        if line == "sam deploy begins":
            for number in (1, 3):
                try:
                    promote(bench, number)
                except RefusedError as error:
                    refused.append(str(error))

    bench.heard = hear
    bench.deploy()
    assert ["carries versions 2." in text for text in refused] == [True, True]
    assert carried(bench) == [2, 3]
    promote(bench, 3)


def test_a_promote_to_what_stays_goes_through_while_it_is_deployed(bench: Bench) -> None:
    bench.deploy()

    def hear(line: str) -> None:
        if line == "sam deploy begins":
            promote(bench, 2)

    bench.heard = hear
    bench.deploy()
    assert carried(bench) == [1, 2]
    with bench.table() as table:
        assert table.alias("sentiment", "production").routes[0].version == 2


def test_a_shadow_is_deployed_and_none_begins_of_what_is_leaving(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a stack that carries version 2 as the shadow of version 1, and 3, the newest
    bench = make_bench(tmp_path, monkeypatch, versions=3)
    with bench.home.registry() as here:
        here.shadow("sentiment", ByNumber(2), sample=500)
    bench.package()
    bench.deploy()
    assert carried(bench) == [1, 2, 3]
    with bench.table() as table:
        table.shadow("sentiment", None)
    bench.registry = bench.target.registry
    bench.package()

    refused = []

    def hear(line: str) -> None:
        if line == "sam deploy begins":
            with bench.table() as table, pytest.raises(RefusedError) as refusal:
                table.shadow("sentiment", ByNumber(2), sample=500)
            refused.append(str(refusal.value))

    # When the shadow has ended and the stack is deployed anew, then it cannot be had back
    bench.heard = hear
    bench.deploy()
    assert ["not deployed to maas" in text for text in refused] == [True]
    assert carried(bench) == [1, 3]


def test_a_rollout_that_has_all_requests_can_be_stopped_after_a_deployment(bench: Bench) -> None:
    # Given a rollout of version 2 at 100 %, and a package of what is needed alone
    bench.deploy()
    bench.registry = bench.target.registry
    with bench.table() as table:
        table.begin_rollout("sentiment", ByNumber(2), plan=Plan((100,), GATE, HOLDER))
    bench.package(parse_wishes(without=["previous", "newest"]))
    bench.deploy()
    # Then what it goes back to is still there
    assert carried(bench) == [1, 2]
    with bench.table() as table:
        table.stop_rollout("sentiment")
        assert table.alias("sentiment", "production").routes[0].version == 1


def test_a_promote_on_the_laptop_during_the_first_deployment_is_not_overlooked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a package of versions 1 and 3 (routed and newest), and none of 2
    bench = make_bench(tmp_path, monkeypatch, versions=3)

    def hear(line: str) -> None:
        if line == "sam deploy begins":
            with bench.home.registry() as here:
                here.promote("sentiment", ByNumber(2))

    bench.heard = hear
    with pytest.raises(RefusedError, match=r"would lack sentiment@2.*maas package"):
        bench.deploy()
    # Then nothing is recorded, and the remedy works
    bench.heard = lambda _: None
    bench.registry = bench.target.registry
    bench.package()
    bench.deploy()
    assert 2 in carried(bench)


class Raced(SqliteStore):
    """A store in which somebody else is faster, so many times."""

    def __init__(self, path: Path, rival: Callable[[], object], *, losses: int) -> None:
        super().__init__(path)
        self.rival = rival
        self.losses = losses

    def transact(self, writes: Sequence[Write]) -> None:
        if self.losses:
            self.losses -= 1
            self.rival()
        super().transact(writes)


@pytest.mark.parametrize(("losses", "written"), [(4, True), (5, False)])
def test_a_record_that_loses_a_race_is_tried_again_a_few_times(
    bench: Bench, losses: int, *, written: bool
) -> None:
    numbers = itertools.cycle((2, 1))

    def rival() -> None:
        with bench.home.registry() as here:
            here.promote("sentiment", ByNumber(next(numbers)))

    path = bench.home.settings.home / "registry.sqlite"
    check = Check("f", "7", {n: bundle.digest for n, bundle in bench.home.bundles.items()})
    store = Raced(path, rival, losses=losses)
    with Registry(store, clock=lambda: NOW, actor="ada") as registry:
        if written:
            record(registry, "maas", {"sentiment": check})
        else:
            with pytest.raises(ConflictError):
                record(registry, "maas", {"sentiment": check})
        assert bool(registry.deployments("sentiment")) == written


# ---- What fails ---------------------------------------------------------------------------------


def test_a_failed_build_changes_nothing(bench: Bench) -> None:
    bench.sam.fail("build", "Error: make: *** [build-RuntimeLayer] Error 1")
    with pytest.raises(TryAgainError, match="sam build ended with exit code 1"):
        bench.deploy()
    assert bench.lines[-2:] == [
        "Error: make: *** [build-RuntimeLayer] Error 1",
        "Nothing was changed.",
    ]
    assert bench.aws.functions == {}


def test_a_failed_deployment_says_what_to_do_and_the_next_one_converges(bench: Bench) -> None:
    bench.deploy()
    bench.sam.fail("deploy", "Resource handler returned message: Layer is too large")
    with pytest.raises(TryAgainError, match=r"CREATE_COMPLETE.*Run maas deploy again") as failure:
        bench.deploy()
    assert failure.value.exit_code == 5
    assert carried(bench) == [1, 2]
    bench.sam.mend("deploy")
    bench.deploy()


def test_a_first_deployment_that_failed_must_be_removed_first(bench: Bench) -> None:
    bench.sam.fail("deploy", "CREATE_FAILED")
    bench.aws.refusals["GetAlias"] = RefusalError("ResourceNotFoundException", "none", 404)
    result = bench.look()
    assert result.ready is not None
    bench.aws.status = "ROLLBACK_COMPLETE"
    with pytest.raises(TryAgainError, match=r"ROLLBACK_COMPLETE.*maas destroy .*--delete-table"):
        deploy(bench.project, bench.target, bench.tools, result.ready, patience=bench.patience)
    assert not bench.look().findings[-1].ok


def test_an_interruption_says_how_things_stand(bench: Bench) -> None:
    bench.deploy()
    for at, state in (
        ("sam build begins", "Nothing was changed"),
        ("sam deploy begins", "CloudFormation goes on by itself"),
        ("asking maas-catalog:live", "not recorded yet"),
    ):

        def hear(line: str, at: str = at) -> None:
            if line == at:
                bench.heard = lambda _: None
                raise KeyboardInterrupt

        bench.heard = hear
        with pytest.raises(KeyboardInterrupt):
            bench.deploy()
        assert state in bench.lines[-1]
    bench.deploy()


def test_a_model_that_is_packaged_no_more_is_no_longer_deployed(bench: Bench) -> None:
    add_model(bench.home, "stars", seed=9)
    bench.package()
    bench.deploy()
    bench.package(parse_wishes(["sentiment"]))
    assert bench.deploy().removed == ("stars",)
    with bench.table() as table:
        assert table.deployments("stars")[0].status == "removed"
        assert table.promote("stars", ByNumber(1)).changed
