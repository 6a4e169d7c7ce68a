"""The registry's half that records deployments; also what every writer of it has.

Imports `maas.errors` and the rooms beside it. `Registry` is the door; a deployment goes through it
in this order, each step one transaction, and each may be repeated:

    registry.narrow_deployment("sentiment", "maas", digests)     # before sam deploy
    registry.record_deployment("sentiment", "maas", function=…)  # after the function was asked
    registry.leave_deployment("sentiment", "maas")               # before the stack is destroyed
    registry.remove_deployment("sentiment", "maas")              # after it is gone
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Self

from maas.errors import ConflictError, RefusedError
from maas.registry import deployments, layout
from maas.registry.addresses import ByNumber, parse_model, parse_target
from maas.registry.changes import Change, Current, NewDeployment, Stamp
from maas.registry.deployment_records import DeploymentRecord
from maas.registry.deployments import Seen
from maas.registry.historian import Historian
from maas.registry.reader import no_model
from maas.registry.records import ModelRecord, Policy
from maas.registry.rollout_plans import running
from maas.registry.rollout_records import RolloutRecord
from maas.registry.store import Item, Store
from maas.registry.writes import writes_of


@dataclass(frozen=True, slots=True)
class DeploymentChange:
    """A deployment as it is now, and whether this call changed it."""

    record: DeploymentRecord
    changed: bool


class Deployer(Historian):
    """Reads the registry and records deployments. Safe to share among threads; close it after use.

    Args:
        store: Where it lies.
        clock: The time now, with its zone.
        actor: Who makes the changes, as history shows it.
    """

    def __init__(self, store: Store, *, clock: Callable[[], datetime], actor: str) -> None:
        super().__init__(store)
        self._clock = clock
        self._actor = actor

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back the store's files and connections."""
        self._store.close()

    def record_deployment(
        self,
        model: str,
        target: str,
        *,
        function: str,
        function_version: str,
        digests: Mapping[int, str],
    ) -> DeploymentChange:
        """Record what a target's function was seen to answer with; from now on promotes ask for it.

        Args:
            model: The model's name.
            target: The stack's name.
            function: The function's name and alias.
            function_version: The function version behind the alias.
            digests: Full digest by number of each version that it answered for.

        Raises:
            FieldError: A name or a digest is malformed.
            ModelNotFoundError: There is no such model.
            VersionNotServedError: There is no such version.
            RefusedError: A digest is not the registered one, a version that is in use is missing,
                or the model is deployed to too many targets.
            ConflictError: Somebody changed the model meanwhile; nothing was written.
        """
        stamp = self._stamp("")
        current, before = self._deployed(model, target)
        seen = Seen(target, function, function_version, digests)
        change = deployments.deploy(
            current,
            before,
            seen,
            versions=[self.version(model, ByNumber(number)) for number in digests],
            targets=self.deployments(model),
            rollouts=self._running(model),
            stamp=stamp,
        )
        return self._written(change)

    def narrow_deployment(
        self, model: str, target: str, digests: Mapping[int, str]
    ) -> DeploymentChange | None:
        """Keep of a target's versions those that its next function carries too; None without one.

        From now on no promote reaches a version that is about to leave.

        Args:
            model: The model's name.
            target: The stack's name.
            digests: Full digest by number of what the next function carries.

        Raises:
            ModelNotFoundError: There is no such model.
            RefusedError: A version that is in use would leave.
            ConflictError: Somebody changed the model meanwhile; nothing was written.
        """
        current, before = self._deployed(model, target)
        rollouts = self._running(model)
        if before is None:
            deployments.require_used(current.policy, rollouts, target, digests)
            return None
        stamp = self._stamp("what stays, before a deployment")
        return self._written(
            deployments.narrow(current, before, digests, rollouts=rollouts, stamp=stamp)
        )

    def leave_deployment(self, model: str, target: str) -> DeploymentChange:
        """Record that a target is about to be destroyed; promotes are refused until it is gone.

        Raises:
            RefusedError: The model was never deployed there.
            ConflictError: Somebody changed the model meanwhile; nothing was written.
        """
        return self._end(model, target, "leaving")

    def remove_deployment(self, model: str, target: str) -> DeploymentChange:
        """Record that a target answers no more, so that no promote asks for it.

        Raises:
            RefusedError: The model was never deployed there.
            ConflictError: Somebody changed the model meanwhile; nothing was written.
        """
        return self._end(model, target, "removed")

    def _end(
        self, model: str, target: str, status: Literal["leaving", "removed"]
    ) -> DeploymentChange:
        stamp = self._stamp("")
        current, before = self._deployed(model, target)
        if before is None:
            raise RefusedError(f"{model} was never deployed to {target}.", field="target")
        return self._written(deployments.end(current, before, status=status, stamp=stamp))

    def _running(self, model: str) -> tuple[RolloutRecord, ...]:
        return tuple(running(self.aliases(model), self.rollouts(model)).values())

    def _deployed(self, model: str, target: str) -> tuple[Current, DeploymentRecord | None]:
        """What a deployment starts from; later reads are covered by the model's revision here."""
        keys = (
            layout.model_key(parse_model(model)),
            layout.policy_key(model),
            layout.deployment_key(model, parse_target(target)),
        )
        meta, policy, item = self._store.read(keys)
        current = current_of(meta, policy)
        if current is None:
            raise no_model(model)
        return current, layout.record_of(item, DeploymentRecord) if item else None

    def _written(self, change: NewDeployment | DeploymentRecord) -> DeploymentChange:
        if isinstance(change, DeploymentRecord):
            return DeploymentChange(change, changed=False)
        self._commit(change)
        return DeploymentChange(change.deployment, changed=True)

    def _commit(self, change: Change) -> None:
        """Write a change, or say at which revision the model is now."""
        try:
            self._store.transact(writes_of(change))
        except ConflictError as error:
            model = change.model.name
            (item,) = self._store.read([layout.model_key(model)])
            raise ConflictError(
                f"{model} was changed by somebody else meanwhile and nothing was written; "
                f"it is at revision {item.revision if item else 0}. See maas history {model}, then "
                "try again."
            ) from error

    def now(self) -> str:
        """The time as records write it (ISO 8601, UTC)."""
        at = self._clock().astimezone(UTC).isoformat(timespec="milliseconds")
        return at.replace("+00:00", "Z")

    def _stamp(self, reason: str) -> Stamp:
        return Stamp(at=self.now(), by=self._actor, reason=reason)


def current_of(meta: Item | None, policy: Item | None) -> Current | None:
    """A model as it is, of its two items; None where it was never registered."""
    if meta is None or policy is None:
        return None
    return Current(layout.record_of(meta, ModelRecord), layout.record_of(policy, Policy))
