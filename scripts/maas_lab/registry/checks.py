"""Whether a model's records fit together: what the rules promise, asked of what is stored.

Imports `maas` and the copies. Pure; the doctor asks it of a store, an import of a file:

    contradictions(copy_model(store, "sentiment"))     # [] where all is well
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from maas.registry import layout
from maas.registry.deployment_records import DeploymentRecord
from maas.registry.event_records import EventRecord
from maas.registry.policies import in_use
from maas.registry.records import (
    WEIGHT_TOTAL,
    AliasRecord,
    DigestRecord,
    ModelRecord,
    Policy,
    VersionRecord,
)
from maas.registry.rollout_records import RolloutRecord
from maas_lab.registry.copies import ModelCopy, kind_of
from maas_lab.registry.past import Records, untold

if TYPE_CHECKING:
    from msgspec import Struct

    from maas.registry.store import Item, Key


def contradictions(copy: ModelCopy) -> list[str]:
    """What does not fit together, in words; empty where all does.

    Raises:
        SettingsError: A record was not written by this release of maas or an older one.
    """
    found = [f"{item.key.sk} is not where its record belongs" for item in _displaced(copy)]
    models, policies = copy.records(ModelRecord), copy.records(Policy)
    if not models or not policies:
        return [*found, "META or POLICY is missing"]
    records = Records(
        model=models[0],
        policy=policies[0],
        versions={record.number: record for record in copy.records(VersionRecord)},
        aliases={record.name: record for record in copy.records(AliasRecord)},
        deployments={record.target: record for record in copy.records(DeploymentRecord)},
        rollouts={record.alias: record for record in copy.records(RolloutRecord)},
        digests={
            "sha256:" + item.key.sk.removeprefix("DIGEST#"): layout.record_of(
                item, DigestRecord
            ).number
            for item in copy.items
            if kind_of(item) is DigestRecord
        },
        events=copy.records(EventRecord),
    )
    return [
        *found,
        *_counts(records),
        *_routes(records),
        *_states(records),
        *_places(records),
        *untold(records),
    ]


def _displaced(copy: ModelCopy) -> "Iterator[Item]":
    for item in copy.items:
        record = layout.record_of(item, kind_of(item))
        key, revision = _place(copy.name, record, item.key)
        index = layout.MODELS if isinstance(record, ModelRecord) else None
        if (item.key, item.revision, item.index) != (key, revision, index):
            yield item


def _place(model: str, record: "Struct", key: "Key") -> "tuple[Key, int]":
    """Where a record belongs by what it says of itself, and at which revision."""
    match record:
        case ModelRecord(name=name, revision=revision):
            place = layout.model_key(name), revision
        case Policy(model=name, revision=revision):
            place = layout.policy_key(name), revision
        case VersionRecord(model=name, number=number, revision=revision):
            place = layout.version_key(name, number), revision
        case AliasRecord(model=name, name=alias, revision=revision):
            place = layout.alias_key(name, alias), revision
        case DeploymentRecord(model=name, target=target, revision=revision):
            place = layout.deployment_key(name, target), revision
        case RolloutRecord(model=name, alias=alias, revision=revision):
            place = layout.rollout_key(name, alias), revision
        case EventRecord(model=name, revision=revision):
            place = layout.event_key(name, revision), revision
        case _:  # a DigestRecord says its digest by its place alone
            place = layout.digest_key(model, key.sk.removeprefix("DIGEST#")), 1
    return place


def _counts(records: Records) -> Iterator[str]:
    model = records.model
    if records.policy.revision != model.revision:
        yield f"POLICY is of revision {records.policy.revision}, META of {model.revision}"
    if [event.revision for event in records.events] != list(range(1, model.revision + 1)):
        yield f"the history is not 1 to {model.revision} without a gap"
    if list(records.versions) != list(range(1, model.last_version + 1)):
        yield f"the versions are not 1 to {model.last_version} without a gap"
    if records.digests != {v.digest: number for number, v in records.versions.items()}:
        yield "the DIGEST records are not those of the versions"


def _routes(records: Records) -> Iterator[str]:
    policy, versions = records.policy, records.versions
    if policy.aliases != {name: alias.routes for name, alias in records.aliases.items()}:
        yield "POLICY routes otherwise than the aliases"
    for number, digest in policy.digests.items():
        if number not in versions or versions[number].digest != digest:
            yield f"POLICY has another digest of version {number}"
    for name, routes in policy.aliases.items():
        if sum(route.weight for route in routes) != WEIGHT_TOTAL:
            yield f"the weights of {name} are not 100 % together"
        for route in routes:
            if route.version not in policy.digests:
                yield f"{name} routes to version {route.version}, whose digest POLICY lacks"


def _states(records: Records) -> Iterator[str]:
    """What POLICY says of versions must be what their own records say."""
    policy, versions = records.policy, records.versions
    shadows = {name: a.shadow for name, a in records.aliases.items() if a.shadow is not None}
    if policy.shadows != shadows:
        yield "POLICY shadows otherwise than the aliases"
    blocked = {number for number, v in versions.items() if v.status == "blocked"}
    # Of many that are blocked it names the newest, and lists the others not at all.
    if set(policy.blocked) != blocked & policy.digests.keys():
        yield "POLICY blocks other versions than are blocked"
    for number in sorted(in_use(policy)):
        if number in versions and versions[number].status in {"blocked", "retired"}:
            yield f"version {number} is {versions[number].status} and in use"


def _places(records: Records) -> Iterator[str]:
    routed = {route.version for alias in records.aliases.values() for route in alias.routes}
    for target, deployment in records.deployments.items():
        for number, digest in deployment.digests.items():
            if number not in records.versions or records.versions[number].digest != digest:
                yield f"DEPLOYMENT {target} has another digest of version {number}"
        lacking = sorted(routed - deployment.digests.keys())
        if deployment.status == "live" and lacking:
            yield f"DEPLOYMENT {target} does not carry version {lacking[0]}, which is routed to"
