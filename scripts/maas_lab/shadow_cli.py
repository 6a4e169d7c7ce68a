"""`maas shadow …`: a version that sees some of an alias's requests, and answers none of them.

Thin functions as in `cli`; logic lives in the modules that they call.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maas.assembly import build_registry, required_key
from maas.errors import FieldError
from maas.registry.addresses import parse_model, parse_reference
from maas.registry.records import DEFAULT_ALIAS, WEIGHT_TOTAL
from maas.settings import read_settings
from maas_lab.output import Output
from maas_lab.verbs import Alias, Json, Model, Reference, Why, verbs_of, version_of

if TYPE_CHECKING:
    from maas.registry.addresses import VersionAddress
    from maas.settings import Settings
    from maas_lab.shadowing.figures import Report

SERVER = "http://127.0.0.1:8080"
"""Where `maas serve` answers unless it is told otherwise."""

app = typer.Typer(no_args_is_help=True)

verb = verbs_of(app)


@verb
def set_(
    version: Reference,
    sample: Annotated[
        float, typer.Option(min=0.01, max=100, help="Percent of the requests that it sees too.")
    ] = 5,
    alias: Alias = DEFAULT_ALIAS,
    why: Why = "",
    as_json: Json = False,
) -> None:
    """Let a version see a sample of an alias's requests, after they were answered."""
    from maas_lab.releasing import shadow
    from maas_lab.views.shadows import shadow_view

    settings = read_settings()
    model, address = version_of(version)
    with build_registry(settings) as registry:
        change = shadow(
            registry,
            settings.bundles,
            model,
            address,
            sample=round(sample * WEIGHT_TOTAL / 100),
            alias=alias,
            reason=why,
            key=required_key(settings),
        )
    Output(as_json=as_json).show(shadow_view(change))


@verb
def clear(model: Model, alias: Alias = DEFAULT_ALIAS, why: Why = "", as_json: Json = False) -> None:
    """Let nobody see an alias's requests but who answers them."""
    from maas_lab.views.shadows import shadow_view

    with build_registry(read_settings()) as registry:
        change = registry.shadow(parse_model(model), None, alias=alias, reason=why)
    Output(as_json=as_json).show(shadow_view(change))


@verb
def report(
    model: Annotated[
        str, typer.Argument(help="A model, or one of its shadows, such as sentiment@2.")
    ],
    url: Annotated[
        str | None,
        typer.Option(
            help="The server that `maas serve` started; http://127.0.0.1:8080 if left out."
        ),
    ] = None,
    cloudwatch: Annotated[
        bool, typer.Option("--cloudwatch", help="Read the metrics of deployed functions instead.")
    ] = False,
    hours: Annotated[
        float, typer.Option(min=0.1, max=336, help="How far back CloudWatch is asked.")
    ] = 24,
    plot: Annotated[
        Path | None,
        typer.Option(help="Where the plot goes; shadows/MODEL.png in MAAS_HOME if left out."),
    ] = None,
    as_json: Json = False,
) -> None:
    """How shadows agree with what was answered: labels, scores and latency."""
    from maas_lab.files import write_file
    from maas_lab.views.shadows import report_view

    if cloudwatch and url is not None:
        raise FieldError("say what is read: either --url or --cloudwatch", field="url")
    settings = read_settings()
    name, address = parse_reference(model)
    if cloudwatch:
        found = _of_functions(settings, name, address, timedelta(hours=hours))
    else:
        found = _of_server(settings, name, address, url or SERVER)
    place = None
    if found.shadows:
        from maas_lab.shadowing.plot import draw_shadows

        place = plot or settings.home / "shadows" / f"{found.model}.png"
        write_file(place, draw_shadows(found))
    Output(as_json=as_json).show(report_view(found, place))


def _of_server(
    settings: "Settings", model: str, address: "VersionAddress | None", url: str
) -> "Report":
    from maas_lab.shadowing.figures import of_server
    from maas_lab.shadowing.report import read_report

    only = None
    if address is not None:
        with build_registry(settings) as registry:
            only = registry.version(model, address).number
    return of_server(read_report(url, model), only=only)


def _of_functions(
    settings: "Settings", model: str, address: "VersionAddress | None", past: timedelta
) -> "Report":
    from maas_lab.cloudwatch import minute_of, open_metrics
    from maas_lab.shadowing.cloud import read_metrics, shadows_of

    with build_registry(settings) as registry:
        versions = shadows_of(registry, model, address)
    metrics = open_metrics(settings.aws.region)
    until = minute_of(datetime.now(UTC)) + timedelta(minutes=1)
    return read_metrics(metrics, model, versions, since=minute_of(until - past), until=until)
