"""The registry's one door: register, promote, roll back, record deployments, and read.

Imports `maas.errors` and the rooms beside it. Each change reads one snapshot, asks the rules, and
writes one transaction that fails where anything of the model changed in between:

    registry = Registry(store, clock=lambda: datetime.now(UTC), actor="ada")
    registry.register(candidate).record.number                      # 2
    registry.promote("sentiment", ByNumber(2), weight=10)           # 10 % of production
    registry.rollback("sentiment", reason="more errors than before")
"""

from dataclasses import dataclass

from maas.errors import ConflictError
from maas.registry import layout, registrations, rules
from maas.registry.addresses import ByNumber, VersionAddress, parse_alias, parse_model
from maas.registry.changes import Current, NewRoutes, Stamp
from maas.registry.curator import AliasChange, Curator
from maas.registry.deployer import current_of
from maas.registry.historian import Moment
from maas.registry.reader import no_alias, no_model
from maas.registry.records import (
    DEFAULT_ALIAS,
    AliasRecord,
    Candidate,
    DigestRecord,
    Route,
    VersionRecord,
)
from maas.registry.writes import writes_of

REGISTER_TRIES = 100
"""Each try is lost only to somebody else's success, so many writers need many."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A version, and whether this call made it or found its digest already there."""

    record: VersionRecord
    created: bool


class Registry(Curator):
    """Reads and changes the registry. Safe to share among threads; close it after use.

    Args:
        store: Where it lies.
        clock: The time now, with its zone.
        actor: Who makes the changes, as history shows it.
    """

    def register(self, candidate: Candidate) -> Registered:
        """Make a verified bundle the model's next version; the same digest again is a no-op.

        A lost race is tried again, because the intent does not depend on what the others did.

        Raises:
            FieldError: The candidate is malformed.
            RefusedError: A rule says no.
            ConflictError: Every try was lost to somebody else's change.
        """
        stamp = self._stamp("")
        parse_model(candidate.model)
        for _ in range(REGISTER_TRIES):
            try:
                return self._register_once(candidate, stamp)
            except ConflictError:
                continue
        raise ConflictError(f"Others keep changing {candidate.model}. Try again.")

    def promote(
        self,
        model: str,
        address: VersionAddress,
        *,
        alias: str = DEFAULT_ALIAS,
        weight: int = 100,
        reason: str = "",
        expected_alias_revision: int | None = None,
        force: bool = False,
    ) -> AliasChange:
        """Give a version `weight` percent of an alias's traffic; the others share the rest.

        Args:
            model: The model's name.
            address: The version: number, digest, or another alias that routes to one version.
            alias: The alias to change; the first promote makes it.
            weight: 1 to 100 percent. The others keep their proportions.
            reason: Why, for history.
            expected_alias_revision: The alias's own count of changes that the caller saw, which
                other changes of the model leave (0: no alias yet).
            force: Take a version too whose replay failed; a reason must be given.

        Raises:
            FieldError: A name, the weight or the reason is malformed.
            ModelNotFoundError: There is no such model.
            VersionNotServedError: There is no such version.
            RefusedError: A rule says no; the message names the remedy.
            ConflictError: The alias is at another revision than expected, or somebody changed the
                model meanwhile. Nothing was written; the message names the present revision.
        """
        stamp = self._stamp(reason)
        parse_alias(alias)
        current, before = self._snapshot(model, alias)
        _require_revision(model, alias, before, expected_alias_revision)
        version = self.version(model, address)
        change = rules.promote(
            current,
            before,
            version,
            name=alias,
            weight=weight,
            stamp=stamp,
            deployments=self.deployments(model),
            force=force,
        )
        if isinstance(change, AliasRecord):
            return AliasChange(change, changed=False, revision=current.model.revision)
        self._commit(change)
        return AliasChange(change.alias, changed=True, revision=change.model.revision)

    def rollback(
        self,
        model: str,
        *,
        alias: str = DEFAULT_ALIAS,
        to: Moment | None = None,
        reason: str = "",
        dry_run: bool = False,
    ) -> AliasChange:
        """Restore what the alias routed to before its last change, as a new revision.

        Without `to`, twice is back again.

        Args:
            model: The model's name.
            alias: The alias.
            to: A revision of the model or a time; what the alias routed to then is restored.
            reason: Why, for history.
            dry_run: Say what would become of the alias, and write nothing.

        Raises:
            FieldError: A name or the reason is malformed.
            ModelNotFoundError: There is no such model.
            VersionNotServedError: The model has no such alias, or had none then.
            RefusedError: There is nothing to go back to, or what was then may have no traffic.
            ConflictError: Somebody changed the model meanwhile; nothing was written.
        """
        stamp = self._stamp(reason)
        current, before = self._snapshot(model, alias)
        if before is None:
            raise no_alias(model, alias)
        then = None if to is None else self.alias_at(model, alias, to).state.routes
        change = self._restored(current, before, then, stamp)
        if isinstance(change, AliasRecord):
            return AliasChange(change, changed=False, revision=current.model.revision)
        if not dry_run:
            self._commit(change)
        return AliasChange(change.alias, changed=True, revision=change.model.revision)

    def _restored(
        self,
        current: Current,
        before: AliasRecord,
        then: tuple[Route, ...] | None,
        stamp: Stamp,
    ) -> NewRoutes | AliasRecord:
        model = before.model
        routes = (before.previous or ()) if then is None else then
        versions = [self.version(model, ByNumber(route.version)) for route in routes]
        deployed = self.deployments(model)
        if then is None:
            return rules.rollback(current, before, versions, stamp=stamp, deployments=deployed)
        return rules.restore(current, before, then, versions, stamp=stamp, deployments=deployed)

    def _register_once(self, candidate: Candidate, stamp: Stamp) -> Registered:
        model = candidate.model
        keys = (
            layout.digest_key(model, candidate.digest),
            layout.model_key(model),
            layout.policy_key(model),
        )
        digest, meta, policy = self._store.read(keys)
        if digest is not None:
            number = layout.record_of(digest, DigestRecord).number
            return Registered(self.version(model, ByNumber(number)), created=False)
        change = registrations.register(current_of(meta, policy), candidate, stamp)
        self._store.transact(writes_of(change))  # who lost a race tries again at once
        return Registered(change.version, created=True)

    def _snapshot(self, model: str, alias: str) -> tuple[Current, AliasRecord | None]:
        """What a change of an alias starts from.

        What is read of the model later than this is covered too: the write is conditioned on the
        model's revision here, and every change of the model raises that.
        """
        keys = (
            layout.model_key(parse_model(model)),
            layout.policy_key(model),
            layout.alias_key(model, parse_alias(alias)),
        )
        meta, policy, item = self._store.read(keys)
        current = current_of(meta, policy)
        if current is None:
            raise no_model(model)
        return current, layout.record_of(item, AliasRecord) if item else None


def _revision(alias: AliasRecord | None) -> int:
    return alias.revision if alias else 0


def _require_revision(
    model: str, name: str, alias: AliasRecord | None, expected: int | None
) -> None:
    if expected is not None and expected != _revision(alias):
        raise ConflictError(
            f"{name} of {model} is at alias_revision {_revision(alias)}, not {expected}: somebody "
            "else changed it. Look at it, then try again."
        )
