"""The registry's place, made: a file, or a table of the account that AWS's variables name.

Imports `maas`; boto3 comes with the first request.

    made = make_registry(settings)       # Made(created=True, notes=("…",))
"""

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from maas.registry.sqlite_file import create
from maas.registry.urls import DynamoUrl, SqliteUrl, parse_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maas.registry.dynamo import Table
    from maas.settings import Settings


@dataclass(frozen=True, slots=True)
class Made:
    """What `make_registry` did.

    Attributes:
        created: Whether it was not there before.
        place: `file`, or `table` and its name.
        notes: How it is kept, line by line.
    """

    created: bool
    place: str
    notes: tuple[str, ...]


def make_registry(settings: "Settings") -> Made:
    """Make the file or the table that the settings name, unless it is there.

    Raises:
        RefusedError: There is a table of another shape under this name.
        SettingsError: It cannot be made there.
        RegistryUnavailableError: AWS does not answer within its bounds.
    """
    match parse_url(settings.registry):
        case SqliteUrl(path):
            there = path.exists()
            create(path)
            return Made(not there, "file", (str(path),))
        case DynamoUrl() as url:
            return _make_table(url, settings)


@contextmanager
def open_table(url: DynamoUrl, settings: "Settings") -> "Iterator[Table]":
    """The table that a URL names, closed at the end."""
    from maas.registry.dynamo import Table  # noqa: PLC0415 - only where there is a table

    aws = settings.aws
    table = Table(url.table, region=aws.region, endpoint=aws.dynamodb_endpoint)
    try:
        yield table
    finally:
        table.close()


def _make_table(url: DynamoUrl, settings: "Settings") -> Made:
    from maas.registry.dynamo_table import create_table  # noqa: PLC0415

    with open_table(url, settings) as table:
        outcome = create_table(table, sleep=time.sleep)
    state = outcome.state
    restore = (
        "point-in-time recovery is on"
        if state.restorable
        else "no point-in-time recovery: DynamoDB Local does not have it"
    )
    notes = ("deletion protection is on", restore, f"encrypted at rest, {state.encryption}")
    return Made(outcome.created, f"table {url.table}", notes)
