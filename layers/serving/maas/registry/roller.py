"""The registry's part that rolls versions out, step by step; see `rollouts` for its rules.

Imports `maas.errors` and the rooms beside it. `Registry` is the door; a driver goes through it:

    rollout = registry.begin_rollout("sentiment", ByNumber(2), plan=plan).record
    rollout = registry.advance_rollout("sentiment", holder=plan.holder).record   # the next step
    registry.stop_rollout("sentiment", reason="too many errors")                 # back to before
"""

from collections.abc import Collection
from dataclasses import dataclass

from maas.errors import ConflictError, RefusedError
from maas.registry import layout, rollouts
from maas.registry.addresses import ByNumber, VersionAddress, parse_alias, parse_model
from maas.registry.changes import Current, NewRollout
from maas.registry.deployer import Deployer, current_of
from maas.registry.reader import no_model
from maas.registry.records import DEFAULT_ALIAS, AliasRecord
from maas.registry.rollout_plans import Plan, is_running
from maas.registry.rollout_records import Owed, RolloutRecord


@dataclass(frozen=True, slots=True)
class RolloutState:
    """The newest rollout to an alias, and the alias; of one moment.

    Attributes:
        record: The rollout; None where there never was one.
        alias: The alias; None before its first promote.
    """

    record: RolloutRecord | None
    alias: AliasRecord | None

    @property
    def running(self) -> bool:
        """Whether the rollout still decides over the alias, be its driver alive or not."""
        return is_running(self.alias, self.record)


class Roller(Deployer):
    """Rolls versions out. Safe to share among threads; close it after use.

    Every method raises `ModelNotFoundError` where there is no such model. Those that write raise
    `ConflictError` where the rollout is over, somebody else has changed the alias, or anything of
    the model meanwhile; then nothing was written.
    """

    def rollout(self, model: str, *, alias: str = DEFAULT_ALIAS) -> RolloutState:
        """How far the newest rollout to an alias is."""
        _, state = self._rolling(model, alias)
        return state

    def begin_rollout(
        self,
        model: str,
        address: VersionAddress,
        *,
        plan: Plan,
        alias: str = DEFAULT_ALIAS,
        reason: str = "",
    ) -> RolloutRecord:
        """Give a version the first step's share of an alias.

        Args:
            model: The model's name.
            address: The version.
            plan: The steps, and who drives them.
            alias: The alias, which routes to another version already.
            reason: Why, for history.

        Raises:
            VersionNotServedError: There is no such version.
            RefusedError: A rule says no; the message names the remedy.
            ConflictError: Another rollout to the alias is running; see also the class.
        """
        stamp = self._stamp(reason)
        current, state = self._rolling(model, alias)
        change = rollouts.begin(
            current,
            state.alias,
            state.record,
            self.version(model, address),
            plan,
            name=alias,
            stamp=stamp,
            deployments=self.deployments(model),
        )
        return self._rolled(change)

    def advance_rollout(
        self,
        model: str,
        *,
        holder: str,
        alias: str = DEFAULT_ALIAS,
        reason: str = "",
        owes: bool = False,
    ) -> RolloutRecord:
        """Give the version the next step's share, or finish the rollout behind the last one.

        Args:
            model: The model's name.
            holder: The driver that goes on; another one's word is a conflict.
            alias: The alias.
            reason: Why, for history.
            owes: Whether somebody is to be told of the end, which is written with the end itself.

        Raises:
            RefusedError: The version may have no more traffic.
        """
        stamp = self._stamp(reason)
        current, state = self._rolling(model, alias)
        record = _require_rollout(model, alias, state)
        _require_holder(record, holder)
        change = rollouts.advance(
            current,
            state.alias,
            record,
            self.version(model, ByNumber(record.version)),
            stamp=stamp,
            owes=owes,
            deployments=self.deployments(model),
        )
        return self._rolled(change)

    def take_rollout(
        self, model: str, *, holder: str, alias: str = DEFAULT_ALIAS, reason: str = ""
    ) -> RolloutRecord:
        """Let a driver go on where another one ended; that one, if it lives after all, ends then.

        Raises:
            RefusedError: There never was a rollout.
        """
        stamp = self._stamp(reason)
        current, state = self._rolling(model, alias)
        record = _require_rollout(model, alias, state)
        return self._rolled(
            rollouts.take_over(current, state.alias, record, holder=holder, stamp=stamp)
        )

    def stop_rollout(
        self,
        model: str,
        *,
        alias: str = DEFAULT_ALIAS,
        reason: str = "",
        holder: str | None = None,
        owes: bool = False,
    ) -> RolloutRecord:
        """Restore the routes from before the rollout, and end it.

        Args:
            model: The model's name.
            alias: The alias.
            reason: Why, for history.
            holder: The driver that stops it; None: a person, whoever drives.
            owes: As in `advance_rollout`.

        Raises:
            RefusedError: There never was a rollout, or what was before may have no traffic.
        """
        stamp = self._stamp(reason)
        current, state = self._rolling(model, alias)
        record = _require_rollout(model, alias, state)
        if holder is not None:
            _require_holder(record, holder)
        change = rollouts.stop(
            current,
            state.alias,
            record,
            [self.version(model, ByNumber(route.version)) for route in record.baseline],
            stamp=stamp,
            owes=owes,
            deployments=self.deployments(model),
        )
        return self._rolled(change)

    def settle_rollout(
        self,
        model: str,
        delivered: Collection[Owed],
        *,
        alias: str = DEFAULT_ALIAS,
        reason: str = "",
    ) -> RolloutRecord:
        """Note that somebody has been told of ends that the record owed; what it does not is none.

        Args:
            model: The model's name.
            delivered: The ends, as the record has them.
            alias: The alias.
            reason: Who was told, for history.

        Raises:
            RefusedError: There never was a rollout.
        """
        stamp = self._stamp(reason)
        current, state = self._rolling(model, alias)
        record = _require_rollout(model, alias, state)
        change = rollouts.settle(current, record, delivered, stamp=stamp)
        return record if change is None else self._rolled(change)

    def _rolling(self, model: str, alias: str) -> tuple[Current, RolloutState]:
        """What a step starts from; later reads are covered by the model's revision here."""
        keys = (
            layout.model_key(parse_model(model)),
            layout.policy_key(model),
            layout.alias_key(model, parse_alias(alias)),
            layout.rollout_key(model, alias),
        )
        meta, policy, item, rollout = self._store.read(keys)
        current = current_of(meta, policy)
        if current is None:
            raise no_model(model)
        return current, RolloutState(
            layout.record_of(rollout, RolloutRecord) if rollout else None,
            layout.record_of(item, AliasRecord) if item else None,
        )

    def _rolled(self, change: NewRollout) -> RolloutRecord:
        self._commit(change)
        return change.rollout


def _require_rollout(model: str, alias: str, state: RolloutState) -> RolloutRecord:
    if state.record is None:
        raise RefusedError(f"There never was a rollout to {alias} of {model}.")
    return state.record


def _require_holder(record: RolloutRecord, holder: str) -> None:
    if record.holder != holder:
        raise ConflictError(f"Another driver has taken over the rollout to {record.alias}.")
