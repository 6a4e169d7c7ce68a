"""Where each record lies in the table.

Imports `maas.errors`, the records, the changes and the store's items:

    store.transact(writes_of(change))
    (item,) = store.read([policy_key("sentiment")])   # None for an unknown model
    policy = record_of(item, Policy)
"""

from typing import TypeVar

import msgspec
from msgspec import Struct

from maas.errors import SettingsError
from maas.registry.changes import (
    Change,
    NewDeployment,
    NewDescription,
    NewRollout,
    NewRoutes,
    NewState,
    NewVersion,
)
from maas.registry.records import AliasRecord, DigestRecord, RolloutRecord, encode
from maas.registry.records import decode as decode_record
from maas.registry.store import Item, Key, Write

MODELS = "MODEL"
"""The sparse index that lists the models."""
VERSION_PREFIX = "VERSION#"
ALIAS_PREFIX = "ALIAS#"
EVENT_PREFIX = "EVENT#"
DEPLOYMENT_PREFIX = "DEPLOYMENT#"
ROLLOUT_PREFIX = "ROLLOUT#"

RecordT = TypeVar("RecordT", bound=Struct)


def partition(model: str) -> str:
    """All items of a model lie together, so that one transaction and one role cover them."""
    return f"MODEL#{model}"


def model_key(model: str) -> Key:
    """Key of the `ModelRecord`."""
    return Key(partition(model), "META")


def policy_key(model: str) -> Key:
    """Key of the `Policy`."""
    return Key(partition(model), "POLICY")


def version_key(model: str, number: int) -> Key:
    """Key of a `VersionRecord`; the zeros make the order of keys that of numbers."""
    return Key(partition(model), f"{VERSION_PREFIX}{number:08}")


def alias_key(model: str, name: str) -> Key:
    """Key of an `AliasRecord`."""
    return Key(partition(model), f"{ALIAS_PREFIX}{name}")


def deployment_key(model: str, target: str) -> Key:
    """Key of a `DeploymentRecord`."""
    return Key(partition(model), f"{DEPLOYMENT_PREFIX}{target}")


def rollout_key(model: str, alias: str) -> Key:
    """Key of a `RolloutRecord`; an alias has one at a time, the newest."""
    return Key(partition(model), f"{ROLLOUT_PREFIX}{alias}")


def event_key(model: str, revision: int) -> Key:
    """Key of an `EventRecord`; ordered by revision, never by the clock."""
    return Key(partition(model), f"{EVENT_PREFIX}{revision:012}")


def digest_key(model: str, digest: str) -> Key:
    """Key of a `DigestRecord`, or with a digest's start the prefix that such keys share."""
    return Key(partition(model), "DIGEST#" + digest.removeprefix("sha256:"))


def record_of(item: Item, kind: type[RecordT]) -> RecordT:
    """The record in an item.

    Raises:
        SettingsError: The item is not one that this release can read.
    """
    try:
        return decode_record(item.body, kind)
    except msgspec.ValidationError as error:
        raise SettingsError(
            f"The registry's record {item.key.pk} {item.key.sk} was not written by this release "
            "of maas or an older one. Upgrade maas."
        ) from error


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


def subject_of(change: Change) -> tuple[str, Key]:
    """What a change is of, as people name it, and where its record lies."""
    name = change.model.name
    match change:
        case NewVersion() | NewDescription():
            return name, model_key(name)
        case NewState(version=version):
            return f"{name}@{version.number}", version_key(name, version.number)
        case NewRoutes(alias=alias):
            return alias.name, alias_key(name, alias.name)
        case NewRollout(rollout=rollout):
            return rollout.alias, alias_key(name, rollout.alias)
        case NewDeployment(deployment=deployment):
            return deployment.target, deployment_key(name, deployment.target)


def _alias(alias: AliasRecord) -> Write:
    return _successor(alias_key(alias.model, alias.name), alias, alias.revision)


def _rollout(rollout: RolloutRecord) -> Write:
    return _successor(rollout_key(rollout.model, rollout.alias), rollout, rollout.revision)


def _successor(key: Key, record: Struct, revision: int, *, index: str | None = None) -> Write:
    before = revision - 1 if revision > 1 else None
    return Write(Item(key, revision, encode(record), index), expected=before)


def _new(key: Key, record: Struct, revision: int) -> Write:
    return Write(Item(key, revision, encode(record)), expected=None)
