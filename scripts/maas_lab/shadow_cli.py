"""`maas shadow …`: a version that sees some of an alias's requests, and answers none of them.

Thin functions as in `cli`; logic lives in the modules that they call.
"""

from pathlib import Path
from typing import Annotated

import typer

from maas.assembly import build_registry, required_key
from maas.registry.addresses import parse_model
from maas.registry.records import DEFAULT_ALIAS, WEIGHT_TOTAL
from maas.settings import read_settings
from maas_lab.output import Output
from maas_lab.verbs import Alias, Json, Model, Reference, Why, verbs_of, version_of

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
    Output(as_json=as_json).show(shadow_view(change.record, changed=change.changed))


@verb
def clear(model: Model, alias: Alias = DEFAULT_ALIAS, why: Why = "", as_json: Json = False) -> None:
    """Let nobody see an alias's requests but who answers them."""
    from maas_lab.views.shadows import shadow_view

    with build_registry(read_settings()) as registry:
        change = registry.shadow(parse_model(model), None, alias=alias, reason=why)
    Output(as_json=as_json).show(shadow_view(change.record, changed=change.changed))


@verb
def report(
    model: Model,
    url: Annotated[
        str, typer.Option(help="The server that `maas serve` started.")
    ] = "http://127.0.0.1:8080",
    plot: Annotated[
        Path | None,
        typer.Option(help="Where the plot goes; shadows/MODEL.png in MAAS_HOME if left out."),
    ] = None,
    as_json: Json = False,
) -> None:
    """How a server's shadows agree with what was answered: labels, scores and latency."""
    from maas_lab.files import write_file
    from maas_lab.shadowing.report import read_report
    from maas_lab.views.shadows import report_view

    found = read_report(url, parse_model(model))
    place = None
    if found.shadows:
        from maas_lab.shadowing.plot import draw_shadows

        place = plot or read_settings().home / "shadows" / f"{found.model}.png"
        write_file(place, draw_shadows(found))
    Output(as_json=as_json).show(report_view(found, place))
