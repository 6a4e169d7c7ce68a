"""The `maas` command: one thin function per verb. Logic lives in the modules that they call.

Here are the verbs of registry and serving; those of the lab and of AWS lie in modules beside it.

Exit codes: 0 done, 1 our fault, 2 usage, 3 refused by a rule, 4 conflict, 5 try again, 130 Ctrl-C.
"""

import io
import sys
from importlib.metadata import version as installed_version
from typing import Annotated

import typer

from maas.assembly import build_registry, required_key
from maas.errors import FieldError
from maas.registry.addresses import parse_alias, parse_model, parse_reference
from maas.registry.historian import parse_moment
from maas.registry.records import DEFAULT_ALIAS
from maas.settings import read_settings
from maas_lab import (
    lab_cli,
    registry_cli,
    releases_cli,
    rollout_cli,
    shadow_cli,
    shipping_cli,
    signing_cli,
)
from maas_lab.output import Output
from maas_lab.usage import Verbs
from maas_lab.verbs import (
    Alias,
    Bundled,
    Json,
    Model,
    Reference,
    Why,
    verbs_of,
    version_of,
    warn_unshippable,
)
from maas_lab.views import registry as registry_views
from maas_lab.views import releases as release_views
from maas_lab.views import serving as serving_views

app = typer.Typer(
    cls=Verbs,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Model as a Service: train, export, ship and serve versioned models.",
    epilog="Exit codes: 0 done, 2 usage, 3 refused by a rule, 4 conflict, 5 try again, 130 Ctrl-C.",
)

app.add_typer(lab_cli.app)
app.add_typer(shipping_cli.app)
app.add_typer(releases_cli.app)
app.add_typer(signing_cli.app)
app.add_typer(registry_cli.app, name="registry", help="Where the registry lies, and its copies.")
app.add_typer(rollout_cli.app, name="rollout", help="Shift an alias to a version step by step.")
app.add_typer(shadow_cli.app, name="shadow", help="Let a version see requests and answer none.")

verb = verbs_of(app)


def main() -> None:
    """Run the command; the console script."""
    for stream in (sys.stdout, sys.stderr):  # a terminal that cannot show an arrow shows ?
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    app()


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"maas {installed_version('maas')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_say_version, is_eager=True, help="Say the version and end."
        ),
    ] = False,
) -> None:
    """Take what goes before a verb."""


@verb
def register(
    reference: Bundled = None,
    as_json: Json = False,
) -> None:
    """Replay a bundle's golden requests and store it as the model's next version."""
    from maas_lab.references import find_bundle
    from maas_lab.releasing import register_bundle

    settings = read_settings()
    folder = find_bundle(settings, reference)
    with build_registry(settings) as registry:
        outcome = register_bundle(registry, folder, key=required_key(settings))
    output = Output(as_json=as_json)
    trained = "run" in outcome.record.lineage
    again = "maas train RECIPE" if trained else "maas import …"
    warn_unshippable(outcome.record.model, output, again=again)
    output.show(registry_views.registered_view(outcome))


