"""What the verbs of releases say, for people and for machines. See `output` for printing.

Imports `maas`, the lab's records and rich's tables.
"""

from typing import TYPE_CHECKING

from rich.console import Group

from maas.errors import FieldError
from maas.registry.addresses import ByAlias, parse_reference
from maas_lab.output import View, table
from maas_lab.views.records import change_data, record_data
from maas_lab.views.states import routes_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from maas.registry.curator import AliasChange, ModelChange, VersionChange
    from maas.registry.historian import AliasThen, Moment
    from maas.registry.records import AliasRecord, Policy, Verification
    from maas.registry.registry import Registry
    from maas_lab.registry.differences import Differences


def verified_view(change: "VersionChange", routed: "Sequence[str]") -> View:
    """What a replay of the golden requests showed."""
    record = change.record
    proof, name = record.verification, f"{record.model}@{record.number}"
    where = "the bundle" if proof.where == "bundle" else "the function"
    if proof.passed:
        said = f"{name}: {proof.golden} golden answers of {where} within {proof.max_difference:.1e}"
    else:
        said = f"{name}: {where} does not answer as it should: {proof.problem}"
    lines = [f"{said}; it is {record.status}"]
    if proof.p50_ms is not None:
        lines.append(f"p50 {proof.p50_ms:.1f} ms, {_start(proof)}")
    if not proof.passed and routed:
        lines.append(
            f"It goes on answering {', '.join(routed)}: roll back, promote another, or block it."
        )
    return View({**change_data(change), "answers": list(routed)}, "\n".join(lines))


def _start(proof: "Verification") -> str:
    """What is known of a cold start, where latency is known."""
    if proof.cold_start_seconds is None:
        return "no cold start seen: what answered had started before"
    what = "first answer" if proof.where == "bundle" else "cold start"
    return f"{what} {proof.cold_start_seconds:.2f} s"


def state_view(change: "VersionChange", aliases: "Sequence[AliasRecord]" = ()) -> View:
    """What `maas block`, `unblock` or `retire` made of a version."""
    record = change.record
    name = f"{record.model}@{record.number}"
    done = "is now" if change.changed else "is already"
    lines = [f"{name} {done} {record.status}" + ("" if change.changed else "; nothing was written")]
    lines += [f"{record.model}@{alias.name} is {routes_text(alias.routes)}" for alias in aliases]
    data = change_data(change)
    if aliases:
        data["aliases"] = [record_data(alias) for alias in aliases]
    return View(data, "\n".join(lines))


def unblocked_view(change: "VersionChange") -> View:
    """What `maas unblock` made of a version, or that there was no block to take away."""
    view, record = state_view(change), change.record
    if change.changed:
        return view
    name = f"{record.model}@{record.number}"
    return View(view.data, f"{name} is not blocked: it is {record.status}; nothing was written")


def tags_view(change: "VersionChange") -> View:
    """A version's tags."""
    record = change.record
    said = ", ".join(record.tags) or "none"
    text = f"{record.model}@{record.number} has the tags: {said}"
    return View(change_data(change), text)


def described_version_view(change: "VersionChange") -> View:
    """A version's description."""
    record = change.record
    text = f"{record.model}@{record.number}: {record.description or 'no description'}"
    return View(change_data(change), text)


def described_model_view(change: "ModelChange") -> View:
    """A model's description."""
    record = change.record
    text = f"{record.name}: {record.description or 'no description'}"
    return View(change_data(change), text)


def dry_view(change: "AliasChange", now: "AliasRecord") -> View:
    """What a rollback would do."""
    record = change.record
    if change.changed:
        text = (
            f"{record.model}@{record.name} would go from {routes_text(now.routes)} to "
            f"{routes_text(record.routes)}; nothing was written"
        )
    else:
        text = f"{record.model}@{record.name} is {routes_text(now.routes)} already"
    data: dict[str, object] = {
        "dry_run": True,
        "would_change": change.changed,
        "now": record_data(now),
        "then": record_data(record),
    }
    return View(data, text)


def reference_past_view(registry: "Registry", reference: str, moment: "Moment") -> View:
    """A model's aliases, or one of them, as they were at a moment.

    Raises:
        FieldError: A version is named otherwise; what it was is told by the history.
    """
    model, address = parse_reference(reference)
    if address is None:
        return _past_view(model, str(moment), registry.aliases_at(model, moment))
    if not isinstance(address, ByAlias):
        raise FieldError(
            f"is for aliases, such as {model}@production; see maas history {model}", field="at"
        )
    return _past_view(model, str(moment), [registry.alias_at(model, address.name, moment)])


def _past_view(model: str, moment: str, found: "Sequence[AliasThen]") -> View:
    listed = [
        {
            "model": model,
            "alias": one.name,
            **record_data(one.state),
            "since": one.event.at,
            "by": one.event.by,
            "reason": one.event.reason,
            "revision": one.event.revision,
        }
        for one in found
    ]
    rows = [
        (
            one.name,
            routes_text(one.state.routes),
            one.event.at[:19],
            one.event.by,
            one.event.action,
            one.event.reason,
        )
        for one in found
    ]
    columns = ("alias", "answered", "since", "by", "what", "why")
    said = table(*columns, rows=rows) if rows else "nothing was promoted yet"
    return View({"at": moment, "aliases": listed}, Group(f"{model} at {moment}", said))


def differences_view(found: "Differences") -> View:
    """How two versions differ."""
    rows = [(row.what, row.first, row.second) for row in found.rows]
    data: dict[str, object] = {
        "first": found.first,
        "second": found.second,
        "differences": [
            {"what": row.what, "first": row.first, "second": row.second} for row in found.rows
        ],
        "notes": list(found.notes),
    }
    said = table("", found.first, found.second, rows=rows) if rows else "no difference"
    return View(data, Group(said, *found.notes))


def aliases_of(policy: "Policy", number: int) -> list[str]:
    """The aliases that a version answers."""
    return [
        name
        for name, routes in policy.aliases.items()
        if any(route.version == number for route in routes)
    ]
