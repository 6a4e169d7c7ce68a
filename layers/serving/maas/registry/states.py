"""What a change of a version does: from the records as they are to those that shall be.

Imports `maas.errors`, the records and the pure rooms beside it, as `rules` does. A version is
`registered`, and `verified` while its last replay of the golden requests passed; `retired` it is
given no traffic any more, `blocked` it answers nobody, however it is asked for:

    change = verify(current, version, verification, stamp=stamp)
    change = block(current, version, aliases, stamp=stamp)      # its shares go to the others
    change = unblock(current, version, stamp=stamp)

Each answers with the records to write, or with the version as it is where nothing would change.
"""

from collections.abc import Sequence
from typing import Literal

from msgspec.structs import replace

from maas.errors import RefusedError
from maas.registry.changes import Current, NewState, Stamp, new_event
from maas.registry.policies import next_policy, users
from maas.registry.records import (
    Action,
    AliasRecord,
    Verification,
    VersionRecord,
)
from maas.registry.timeline import seen
from maas.registry.weights import without

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


def retire(current: Current, version: VersionRecord, *, stamp: Stamp) -> NewState | VersionRecord:
    """Give a version no traffic any more; where it is carried, it answers pins until it is not.

    Raises:
        RefusedError: An alias routes to it or shadows it, or it is blocked.
    """
    if version.status == "retired":
        return version
    if version.status == "blocked":
        raise RefusedError(f"{_name(version)} is blocked, which is more than retired.")
    if used_by := users(current.policy, version.number):
        raise RefusedError(
            f"{_name(version)} is in use by {used_by}. Promote another version, or end the shadow, "
            "then retire it."
        )
    return changed(
        current, version, replace(version, status="retired"), action="retire", stamp=stamp
    )


def block(
    current: Current, version: VersionRecord, aliases: Sequence[AliasRecord], *, stamp: Stamp
) -> NewState | VersionRecord:
    """Let a version answer nobody, at once; its shares go to the others of each alias.

    Args:
        current: The model as it is.
        version: The version, read at `current`'s revision.
        aliases: All of the model's aliases, read at `current`'s revision.
        stamp: When, who and why.

    Raises:
        RefusedError: It is an alias's only route, so that nobody would answer.
    """
    if version.status == "blocked":
        return version
    before = {alias.name: alias for alias in aliases if _is_concerned(alias, version.number)}
    moved = {name: _without(alias, version.number, stamp) for name, alias in before.items()}
    was: dict[str, object] = {"status": version.status}
    after: dict[str, object] = {"status": "blocked"}
    if moved:
        was["aliases"] = {name: seen(alias) for name, alias in before.items()}
        after["aliases"] = {name: seen(alias) for name, alias in moved.items()}
    policy = replace(
        current.policy,
        aliases=current.policy.aliases | {name: alias.routes for name, alias in moved.items()},
        shadows={
            name: shadow
            for name, shadow in current.policy.shadows.items()
            if shadow.version != version.number
        },
        digests=current.policy.digests | {version.number: version.digest},
        blocked=(*current.policy.blocked, version.number),
    )
    return changed(
        Current(current.model, policy),
        version,
        replace(version, status="blocked"),
        action="block",
        stamp=stamp,
        before=was,
        after=after,
        aliases=tuple(moved.values()),
    )


def unblock(current: Current, version: VersionRecord, *, stamp: Stamp) -> NewState | VersionRecord:
    """Make a blocked version again what its last replay says: verified or registered."""
    if version.status != "blocked":
        return version
    policy = replace(
        current.policy,
        digests=current.policy.digests | {version.number: version.digest},
        blocked=tuple(n for n in current.policy.blocked if n != version.number),
    )
    record = replace(version, status=_earned(version.verification))
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
    )


def _earned(verification: Verification) -> Status:
    return "verified" if verification.passed else "registered"


def _is_concerned(alias: AliasRecord, number: int) -> bool:
    shadowed = alias.shadow is not None and alias.shadow.version == number
    return shadowed or any(route.version == number for route in alias.routes)


def _without(alias: AliasRecord, number: int, stamp: Stamp) -> AliasRecord:
    """The alias's next revision, without a version."""
    if alias.routes[0].version == number and len(alias.routes) == 1:
        raise RefusedError(
            f"{alias.name} routes to {alias.model}@{number} alone, and somebody must answer. "
            f"Promote another version first, or go back with maas rollback {alias.model} "
            f"--alias {alias.name}; then block it."
        )
    keeps = alias.shadow is not None and alias.shadow.version != number
    return replace(
        alias,
        routes=without(alias.routes, version=number),
        revision=alias.revision + 1,
        at=stamp.at,
        by=stamp.by,
        reason=stamp.reason,
        shadow=alias.shadow if keeps else None,
    )


def _name(version: VersionRecord) -> str:
    return f"{version.model}@{version.number}"
