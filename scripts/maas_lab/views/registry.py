"""What each registry verb says, for people and for machines. See `output` for how it is printed.

Imports `maas`, the lab's records and rich's tables.
"""

from typing import TYPE_CHECKING

from rich.console import Group

from maas.registry.addresses import parse_reference
from maas.registry.reader import Listing
from maas.registry.words import parse_tag
from maas_lab.output import View, table
from maas_lab.views.records import change_data, record_data
from maas_lab.views.states import numbers_text, routes_text, state_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

    from maas.registry.curator import AliasChange
    from maas.registry.records import AliasRecord, ModelRecord, TensorSpec, VersionRecord
    from maas.registry.registry import Registered, Registry


def registered_view(outcome: "Registered") -> View:
    """What `maas register` stored or found."""
    record = outcome.record
    proof = record.verification
    done = (
        f"registered {record.model}@{record.number}: verified, {proof.golden} golden answers within"
        f" {proof.max_difference:.1e}"
        if outcome.created
        else f"{record.model}@{record.number} has this digest already; nothing was written"
    )
    return View(
        {"created": outcome.created, **record_data(record)}, f"{done}\ndigest {record.digest}"
    )


def alias_view(change: "AliasChange") -> View:
    """What `maas promote` or `maas rollback` made of an alias."""
    record = change.record
    done = (
        f"{record.model}@{record.name} is now {routes_text(record.routes)}"
        if change.changed
        else f"{record.model}@{record.name} is {routes_text(record.routes)} already;"
        " nothing was written"
    )
    return View(change_data(change), f"{done} (revision {change.revision})")


def models_view(registry: "Registry", limit: int) -> View:
    """All models with what their aliases route to."""
    page = registry.models(limit=limit)
    rows, listed = [], []
    for model in page.records:
        aliases = registry.aliases(model.name)
        said = ", ".join(f"{alias.name} → {routes_text(alias.routes)}" for alias in aliases)
        rows.append((model.name, model.task, model.last_version, said or "nothing promoted"))
        listed.append({**record_data(model), "aliases": [record_data(alias) for alias in aliases]})
    data: dict[str, object] = {"models": listed, "more": page.more}
    if not rows:
        return View(
            data, "No model yet. Begin with: maas train scripts/recipes/sentiment-lstm.toml"
        )
    listing = table("model", "task", "versions", "aliases", rows=rows)
    return View(data, _cut(listing, more=page.more))


def versions_view(registry: "Registry", model: str, limit: int, *, tag: str | None = None) -> View:
    """The versions of a model, the newest first; with a tag those that have it."""
    page = (
        registry.versions(model, limit=limit)
        if tag is None
        else _tagged(registry, model, limit, parse_tag(tag))
    )
    aliases = registry.aliases(model)
    rows = [
        (
            f"{model}@{version.number}",
            version.status,
            ", ".join(version.tags),
            version.digest[:23] + "…",
            _metric(version, "test_accuracy"),
            version.registered_at[:19],
            _aliases_of(version.number, aliases),
        )
        for version in page.records
    ]
    data: dict[str, object] = {
        "versions": [record_data(version) for version in page.records],
        "aliases": [record_data(alias) for alias in aliases],
        "more": page.more,
    }
    columns = ("version", "status", "tags", "digest", "accuracy", "registered", "answers")
    return View(data, _cut(table(*columns, rows=rows), more=page.more))


def _tagged(registry: "Registry", model: str, limit: int, tag: str) -> "Listing[VersionRecord]":
    """The model's own versions, page by page, until there are enough; nothing else is read."""
    found: list[VersionRecord] = []
    after: int | None = None
    more = True
    while more and len(found) <= limit:
        page = registry.versions(model, after=after)
        found += [version for version in page.records if tag in version.tags]
        more, after = page.more, page.records[-1].number if page.records else None
    return Listing(tuple(found[:limit]), more=len(found) > limit)


def reference_view(registry: "Registry", reference: str) -> View:
    """One model, or one version of it."""
    model, address = parse_reference(reference)
    if address is None:
        return _model_view(registry, registry.model(model))
    version = registry.version(model, address)
    return View(record_data(version), table("field", "value", rows=_fields(version)))


def _fields(version: "VersionRecord") -> list[tuple[object, ...]]:
    """What is known of a version, as people write it; what is empty is left out."""
    said = {
        "inputs": _tensors_text(version.inputs),
        "outputs": _tensors_text(version.outputs),
        "labels": ", ".join(version.labels),
        "tags": ", ".join(version.tags),
    }
    known = {key: said.get(key, value) for key, value in record_data(version).items()}
    return [(key, value) for key, value in _flat(known) if value not in ("", None)]


def _tensors_text(specs: "Iterable[TensorSpec]") -> str:
    """A line per tensor, such as `x float32 [batch, 4]`."""
    return "\n".join(
        f"{spec.name} {spec.dtype} [{', '.join(map(str, spec.shape))}]" for spec in specs
    )


def _model_view(registry: "Registry", model: "ModelRecord") -> View:
    """A model, what its aliases route to, and where it is deployed."""
    aliases, deployments = registry.aliases(model.name), registry.deployments(model.name)
    data = {
        **record_data(model),
        "aliases": [record_data(alias) for alias in aliases],
        "deployments": [record_data(deployment) for deployment in deployments],
    }
    routes = [(one.name, routes_text(one.routes), one.at[:19], one.by) for one in aliases]
    said: list[RenderableType] = [
        f"{model.name}: {model.task}, {model.last_version} versions",
        table("alias", "answers", "since", "by", rows=routes),
    ]
    if deployments:
        places = [
            (one.target, one.status, numbers_text(one.digests), one.function_version, one.at[:19])
            for one in deployments
        ]
        columns = ("deployed to", "status", "carries", "function version", "since")
        said += ["", table(*columns, rows=places)]
    return View(data, Group(*said))


def history_view(registry: "Registry", model: str, limit: int) -> View:
    """The changes of a model, the newest first."""
    page = registry.history(model, limit=limit)
    rows = [
        (
            event.revision,
            event.at[:19],
            event.by,
            event.action,
            event.subject,
            f"{state_text(event.before)} → {state_text(event.after)}",
            event.reason,
        )
        for event in page.records
    ]
    columns = ("revision", "when", "who", "what", "of", "before → after", "why")
    data = {"events": [record_data(event) for event in page.records], "more": page.more}
    return View(data, _cut(table(*columns, rows=rows), more=page.more))


def _cut(rows: "RenderableType", *, more: bool) -> "RenderableType":
    """Say so where a listing was cut."""
    return Group(rows, "… and more; see --limit") if more else rows


def _aliases_of(number: int, aliases: "Iterable[AliasRecord]") -> str:
    shares = [
        f"{alias.name} {route.weight / 100:g} %"
        for alias in aliases
        for route in alias.routes
        if route.version == number
    ]
    return ", ".join(shares)


def _metric(version: "VersionRecord", name: str) -> str:
    return f"{version.metrics[name]:.3f}" if name in version.metrics else ""


def _flat(data: dict[str, object], prefix: str = "") -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for key, value in data.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{prefix}{key}.")
        else:
            rows.append((prefix + key, value))
    return rows
