"""The verbs that bring models to AWS: package, deploy, destroy. Logic lies in what they call.

Joined to the `maas` command without a group name:

    maas package sentiment --candidate sentiment@5
"""

from pathlib import Path
from typing import Annotated

import typer

from maas.assembly import build_registry, required_key
from maas.settings import read_settings
from maas_lab import deploy_cli
from maas_lab.output import Output
from maas_lab.verbs import Json, verbs_of
from maas_lab.views import shipping as shipping_views

app = typer.Typer()
verb = verbs_of(app)

ProjectFolder = Annotated[
    Path, typer.Option("--project", help="The folder with template.yaml; here when left out.")
]


@verb
def package(
    models: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]...", help="All models when left out.")
    ] = None,
    candidate: Annotated[
        list[str] | None, typer.Option(help="One more version to carry, such as sentiment@5.")
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(help="Leave out: newest, previous. For what does not fit.")
    ] = None,
    form: Annotated[
        str | None, typer.Option(help="Another form of the model where a bundle has it.")
    ] = None,
    architecture: Annotated[
        str | None, typer.Option(help="x86_64 or arm64; kept in samconfig.toml.")
    ] = None,
    project: ProjectFolder = Path(),
    as_json: Json = False,
) -> None:
    """Write what each function carries into layers/models, and say whether it fits."""
    from maas_lab.packaging import package as package_models
    from maas_lab.packing.project import open_project
    from maas_lab.packing.served_sets import parse_wishes

    settings = read_settings()
    output = Output(as_json=as_json)
    wishes = parse_wishes(models, candidates=candidate, without=without, form=form)
    with build_registry(settings) as registry:
        outcome = package_models(
            open_project(project),
            registry,
            settings.bundles,
            wishes,
            architecture=architecture,
            console=output.progress,
            key=required_key(settings),
        )
    output.show(shipping_views.package_view(outcome))
    if not outcome.plan.fits:
        raise typer.Exit(3)


app.add_typer(deploy_cli.app)
