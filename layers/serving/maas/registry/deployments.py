"""What a deployment changes in the registry, and what it asks of a promote or a shadow. Pure.

Imports `maas.errors`, the records and the pure rooms beside it. A target's record only ever lists
what its function surely carries, so a deployment first narrows it to what stays:

    change = narrow(current, before, {1: "sha256:…"}, stamp=stamp)            # before sam deploy
    change = deploy(current, before, seen, targets=targets, stamp=stamp)      # after it was asked
    require_carried([version], deployments)     # RefusedError where it could not answer there
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
from msgspec.structs import replace

from maas.errors import FieldError, RefusedError
from maas.registry.changes import Current, NewDeployment, Stamp, new_event
from maas.registry.deployment_records import DEPLOYMENTS_MAX, DeploymentRecord
from maas.registry.event_records import Action
from maas.registry.policies import in_use, users
from maas.registry.records import Policy, VersionRecord, decode, encode
from maas.registry.rollout_plans import baselines
from maas.registry.rollout_records import RolloutRecord


@dataclass(frozen=True, slots=True)
class Seen:
    """What a target's function was seen to answer with.

    Attributes:
        target: The stack's name.
        function: The function's name and alias.
        function_version: The function version behind the alias.
        digests: Full digest by number of each version that it answered for.
    """

    target: str
    function: str
    function_version: str
    digests: Mapping[int, str]


def deploy(
    current: Current,
    before: DeploymentRecord | None,
    seen: Seen,
    *,
    versions: Sequence[VersionRecord],
    targets: Sequence[DeploymentRecord],
    rollouts: Sequence[RolloutRecord] = (),
    stamp: Stamp,
) -> NewDeployment | DeploymentRecord:
    """Record what a target's function was seen to answer with.

    Args:
        current: The model as it is.
        before: The target's record, None before its first deployment.
        seen: What was seen.
        versions: The registry's records of the versions that were seen.
        targets: The records of all targets, read at `current`'s revision.
        rollouts: Those that are running, read at `current`'s revision.
        stamp: When and who.

    Returns:
        The records to write, or the target's record where nothing would change.

    Raises:
        FieldError: A name or a digest is malformed.
        RefusedError: The function answers with another digest than was registered or lacks a
            version that is in use, or the model is deployed to too many targets.
    """
    record = _checked(
        DeploymentRecord(
            model=current.model.name,
            target=seen.target,
            status="live",
            function=seen.function,
            function_version=seen.function_version,
            digests=dict(sorted(seen.digests.items())),
            revision=before.revision + 1 if before else 1,
            at=stamp.at,
            by=stamp.by,
        )
    )
    _require_registered(record, versions)
    require_used(current.policy, rollouts, record.target, record.digests)
    elsewhere = [t for t in targets if t.status != "removed" and t.target != record.target]
    if len(elsewhere) >= DEPLOYMENTS_MAX:
        raise RefusedError(
            f"{record.model} is deployed to {DEPLOYMENTS_MAX} targets; that is the most. "
            "Destroy one of them with maas destroy first."
        )
    if before and _state(before) == _state(record):
        return before
    return _changed(current, before, record, action="deploy", stamp=stamp)


def narrow(
    current: Current,
    before: DeploymentRecord,
    digests: Mapping[int, str],
    *,
    rollouts: Sequence[RolloutRecord] = (),
    stamp: Stamp,
) -> NewDeployment | DeploymentRecord:
    """Keep of a live target's versions those that its next function carries too.

    From then on no promote reaches a version that is about to leave, whenever that happens.

    Args:
        current: The model as it is.
        before: The target's record.
        digests: Digest by number of what the next function carries.
        rollouts: Those that are running, read at `current`'s revision.
        stamp: When and who.

    Returns:
        The records to write, or the target's record where nothing would change.

    Raises:
        RefusedError: A version that is in use would leave.
    """
    require_used(current.policy, rollouts, before.target, digests)
    kept = dict(before.digests.items() & digests.items())
    if before.status != "live" or kept == before.digests:
        return before
    record = replace(_next(before, stamp), digests=dict(sorted(kept.items())))
    return _changed(current, before, record, action="narrow", stamp=stamp)


def end(
    current: Current,
    before: DeploymentRecord,
    *,
    status: Literal["leaving", "removed"],
    stamp: Stamp,
) -> NewDeployment | DeploymentRecord:
    """Record that a target is being destroyed, or that it is gone.

    Returns:
        The records to write, or the target's record where nothing would change. What is removed
        does not begin to leave.
    """
    if before.status in ("removed", status):
        return before
    record = replace(_next(before, stamp), status=status)
    action: Action = "leave" if status == "leaving" else "remove"
    return _changed(current, before, record, action=action, stamp=stamp)


def require_carried(
    versions: Sequence[VersionRecord], deployments: Sequence[DeploymentRecord]
) -> None:
    """Refuse a version that a deployment could not answer with.

    Raises:
        RefusedError: With the remedy.
    """
    for deployment in deployments:
        if deployment.status == "removed":
            continue
        target = deployment.target
        if deployment.status == "leaving":
            raise RefusedError(
                f"{deployment.model} is being removed from {target}. End that with "
                f"maas destroy --stack {target}, or undo it with maas deploy --stack {target}."
            )
        for version in versions:
            if deployment.digests.get(version.number) != version.digest:
                carried = ", ".join(map(str, deployment.digests)) or "none"
                raise RefusedError(
                    f"{version.model}@{version.number} is not deployed to {target}, "
                    f"which carries versions {carried}. Run maas package --candidate "
                    f"{version.model}@{version.number} and maas deploy, then repeat this.",
                    field="version",
                )


def require_used(
    policy: Policy, rollouts: Sequence[RolloutRecord], target: str, digests: Mapping[int, str]
) -> None:
    """Refuse a set that lacks a version which an alias routes to, shadows, or could go back to.

    Args:
        policy: The model's policy.
        rollouts: Those that are running.
        target: The stack's name.
        digests: Digest by number of what the set holds.

    Raises:
        RefusedError: With the remedy.
    """
    waiting = baselines(rollouts)
    for number in sorted(in_use(policy) | waiting.keys()):
        # Of a baseline without traffic the policy may know no digest any more.
        if number not in digests or digests[number] != policy.digests.get(number, digests[number]):
            used_by = users(policy, number) or ", ".join(
                f"{alias} as its rollout's baseline" for alias in waiting[number]
            )
            raise RefusedError(
                f"{target} would lack {policy.model}@{number}, which is in use by {used_by}. "
                "Run maas package and maas deploy, which carry it, or promote another version, "
                "end the shadow or let the rollout end."
            )


def _require_registered(record: DeploymentRecord, versions: Sequence[VersionRecord]) -> None:
    digests = {version.number: version.digest for version in versions}
    for number, digest in record.digests.items():
        if digests.get(number) != digest:
            raise RefusedError(
                f"{record.target} answers for {record.model}@{number} with {digest}; registered "
                f"is {digests.get(number, 'no such version')}. Run maas package and maas deploy."
            )


def _checked(record: DeploymentRecord) -> DeploymentRecord:
    """A struct made in code was not checked when it was made."""
    try:
        return decode(encode(record), DeploymentRecord)
    except msgspec.ValidationError as error:
        raise FieldError(f"The deployment is malformed: {error}.", field="target") from error


def _next(before: DeploymentRecord, stamp: Stamp) -> DeploymentRecord:
    return replace(before, revision=before.revision + 1, at=stamp.at, by=stamp.by)


def _changed(
    current: Current,
    before: DeploymentRecord | None,
    record: DeploymentRecord,
    *,
    action: Action,
    stamp: Stamp,
) -> NewDeployment:
    model = replace(current.model, revision=current.model.revision + 1)
    return NewDeployment(
        model=model,
        policy=replace(current.policy, revision=model.revision),
        event=new_event(
            model,
            action,
            record.target,
            before=_state(before) if before else None,
            after=_state(record),
            stamp=stamp,
        ),
        deployment=record,
    )


def _state(record: DeploymentRecord) -> dict[str, object]:
    """A deployment as history shows it."""
    return {
        "status": record.status,
        "function": record.function,
        "function_version": record.function_version,
        "versions": list(record.digests),
    }
