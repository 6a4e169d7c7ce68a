"""What history says of an alias and of a rollout: how an event writes it, and how it is read again.

Imports the records and msgspec. Pure:

    seen(record)                  # {"routes": […]}, as an event's before or after
    alias_states(event)           # {"production": AliasState(routes=(Route(1, 10000),))}
    rollout_statuses(event)       # {"production": "running"}
"""

import msgspec
from msgspec import Struct

from maas.registry.event_records import EventRecord
from maas.registry.records import AliasRecord, Route, Shadow, encode
from maas.registry.rollout_records import RolloutRecord


class AliasState(Struct, frozen=True, omit_defaults=True):
    """An alias as it was after a change.

    Attributes:
        routes: Who answered.
        shadow: Who saw some of its requests too, or None.
    """

    routes: tuple[Route, ...]
    shadow: Shadow | None = None


def seen(alias: AliasRecord) -> dict[str, object]:
    """An alias as history shows it."""
    return encode(AliasState(alias.routes, alias.shadow))


def alias_states(event: EventRecord) -> dict[str, AliasState]:
    """The aliases that an event changed, as they were after it."""
    if "routes" in event.after:  # its subject is the alias
        return {event.subject: _state(event.after)}
    aliases = msgspec.convert(event.after.get("aliases", {}), dict[str, dict[str, object]])
    return {name: _state(body) for name, body in aliases.items()}


def told(rollout: RolloutRecord) -> dict[str, object]:
    """A rollout as history shows it."""
    return {
        "version": rollout.version,
        "status": rollout.status,
        "step": rollout.step + 1,
        "steps": list(rollout.steps),
    }


def rollout_statuses(event: EventRecord) -> dict[str, str]:
    """By alias, the rollouts that an event changed, as they were after it."""
    rollouts = event.after.get("rollouts", {})
    if "rollout" in event.after:  # its subject is the alias
        rollouts = {event.subject: event.after["rollout"]}
    found = msgspec.convert(rollouts, dict[str, dict[str, object]])
    return {name: str(body.get("status")) for name, body in found.items()}


def _state(body: dict[str, object]) -> AliasState:
    """Unknown keys beside are of the change, not of the alias."""
    return msgspec.convert(body, AliasState)
