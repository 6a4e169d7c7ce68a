"""What a change of the registry starts from, and what it writes.

Imports `maas.errors`, the records and msgspec. Values only; `rules` makes one from the other:

    Stamp(at="2030-01-02T03:04:05.678Z", by="ada", reason="better on long texts")
"""

from msgspec import Struct

from maas.errors import FieldError
from maas.registry.deployment_records import DeploymentRecord
from maas.registry.event_records import Action, EventRecord
from maas.registry.records import AliasRecord, ModelRecord, Policy, VersionRecord
from maas.registry.rollout_records import RolloutRecord

TEXT_CHARACTERS = 500


class Stamp(Struct, frozen=True):
    """When, who and why.

    Attributes:
        at: ISO 8601, UTC.
        by: The actor, 1 to 500 printable characters.
        reason: Up to 500 printable characters; may be empty.

    Raises:
        FieldError: A text is too long or would not print, for it is shown on terminals.
    """

    at: str
    by: str
    reason: str

    def __post_init__(self) -> None:
        for field, text, least in (("actor", self.by, 1), ("reason", self.reason, 0)):
            if not least <= len(text) <= TEXT_CHARACTERS or not text.isprintable():
                message = f"must be {least} to {TEXT_CHARACTERS} printable characters, one line"
                raise FieldError(message, field=field)


class Current(Struct, frozen=True):
    """A model as it is: its record and its policy, of one revision."""

    model: ModelRecord
    policy: Policy


class NewVersion(Struct, frozen=True):
    """The records that a registration writes, in one transaction.

    The model's and the policy's must replace the revision before (or nothing, at first); the
    others must be new.
    """

    model: ModelRecord
    policy: Policy
    event: EventRecord
    version: VersionRecord


class NewRoutes(Struct, frozen=True):
    """The records that a change of an alias writes, in one transaction.

    The event must be new; each of the others must replace its revision before. A rollout is there
    where one is running that the change does not end.
    """

    model: ModelRecord
    policy: Policy
    event: EventRecord
    alias: AliasRecord
    rollout: RolloutRecord | None = None


class NewState(Struct, frozen=True):
    """The records that a change of a version writes, in one transaction.

    The event must be new; each of the others must replace its revision before. Aliases and running
    rollouts are there where the change takes the version out of them.
    """

    model: ModelRecord
    policy: Policy
    event: EventRecord
    version: VersionRecord
    aliases: tuple[AliasRecord, ...] = ()
    rollouts: tuple[RolloutRecord, ...] = ()


class NewDescription(Struct, frozen=True):
    """The records that a change of a model's own words writes, in one transaction."""

    model: ModelRecord
    policy: Policy
    event: EventRecord


class NewRollout(Struct, frozen=True):
    """The records that a step of a rollout writes, in one transaction.

    The event must be new; each of the others must replace its revision before. The alias is there
    where the step changes it, and then the event's `after` has its `routes`.
    """

    model: ModelRecord
    policy: Policy
    event: EventRecord
    rollout: RolloutRecord
    alias: AliasRecord | None = None


class NewDeployment(Struct, frozen=True):
    """The records that a deployment writes, in one transaction.

    The event must be new; each of the others must replace its revision before.
    """

    model: ModelRecord
    policy: Policy
    event: EventRecord
    deployment: DeploymentRecord


Change = NewVersion | NewState | NewDescription | NewRoutes | NewRollout | NewDeployment


def new_event(
    model: ModelRecord,
    action: Action,
    subject: str,
    *,
    before: dict[str, object] | None,
    after: dict[str, object],
    stamp: Stamp,
) -> EventRecord:
    """The entry of a change in the model's history; `model` is at the revision that it makes."""
    return EventRecord(
        model=model.name,
        revision=model.revision,
        at=stamp.at,
        by=stamp.by,
        action=action,
        subject=subject,
        before=before,
        after=after,
        reason=stamp.reason,
    )
