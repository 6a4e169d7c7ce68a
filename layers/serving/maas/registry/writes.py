"""What a change writes into the table: each record only if its predecessor is still there.

Imports the records, the changes, the layout and the store's items:

    store.transact(writes_of(change))
"""

from msgspec import Struct

from maas.registry.changes import (
    Change,
    NewDeployment,
    NewRollout,
    NewRoutes,
    NewState,
    NewVersion,
)
from maas.registry.layout import (
    MODELS,
    alias_key,
    deployment_key,
    digest_key,
    event_key,
    model_key,
    policy_key,
    rollout_key,
    version_key,
)
from maas.registry.records import AliasRecord, DigestRecord, encode
from maas.registry.rollout_records import RolloutRecord
from maas.registry.store import Item, Key, Write


def writes_of(change: Change) -> list[Write]:
    """The transaction that makes a change: each record only if its predecessor is still there."""
    name, revision = change.model.name, change.model.revision
    writes = [
        _successor(model_key(name), change.model, revision, index=MODELS),
        _successor(policy_key(name), change.policy, revision),
        _new(event_key(name, revision), change.event, revision),
    ]
    match change:
        case NewVersion(version=version):
            digest = DigestRecord(version.number)
            writes.append(_new(version_key(name, version.number), version, 1))
            writes.append(_new(digest_key(name, version.digest), digest, 1))
        case NewState(version=version, aliases=aliases, rollouts=rollouts):
            writes.append(_successor(version_key(name, version.number), version, version.revision))
            writes += [_alias(alias) for alias in aliases]
            writes += [_rollout(rollout) for rollout in rollouts]
        case NewRoutes(alias=alias, rollout=carried):
            writes.append(_alias(alias))
            writes += [_rollout(carried)] if carried else []
        case NewRollout(rollout=rollout, alias=changed):
            writes.append(_rollout(rollout))
            writes += [_alias(changed)] if changed else []
        case NewDeployment(deployment=deployment):
            key = deployment_key(name, deployment.target)
            writes.append(_successor(key, deployment, deployment.revision))
    return writes


def _alias(alias: AliasRecord) -> Write:
    return _successor(alias_key(alias.model, alias.name), alias, alias.revision)


def _rollout(rollout: RolloutRecord) -> Write:
    return _successor(rollout_key(rollout.model, rollout.alias), rollout, rollout.revision)


def _successor(key: Key, record: Struct, revision: int, *, index: str | None = None) -> Write:
    before = revision - 1 if revision > 1 else None
    return Write(Item(key, revision, encode(record), index), expected=before)


def _new(key: Key, record: Struct, revision: int) -> Write:
    return Write(Item(key, revision, encode(record)), expected=None)
