"""What the registry stores of its history. Imports msgspec and the records' words.

event.action, event.subject, event.before, event.after     # "promote", "production", …
"""

from typing import Literal

from msgspec import Struct

from maas.registry.records import ModelName, Revision

Action = Literal[
    "register",
    "verify",
    "tag",
    "describe",
    "retire",
    "block",
    "unblock",
    "promote",
    "rollback",
    "shadow",
    "rollout",
    "deploy",
    "narrow",
    "leave",
    "remove",
]
"""What history calls a change."""


class EventRecord(Struct, frozen=True, forbid_unknown_fields=True):
    """One change, kept for ever (`EVENT#<revision, 12 digits>`).

    Attributes:
        model: The model's name.
        revision: The model's revision that the change made; orders history, never the clock.
        at: When (ISO 8601, UTC).
        by: Who.
        action: What was done.
        subject: What it was done to: a version's number, an alias or a target.
        before: The subject before: an alias's routes, a target's versions, or None for what is new.
            What a change does to aliases by the way is in `aliases`, by name.
        after: The subject after.
        reason: Why.
    """

    model: ModelName
    revision: Revision
    at: str
    by: str
    action: Action
    subject: str
    before: dict[str, object] | None
    after: dict[str, object]
    reason: str
