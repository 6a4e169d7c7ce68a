"""The registry's part that answers what was: an alias at some time, out of the history.

Imports `maas.errors`, `maas.limits` and the rooms beside it. History is walked page by page from
the moment back to the alias's last change before it, and nothing else is read:

    moment = parse_moment("2026-11-03T10:00")      # or a revision of the model, such as "12"
    then = historian.alias_at("sentiment", "production", moment)
    then.state.routes, then.event.by
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import dropwhile
from typing import TypeAlias

from msgspec import Struct

from maas.errors import FieldError, VersionNotServedError
from maas.limits import LIMITS
from maas.registry.addresses import parse_alias
from maas.registry.event_records import EventRecord
from maas.registry.reader import Reader
from maas.registry.records import VERSIONS_MAX
from maas.registry.timeline import AliasState, alias_states


class AtRevision(Struct, frozen=True):
    """After a revision of the model, as history counts them."""

    revision: int

    def __str__(self) -> str:
        return f"revision {self.revision}"


class AtTime(Struct, frozen=True):
    """At a time, written as the records write theirs (UTC)."""

    at: str

    def __str__(self) -> str:
        return self.at


Moment: TypeAlias = AtRevision | AtTime


@dataclass(frozen=True, slots=True)
class AliasThen:
    """An alias as it was at a moment.

    Attributes:
        name: The alias.
        state: What it routed to.
        event: The change that had made it so.
    """

    name: str
    state: AliasState
    event: EventRecord


def parse_moment(text: str) -> Moment:
    """Read a revision or a time; a time without a zone is UTC.

    Raises:
        FieldError: It is neither.
    """
    if text.isdecimal() and text.isascii() and 1 <= int(text[:10]) <= VERSIONS_MAX:
        return AtRevision(int(text[:10]))
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        message = "must be a revision as maas history shows it, or a time such as 2026-11-03T10:00"
        raise FieldError(message, field="moment") from None
    zoned = when if when.tzinfo else when.replace(tzinfo=UTC)
    return AtTime(zoned.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"))


class Historian(Reader):
    """The registry's reading half with its past. Safe to share among threads."""

    def alias_at(self, model: str, alias: str, moment: Moment) -> AliasThen:
        """An alias as it was after the last change until a moment.

        Raises:
            ModelNotFoundError: There is no such model.
            VersionNotServedError: The alias did not exist then, or there is no such revision.
        """
        name = parse_alias(alias)
        for event in self._until(model, moment):
            state = alias_states(event).get(name)
            if state is not None:
                return AliasThen(name, state, event)
        raise VersionNotServedError(
            f"{model} had no alias {name} at {moment}. See maas history {model}.", field="version"
        )

    def aliases_at(self, model: str, moment: Moment) -> tuple[AliasThen, ...]:
        """All aliases that a model has now, as they were at a moment; without those of later.

        Raises:
            ModelNotFoundError: There is no such model.
            VersionNotServedError: There is no such revision.
        """
        wanted = {alias.name for alias in self.aliases(model)}
        found: dict[str, AliasThen] = {}
        for event in self._until(model, moment):
            for name, state in alias_states(event).items():
                found.setdefault(name, AliasThen(name, state, event))
            if wanted == found.keys():
                break
        return tuple(found[name] for name in sorted(found))

    def blocked_from(self, model: str, number: int) -> str | None:
        """The state that a version had before its last block; None where history has none."""
        subject = str(number)
        for event in self._changes(model):
            if event.action == "block" and event.subject == subject:
                status = (event.before or {}).get("status")
                return status if isinstance(status, str) else None
        return None

    def _until(self, model: str, moment: Moment) -> Iterator[EventRecord]:
        """The changes until a moment, the newest first."""
        match moment:
            case AtRevision(revision=revision):
                after = revision + 1 if revision < VERSIONS_MAX else None
                for place, event in enumerate(self._changes(model, after=after)):
                    if place == 0 and event.revision < revision:  # history has no gaps
                        raise _no_revision(model, revision, newest=event.revision)
                    yield event
            case AtTime(at=at):
                # Clocks of several writers may disagree; the revision alone orders history.
                yield from dropwhile(lambda event: event.at > at, self._changes(model))

    def _changes(self, model: str, *, after: int | None = None) -> Iterator[EventRecord]:
        """The changes, page by page, newest first, from behind the model's revision `after`."""
        more = True
        while more:
            page = self.history(model, limit=LIMITS.page_records, after=after)
            yield from page.records
            more, after = page.more, page.records[-1].revision if page.records else None


def _no_revision(model: str, revision: int, *, newest: int) -> VersionNotServedError:
    return VersionNotServedError(
        f"{model} has no revision {revision}; its newest is {newest}. See maas history {model}.",
        field="revision",
    )
