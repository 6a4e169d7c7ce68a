"""What a change of a version does: from the records as they are to those that shall be.

Imports `maas.errors`, the records and the pure rooms beside it, as `rules` does. A version is
`registered`, and `verified` while its last replay of the golden requests passed; `retired` it is
given no traffic any more, `blocked` it answers nobody, however it is asked for:

    change = verify(current, version, verification, stamp=stamp)
    change = retire(current, version, stamp=stamp)
    change = unblock(current, version, was="retired", stamp=stamp)    # what blocks is in `blocks`

Each answers with the records to write, or with the version as it is where nothing would change.
"""

from collections.abc import Iterable
from typing import Literal

from msgspec.structs import replace

from maas.errors import RefusedError
from maas.registry.changes import Current, NewState, Stamp, new_event
from maas.registry.event_records import Action
from maas.registry.policies import next_policy, users
from maas.registry.records import AliasRecord, Verification, VersionRecord
from maas.registry.rollout_plans import command, named, needs
from maas.registry.rollout_records import RolloutRecord

Status = Literal["registered", "verified"]


def verify(
    current: Current, version: VersionRecord, verification: Verification, *, stamp: Stamp
) -> NewState:
    """Record what a replay of the golden requests showed, and what follows of it.

    A version that failed is `registered` again. One with traffic keeps it: whether another shall
    answer is for people to say. What is retired or blocked stays so.
    """
    status = version.status
    if status in {"registered", "verified"}:
        status = _earned(verification)
    record = replace(version, status=status, verification=verification)
    after: dict[str, object] = {"status": status, "passed": verification.passed}
    if verification.problem:
        after["problem"] = verification.problem
    return changed(current, version, record, action="verify", stamp=stamp, after=after)


def retire(
    current: Current,
    version: VersionRecord,
    rollouts: Iterable[RolloutRecord] = (),
    *,
    stamp: Stamp,
) -> NewState | VersionRecord:
    """Give a version no traffic any more; where it is carried, it answers pins until it is not.

    Args:
        current: The model as it is.
        version: The version, read at `current`'s revision.
        rollouts: Those that are running, read at `current`'s revision.
        stamp: When, who and why.

    Raises:
        RefusedError: A rollout needs it, an alias routes to it or shadows it, or it is blocked.
    """
    if version.status == "retired":
        return version
    if version.status == "blocked":
        raise RefusedError(f"{_name(version)} is blocked, which is more than retired.")
    for rollout in rollouts:
        if needs(rollout, version.number):
            raise RefusedError(_needed(rollout, version), field="version")
    if used_by := users(current.policy, version.number):
        raise RefusedError(
            f"{_name(version)} is in use by {used_by}. Promote another version, or end the shadow, "
            "then retire it."
        )
    return changed(
        current, version, replace(version, status="retired"), action="retire", stamp=stamp
    )


def unblock(
    current: Current, version: VersionRecord, *, was: str | None, stamp: Stamp
) -> NewState | VersionRecord:
    """Make a blocked version again what it was before.

    Args:
        current: The model as it is.
        version: The version, read at `current`'s revision.
        was: Its state before its last block; None where nothing tells. Retired is for good; of the
            others its last replay decides, which may be of later than the block.
        stamp: When, who and why.
    """
    if version.status != "blocked":
        return version
    policy = replace(
        current.policy,
        digests=current.policy.digests | {version.number: version.digest},
        blocked=tuple(n for n in current.policy.blocked if n != version.number),
    )
    status = "retired" if was == "retired" else _earned(version.verification)
    record = replace(version, status=status)
    current = Current(current.model, policy)
    return changed(current, version, record, action="unblock", stamp=stamp)


def changed(
    current: Current,
    version: VersionRecord,
    record: VersionRecord,
    *,
    action: Action,
    stamp: Stamp,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
    aliases: tuple[AliasRecord, ...] = (),
    rollouts: tuple[RolloutRecord, ...] = (),
) -> NewState:
    """The records of a change of one version.

    Args:
        current: The model as it is, with the policy as it shall be but for its revision.
        version: The version as it is.
        record: As it shall be, but for its revision.
        action: What is done.
        stamp: When, who and why.
        before: What history shows of it; by default its status.
        after: What history shows of it then.
        aliases: Aliases that the change takes the version out of.
        rollouts: Running rollouts that it takes the version out of.
    """
    model = replace(current.model, revision=current.model.revision + 1)
    return NewState(
        model=model,
        policy=next_policy(model, current.policy),
        event=new_event(
            model,
            action,
            str(version.number),
            before=before or {"status": version.status},
            after=after or {"status": record.status},
            stamp=stamp,
        ),
        version=replace(record, revision=version.revision + 1),
        aliases=aliases,
        rollouts=rollouts,
    )


def _earned(verification: Verification) -> Status:
    return "verified" if verification.passed else "registered"


def _needed(rollout: RolloutRecord, version: VersionRecord) -> str:
    if rollout.version == version.number:
        return (
            f"The {named(rollout)} is running. Wait for its end, or end it with "
            f"{command(rollout, 'stop')}, then retire version {version.number}."
        )
    return (
        f"The {named(rollout)} goes back to {_name(version)} where it is stopped. Wait for its "
        f"end, or end it with {command(rollout, 'stop')} and promote another; then retire it."
    )


def _name(version: VersionRecord) -> str:
    return f"{version.model}@{version.number}"
