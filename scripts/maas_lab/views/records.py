"""A record of the registry as `--json` shows it, where a revision is history's and nothing else.

Imports `maas` and msgspec. What a record counts for itself has a name of its own:

    record_data(alias)       # {…, "alias_revision": 11}
    change_data(change)      # {"changed": True, …, "alias_revision": 11, "revision": 22}
"""

from typing import TYPE_CHECKING

import msgspec

from maas.registry.deployment_records import DeploymentRecord
from maas.registry.records import AliasRecord, VersionRecord
from maas.registry.rollout_records import Owed, RolloutRecord

if TYPE_CHECKING:
    from maas.registry.curator import AliasChange, ModelChange, VersionChange

_COUNTS = {
    AliasRecord: "alias_revision",
    DeploymentRecord: "deployment_revision",
    Owed: "rollout_revision",
    RolloutRecord: "rollout_revision",
    VersionRecord: "version_revision",
}
"""What a record's own count of changes is called; the others' revisions are the model's."""


def record_data(record: msgspec.Struct) -> dict[str, object]:
    """A record's fields; those that have their defaults may be left out."""
    data: dict[str, object] = msgspec.to_builtins(record)
    name = _COUNTS.get(type(record), "revision")
    return {name if key == "revision" else key: value for key, value in data.items()}


def change_data(change: "AliasChange | ModelChange | VersionChange") -> dict[str, object]:
    """What a verb made of a record, with the revision that `maas history` shows."""
    return {
        "changed": change.changed,
        **record_data(change.record),
        "revision": change.revision,
    }
