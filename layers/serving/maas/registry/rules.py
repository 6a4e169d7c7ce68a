"""What a change of the registry does: from the records as they are to those that shall be.

Imports `maas.errors`, the records and `changes`. Pure: no store, no clock. Each function answers
with the records to write, or raises what the caller did wrong:

    change = promote(current, alias, version, name="production", weight=10, stamp=stamp)
    change.policy.revision   # the model's revision, one higher
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
from msgspec.structs import replace

from maas.errors import FieldError, RefusedError
from maas.registry.changes import Current, NewRoutes, NewVersion, Stamp, new_event
from maas.registry.deployments import require_carried
from maas.registry.records import (
    ALIASES_MAX,
    POLICY_VERSIONS,
    VERSIONS_MAX,
    WEIGHT_TOTAL,
    AliasRecord,
    Candidate,
    DeploymentRecord,
    ModelRecord,
    Policy,
    Route,
    VersionRecord,
    decode,
    encode,
)
from maas.registry.weights import share


def register(current: Current | None, candidate: Candidate, stamp: Stamp) -> NewVersion:
    """Give a verified bundle the next version number. The digest must be new to the model.

    Raises:
        FieldError: The candidate is malformed.
        RefusedError: The model does another task.
    """
    candidate = _checked(candidate)
    model = _model_with_one_more(current, candidate, stamp)
    number = model.last_version
    version = VersionRecord(
        model=model.name,
        number=number,
        status="verified",
        digest=candidate.digest,
        task=candidate.task,
        inputs=candidate.inputs,
        outputs=candidate.outputs,
        labels=candidate.labels,
        metrics=candidate.metrics,
        lineage=candidate.lineage,
        verification=candidate.verification,
        registered_at=stamp.at,
        registered_by=stamp.by,
    )
    aliases = current.policy.aliases if current else {}
    digests = {**(current.policy.digests if current else {}), number: version.digest}
    after: dict[str, object] = {"digest": version.digest, "status": version.status}
    return NewVersion(
        model=model,
        policy=_policy(model, aliases, digests),
        event=new_event(model, "register", str(number), before=None, after=after, stamp=stamp),
        version=version,
    )


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
    _require_verified([version])
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
    _require_verified(versions)
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


def _checked(candidate: Candidate) -> Candidate:
    """A struct made in code was not checked when it was made."""
    try:
        candidate = decode(encode(candidate), Candidate)
    except msgspec.ValidationError as error:
        raise FieldError(f"The candidate is malformed: {error}.", field="candidate") from error
    proof = candidate.verification
    for figure in (*candidate.metrics.values(), proof.max_difference, proof.seconds):
        if not math.isfinite(figure):
            raise FieldError("A figure of the candidate is not finite.", field="candidate")
    return candidate


def _model_with_one_more(
    current: Current | None, candidate: Candidate, stamp: Stamp
) -> ModelRecord:
    if current is None:
        return ModelRecord(
            name=candidate.model,
            task=candidate.task,
            last_version=1,
            revision=1,
            created_at=stamp.at,
            description=candidate.description,
        )
    model = current.model
    if model.task != candidate.task:
        raise RefusedError(
            f"{model.name} does {model.task}, the bundle {candidate.task}. "
            "Register it under another name."
        )
    if model.last_version >= VERSIONS_MAX:
        raise RefusedError(f"{model.name} has no version numbers left. Use another name.")
    return replace(
        model,
        last_version=model.last_version + 1,
        revision=model.revision + 1,
        description=candidate.description or model.description,
    )


def _require_verified(versions: Sequence[VersionRecord]) -> None:
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
    )
    digests = current.policy.digests | {version.number: version.digest for version in versions}
    before = _seen(alias.routes) if alias else None
    return NewRoutes(
        model=model,
        policy=_policy(model, current.policy.aliases | {name: routes}, digests),
        event=new_event(model, action, name, before=before, after=_seen(routes), stamp=stamp),
        alias=record,
    )


def _policy(
    model: ModelRecord, aliases: Mapping[str, tuple[Route, ...]], digests: Mapping[int, str]
) -> Policy:
    """The routed versions come first, so that the cap never drops one that answers."""
    routed = {route.version for routes in aliases.values() for route in routes}
    newest = sorted(digests.keys() - routed, reverse=True)
    kept = routed.union(newest[: POLICY_VERSIONS - len(routed)])
    return Policy(
        model=model.name,
        revision=model.revision,
        aliases={name: aliases[name] for name in sorted(aliases)},
        digests={number: digests[number] for number in sorted(kept)},
    )


def _seen(routes: tuple[Route, ...]) -> dict[str, object]:
    """Routes as history shows them."""
    return {"routes": [encode(route) for route in routes]}
