"""What a change of an alias's shadow does: the version that sees some of its requests too.

Imports `maas.errors`, the records and the pure rooms beside it, as `rules` does:

    change = shadow(current, alias, version, sample=500, stamp=stamp)     # 5 % of the requests
    change = unshadow(current, alias, stamp=stamp)

Each answers with the records to write, or with the alias as it is where nothing would change.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from maas.errors import FieldError, RefusedError
from maas.registry.changes import Current, NewRoutes, Stamp, new_event
from maas.registry.deployments import require_carried
from maas.registry.policies import next_policy
from maas.registry.records import (
    WEIGHT_TOTAL,
    AliasRecord,
    DeploymentRecord,
    Shadow,
    VersionRecord,
)
from maas.registry.rules import require_verified
from maas.registry.timeline import seen


def shadow(
    current: Current,
    alias: AliasRecord,
    version: VersionRecord,
    *,
    sample: int,
    stamp: Stamp,
    deployments: Sequence[DeploymentRecord] = (),
) -> NewRoutes | AliasRecord:
    """Let a version see some of an alias's requests and answer none of them.

    Args:
        current: The model as it is.
        alias: The alias as it is.
        version: The version, read at `current`'s revision.
        sample: How many of the requests, in hundredths of a percent.
        stamp: When, who and why.
        deployments: Where the model is deployed to, read at `current`'s revision.

    Raises:
        FieldError: The sample is out of range.
        RefusedError: The version is not verified, a live deployment does not carry it, or it
            answers all of the alias itself.
    """
    if not 1 <= sample <= WEIGHT_TOTAL:
        raise FieldError("must be more than 0 and up to 100 percent", field="sample")
    require_verified([version])
    require_carried([version], deployments)
    if [route.version for route in alias.routes] == [version.number]:
        raise RefusedError(
            f"{version.model}@{version.number} answers all of {alias.name} itself, so there is "
            "nothing to compare. Shadow it with another version."
        )
    return _changed(current, alias, version, Shadow(version.number, sample), stamp)


def unshadow(current: Current, alias: AliasRecord, *, stamp: Stamp) -> NewRoutes | AliasRecord:
    """Let nobody see an alias's requests but who answers them."""
    return _changed(current, alias, None, None, stamp)


def _changed(
    current: Current,
    alias: AliasRecord,
    version: VersionRecord | None,
    wanted: Shadow | None,
    stamp: Stamp,
) -> NewRoutes | AliasRecord:
    if alias.shadow == wanted:
        return alias
    model = replace(current.model, revision=current.model.revision + 1)
    record = replace(
        alias,
        shadow=wanted,
        revision=alias.revision + 1,
        at=stamp.at,
        by=stamp.by,
        reason=stamp.reason,
    )
    policy, shadows = current.policy, dict(current.policy.shadows)
    shadows.pop(alias.name, None)
    if version is not None and wanted is not None:
        shadows[alias.name] = wanted
        policy = replace(policy, digests=policy.digests | {version.number: version.digest})
    return NewRoutes(
        model=model,
        policy=next_policy(model, replace(policy, shadows=shadows)),
        event=new_event(
            model, "shadow", alias.name, before=seen(alias), after=seen(record), stamp=stamp
        ),
        alias=record,
    )
