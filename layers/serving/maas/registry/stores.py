"""From a URL to an open registry.

Imports `maas.errors`, `maas.settings` and the registry's rooms; the only place that knows which
stores there are:

    with open_registry(settings.registry, clock=lambda: datetime.now(UTC), actor="ada") as registry:
        registry.models()
"""

from collections.abc import Callable
from datetime import datetime

from maas.registry.registry import Registry
from maas.registry.sqlite import SqliteStore
from maas.registry.store import Store
from maas.registry.urls import DynamoUrl, SqliteUrl, parse_url
from maas.settings import AwsSettings, read_settings


def open_registry(
    url: str,
    *,
    clock: Callable[[], datetime],
    actor: str,
    aws: AwsSettings | None = None,
) -> Registry:
    """Open the registry that a URL names; nothing is read, made or contacted yet.

    Args:
        url: `sqlite:///relative/path`, `sqlite:////absolute/path` or `dynamodb://TABLE`.
        clock: The time now, with its zone.
        actor: Who makes the changes, as history shows it.
        aws: Where a table lies; None: as this process's environment says.

    Raises:
        SettingsError: The URL names no store that this release has.
    """
    return Registry(open_store(url, aws=aws), clock=clock, actor=actor)


def open_store(url: str, *, aws: AwsSettings | None = None) -> Store:
    """Open the store that a URL names; see `open_registry`."""
    match parse_url(url):
        case SqliteUrl(path):
            return SqliteStore(path)
        case DynamoUrl(table):
            # Only where it is asked for: a function reads its policy without it.
            from maas.registry.dynamo import Table  # noqa: PLC0415
            from maas.registry.dynamo_store import DynamoStore  # noqa: PLC0415

            aws = aws or read_settings().aws
            return DynamoStore(Table(table, region=aws.region, endpoint=aws.dynamodb_endpoint))
