"""Where each record lies in the table.

Imports `maas.errors`, the records and the store's items:

    (item,) = store.read([policy_key("sentiment")])   # None for an unknown model
    policy = record_of(item, Policy)
"""

from typing import TypeVar

import msgspec
from msgspec import Struct

from maas.errors import SettingsError
from maas.registry.records import decode as decode_record
from maas.registry.store import Item, Key

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
