"""Whether a model's records fit together: what the rules promise, asked of what is stored.

Imports `maas` and the copies. Pure; the doctor asks it of a store, an import of a file:

    contradictions(copy_model(store, "sentiment"))     # [] where all is well
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from maas.registry import layout
from maas.registry.records import (
    WEIGHT_TOTAL,
    AliasRecord,
    DeploymentRecord,
    DigestRecord,
    EventRecord,
    ModelRecord,
    Policy,
    VersionRecord,
    encode,
)
from maas_lab.registry.copies import ModelCopy, kind_of

if TYPE_CHECKING:
    from msgspec import Struct

    from maas.registry.store import Item, Key


@dataclass(frozen=True, slots=True)
class _Records:
    """A model's records by what names them."""

    model: ModelRecord
    policy: Policy
    versions: dict[int, VersionRecord]
    aliases: dict[str, AliasRecord]
    deployments: dict[str, DeploymentRecord]
    digests: dict[str, int]
    events: list[EventRecord]


def contradictions(copy: ModelCopy) -> list[str]:
    """What does not fit together, in words; empty where all does.

    Raises:
        SettingsError: A record was not written by this release of maas or an older one.
    """
    found = [f"{item.key.sk} is not where its record belongs" for item in _displaced(copy)]
    models, policies = copy.records(ModelRecord), copy.records(Policy)
    if not models or not policies:
        return [*found, "META or POLICY is missing"]
    records = _Records(
        model=models[0],
        policy=policies[0],
        versions={record.number: record for record in copy.records(VersionRecord)},
        aliases={record.name: record for record in copy.records(AliasRecord)},
        deployments={record.target: record for record in copy.records(DeploymentRecord)},
        digests={
            "sha256:" + item.key.sk.removeprefix("DIGEST#"): layout.record_of(
                item, DigestRecord
            ).number
            for item in copy.items
            if kind_of(item) is DigestRecord
        },
        events=copy.records(EventRecord),
    )
    return [*found, *_counts(records), *_routes(records), *_places(records), *_history(records)]


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
        case VersionRecord(model=name, number=number):
            place = layout.version_key(name, number), 1
        case AliasRecord(model=name, name=alias, revision=revision):
            place = layout.alias_key(name, alias), revision
        case DeploymentRecord(model=name, target=target, revision=revision):
            place = layout.deployment_key(name, target), revision
        case EventRecord(model=name, revision=revision):
            place = layout.event_key(name, revision), revision
        case _:  # a DigestRecord says its digest by its place alone
            place = layout.digest_key(model, key.sk.removeprefix("DIGEST#")), 1
    return place


def _counts(records: _Records) -> Iterator[str]:
    model = records.model
    if records.policy.revision != model.revision:
        yield f"POLICY is of revision {records.policy.revision}, META of {model.revision}"
    if [event.revision for event in records.events] != list(range(1, model.revision + 1)):
        yield f"the history is not 1 to {model.revision} without a gap"
    if list(records.versions) != list(range(1, model.last_version + 1)):
        yield f"the versions are not 1 to {model.last_version} without a gap"
    if records.digests != {v.digest: number for number, v in records.versions.items()}:
        yield "the DIGEST records are not those of the versions"


def _routes(records: _Records) -> Iterator[str]:
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


def _places(records: _Records) -> Iterator[str]:
    routed = {route.version for alias in records.aliases.values() for route in alias.routes}
    for target, deployment in records.deployments.items():
        for number, digest in deployment.digests.items():
            if number not in records.versions or records.versions[number].digest != digest:
                yield f"DEPLOYMENT {target} has another digest of version {number}"
        lacking = sorted(routed - deployment.digests.keys())
        if deployment.status == "live" and lacking:
            yield f"DEPLOYMENT {target} does not carry version {lacking[0]}, which is routed to"


def _history(records: _Records) -> Iterator[str]:
    """The last event of each subject must tell of the record as it is, and none be left out."""
    told: dict[tuple[str, str], list[EventRecord]] = {}
    for event in records.events:
        told.setdefault((_kind(event.action), event.subject), []).append(event)
    known = {("version", str(number)) for number in records.versions}
    known |= {("alias", name) for name in records.aliases}
    known |= {("deployment", target) for target in records.deployments}
    if told.keys() != known:
        yield "the history is not of the versions, aliases and deployments that there are"
        return
    for number, version in records.versions.items():
        if told["version", str(number)][-1].after.get("digest") != version.digest:
            yield f"the history registers another digest as version {number}"
    for name, alias in records.aliases.items():
        events = told["alias", name]
        now = {"routes": [encode(route) for route in alias.routes]}
        if len(events) != alias.revision or events[-1].after != now:
            yield f"the history of {name} ends otherwise than the alias"
    for target, deployment in records.deployments.items():
        events = told["deployment", target]
        if (
            len(events) != deployment.revision
            or events[-1].after.get("status") != deployment.status
        ):
            yield f"the history of DEPLOYMENT {target} ends otherwise than its record"


def _kind(action: str) -> str:
    if action == "register":
        return "version"
    return "alias" if action in {"promote", "rollback"} else "deployment"
