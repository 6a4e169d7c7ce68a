"""What a step of a rollout does: from the records as they are to those that shall be.

Imports `maas.errors`, the records and the pure rooms beside it, as `rules` does. The version's
share follows the rollout's steps; whoever changes the alias meanwhile wins, and ends it:

    change = begin(current, alias, None, version, plan, stamp=stamp, others=…, deployments=…)
    change = advance(current, alias, change.rollout, version, stamp=stamp, deployments=…)
    change = stop(current, alias, rollout, versions, stamp=stamp, owes=True, deployments=…)
    change = settle(current, change.rollout, change.rollout.owed, stamp=stamp)    # they were told

All the while, and after it, the alias's `previous` are the routes from before the rollout, so that
`maas rollback` never goes back to one of its steps.
"""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from msgspec.structs import replace

from maas.errors import ConflictError, RefusedError
from maas.registry.changes import Current, NewRollout, Stamp, new_event
from maas.registry.deployment_records import DeploymentRecord
from maas.registry.deployments import require_carried
from maas.registry.policies import next_policy
from maas.registry.records import WEIGHT_TOTAL, AliasRecord, Route, VersionRecord
from maas.registry.rollout_plans import (
    Plan,
    is_overtaken,
    is_running,
    named,
    routes_of,
    running_text,
)
from maas.registry.rollout_records import OWED_MAX, Owed, RolloutRecord
from maas.registry.rules import require_answering, require_verified
from maas.registry.timeline import seen, told


def begin(
    current: Current,
    alias: AliasRecord | None,
    rollout: RolloutRecord | None,
    version: VersionRecord,
    plan: Plan,
    *,
    name: str,
    stamp: Stamp,
    deployments: Sequence[DeploymentRecord] = (),
) -> NewRollout:
    """Give a version the first step's share of an alias.

    Args:
        current: The model as it is.
        alias: The alias as it is.
        rollout: The alias's newest rollout, if there ever was one.
        version: The version, read at `current`'s revision.
        plan: How it shall go.
        name: The alias's name.
        stamp: When, who and why.
        deployments: Where the model is deployed to, read at `current`'s revision.

    Raises:
        RefusedError: There is nobody to take the rest of the requests, the version has all of them
            already, is not verified, or a live deployment does not carry it.
        ConflictError: Another rollout to the alias is running.
    """
    if rollout is not None and is_running(alias, rollout):
        raise ConflictError(running_text(rollout))
    if alias is None:
        raise RefusedError(
            f"{name} of {version.model} routes to no version yet, so there is none to go back to. "
            "Promote one first."
        )
    if alias.routes == (Route(version.number, WEIGHT_TOTAL),):
        raise RefusedError(f"{version.model}@{version.number} answers all of {name} already.")
    made = RolloutRecord(
        model=version.model,
        alias=name,
        version=version.number,
        steps=plan.steps,
        step=0,
        status="running",
        baseline=alias.routes,
        started_at=stamp.at,
        step_at=stamp.at,
        by=stamp.by,
        reason=stamp.reason,
        alias_revision=alias.revision + 1,
        revision=rollout.revision + 1 if rollout else 1,
        gate=plan.gate,
        holder=plan.holder,
        owed=rollout.owed if rollout else (),
    )
    return _step(current, alias, made, version, stamp=stamp, deployments=deployments)


def advance(
    current: Current,
    alias: AliasRecord | None,
    rollout: RolloutRecord,
    version: VersionRecord,
    *,
    stamp: Stamp,
    owes: bool = False,
    deployments: Sequence[DeploymentRecord] = (),
) -> NewRollout:
    """Give the version the next step's share; behind the last step the rollout is finished.

    Arguments as in `begin` and `stop`.

    Raises:
        ConflictError: The rollout is over, or somebody else has changed the alias.
        RefusedError: The version is no longer verified, or a live deployment does not carry it.
    """
    alias = _require_running(current, alias, rollout)
    if rollout.step + 1 == len(rollout.steps):
        done = replace(rollout, status="finished", revision=rollout.revision + 1)
        done = _owing(done, WEIGHT_TOTAL, stamp) if owes else done
        return _write(current, alias, done, stamp=stamp)
    next_one = replace(
        rollout,
        step=rollout.step + 1,
        step_at=stamp.at,
        alias_revision=alias.revision + 1,
        revision=rollout.revision + 1,
    )
    return _step(current, alias, next_one, version, stamp=stamp, deployments=deployments)


def take_over(
    current: Current,
    alias: AliasRecord | None,
    rollout: RolloutRecord,
    *,
    holder: str,
    stamp: Stamp,
) -> NewRollout:
    """Let another driver go on from the present step; the former, if it lives, sees that and ends.

    Raises:
        ConflictError: The rollout is over, or somebody else has changed the alias.
    """
    alias = _require_running(current, alias, rollout)
    taken = replace(rollout, holder=holder, step_at=stamp.at, revision=rollout.revision + 1)
    return _write(current, alias, taken, stamp=stamp)


