"""Whether the registry is as it should be: its table or file, and every model's records.

Imports `maas` and other modules of the lab. Says nothing of accounts, keys or people:

    for finding in examine_registry(settings): print(finding.subject, finding.ok, finding.detail)
"""

from typing import TYPE_CHECKING

from maas.errors import MaasError
from maas.registry.stores import open_store
from maas.registry.urls import DynamoUrl, parse_url
from maas_lab.doctor import Finding
from maas_lab.registry.checks import contradictions
from maas_lab.registry.copies import copy_model, model_names
from maas_lab.registry.tables import open_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maas.registry.dynamo_table import TableState
    from maas.registry.store import Store
    from maas.settings import Settings

_SHOWN = 3


def examine_registry(settings: "Settings") -> list[Finding]:
    """Look at the registry that the settings name. What fails is a finding, not an error."""
    findings = list(_guarded("registry", _place(settings)))
    if findings[-1].subject == "registry" and not findings[-1].ok:
        return findings
    return [*findings, *_guarded("models", _models(settings))]


def _guarded(subject: str, findings: "Iterator[Finding]") -> "Iterator[Finding]":
    try:
        yield from findings
    except MaasError as error:
        yield Finding(subject, ok=False, detail=str(error))


def _place(settings: "Settings") -> "Iterator[Finding]":
    url = parse_url(settings.registry)
    if not isinstance(url, DynamoUrl):
        there = url.path.is_file()
        detail = "a file" if there else "no file yet; maas registry init makes it"
        yield Finding("registry", ok=True, detail=detail)
        return
    from maas.registry.dynamo_table import describe_table  # noqa: PLC0415 - brings boto3

    with open_table(url, settings) as table:
        state = describe_table(table)
    yield Finding("registry", ok=state.active, detail=f"table {url.table}" + _active(state))
    yield from _table(state)


def _active(state: "TableState") -> str:
    return ", active" if state.active else " is being made or changed; try again in a while"


def _table(state: "TableState") -> "Iterator[Finding]":
    from maas.registry.dynamo_table import misshapen  # noqa: PLC0415

    wrong = misshapen(state)
    remedy = "; ".join(wrong) + "; name another table in MAAS_REGISTRY"
    yield Finding(
        "shape", ok=not wrong, detail=remedy if wrong else "keys and index as they must be"
    )
    yield Finding(
        "billing",
        ok=state.on_demand,
        detail="on demand" if state.on_demand else "provisioned: paid while idle; set on demand",
    )
    yield Finding(
        "deletion protection",
        ok=state.protected,
        detail="on" if state.protected else "off; maas registry init sets it",
    )
    restorable = {
        True: "on",
        False: "off; maas registry init sets it",
        None: "not known to DynamoDB Local; on AWS it must be on",
    }
    yield Finding(
        "point-in-time recovery",
        ok=state.restorable is not False,
        detail=restorable[state.restorable],
    )
    yield Finding("encryption", ok=True, detail=f"at rest, {state.encryption}")


def _models(settings: "Settings") -> "Iterator[Finding]":
    store = open_store(settings.registry, aws=settings.aws)
    try:
        names = list(model_names(store))
        yield Finding("models", ok=True, detail=f"{len(names)} listed")
        for name in names:
            yield from _guarded(name, _model(store, name))
    finally:
        store.close()


def _model(store: "Store", name: str) -> "Iterator[Finding]":
    copy = copy_model(store, name)
    wrong = contradictions(copy)
    if wrong:
        more = f"; and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        remedy = "; restore the table or file to a moment before, or import an export elsewhere"
        yield Finding(name, ok=False, detail="; ".join(wrong[:_SHOWN]) + more + remedy)
    else:
        yield Finding(name, ok=True, detail=f"{len(copy.items)} records fit together")
