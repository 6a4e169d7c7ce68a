"""What a deployment changes in the registry, and what it asks of a promote. Pure, as `rules` is.

Imports `maas.errors`, the records and `changes`:

    change = deploy(current, before, target="maas-prod", function="maas-sentiment:live",
                    function_version="7", digests={1: "sha256:…"}, stamp=stamp)
    require_carried([version], deployments)     # RefusedError where it could not answer there
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
from msgspec.structs import replace

from maas.errors import FieldError, RefusedError
from maas.registry.changes import Current, NewDeployment, Stamp, new_event
from maas.registry.records import DeploymentRecord, VersionRecord, decode, encode


def deploy(
    current: Current,
    before: DeploymentRecord | None,
    *,
    target: str,
    function: str,
    function_version: str,
    digests: Mapping[int, str],
    stamp: Stamp,
) -> NewDeployment | DeploymentRecord:
    """Record what a target's function was seen to answer with.

    Args:
        current: The model as it is.
        before: The target's record, None before its first deployment.
        target: The stack's name.
        function: The function's name and alias.
        function_version: The function version behind the alias.
        digests: Full digest by version number.
        stamp: When and who.

    Returns:
        The records to write, or the target's record where nothing would change.

    Raises:
        FieldError: A name or a digest is malformed.
    """
    record = DeploymentRecord(
        model=current.model.name,
        target=target,
        status="live",
        function=function,
        function_version=function_version,
        digests=dict(sorted(digests.items())),
        revision=before.revision + 1 if before else 1,
        at=stamp.at,
        by=stamp.by,
    )
    try:
        record = decode(encode(record), DeploymentRecord)
    except msgspec.ValidationError as error:
        raise FieldError(f"The deployment is malformed: {error}.", field="target") from error
    if before and _seen(before) == _seen(record):
        return before
    return _changed(current, before, record, action="deploy", stamp=stamp)


def remove(current: Current, before: DeploymentRecord, *, stamp: Stamp) -> NewDeployment:
    """Record that a target answers no more, so that no promote asks for it.

    Raises:
        RefusedError: It was removed before.
    """
    if before.status == "removed":
        raise RefusedError(f"{before.model} was removed from {before.target} already.")
    record = replace(
        before, status="removed", revision=before.revision + 1, at=stamp.at, by=stamp.by
    )
    return _changed(current, before, record, action="remove", stamp=stamp)


def require_carried(
    versions: Sequence[VersionRecord], deployments: Sequence[DeploymentRecord]
) -> None:
    """Refuse a version that a live deployment could not answer with.

    Raises:
        RefusedError: With the remedy.
    """
    for deployment in deployments:
        for version in versions:
            if (
                deployment.status == "live"
                and deployment.digests.get(version.number) != version.digest
            ):
                carried = ", ".join(map(str, deployment.digests)) or "none"
                raise RefusedError(
                    f"{version.model}@{version.number} is not deployed to {deployment.target}, "
                    f"which carries versions {carried}. Run maas package and maas deploy, then "
                    "promote it.",
                    field="version",
                )


def _changed(
    current: Current,
    before: DeploymentRecord | None,
    record: DeploymentRecord,
    *,
    action: Literal["deploy", "remove"],
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
            before=_seen(before) if before else None,
            after=_seen(record),
            stamp=stamp,
        ),
        deployment=record,
    )


def _seen(record: DeploymentRecord) -> dict[str, object]:
    """A deployment as history shows it."""
    return {
        "status": record.status,
        "function": record.function,
        "function_version": record.function_version,
        "versions": list(record.digests),
    }
