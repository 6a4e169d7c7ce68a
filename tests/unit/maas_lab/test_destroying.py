"""Taking a stack away: what is refused while it goes, what is left, and how it goes on."""

from pathlib import Path

import pytest
from support.aws_stand_in import RefusalError
from support.aws_stand_in_bench import Bench, make_bench

from maas.errors import NotFoundError, RefusedError, TryAgainError
from maas.registry.addresses import ByNumber


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = make_bench(tmp_path, monkeypatch)
    made.deploy()
    return made


def status(bench: Bench) -> str:
    with bench.table() as table:
        return table.deployments("sentiment")[0].status


def promote(bench: Bench, number: int) -> None:
    with bench.table() as table:
        table.promote("sentiment", ByNumber(number))


def test_a_stack_goes_and_its_table_stays(bench: Bench) -> None:
    destroyed = bench.destroy()
    assert bench.sam.calls[-1] == (
        "delete --stack-name maas --region eu-central-1 --no-prompts --s3-prefix maas"
    )
    assert (destroyed.stack_deleted, destroyed.table_deleted) == (True, False)
    assert destroyed.models == ("sentiment",)
    assert status(bench) == "removed"
    assert bench.aws.table
    assert "maas-registry" in destroyed.stays[0]
    assert "USD" in destroyed.stays[0]


def test_promotes_are_refused_while_it_goes_and_free_when_it_is_gone(bench: Bench) -> None:
    refused: list[str] = []

    def hear(line: str) -> None:
        if line == "sam delete begins":
            with pytest.raises(RefusedError, match="being removed from maas") as refusal:
                promote(bench, 2)
            refused.append(str(refusal.value))

    bench.heard = hear
    bench.destroy()
    assert refused
    promote(bench, 2)


def test_what_could_not_be_deleted_stays_claimed_until_it_is(bench: Bench) -> None:
    bench.sam.fail("delete", "The stack is DELETE_FAILED")
    with pytest.raises(TryAgainError, match="sam delete ended"):
        bench.destroy()
    assert "Promotes of its models are refused" in bench.lines[-1]
    assert status(bench) == "leaving"
    with pytest.raises(RefusedError, match="maas destroy --stack maas"):
        promote(bench, 2)
    # Either way out is open
    bench.sam.mend("delete")
    bench.destroy()
    promote(bench, 2)


def test_a_deployment_undoes_what_was_begun(bench: Bench) -> None:
    bench.sam.fail("delete", "no")
    with pytest.raises(TryAgainError):
        bench.destroy()
    bench.deploy()
    assert status(bench) == "live"


def test_an_interruption_after_the_stack_went_is_ended_by_the_next_run(bench: Bench) -> None:
    bench.sam.fail("delete", "no")
    with pytest.raises(TryAgainError):
        bench.destroy()
    bench.aws.status = ""  # it went all the same
    destroyed = bench.destroy()
    assert (destroyed.stack_deleted, destroyed.models) == (False, ("sentiment",))
    assert status(bench) == "removed"


def test_ctrl_c_says_how_things_stand(bench: Bench) -> None:
    def hear(line: str) -> None:
        if line == "sam delete begins":
            raise KeyboardInterrupt

    bench.heard = hear
    with pytest.raises(KeyboardInterrupt):
        bench.destroy()
    assert "Promotes of its models are refused" in bench.lines[-1]


def test_sam_that_says_done_is_not_believed(bench: Bench) -> None:
    def hear(line: str) -> None:
        if line == "sam delete ends":
            bench.aws.cloud().stack("maas")  # the stand-in follows sam
            bench.aws.status = "DELETE_FAILED"

    bench.heard = hear
    with pytest.raises(TryAgainError, match="maas is DELETE_FAILED"):
        bench.destroy()
    assert status(bench) == "leaving"


def test_the_table_goes_when_it_is_asked_for_and_its_protection_first(bench: Bench) -> None:
    bench.aws.updating = 2
    destroyed = bench.destroy(delete_table=True)
    assert destroyed.table_deleted
    assert not bench.aws.table
    assert bench.aws.asked[-4:] == ["UpdateTable", *["DeleteTable"] * 3]
    assert destroyed.stays[0].startswith("The backup that DynamoDB makes of maas-registry: 35 days")


def test_a_table_that_was_left_can_be_deleted_alone(bench: Bench) -> None:
    bench.destroy()
    calls = len(bench.sam.calls)
    destroyed = bench.destroy(delete_table=True)
    assert (destroyed.stack_deleted, destroyed.table_deleted) == (False, True)
    assert len(bench.sam.calls) == calls


def test_what_is_not_there_is_said(bench: Bench) -> None:
    bench.destroy(delete_table=True)
    with pytest.raises(NotFoundError, match="no stack maas in eu-central-1 of account 1234567890"):
        bench.destroy()


def test_a_stack_that_somebody_changes_is_left_alone(bench: Bench) -> None:
    bench.aws.status = "UPDATE_IN_PROGRESS"
    with pytest.raises(RefusedError, match="somebody changes it"):
        bench.destroy()
    assert status(bench) == "live"


def test_another_applications_stack_is_left_alone(bench: Bench) -> None:
    bench.aws.outputs, bench.aws.description = False, "The shop's payments"
    with pytest.raises(RefusedError, match="another application's"):
        bench.destroy(delete_table=True)
    assert bench.aws.status
    assert bench.aws.table


def test_without_the_right_to_delete_the_table_it_stays(bench: Bench) -> None:
    bench.aws.refusals["UpdateTable"] = RefusalError("AccessDeniedException", "not authorized", 403)
    with pytest.raises(RefusedError, match="AWS does not allow dynamodb:UpdateTable"):
        bench.destroy(delete_table=True)
    assert bench.aws.table
    assert status(bench) == "removed"
