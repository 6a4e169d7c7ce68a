"""What DynamoDB Local does not have, from a stand-in: late recovery, tables in the making."""

import json
from collections.abc import Iterator

import pytest
from support.dynamo import REGION, empty_table
from support.wire import Answer, Step, Wire, answer, error, forward

from maas.errors import RegistryMisconfiguredError, RegistryUnavailableError
from maas.registry.dynamo import Table
from maas.registry.dynamo_table import create_table, describe_table


def recovery(status: str) -> Step:
    body = {
        "ContinuousBackupsDescription": {
            "ContinuousBackupsStatus": "ENABLED",
            "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": status},
        }
    }
    return answer(Answer(200, json.dumps(body).encode()))


MAKING = answer(Answer(200, json.dumps({"Table": {"TableStatus": "CREATING"}}).encode()))
TOO_EARLY = error("ContinuousBackupsUnavailableException")
UNKNOWN = error("ResourceNotFoundException")
NOT_YET = error("TableNotFoundException")


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    with Wire(empty_table(monkeypatch).endpoint) as wire:
        yield wire


@pytest.fixture
def table(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    """A table that is there already."""
    table = Table(empty_table(monkeypatch).name, region=REGION, endpoint=wire.address)
    yield table
    table.close()


def test_recovery_is_switched_on_however_late_it_can_be(wire: Wire, table: Table) -> None:
    # Given AWS, where backups of a new table can only be asked for after a while
    wire.script("DescribeContinuousBackups", [recovery("DISABLED"), recovery("ENABLED")])
    wire.script("UpdateContinuousBackups", [NOT_YET, TOO_EARLY, recovery("ENABLED")])
    slept: list[float] = []
    outcome = create_table(table, sleep=slept.append)
    assert outcome.state.restorable
    assert wire.count("UpdateContinuousBackups") == 3
    assert len(slept) == 2
    asked = wire.asked[-3].body["PointInTimeRecoverySpecification"]
    assert asked == {"PointInTimeRecoveryEnabled": True}


def test_recovery_that_is_on_is_left_alone(wire: Wire, table: Table) -> None:
    wire.script("DescribeContinuousBackups", [recovery("ENABLED")] * 2)
    assert create_table(table, sleep=lambda _: None).state.restorable
    assert wire.count("UpdateContinuousBackups") == 0


def test_a_table_in_the_making_is_waited_for(wire: Wire, table: Table) -> None:
    # Given a table that is first not known, then being made
    wire.script("DescribeTable", [UNKNOWN, MAKING, MAKING, forward])
    # Its backups are known later than itself
    wire.script("DescribeContinuousBackups", [NOT_YET, NOT_YET, recovery("ENABLED")])
    slept: list[float] = []
    assert create_table(table, sleep=slept.append).state.active
    assert len(slept) == 3


def test_a_table_whose_backups_are_not_known_yet_is_not_restorable(
    wire: Wire, table: Table
) -> None:
    wire.script("DescribeContinuousBackups", [NOT_YET])
    assert describe_table(table).restorable is False


def test_waiting_has_an_end(wire: Wire, table: Table) -> None:
    slept: list[float] = []
    wire.script("DescribeTable", [MAKING] * 10_000)
    with pytest.raises(RegistryUnavailableError, match="still being made"):
        create_table(table, sleep=slept.append)
    assert sum(slept) == pytest.approx(120)


@pytest.mark.parametrize("operation", ["CreateTable", "DescribeTable", "DescribeContinuousBackups"])
def test_a_right_that_is_missing_is_told(wire: Wire, table: Table, operation: str) -> None:
    wire.script(operation, [error("AccessDeniedException")])
    with pytest.raises(RegistryMisconfiguredError, match="no right"):
        create_table(table, sleep=lambda _: None)


def test_a_key_of_ones_own_and_a_provisioned_table_are_seen(wire: Wire, table: Table) -> None:
    described = {
        "Table": {
            "TableStatus": "ACTIVE",
            "SSEDescription": {"Status": "ENABLED", "SSEType": "KMS"},
            "DeletionProtectionEnabled": False,
        }
    }
    wire.script("DescribeTable", [answer(Answer(200, json.dumps(described).encode()))])
    state = describe_table(table)
    assert (state.encryption, state.on_demand, state.protected) == ("KMS key", False, False)
    assert (state.keys, state.index_keys) == (None, None)
