"""Which registry a URL names. Imports `maas.errors` and msgspec.

parse_url("sqlite:///.maas/registry.sqlite")     # SqliteUrl(Path(".maas/registry.sqlite"))
parse_url("dynamodb://maas-registry")            # DynamoUrl("maas-registry")
"""

import re
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

from maas.errors import SettingsError

_SQLITE = re.compile(r"sqlite:///(.+)", re.DOTALL)
_DYNAMO = re.compile(r"dynamodb://([A-Za-z0-9_.-]{3,255})")


class SqliteUrl(Struct, frozen=True):
    """A file of a laptop."""

    path: Path


class DynamoUrl(Struct, frozen=True):
    """A table of the account and region that AWS's own variables name."""

    table: str


RegistryUrl: TypeAlias = SqliteUrl | DynamoUrl


def parse_url(url: str) -> RegistryUrl:
    """Read a registry's URL; nothing is opened.

    Args:
        url: `sqlite:///relative/path`, `sqlite:////absolute/path` or `dynamodb://TABLE`.

    Raises:
        SettingsError: It is neither.
    """
    if match := _SQLITE.fullmatch(url):
        return SqliteUrl(Path(match[1]))
    if match := _DYNAMO.fullmatch(url):
        return DynamoUrl(match[1])
    raise SettingsError(
        "The registry must be sqlite:/// and the path of a file, such as "
        "sqlite:///.maas/registry.sqlite, or dynamodb:// and the name of a table. "
        "Set MAAS_REGISTRY so, or unset it.",
        field="MAAS_REGISTRY",
    )