def stop(
    current: Current,
    alias: AliasRecord | None,
    rollout: RolloutRecord,
    versions: Sequence[VersionRecord],
    *,
    stamp: Stamp,
    owes: bool = False,
    deployments: Sequence[DeploymentRecord] = (),
) -> NewRollout:
    """Restore the routes from before the rollout, and end it.

    Args:
        current: The model as it is.
        alias: The alias as it is.
        rollout: The rollout.
        versions: Those of `rollout.baseline`, read at `current`'s revision.
        stamp: When, who and why.
        owes: Whether somebody is to be told of the end.
        deployments: Where the model is deployed to, read at `current`'s revision.

    Raises:
        ConflictError: The rollout is over, or somebody else has changed the alias.
        RefusedError: A version from before is retired or blocked, or a live deployment does not
            carry it.
    """
    alias = _require_running(current, alias, rollout)
    require_answering(versions)
    require_carried(versions, deployments)
    ended = replace(
        rollout,
        status="stopped",
        reason=stamp.reason,
        alias_revision=alias.revision + 1,
        revision=rollout.revision + 1,
    )
    if owes:
        left = sum(r.weight for r in rollout.baseline if r.version == rollout.version)
        ended = _owing(ended, left, stamp)
    digests = {version.number: version.digest for version in versions}
    return _write(current, alias, ended, stamp=stamp, routes=rollout.baseline, digests=digests)


def settle(
    current: Current, rollout: RolloutRecord, delivered: Collection[Owed], *, stamp: Stamp
) -> NewRollout | None:
    """Take out of a record what somebody has been told of; None where nothing of it is owed."""
    left = tuple(owed for owed in rollout.owed if owed not in delivered)
    if left == rollout.owed:
        return None
    settled = replace(rollout, owed=left, revision=rollout.revision + 1)
    return _write(current, None, settled, stamp=stamp)


def _owing(ended: RolloutRecord, weight: int, stamp: Stamp) -> RolloutRecord:
    """A rollout that has just ended, of which somebody is still to be told."""
    event: Literal["finished", "stopped"] = "stopped" if ended.status == "stopped" else "finished"
    owed = Owed(ended.version, event, weight, stamp.reason, stamp.at, ended.revision)
    return replace(ended, owed=(*ended.owed, owed)[-OWED_MAX:])


def _require_running(
    current: Current, alias: AliasRecord | None, rollout: RolloutRecord
) -> AliasRecord:
    if rollout.status != "running":
        raise ConflictError(f"The {named(rollout)} is {rollout.status} already.")
    if alias is None or is_overtaken(alias, rollout):
        by = f"{alias.by} changed" if alias else "somebody removed"
        raise ConflictError(
            f"{by} {rollout.alias} of {rollout.model} during the rollout of version "
            f"{rollout.version}, which ended it. Nothing was written; {rollout.model} is at "
            f"revision {current.model.revision}."
        )
    return alias


def _step(
    current: Current,
    alias: AliasRecord,
    rollout: RolloutRecord,
    version: VersionRecord,
    *,
    stamp: Stamp,
    deployments: Sequence[DeploymentRecord],
) -> NewRollout:
    require_verified([version])
    require_carried([version], deployments)
    routes = routes_of(rollout)
    digests = {version.number: version.digest}
    return _write(current, alias, rollout, stamp=stamp, routes=routes, digests=digests)


def _write(
    current: Current,
    alias: AliasRecord | None,
    rollout: RolloutRecord,
    *,
    stamp: Stamp,
    routes: tuple[Route, ...] | None = None,
    digests: Mapping[int, str] = MappingProxyType({}),
) -> NewRollout:
    """The records of a step; `routes` are None where the alias stays as it is."""
    model = replace(current.model, revision=current.model.revision + 1)
    state: dict[str, object] = {"rollout": told(rollout)}
    if alias is None or routes is None:
        policy = next_policy(model, current.policy)
        event = new_event(model, "rollout", rollout.alias, before=None, after=state, stamp=stamp)
        return NewRollout(model, policy, event, rollout)
    moved = replace(
        alias,
        routes=routes,
        previous=rollout.baseline,
        revision=rollout.alias_revision,
        at=stamp.at,
        by=stamp.by,
        reason=stamp.reason,
    )
    policy = next_policy(
        model,
        replace(
            current.policy,
            aliases=current.policy.aliases | {alias.name: routes},
            digests={**current.policy.digests, **digests},
        ),
    )
    event = new_event(
        model, "rollout", alias.name, before=seen(alias), after=seen(moved) | state, stamp=stamp
    )
    return NewRollout(model, policy, event, rollout, moved)
