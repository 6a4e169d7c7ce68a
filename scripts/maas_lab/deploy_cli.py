"""The verbs `deploy` and `destroy`. Logic lies in what they call.

Joined to the `maas` command without a group name:

    maas deploy --stack maas --region eu-central-1
    maas destroy --stack maas
"""

import sys
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace

from maas.errors import FieldError, RefusedError
from maas.settings import Settings, read_settings
from maas_lab.output import Output
from maas_lab.stack.targets import Target, Tools
from maas_lab.verbs import Json, verbs_of

app = typer.Typer()
verb = verbs_of(app)

Stack = Annotated[
    str | None, typer.Option(help="The stack's name; samconfig.toml's when left out.")
]
Region = Annotated[
    str | None, typer.Option(help="AWS's region; AWS_REGION or the profile's when left out.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
ProjectFolder = Annotated[
    Path, typer.Option("--project", help="The folder with template.yaml; here when left out.")
]


@verb
def deploy(
    stack: Stack = None,
    region: Region = None,
    use_container: Annotated[
        bool, typer.Option("--use-container", help="Build in a container, not with python3.13.")
    ] = False,
    yes: Yes = False,
    project: ProjectFolder = Path(),
    as_json: Json = False,
) -> None:
    """Build and deploy what was packaged, and record what its functions answer with."""
    from maas_lab.deploying import deploy as deploy_packaged
    from maas_lab.packing.project import open_project
    from maas_lab.stack.live_alias import Patience
    from maas_lab.stack.preflight import look
    from maas_lab.views import deploy as deploy_views

    output = Output(as_json=as_json)
    opened = open_project(project)
    target = _target(opened.root, stack, region, container=use_container)
    settings = read_settings()
    tools = _tools(settings, target, output)
    if settings.aws.dynamodb_endpoint:
        tools.say(
            f"DynamoDB is asked at {settings.aws.dynamodb_endpoint}, not at AWS:"
            " AWS_ENDPOINT_URL_DYNAMODB is set."
        )
    result = look(opened, target, tools)
    if result.ready is None:
        output.show(deploy_views.preflight_view(result))
        raise typer.Exit(3)
    for finding in result.findings:
        tools.say(f"ok {finding.subject}: {finding.detail}")
    if not yes:
        account = result.ready.identity.account
        _require(
            f"Deploy to {target.stack} in {target.region} of account {account}? [y/N] ", "y", "Y"
        )
    deployed = deploy_packaged(opened, target, tools, result.ready, patience=Patience())
    output.show(deploy_views.deployed_view(deployed))


@verb
def destroy(
    stack: Stack = None,
    region: Region = None,
    delete_table: Annotated[
        bool, typer.Option("--delete-table", help="Delete the registry too, with its history.")
    ] = False,
    yes: Yes = False,
    project: ProjectFolder = Path(),
    as_json: Json = False,
) -> None:
    """Delete a stack; its table stays, with every version, unless told otherwise."""
    from maas_lab.destroying import destroy as destroy_stack
    from maas_lab.destroying import find_standing
    from maas_lab.packing.project import open_project
    from maas_lab.stack.live_alias import Patience
    from maas_lab.views import deploy as deploy_views

    output = Output(as_json=as_json)
    opened = open_project(project)
    target = _target(opened.root, stack, region)
    tools = _tools(read_settings(), target, output)
    standing = find_standing(target, tools)
    where = f"in {target.region} of account {standing.account}"
    if not yes and standing.stack is not None:
        _require(f"This deletes {target.stack} {where}. Type its name: ", target.stack)
    if not yes and delete_table and standing.has_table:
        tools.say("Save it first: maas registry export")
        _require(
            f"This deletes the registry {where}, every version and its history (models:"
            f" {standing.held}). Type {target.table}: ",
            target.table,
        )
    destroyed = destroy_stack(
        opened, standing, tools, delete_table=delete_table, patience=Patience()
    )
    output.show(deploy_views.destroyed_view(destroyed))


def _target(
    root: Path, stack: str | None, region: str | None, *, container: bool = False
) -> Target:
    """What the options say, else samconfig.toml, else AWS's own variables and profile."""
    from maas_lab.aws import configured_region
    from maas_lab.packing.samconfig import read_samconfig

    default = read_samconfig(root / "samconfig.toml").document.unwrap().get("default", {})
    said = {
        name: value
        for command in ("global", "deploy")
        for name, value in default.get(command, {}).get("parameters", {}).items()
    }
    if said.get("profile"):
        raise RefusedError(
            f"samconfig.toml names the profile {said['profile']}, which sam would take and maas"
            " does not. Take it out there and set AWS_PROFILE, which both take."
        )
    name = stack or said.get("stack_name") or "maas"
    where = region or read_settings().aws.region or said.get("region") or configured_region()
    return Target(str(name), str(where), container)


def _tools(settings: Settings, target: Target, output: Output) -> Tools:
    """The real ones, all of one region."""
    from maas.assembly import utc_now
    from maas.registry.stores import open_registry, open_store
    from maas_lab.aws import open_cloud
    from maas_lab.stack.sam import find_sam

    aws = replace(settings.aws, region=target.region)
    return Tools(
        registry=settings.registry,
        open_registry=lambda url: open_registry(url, clock=utc_now, actor=settings.actor, aws=aws),
        open_store=lambda url: open_store(url, aws=aws),
        open_cloud=open_cloud,
        find_sam=find_sam,
        say=lambda line: output.progress.print(line, markup=False, soft_wrap=True),
    )


def _require(question: str, *answers: str) -> None:
    """Ask on stderr, so that stdout keeps the result alone.

    Raises:
        FieldError: Nobody is there to answer.
        RefusedError: The answer is another one.
    """
    sys.stderr.write(question)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise FieldError("nobody answers; run it in a terminal, or say --yes", field="--yes")
    if line.strip() not in answers:
        raise RefusedError("Nothing was changed.")
