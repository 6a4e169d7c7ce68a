"""What blocking a version does: it answers nobody, at once, and its shares go to the others.

Imports `maas.errors`, the records and the pure rooms beside it, as `rules` does:

    change = block(current, version, aliases, rollouts, stamp=stamp)

A running rollout of the version ends as stopped, and one that would go back to it goes back to the
other versions from before; in the same transaction, so that no driver could be faster.
"""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from maas.errors import RefusedError
from maas.registry.changes import Current, NewState, Stamp
from maas.registry.deployment_records import DeploymentRecord
from maas.registry.deployments import require_carried
from maas.registry.policies import in_use
from maas.registry.records import DEFAULT_ALIAS, AliasRecord, Policy, Route, VersionRecord
from maas.registry.rollout_plans import carried_on, named, needs, routes_of, running
from maas.registry.rollout_records import RolloutRecord
from maas.registry.rules import require_answering
from maas.registry.states import changed
from maas.registry.timeline import seen, told
from maas.registry.weights import without


def block(
    current: Current,
    version: VersionRecord,
    aliases: Sequence[AliasRecord],
    rollouts: Sequence[RolloutRecord] = (),
    *,
    stamp: Stamp,
    restored: Sequence[VersionRecord] = (),
    deployments: Sequence[DeploymentRecord] = (),
) -> NewState | VersionRecord:
    """Let a version answer nobody; answers with the version as it is where it is blocked already.

    Args:
        current: The model as it is.
        version: The version, read at `current`'s revision.
        aliases: All of the model's aliases, read at `current`'s revision.
        rollouts: The newest rollout to each alias, read at `current`'s revision.
        stamp: When, who and why.
        restored: The versions of `restored_by`, read at `current`'s revision.
        deployments: Where the model is deployed to, read at `current`'s revision.

    Raises:
        RefusedError: It is an alias's only route, so that nobody would answer, or all that a
            running rollout could go back to; or what would answer instead may have no traffic.
    """
    if version.status == "blocked":
        return version
    require_answering(restored)
    used = in_use(current.policy)
    if unused := [each for each in restored if each.number not in used]:
        require_carried(unused, deployments)
    deciding = running(aliases, rollouts)
    before = [a for a in aliases if _is_concerned(a, deciding.get(a.name), version.number)]
    moved = [_without(alias, deciding.get(alias.name), version.number, stamp) for alias in before]
    was: dict[str, object] = {"status": version.status}
    after: dict[str, object] = {"status": "blocked"}
    if moved:
        was["aliases"] = {alias.name: seen(alias) for alias in before}
        after["aliases"] = {alias.name: seen(alias) for alias, _ in moved}
    followed = tuple(rollout for _, rollout in moved if rollout is not None)
    if followed:
        after["rollouts"] = {rollout.alias: told(rollout) for rollout in followed}
    return changed(
        Current(current.model, _policy(current.policy, moved, version, restored)),
        version,
        replace(version, status="blocked"),
        action="block",
        stamp=stamp,
        before=was,
        after=after,
        aliases=tuple(alias for alias, _ in moved),
        rollouts=followed,
    )


def restored_by(
    version: int, aliases: Sequence[AliasRecord], rollouts: Sequence[RolloutRecord]
) -> set[int]:
    """The versions that answer again where rollouts end because their version is blocked."""
    return {
        route.version
        for rollout in running(aliases, rollouts).values()
        if rollout.version == version
        for route in rollout.baseline
        if route.version != version
    }


def _policy(
    policy: Policy,
    moved: Iterable[tuple[AliasRecord, RolloutRecord | None]],
    version: VersionRecord,
    restored: Sequence[VersionRecord],
) -> Policy:
    shadows = {
        name: shadow for name, shadow in policy.shadows.items() if shadow.version != version.number
    }
    return replace(
        policy,
        aliases=policy.aliases | {alias.name: alias.routes for alias, _ in moved},
        shadows=shadows,
        digests=policy.digests | {each.number: each.digest for each in (version, *restored)},
        blocked=(*policy.blocked, version.number),
    )


def _is_concerned(alias: AliasRecord, rollout: RolloutRecord | None, number: int) -> bool:
    shadowed = alias.shadow is not None and alias.shadow.version == number
    needed = rollout is not None and needs(rollout, number)
    return shadowed or needed or any(route.version == number for route in alias.routes)


def _without(
    alias: AliasRecord, rollout: RolloutRecord | None, number: int, stamp: Stamp
) -> tuple[AliasRecord, RolloutRecord | None]:
    """The next revisions, without a version, of an alias and of the rollout that runs there."""
    keeps = alias.shadow is not None and alias.shadow.version != number
    record = replace(
        alias,
        revision=alias.revision + 1,
        at=stamp.at,
        by=stamp.by,
        reason=stamp.reason,
        shadow=alias.shadow if keeps else None,
    )
    if rollout is None:
        return replace(record, routes=_others(alias, number)), None
    baseline = _baseline(rollout, number)
    follows = replace(carried_on(rollout, record), baseline=baseline)
    if rollout.version != number:
        # At the step's share as before, not at one that grows with what the others lost.
        return replace(record, routes=routes_of(follows), previous=baseline), follows
    why = f"blocked: {stamp.reason}" if stamp.reason else "blocked"
    follows = replace(follows, status="stopped", reason=why)
    return replace(record, routes=baseline, previous=baseline), follows


def _others(alias: AliasRecord, number: int) -> tuple[Route, ...]:
    if alias.routes[0].version == number and len(alias.routes) == 1:
        raise RefusedError(
            f"{alias.name} routes to {alias.model}@{number} alone, and somebody must answer. "
            f"Promote another version first, or go back with maas rollback {alias.model} "
            f"--alias {alias.name}; then block it."
        )
    return without(alias.routes, version=number)


def _baseline(rollout: RolloutRecord, number: int) -> tuple[Route, ...]:
    """What a rollout goes back to, without a version."""
    if not {route.version for route in rollout.baseline} - {number, rollout.version}:
        alias = "" if rollout.alias == DEFAULT_ALIAS else f" --alias {rollout.alias}"
        raise RefusedError(
            f"{rollout.model}@{number} is all that the {named(rollout)} could go back to, and "
            "somebody must answer. Promote another version first, such as by maas promote "
            f"{rollout.model}@{rollout.version}{alias}, which ends the rollout; then block it."
        )
    return without(rollout.baseline, version=number)
