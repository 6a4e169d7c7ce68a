"""What a change of an alias does: from the records as they are to those that shall be.

Imports `maas.errors`, the records and the pure rooms beside it: no store, no clock. Each function
answers with the records to write, or raises what the caller did wrong; `registrations` and
`deployments` hold the rules of the other changes:

    change = promote(current, alias, version, name="production", weight=10, stamp=stamp)
    change.policy.revision   # the model's revision, one higher
"""

from collections.abc import Sequence
from typing import Literal

from msgspec.structs import replace

from maas.errors import FieldError, RefusedError
from maas.registry.changes import Current, NewRoutes, Stamp, new_event
from maas.registry.deployments import require_carried
from maas.registry.policies import next_policy
from maas.registry.records import (
    ALIASES_MAX,
    WEIGHT_TOTAL,
    AliasRecord,
    DeploymentRecord,
    Route,
    VersionRecord,
)
from maas.registry.timeline import seen
from maas.registry.weights import share


def promote(
    current: Current,
    alias: AliasRecord | None,
    version: VersionRecord,
    *,
    name: str,
    weight: int,
    stamp: Stamp,
    deployments: Sequence[DeploymentRecord] = (),
) -> NewRoutes | AliasRecord:
    """Give a version `weight` percent of an alias's traffic; the others share the rest.

    Args:
        current: The model as it is.
        alias: The alias as it is, None before its first promote.
        version: The version, read at `current`'s revision.
        name: The alias's name.
        weight: 1 to 100 percent; at 100 no other version keeps a share.
        stamp: When, who and why.
        deployments: Where the model is deployed to, read at `current`'s revision.

    Returns:
        The records to write, or the alias as it is where nothing would change.

    Raises:
        FieldError: The weight is out of range.
        RefusedError: The version is not verified or a live deployment does not carry it, the alias
            is new and the weight is below 100, or there would be too many aliases or routes.
    """
    if not 1 <= weight <= 100:
        raise FieldError("must be a whole percentage from 1 to 100", field="weight")
    require_verified([version])
    require_carried([version], deployments)
    if alias is None and len(current.policy.aliases) >= ALIASES_MAX:
        raise RefusedError(f"A model has {ALIASES_MAX} aliases at the most; use one that exists.")
    if alias is None and weight < 100:
        raise RefusedError(
            f"{name} routes to no version yet, so nobody could take the other {100 - weight} %. "
            "Promote one version without a weight first."
        )
    before = alias.routes if alias else ()
    routes = share(before, version=version.number, weight=weight * WEIGHT_TOTAL // 100)
    if alias is not None and alias.routes == routes:
        return alias
    return _reroute(
        current,
        alias,
        action="promote",
        name=name,
        routes=routes,
        versions=[version],
        stamp=stamp,
    )


def rollback(
    current: Current,
    alias: AliasRecord,
    versions: Sequence[VersionRecord],
    *,
    stamp: Stamp,
    deployments: Sequence[DeploymentRecord] = (),
) -> NewRoutes:
    """Restore the routes of the alias's previous revision, as a new revision.

    Args:
        current: The model as it is.
        alias: The alias as it is.
        versions: The versions of `alias.previous`, read at `current`'s revision.
        stamp: When, who and why.
        deployments: Where the model is deployed to, read at `current`'s revision.

    Raises:
        RefusedError: There is no previous revision, or one of its versions is no longer verified or
            not carried by a live deployment.
    """
    if alias.previous is None:
        raise RefusedError(
            f"{alias.name} of {alias.model} has had one revision only, so there is nothing to go "
            "back to. Promote another version instead."
        )
    require_verified(versions)
    require_carried(versions, deployments)
    return _reroute(
        current,
        alias,
        action="rollback",
        name=alias.name,
        routes=alias.previous,
        versions=versions,
        stamp=stamp,
    )


def require_verified(versions: Sequence[VersionRecord]) -> None:
    """Refuse versions that may not be given traffic.

    Raises:
        RefusedError: One of them is not verified.
    """
    for version in versions:
        if version.status != "verified":
            raise RefusedError(
                f"{version.model}@{version.number} is {version.status}; only a verified version "
                "is given traffic. Choose another version, or register its bundle anew."
            )


def _reroute(
    current: Current,
    alias: AliasRecord | None,
    *,
    action: Literal["promote", "rollback"],
    name: str,
    routes: tuple[Route, ...],
    versions: Sequence[VersionRecord],
    stamp: Stamp,
) -> NewRoutes:
    model = replace(current.model, revision=current.model.revision + 1)
    record = AliasRecord(
        model=model.name,
        name=name,
        routes=routes,
        previous=alias.routes if alias else None,
        revision=alias.revision + 1 if alias else 1,
        at=stamp.at,
        by=stamp.by,
        reason=stamp.reason,
        shadow=alias.shadow if alias else None,
    )
    digests = current.policy.digests | {version.number: version.digest for version in versions}
    before = seen(alias) if alias else None
    return NewRoutes(
        model=model,
        policy=next_policy(
            model,
            replace(
                current.policy, aliases=current.policy.aliases | {name: routes}, digests=digests
            ),
        ),
        event=new_event(model, action, name, before=before, after=seen(record), stamp=stamp),
        alias=record,
    )
