"""From a URL to an open registry.

Imports `maas.errors` and the registry's rooms; the only place that knows which stores there are:

    with open_registry(settings.registry, clock=lambda: datetime.now(UTC), actor="ada") as registry:
        registry.models()
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from maas.errors import SettingsError
from maas.registry.registry import Registry
from maas.registry.sqlite import SqliteStore
from maas.registry.store import Store

_SQLITE = "sqlite:///"


def open_registry(url: str, *, clock: Callable[[], datetime], actor: str) -> Registry:
    """Open the registry that a URL names; nothing is read, made or contacted yet.

    Args:
        url: `sqlite:///relative/path` or `sqlite:////absolute/path`.
        clock: The time now, with its zone.
        actor: Who makes the changes, as history shows it.

    Raises:
        SettingsError: The URL names no store that this release has.
    """
    return Registry(open_store(url), clock=clock, actor=actor)


def open_store(url: str) -> Store:
    """Open the store that a URL names; see `open_registry`."""
    path = url.removeprefix(_SQLITE)
    if path in (url, ""):
        raise SettingsError(
            "The registry must be sqlite:/// and the path of a file, "
            "such as sqlite:///.maas/registry.sqlite. Set MAAS_REGISTRY so, or unset it.",
            field="MAAS_REGISTRY",
        )
    return SqliteStore(Path(path))