@verb
def promote(
    version: Reference,
    alias: Alias = DEFAULT_ALIAS,
    weight: Annotated[int, typer.Option(min=1, max=100, help="Percent of the requests.")] = 100,
    why: Why = "",
    force: Annotated[
        bool, typer.Option("--force", help="Although its replay failed; needs --reason.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Let a version answer an alias: all of its requests, or a share of them."""
    from maas_lab.releasing import promote as promote_version

    settings = read_settings()
    model, address = version_of(version)
    with build_registry(settings) as registry:
        change = promote_version(
            registry,
            settings.bundles,
            model,
            address,
            alias=parse_alias(alias),
            weight=weight,
            reason=why,
            force=force,
            key=required_key(settings),
        )
    Output(as_json=as_json).show(registry_views.alias_view(change))


@verb
def rollback(
    model: Model,
    alias: Alias = DEFAULT_ALIAS,
    to: Annotated[
        str | None, typer.Option(help="A time (UTC) or revision: to what it routed to then.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say it, and write nothing.")] = False,
    why: Why = "",
    as_json: Json = False,
) -> None:
    """Restore what an alias routed to before its last change; twice is back again."""
    from maas_lab.releasing import roll_back

    settings = read_settings()
    moment = None if to is None else parse_moment(to)
    with build_registry(settings) as registry:
        before = registry.alias(parse_model(model), parse_alias(alias))
        change = roll_back(
            registry,
            settings.bundles,
            model,
            alias=alias,
            to=moment,
            reason=why,
            dry_run=dry_run,
            key=required_key(settings),
        )
    said = release_views.dry_view(change, before) if dry_run else registry_views.alias_view(change)
    Output(as_json=as_json).show(said)


@verb
def list_(
    model: Annotated[str | None, typer.Argument(help="A model: its versions.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Rows at the most.")] = 100,
    tag: Annotated[str | None, typer.Option(help="Of a model, the versions tagged so.")] = None,
    as_json: Json = False,
) -> None:
    """List the models, or the versions of one."""
    if model is None and tag is not None:
        raise FieldError("is for the versions of one model; name it", field="tag")
    with build_registry(read_settings()) as registry:
        if model is None:
            view = registry_views.models_view(registry, limit)
        else:
            view = registry_views.versions_view(registry, parse_model(model), limit, tag=tag)
    Output(as_json=as_json).show(view)


@verb
def show(
    reference: Reference,
    at: Annotated[
        str | None, typer.Option(help="A time (UTC) or revision: what answered then.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show a model, or everything that is known of one version."""
    with build_registry(read_settings()) as registry:
        if at is None:
            view = registry_views.reference_view(registry, reference)
        else:
            view = release_views.reference_past_view(registry, reference, parse_moment(at))
    Output(as_json=as_json).show(view)


@verb
def history(
    model: Model,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Changes at the most.")] = 50,
    as_json: Json = False,
) -> None:
    """Show who changed what, when and why; the newest first."""
    with build_registry(read_settings()) as registry:
        view = registry_views.history_view(registry, parse_model(model), limit)
    Output(as_json=as_json).show(view)


@verb
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8080,
    policy_ttl: Annotated[
        float, typer.Option(min=0, max=3600, help="Seconds until a promote is seen.")
    ] = 1.0,
    as_json: Json = False,
) -> None:
    """Serve all models of the registry over HTTP, with the app that runs on Lambda."""
    from maas_lab.serving import serve as serve_models

    output = Output(as_json=as_json)
    serve_models(
        read_settings(),
        host=host,
        port=port,
        policy_ttl=policy_ttl,
        ready=lambda url, models: output.show(serving_views.serving_view(url, models)),
    )


@verb
def predict(
    version: Annotated[str, typer.Argument(help="A model or version, such as sentiment@2.")],
    texts: Annotated[
        list[str],
        typer.Argument(
            help="Texts; files for a model of pictures or sounds, or of tables (CSV with a header);"
            " - reads one a line."
        ),
    ],
    url: Annotated[
        str | None, typer.Option(help="A server, such as http://127.0.0.1:8080.")
    ] = None,
    top_k: Annotated[int | None, typer.Option(min=1, help="Labels per text.")] = None,
    as_json: Json = False,
) -> None:
    """Ask a model of texts, pictures, sounds or tables, in this process or by asking a server."""
    from maas_lab.predicting import predict_here, predict_there, read_lines

    model, address = parse_reference(version)
    lines = read_lines(sys.stdin.buffer) if texts == ["-"] else texts
    if url is None:
        answer = predict_here(read_settings(), model, address, lines, top_k=top_k)
    else:
        answer = predict_there(url, model, address, lines, top_k=top_k)
    Output(as_json=as_json).show(serving_views.prediction_view(lines, answer))


@verb
def bench(
    version: Annotated[str, typer.Argument(help="A model or version, such as sentiment@2.")],
    processes: Annotated[int, typer.Option(min=3, max=100, help="Cold starts of each.")] = 11,
    requests: Annotated[int, typer.Option(min=20, max=100_000, help="Warm requests each.")] = 300,
    as_json: Json = False,
) -> None:
    """Measure cold start and warm speed beside a bare script, interleaved in one run."""
    from maas_lab.bench import bench_version
    from maas_lab.benching.plot import draw_bench
    from maas_lab.files import write_file

    settings = read_settings()
    model, address = parse_reference(version)
    output = Output(as_json=as_json)
    result = bench_version(
        settings, model, address, processes=processes, requests=requests, console=output.progress
    )
    plot = settings.home / "bench" / f"{model}-{result.version}.png"
    write_file(plot, draw_bench(result))
    output.show(serving_views.bench_view(result, plot))


@verb
def doctor(as_json: Json = False) -> None:
    """Check what this machine has, and say what to do about what it lacks."""
    from maas_lab.doctor import examine

    findings = examine()
    Output(as_json=as_json).show(serving_views.doctor_view(findings))
    if not all(finding.ok for finding in findings):
        raise typer.Exit(3)


if __name__ == "__main__":
    main()
