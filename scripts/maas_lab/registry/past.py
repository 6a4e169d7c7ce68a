"""Whether a model's history tells of its records as they are.

Imports `maas`. Pure; a part of `checks`:

    list(untold(records))     # [] where each subject's last event is what there is
"""

from collections.abc import Iterator
from dataclasses import dataclass

from maas.registry.deployment_records import DeploymentRecord
from maas.registry.event_records import EventRecord
from maas.registry.records import AliasRecord, ModelRecord, Policy, VersionRecord
from maas.registry.rollout_records import RolloutRecord
from maas.registry.timeline import AliasState, alias_states, rollout_statuses


@dataclass(frozen=True, slots=True)
class Records:
    """A model's records by what names them."""

    model: ModelRecord
    policy: Policy
    versions: dict[int, VersionRecord]
    aliases: dict[str, AliasRecord]
    deployments: dict[str, DeploymentRecord]
    rollouts: dict[str, RolloutRecord]
    digests: dict[str, int]
    events: list[EventRecord]


def untold(records: Records) -> Iterator[str]:
    """The last event of each subject must tell of the record as it is, and none be left out."""
    told: dict[tuple[str, str], list[EventRecord]] = {}
    for event in records.events:
        told.setdefault((_kind(event), event.subject), []).append(event)
    told.pop(("model", records.model.name), None)
    states, rollouts = _alias_states(records.events), _rollout_statuses(records.events)
    known = {("version", str(number)) for number in records.versions}
    known |= {("alias", name) for name in records.aliases}
    known |= {("rollout", name) for name in records.rollouts}
    known |= {("deployment", target) for target in records.deployments}
    named = {subject for subject in told if subject[0] != "alias"}
    named |= {("alias", name) for name in states} | {("rollout", name) for name in rollouts}
    if named != known:
        yield "the history is not of the versions, aliases and deployments that there are"
        return
    for number, version in records.versions.items():
        yield from _version(version, told["version", str(number)])
    for name, alias in records.aliases.items():
        past = states[name]
        if len(past) != alias.revision or past[-1] != AliasState(alias.routes, alias.shadow):
            yield f"the history of {name} ends otherwise than the alias"
    for name, rollout in records.rollouts.items():
        statuses = rollouts[name]
        if len(statuses) != rollout.revision or statuses[-1] != rollout.status:
            yield f"the history of ROLLOUT {name} ends otherwise than its record"
    for target, deployment in records.deployments.items():
        events = told["deployment", target]
        if (
            len(events) != deployment.revision
            or events[-1].after.get("status") != deployment.status
        ):
            yield f"the history of DEPLOYMENT {target} ends otherwise than its record"


def _version(version: VersionRecord, events: list[EventRecord]) -> Iterator[str]:
    if events[0].after.get("digest") != version.digest:
        yield f"the history registers another digest as version {version.number}"
    statuses = [event.after["status"] for event in events if "status" in event.after]
    if len(events) != version.revision or statuses[-1:] != [version.status]:
        yield f"the history of version {version.number} ends otherwise than its record"


def _alias_states(events: list[EventRecord]) -> dict[str, list[AliasState]]:
    """All that each alias ever was, in order."""
    states: dict[str, list[AliasState]] = {}
    for event in events:
        for name, state in alias_states(event).items():
            states.setdefault(name, []).append(state)
    return states


def _rollout_statuses(events: list[EventRecord]) -> dict[str, list[str]]:
    """All that the rollouts to each alias ever were, in order."""
    statuses: dict[str, list[str]] = {}
    for event in events:
        for name, status in rollout_statuses(event).items():
            statuses.setdefault(name, []).append(status)
    return statuses


def _kind(event: EventRecord) -> str:
    match event.action:
        case "promote" | "rollback" | "shadow" | "rollout":
            return "alias"
        case "deploy" | "narrow" | "leave" | "remove":
            return "deployment"
        case _:
            return "version" if event.subject.isdecimal() else "model"
