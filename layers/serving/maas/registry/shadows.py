"""What a change of an alias's shadow does: the version that sees some of its requests too.

Imports `maas.errors`, the records and the pure rooms beside it, as `rules` does:

    change = shadow(current, alias, version, sample=500, stamp=stamp)     # 5 % of the requests
    change = unshadow(current, alias, stamp=stamp)

Each answers with the records to write, or with the alias as it is where nothing would change.
"""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from maas.errors import FieldError, RefusedError
from maas.registry.changes import Current, NewRoutes, Stamp, new_event
from maas.registry.deployment_records import DeploymentRecord
from maas.registry.deployments import require_carried
from maas.registry.policies import next_policy
from maas.registry.records import WEIGHT_TOTAL, AliasRecord, Shadow, VersionRecord
from maas.registry.rollout_plans import carried_on, is_running
from maas.registry.rollout_records import RolloutRecord
from maas.registry.rules import require_verified
from maas.registry.timeline import seen, told


def shadow(
    current: Current,
    alias: AliasRecord,
    version: VersionRecord,
    *,
    sample: int,
    stamp: Stamp,
    rollout: RolloutRecord | None = None,
    deployments: Sequence[DeploymentRecord] = (),
) -> NewRoutes | AliasRecord:
    """Let a version see some of an alias's requests and answer none of them.

    Args:
        current: The model as it is.
        alias: The alias as it is.
        version: The version, read at `current`'s revision.
        sample: How many of the requests, in hundredths of a percent.
        stamp: When, who and why.
        rollout: The alias's newest rollout; one that is running goes on.
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
    wanted = Shadow(version.number, sample)
    digests = {version.number: version.digest}
    return _changed(current, alias, wanted, digests=digests, stamp=stamp, rollout=rollout)


def unshadow(
    current: Current, alias: AliasRecord, *, stamp: Stamp, rollout: RolloutRecord | None = None
) -> NewRoutes | AliasRecord:
    """Let nobody see an alias's requests but who answers them; arguments as in `shadow`."""
    return _changed(current, alias, None, digests={}, stamp=stamp, rollout=rollout)


def _changed(
    current: Current,
    alias: AliasRecord,
    wanted: Shadow | None,
    *,
    digests: Mapping[int, str],
    stamp: Stamp,
    rollout: RolloutRecord | None,
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
    shadows = dict(current.policy.shadows)
    shadows.pop(alias.name, None)
    if wanted is not None:
        shadows[alias.name] = wanted
    policy = replace(current.policy, shadows=shadows, digests={**current.policy.digests, **digests})
    after, follows = seen(record), None
    if rollout is not None and is_running(alias, rollout):  # who answers stays as it is
        follows = carried_on(rollout, record)
        after = after | {"rollout": told(follows)}
    return NewRoutes(
        model=model,
        policy=next_policy(model, policy),
        event=new_event(model, "shadow", alias.name, before=seen(alias), after=after, stamp=stamp),
        alias=record,
        rollout=follows,
    )
