"""Amazon's DynamoDB Local for tests: one for the whole run, with an empty table for each test.

    table = empty_table(monkeypatch)            # the same one, emptied: 10 ms
    with fresh_table(monkeypatch) as table:     # one of its own: 200 ms

`AWS_ENDPOINT_URL_DYNAMODB` names one that runs already; else it is started by the first test that
asks and ends with the run.
"""

import atexit
import functools
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from support.needs import missing

from maas.errors import RefusedError, TryAgainError
from maas.registry.dynamo import Table
from maas.registry.dynamo_table import create_table
from maas_lab.registry.dynamodb_local import dynamodb_local

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import WriteRequestTypeDef

REGION = "eu-west-1"
_ROOT = Path(__file__).parents[2]
_OUTSIDE = os.environ.get("AWS_ENDPOINT_URL_DYNAMODB", "")
_CACHE = Path(os.environ.get("MAAS_CACHE") or _ROOT / ".maas/cache")


@functools.cache
def _start() -> str | RefusedError | TryAgainError:
    stack = ExitStack()
    try:
        local = stack.enter_context(dynamodb_local(cache=_CACHE))
    except (RefusedError, TryAgainError) as error:
        return error
    atexit.register(stack.close)
    return local.address


def local_endpoint() -> str:
    """Where DynamoDB Local answers; ends the test where it cannot be had."""
    started = _OUTSIDE or _start()
    if not isinstance(started, str):
        missing(str(started))
    return started


def set_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS as DynamoDB Local wants it, and nothing of the person who runs the tests."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL_DYNAMODB": local_endpoint(),
    }.items():
        monkeypatch.setenv(name, value)


@contextmanager
def fresh_table(monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    """A registry's table that nobody else uses; removed at the end."""
    set_aws(monkeypatch)
    table = _new_table()
    try:
        yield table
    finally:
        drop_table(table)
        table.close()


def empty_table(monkeypatch: pytest.MonkeyPatch) -> Table:
    """The run's own table with nothing in it."""
    set_aws(monkeypatch)
    table = _shared()
    while found := table.ask(
        lambda client: client.scan(
            TableName=table.name,
            ProjectionExpression="pk, sk",
            ConsistentRead=True,
            Limit=25,
        )
    )["Items"]:
        requests: list[WriteRequestTypeDef] = [{"DeleteRequest": {"Key": key}} for key in found]
        table.ask(lambda client: client.batch_write_item(RequestItems={table.name: requests}))  # noqa: B023
    return table


@functools.cache
def _shared() -> Table:
    table = _new_table()
    if _OUTSIDE:
        atexit.register(drop_table, table)
    return table


def _new_table() -> Table:
    table = Table(f"maas-{uuid4().hex[:12]}", region=REGION, endpoint=local_endpoint())
    create_table(table, sleep=time.sleep)
    return table


def drop_table(table: Table) -> None:
    """Lift a table's protection and remove it."""
    table.ask(
        lambda client: client.update_table(TableName=table.name, DeletionProtectionEnabled=False)
    )
    table.ask(lambda client: client.delete_table(TableName=table.name))
