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
from maas.registry.deployment_records import DeploymentRecord
from maas.registry.deployments import require_carried
from maas.registry.policies import next_policy
from maas.registry.records import ALIASES_MAX, WEIGHT_TOTAL, AliasRecord, Route, VersionRecord
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
    force: bool = False,
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
        force: Take a version too whose replay failed; why must be said, and history says so.

    Returns:
        The records to write, or the alias as it is where nothing would change.

    Raises:
        FieldError: The weight is out of range, or it is forced without a reason.
        RefusedError: The version is not verified or a live deployment does not carry it, the alias
            is new and the weight is below 100, or there would be too many aliases or routes.
    """
    if not 1 <= weight <= 100:
        raise FieldError("must be a whole percentage from 1 to 100", field="weight")
    if force and not stamp.reason:
        raise FieldError("say why it is forced", field="reason")
    forced = force and version.status == "registered"
    if not forced:
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
        more={"forced": True} if forced else {},
    )


def rollback(
    current: Current,
    alias: AliasRecord,
    versions: Sequence[VersionRecord],
    *,
    stamp: Stamp,
    deployments: Sequence[DeploymentRecord] = (),
) -> NewRoutes:
    """Restore what the alias routed to before its last change, as a new revision.

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
    return _restored(
        current, alias, alias.previous, versions=versions, deployments=deployments, stamp=stamp
    )


def restore(
    current: Current,
    alias: AliasRecord,
    routes: tuple[Route, ...],
    versions: Sequence[VersionRecord],
    *,
    stamp: Stamp,
    deployments: Sequence[DeploymentRecord] = (),
) -> NewRoutes | AliasRecord:
    """Restore routes that the alias once had, as a new revision; see `rollback`.

    Returns:
        The records to write, or the alias as it is where it routes so already.
    """
    if alias.routes == routes:
        return alias
    return _restored(
        current, alias, routes, versions=versions, deployments=deployments, stamp=stamp
    )


def _restored(
    current: Current,
    alias: AliasRecord,
    routes: tuple[Route, ...],
    *,
    versions: Sequence[VersionRecord],
    deployments: Sequence[DeploymentRecord],
    stamp: Stamp,
) -> NewRoutes:
    require_verified(versions)
    require_carried(versions, deployments)
    return _reroute(
        current,
        alias,
        action="rollback",
        name=alias.name,
        routes=routes,
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
            name = f"{version.model}@{version.number}"
            raise RefusedError(
                f"{name} is {version.status}; only a verified version is given traffic. "
                + _REMEDIES[version.status].format(name=name)
            )


def require_answering(versions: Sequence[VersionRecord]) -> None:
    """Refuse versions that may not have again the traffic that they had before.

    One whose replay failed meanwhile may: it would have kept its traffic, too.

    Raises:
        RefusedError: One of them is retired or blocked.
    """
    require_verified([version for version in versions if version.status != "registered"])


_REMEDIES = {
    "registered": "Replay it with maas verify {name}, or say why it may fail with maas promote "
    "{name} --force --reason.",
    "retired": "Choose another version.",
    "blocked": "Choose another version, or unblock it with maas unblock {name}.",
}


def _reroute(
    current: Current,
    alias: AliasRecord | None,
    *,
    action: Literal["promote", "rollback"],
    name: str,
    routes: tuple[Route, ...],
    versions: Sequence[VersionRecord],
    stamp: Stamp,
    more: dict[str, object] | None = None,
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
        event=new_event(
            model, action, name, before=before, after=seen(record) | (more or {}), stamp=stamp
        ),
        alias=record,
    )
