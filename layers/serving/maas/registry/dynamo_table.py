"""The registry's table itself: how it is made, and how far one differs from that.

Imports `maas.errors` and the rooms beside it. Made by `maas registry init` on an account without a
stack; `template.yaml` describes the same table:

    outcome = create_table(table, sleep=time.sleep)    # no-op where it is there
    misshapen(describe_table(table))                   # () where it can hold a registry
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from maas.errors import RefusedError, RegistryMisconfiguredError, RegistryUnavailableError
from maas.registry.dynamo import Table
from maas.registry.dynamo_faults import FaultError, error_of
from maas.registry.dynamo_store import INDEX

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import KeySchemaElementTypeDef, TableDescriptionTypeDef

_POLL = 0.5
_POLLS = 240  # two minutes; AWS takes about ten seconds


@dataclass(frozen=True, slots=True)
class Keys:
    """The names of a partition key and a sort key."""

    partition: str
    sort: str


# What AWS says of the backups of a table that it has only just made, or is making.
_NO_BACKUPS_YET = ("ContinuousBackupsUnavailableException", "TableNotFoundException")
_KEYS = Keys("pk", "sk")
_INDEX_KEYS = Keys("listed", "place")


@dataclass(frozen=True, slots=True)
class TableState:
    """What matters of a table.

    Attributes:
        active: Whether it and its index answer.
        keys: Its keys; None where they are not two texts.
        index_keys: The keys of its index; None where there is no such index.
        index_whole: Whether the index holds all attributes.
        on_demand: Whether requests are paid one by one.
        protected: Whether it cannot be deleted before that is allowed.
        restorable: Whether it can be restored to any second of the last 35 days; None where
            DynamoDB does not know of such a thing (DynamoDB Local).
        encryption: `AWS owned key`, or the key's kind.
    """

    active: bool
    keys: Keys | None
    index_keys: Keys | None
    index_whole: bool
    on_demand: bool
    protected: bool
    restorable: bool | None
    encryption: str


@dataclass(frozen=True, slots=True)
class TableOutcome:
    """What `create_table` did, and how the table is now."""

    created: bool
    state: TableState


def create_table(table: Table, *, sleep: Callable[[float], None]) -> TableOutcome:
    """Make the table, protected and restorable, and wait until it answers.

    A table that is there already is only protected, where it was not.

    Raises:
        RefusedError: There is a table of another shape under this name; it is left as it is.
        RegistryUnavailableError: It was not ready within two minutes.
        RegistryMisconfiguredError: AWS refuses it.
    """
    created = _create(table)
    state = _settled(table, sleep)
    wrong = misshapen(state)
    if wrong:
        raise RefusedError(
            f"There is a table {table.name} of something else: {'; '.join(wrong)}. "
            "Name another in MAAS_REGISTRY."
        )
    if not state.protected:
        table.ask(
            lambda client: client.update_table(
                TableName=table.name, DeletionProtectionEnabled=True
            ),
            writing=True,
        )
    if state.restorable is False:
        _make_restorable(table, sleep)
    return TableOutcome(created, _settled(table, sleep))


def describe_table(table: Table) -> TableState:
    """Look at the table.

    Raises:
        RegistryMisconfiguredError: There is none, or it may not be looked at.
    """
    found = table.ask(lambda client: client.describe_table(TableName=table.name))["Table"]
    index = next(
        (i for i in found.get("GlobalSecondaryIndexes", []) if i.get("IndexName") == INDEX), None
    )
    active = found.get("TableStatus") == "ACTIVE"
    texts = {
        a["AttributeName"]
        for a in found.get("AttributeDefinitions", [])
        if a["AttributeType"] == "S"
    }
    return TableState(
        active=active and (index is None or index.get("IndexStatus") == "ACTIVE"),
        keys=_keys(found.get("KeySchema", []), texts),
        index_keys=_keys(index.get("KeySchema", []), texts) if index else None,
        index_whole=index is not None
        and index.get("Projection", {}).get("ProjectionType") == "ALL",
        on_demand=found.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST",
        protected=found.get("DeletionProtectionEnabled", False),
        restorable=_restorable(table),
        encryption=_encryption(found),
    )


def misshapen(state: TableState) -> tuple[str, ...]:
    """Why it cannot hold a registry; empty where it can."""
    found = []
    if state.keys != _KEYS:
        found.append("its keys are not the texts pk and sk")
    if state.index_keys != _INDEX_KEYS or not state.index_whole:
        found.append(f"it has no index {INDEX} of the texts listed and place with all attributes")
    return tuple(found)


def _create(table: Table) -> bool:
    try:
        table.attempt(
            lambda client: client.create_table(
                TableName=table.name,
                BillingMode="PAY_PER_REQUEST",
                DeletionProtectionEnabled=True,
                AttributeDefinitions=[
                    {"AttributeName": name, "AttributeType": "S"}
                    for keys in (_KEYS, _INDEX_KEYS)
                    for name in (keys.partition, keys.sort)
                ],
                KeySchema=_schema(_KEYS),
                GlobalSecondaryIndexes=[
                    {
                        "IndexName": INDEX,
                        "KeySchema": _schema(_INDEX_KEYS),
                        "Projection": {"ProjectionType": "ALL"},
                    }
                ],
            )
        )
    except FaultError as error:
        if _is(error, "ResourceInUseException"):  # there, or being made this moment
            return False
        raise error_of(
            error.fault, table=table.name, writing=True, unclear=error.unclear
        ) from error
    return True


def _settled(table: Table, sleep: Callable[[float], None]) -> TableState:
    for _ in range(_POLLS):
        try:
            state = describe_table(table)
        except RegistryMisconfiguredError as error:
            # A table that was only just made may not be known everywhere yet.
            if not _is(error.__cause__, "ResourceNotFoundException"):
                raise
        else:
            if state.active:
                return state
        sleep(_POLL)
    raise RegistryUnavailableError(
        f"The table {table.name} is still being made. Run maas registry init again in a while."
    )


def _make_restorable(table: Table, sleep: Callable[[float], None]) -> None:
    for _ in range(_POLLS):
        try:
            table.attempt(
                lambda client: client.update_continuous_backups(
                    TableName=table.name,
                    PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
                )
            )
        except FaultError as error:
            if not _is(error, *_NO_BACKUPS_YET):
                raise error_of(
                    error.fault, table=table.name, writing=True, unclear=error.unclear
                ) from error
        else:
            return
        sleep(_POLL)
    raise RegistryUnavailableError(
        f"The table {table.name} is made, but not restorable yet. Run maas registry init again."
    )


def _is(error: BaseException | None, *codes: str) -> bool:
    return isinstance(error, FaultError) and error.fault.code in codes


def _schema(keys: Keys) -> "list[KeySchemaElementTypeDef]":
    return [
        {"AttributeName": keys.partition, "KeyType": "HASH"},
        {"AttributeName": keys.sort, "KeyType": "RANGE"},
    ]


def _keys(schema: "Sequence[KeySchemaElementTypeDef]", texts: set[str]) -> Keys | None:
    names = [element["AttributeName"] for element in schema]
    return Keys(*names) if len(names) == 2 and texts.issuperset(names) else None


def _restorable(table: Table) -> bool | None:
    try:
        answer = table.attempt(
            lambda client: client.describe_continuous_backups(TableName=table.name)
        )
    except FaultError as error:
        if _is(error, "UnknownOperationException"):
            return None
        if _is(error, *_NO_BACKUPS_YET):
            return False
        raise error_of(
            error.fault, table=table.name, writing=False, unclear=error.unclear
        ) from error
    state = answer["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    return state.get("PointInTimeRecoveryStatus") == "ENABLED"


def _encryption(found: "TableDescriptionTypeDef") -> str:
    described = found.get("SSEDescription", {})
    return "KMS key" if described.get("Status") in {"ENABLED", "UPDATING"} else "AWS owned key"
