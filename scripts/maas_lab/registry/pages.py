"""Walking through a registry page by page.

Imports nothing at run time.

    for model in model_names(registry): ...
    newest = next(versions_of(registry, "sentiment"))
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maas.registry.reader import Reader
    from maas.registry.records import VersionRecord


def model_names(registry: "Reader") -> "Iterator[str]":
    """The models of a registry, by name."""
    after: str | None = None
    more = True
    while more:
        page = registry.models(after=after)
        yield from (record.name for record in page.records)
        more, after = page.more, page.records[-1].name if page.records else None


def versions_of(registry: "Reader", model: str) -> "Iterator[VersionRecord]":
    """The versions of a model, the newest first."""
    after: int | None = None
    more = True
    while more:
        page = registry.versions(model, after=after)
        yield from page.records
        more, after = page.more, page.records[-1].number if page.records else None
