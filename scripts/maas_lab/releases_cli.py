"""`maas verify`, `block`, `retire`, `tag`, `describe`, `diff` …: what versions are and were.

Thin functions as in `cli`; logic lives in the modules that they call.
"""

from typing import Annotated

import typer

from maas.assembly import build_registry
from maas.registry.addresses import parse_reference
from maas.settings import read_settings
from maas_lab.output import Output
from maas_lab.verbs import Json, Reference, Why, verbs_of, version_of
from maas_lab.views import releases as views

app = typer.Typer()

verb = verbs_of(app)
dashed_verb = verbs_of(app, dashed=True)


@verb
def verify(
    version: Reference,
    url: Annotated[
        str | None, typer.Option(help="Ask a deployed function or server there instead.")
    ] = None,
    api_key: Annotated[
        str | None, typer.Option(envvar="MAAS_API_KEY", help="Sent as x-api-key.")
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(min=0, help="Difference that is allowed; as at registration when left out."),
    ] = None,
    why: Why = "",
    as_json: Json = False,
) -> None:
    """Replay a version's golden requests, and write down whether it answers as it should."""
    from maas_lab.registry.verifying import verify_version

    settings = read_settings()
    model, address = version_of(version)
    with build_registry(settings) as registry:
        change = verify_version(
            registry,
            settings.bundles,
            registry.version(model, address),
            url=url,
            api_key=api_key,
            tolerance=tolerance,
            reason=why,
        )
        routed = views.aliases_of(registry.policy(model), change.record.number)
    Output(as_json=as_json).show(views.verified_view(change, routed))
    if not change.record.verification.passed:
        raise typer.Exit(3)


@verb
def block(version: Reference, why: Why = "", as_json: Json = False) -> None:
    """Let a version answer nobody, at once; its share goes to the others of each alias."""
    model, address = version_of(version)
    with build_registry(read_settings()) as registry:
        change = registry.block(model, address, reason=why)
        aliases = registry.aliases(model)
    Output(as_json=as_json).show(views.state_view(change, aliases))


@verb
def unblock(version: Reference, why: Why = "", as_json: Json = False) -> None:
    """Make a blocked version again what it was before; a retired one stays retired."""
    model, address = version_of(version)
    with build_registry(read_settings()) as registry:
        change = registry.unblock(model, address, reason=why)
    Output(as_json=as_json).show(views.unblocked_view(change))


@verb
def retire(version: Reference, why: Why = "", as_json: Json = False) -> None:
    """Give a version no traffic any more; refused while an alias uses it."""
    model, address = version_of(version)
    with build_registry(read_settings()) as registry:
        change = registry.retire(model, address, reason=why)
    Output(as_json=as_json).show(views.state_view(change))


@dashed_verb
def tag(
    version: Reference,
    tags: Annotated[list[str], typer.Argument(help="Tags to add; with a - before, to take away.")],
    as_json: Json = False,
) -> None:
    """Add tags to a version, such as good, and take others away, such as -slow."""
    model, address = version_of(version)
    with build_registry(read_settings()) as registry:
        change = registry.tag(
            model,
            address,
            add=[tag for tag in tags if not tag.startswith("-")],
            remove=[tag.removeprefix("-") for tag in tags if tag.startswith("-")],
        )
    Output(as_json=as_json).show(views.tags_view(change))


@verb
def describe(
    reference: Annotated[str, typer.Argument(help="A model or version, such as sentiment@2.")],
    text: Annotated[str, typer.Argument(help="One line; an empty one takes it away.")],
    as_json: Json = False,
) -> None:
    """Say in one line what a model or version is."""
    model, address = parse_reference(reference)
    with build_registry(read_settings()) as registry:
        if address is None:
            view = views.described_model_view(registry.describe_model(model, text))
        else:
            view = views.described_version_view(registry.describe_version(model, address, text))
    Output(as_json=as_json).show(view)


@verb
def diff(first: Reference, second: Reference, as_json: Json = False) -> None:
    """Compare two versions: signature, labels, metrics, size, graphs, golden answers."""
    from maas_lab.registry.differences import compare_versions

    settings = read_settings()
    model, address = version_of(first)
    other, other_address = version_of(second)
    with build_registry(settings) as registry:
        found = compare_versions(
            settings.bundles,
            registry.version(model, address),
            registry.version(other, other_address),
        )
    Output(as_json=as_json).show(views.differences_view(found))
