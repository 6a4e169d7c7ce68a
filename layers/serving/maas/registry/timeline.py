"""What history says of an alias: how an event writes its state, and how that is read again.

Imports the records and msgspec. Pure:

    seen(record)                  # {"routes": […]}, as an event's before or after
    alias_states(event)           # {"production": AliasState(routes=(Route(1, 10000),))}
"""

import msgspec
from msgspec import Struct

from maas.registry.records import AliasRecord, EventRecord, Route, Shadow, encode


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


def _state(body: dict[str, object]) -> AliasState:
    """Unknown keys beside are of the change, not of the alias."""
    return msgspec.convert(body, AliasState)
