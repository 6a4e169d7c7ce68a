"""The registry's part that says what a version is: its state, its words, who sees what it sees.

Imports `maas.errors` and the rooms beside it. `Registry` is the door:

    registry.block("sentiment", ByNumber(2), reason="answers in the wrong language")
    registry.tag("sentiment", ByNumber(3), add=["good"])
    registry.shadow("sentiment", ByNumber(3), sample=500)          # 5 % of production's requests
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TypeAlias

from maas.registry import blocks, layout, shadows, states, words
from maas.registry.addresses import ByNumber, VersionAddress, parse_model
from maas.registry.changes import Current, NewState, Stamp
from maas.registry.deployer import current_of
from maas.registry.reader import no_alias, no_model
from maas.registry.records import (
    DEFAULT_ALIAS,
    AliasRecord,
    ModelRecord,
    Verification,
    VersionRecord,
)
from maas.registry.roller import Roller
from maas.registry.rollout_plans import running

Changed: TypeAlias = NewState | VersionRecord
"""What a rule answers with: the records to write, or the version where nothing would change."""


@dataclass(frozen=True, slots=True)
class VersionChange:
    """A version as it is now, and whether this call changed it.

    Attributes:
        record: The version.
        changed: Whether this call changed it.
        revision: The model's revision, as history counts, at which it is so.
    """

    record: VersionRecord
    changed: bool
    revision: int


@dataclass(frozen=True, slots=True)
class ModelChange:
    """A model as it is now; attributes as in `VersionChange`."""

    record: ModelRecord
    changed: bool

    @property
    def revision(self) -> int:
        """The model's own, for its changes are all that history counts."""
        return self.record.revision


@dataclass(frozen=True, slots=True)
class AliasChange:
    """An alias as it is now; attributes as in `VersionChange`."""

    record: AliasRecord
    changed: bool
    revision: int


class Curator(Roller):
    """Says what versions are. Safe to share among threads; close it after use.

    Every method raises `ModelNotFoundError` and `VersionNotServedError` for what there is not,
    `FieldError` for a malformed text, `RefusedError` where a rule says no, with the remedy, and
    `ConflictError` where somebody changed the model meanwhile; then nothing was written.
    """

    def record_verification(
        self, model: str, address: VersionAddress, verification: Verification, *, reason: str = ""
    ) -> VersionChange:
        """Write down what a replay of a version's golden requests showed.

        A version that failed is registered again, and keeps the traffic that it has.
        """
        return self._change_version(
            model,
            address,
            reason,
            lambda current, version, stamp: states.verify(
                current, version, verification, stamp=stamp
            ),
        )

    def retire(self, model: str, address: VersionAddress, *, reason: str = "") -> VersionChange:
        """Let a version have no traffic any more; refused while it is in use or needed."""

        def rule(current: Current, version: VersionRecord, stamp: Stamp) -> Changed:
            rollouts = running(self.aliases(model), self.rollouts(model))
            return states.retire(current, version, rollouts.values(), stamp=stamp)

        return self._change_version(model, address, reason, rule)

    def block(self, model: str, address: VersionAddress, *, reason: str = "") -> VersionChange:
        """Let a version answer nobody, not even who pins it; its traffic goes to the others.

        A rollout of it ends, and what answered before it answers again.
        """

        def rule(current: Current, version: VersionRecord, stamp: Stamp) -> Changed:
            aliases, rollouts = self.aliases(model), self.rollouts(model)
            restored = blocks.restored_by(version.number, aliases, rollouts)
            return blocks.block(
                current,
                version,
                aliases,
                rollouts,
                stamp=stamp,
                restored=[self.version(model, ByNumber(number)) for number in sorted(restored)],
                deployments=self.deployments(model) if restored else (),
            )

        return self._change_version(model, address, reason, rule)

    def unblock(self, model: str, address: VersionAddress, *, reason: str = "") -> VersionChange:
        """Make a blocked version again what it was: retired, or what its last replay says."""

        def rule(current: Current, version: VersionRecord, stamp: Stamp) -> Changed:
            blocked = version.status == "blocked"
            was = self.blocked_from(version.model, version.number) if blocked else None
            return states.unblock(current, version, was=was, stamp=stamp)

        return self._change_version(model, address, reason, rule)

    def tag(
        self,
        model: str,
        address: VersionAddress,
        *,
        add: Collection[str] = (),
        remove: Collection[str] = (),
    ) -> VersionChange:
        """Add tags to a version and take others away."""
        return self._change_version(
            model,
            address,
            "",
            lambda current, version, stamp: words.tag(
                current, version, add=add, remove=remove, stamp=stamp
            ),
        )

    def describe_version(self, model: str, address: VersionAddress, text: str) -> VersionChange:
        """Say in one line what a version is."""
        return self._change_version(
            model,
            address,
            "",
            lambda current, version, stamp: words.describe_version(
                current, version, text, stamp=stamp
            ),
        )

    def describe_model(self, model: str, text: str) -> ModelChange:
        """Say in one line what a model is."""
        change = words.describe_model(self._current(model), text, stamp=self._stamp(""))
        if isinstance(change, ModelRecord):
            return ModelChange(change, changed=False)
        self._commit(change)
        return ModelChange(change.model, changed=True)

    def shadow(
        self,
        model: str,
        address: VersionAddress | None,
        *,
        sample: int = 0,
        alias: str = DEFAULT_ALIAS,
        reason: str = "",
    ) -> AliasChange:
        """Let a version see some of an alias's requests and answer none of them.

        Args:
            model: The model's name.
            address: The version; None ends the shadow that there is.
            sample: How many of the requests, in hundredths of a percent.
            alias: The alias.
            reason: Why, for history.
        """
        stamp = self._stamp(reason)
        current, state = self._rolling(model, alias)
        if state.alias is None:
            raise no_alias(model, alias)
        if address is None:
            change = shadows.unshadow(current, state.alias, stamp=stamp, rollout=state.record)
        else:
            change = shadows.shadow(
                current,
                state.alias,
                self.version(model, address),
                sample=sample,
                stamp=stamp,
                rollout=state.record,
                deployments=self.deployments(model),
            )
        if isinstance(change, AliasRecord):
            return AliasChange(change, changed=False, revision=current.model.revision)
        self._commit(change)
        return AliasChange(change.alias, changed=True, revision=change.model.revision)

    def _change_version(
        self,
        model: str,
        address: VersionAddress,
        reason: str,
        rule: Callable[[Current, VersionRecord, Stamp], Changed],
    ) -> VersionChange:
        stamp = self._stamp(reason)
        current = self._current(model)
        change = rule(current, self.version(model, address), stamp)
        if isinstance(change, VersionRecord):
            return VersionChange(change, changed=False, revision=current.model.revision)
        self._commit(change)
        return VersionChange(change.version, changed=True, revision=change.model.revision)

    def _current(self, model: str) -> Current:
        """What a change starts from; later reads are covered by the model's revision here."""
        keys = (layout.model_key(parse_model(model)), layout.policy_key(model))
        current = current_of(*self._store.read(keys))
        if current is None:
            raise no_model(model)
        return current
