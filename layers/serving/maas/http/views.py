"""The registry's records as the catalog shows them to whoever may call it.

Imports msgspec and the registry's records. An operator's own matters stay inside: the names of
functions, the versions of libraries, ARNs, account ids and paths (infra/decisions/0007):

    seen_version(record)          # the record, its lineage and texts cleaned
    seen_event(record)            # an `Event`
"""

import re
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from maas.registry.deployment_records import DeploymentRecord, TargetName
from maas.registry.event_records import Action, EventRecord
from maas.registry.records import (
    AliasName,
    AliasRecord,
    Digest,
    ModelName,
    ModelRecord,
    Revision,
    Route,
    Shadow,
    VersionNumber,
    VersionRecord,
)

HIDDEN = "(hidden)"
_LINEAGE = frozenset({"run", "recipe", "data", "weights", "commit"})
_OPERATORS = frozenset({"function", "function_version"})
_PRIVATE = re.compile(
    r"arn:aws[a-z-]*:\S+"
    r"|(?<![0-9A-Za-z])[0-9]{12}(?![0-9A-Za-z])"
    r"|(?<![\w.:/])/(?:etc|home|mnt|opt|root|srv|tmp|usr|var|Users|Volumes)(?:/\S*)?"
    r"|(?<!\w)[A-Za-z]:\\\S*"
)


class Health(Struct, frozen=True):
    """Everything that requests need is there."""

    status: Literal["ok"] = "ok"


class Alias(Struct, frozen=True, omit_defaults=True):
    """A name that routes to one version or shares its traffic among several.

    Attributes:
        model: The model's name.
        name: The alias.
        routes: Who answers, ascending by version.
        previous: What a rollback restores; null at first.
        alias_revision: The alias's own count of changes: 1, 2, 3 …, which is not the history's.
        at: When it was changed last (ISO 8601, UTC).
        by: Who changed it.
        reason: Why, in the words of who changed it.
        shadow: Who sees some of its requests too; left out where nobody does.
    """

    model: ModelName
    name: AliasName
    routes: tuple[Route, ...]
    previous: tuple[Route, ...] | None
    alias_revision: Revision
    at: str
    by: str
    reason: str
    shadow: Shadow | None = None


class Deployment(Struct, frozen=True):
    """What is deployed somewhere.

    Attributes:
        model: The model's name.
        target: Where: the stack's name.
        status: `live` while it answers requests; `leaving` while its stack is being destroyed;
            `removed` once that is gone.
        digests: Full digest by number of each version that it answers for.
        deployment_revision: The record's own count of changes: 1, 2, 3 …
        at: When (ISO 8601, UTC).
        by: Who.
    """

    model: ModelName
    target: TargetName
    status: Literal["live", "leaving", "removed"]
    digests: dict[VersionNumber, Digest]
    deployment_revision: Revision
    at: str
    by: str


class Event(Struct, frozen=True):
    """One change, kept for ever.

    Attributes:
        model: The model's name.
        revision: The model's revision that the change made; orders history.
        at: When (ISO 8601, UTC).
        by: Who.
        action: What was done.
        subject: What it was done to: a version's number, an alias or a target.
        before: The subject before: an alias's routes, a target's versions, or null for what is new.
        after: The subject after.
        reason: Why.
    """

    model: ModelName
    revision: Revision
    at: str
    by: str
    action: Action
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any]
    reason: str


class ModelPage(Struct, frozen=True):
    """Some models by name.

    Attributes:
        models: The models.
        more: Whether more follow the last of them.
        next: What to pass as `after` for these; null where none follow.
    """

    models: tuple[ModelRecord, ...]
    more: bool
    next: ModelName | None


class VersionPage(Struct, frozen=True):
    """Some versions, newest first.

    Attributes:
        versions: The versions.
        more: Whether more follow the last of them.
        next: What to pass as `after` for these; null where none follow.
    """

    versions: tuple[VersionRecord, ...]
    more: bool
    next: VersionNumber | None


class EventPage(Struct, frozen=True):
    """Some changes, newest first.

    Attributes:
        events: The changes.
        more: Whether more follow the last of them.
        next: What to pass as `after` for these; null where none follow.
    """

    events: tuple[Event, ...]
    more: bool
    next: Revision | None


class Aliases(Struct, frozen=True):
    """All aliases of a model, by name."""

    aliases: tuple[Alias, ...]


class Deployments(Struct, frozen=True):
    """Where a model is or was deployed to, by target."""

    deployments: tuple[Deployment, ...]


def seen_model(record: ModelRecord) -> ModelRecord:
    """A model without what is private."""
    return replace(record, description=_cleaned(record.description))


def seen_version(record: VersionRecord) -> VersionRecord:
    """A version without what is private; of its lineage, what names content."""
    lineage = {name: _cleaned(text) for name, text in record.lineage.items() if name in _LINEAGE}
    return replace(
        record,
        lineage=lineage,
        registered_by=_cleaned(record.registered_by),
        description=_cleaned(record.description),
        tags=tuple(tag for tag in record.tags if _cleaned(tag) == tag),
        verification=replace(record.verification, problem=_cleaned(record.verification.problem)),
    )


def seen_alias(record: AliasRecord) -> Alias:
    """An alias without what is private."""
    return Alias(
        model=record.model,
        name=record.name,
        routes=record.routes,
        previous=record.previous,
        alias_revision=record.revision,
        at=record.at,
        by=_cleaned(record.by),
        reason=_cleaned(record.reason),
        shadow=record.shadow,
    )


def seen_deployment(record: DeploymentRecord) -> Deployment:
    """A deployment without its function's name."""
    return Deployment(
        model=record.model,
        target=record.target,
        status=record.status,
        digests=record.digests,
        deployment_revision=record.revision,
        at=record.at,
        by=_cleaned(record.by),
    )


def seen_event(record: EventRecord) -> Event:
    """A change without what is private."""
    return Event(
        model=record.model,
        revision=record.revision,
        at=record.at,
        by=_cleaned(record.by),
        action=record.action,
        subject=record.subject,
        before=_outside(record.before) if record.before is not None else None,
        after=_outside(record.after),
        reason=_cleaned(record.reason),
    )


def _outside(seen: dict[str, object]) -> dict[str, object]:
    return {name: _clean(value) for name, value in seen.items() if name not in _OPERATORS}


def _clean(value: object) -> object:
    """A value of an event with its texts cleaned, however deep they lie."""
    match value:
        case str():
            return _cleaned(value)
        case dict():
            return {name: _clean(each) for name, each in value.items()}
        case list():
            return [_clean(each) for each in value]
        case _:
            return value


def _cleaned(text: str) -> str:
    return _PRIVATE.sub(HIDDEN, text)
