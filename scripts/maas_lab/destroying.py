"""Taking a stack away, and with it the claim of its functions on the registry.

Imports `maas` and the lab. infra/decisions/0010 says why the steps have this order:

    standing = find_standing(target, tools)                  # what there is; RefusedError: nothing
    destroyed = destroy(project, standing, tools, delete_table=False, patience=Patience())
    destroyed.stays                                          # what is left, and what it costs
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from maas.errors import MaasError, NotFoundError, RefusedError, TryAgainError
from maas.registry.addresses import parse_target
from maas_lab.registry.pages import model_names
from maas_lab.stack.records import again, deployed_models
from maas_lab.stack.states import require_ours

if TYPE_CHECKING:
    from maas_lab.aws import Cloud
    from maas_lab.packing.project import Project
    from maas_lab.stack.aws_answers import Stack
    from maas_lab.stack.live_alias import Patience
    from maas_lab.stack.targets import Target, Tools

_LEAVING = (
    "Promotes of its models are refused until maas destroy has run again: part of the stack may"
    " still answer."
)
_COSTS = "about 0.25 USD per GB and month, 0.20 more for its backups; less than a cent for most"


@dataclass(frozen=True, slots=True)
class Standing:
    """What there is of a stack.

    Attributes:
        target: Where.
        account: AWS's number of the account.
        cloud: The account.
        stack: The stack; None where only its table is left.
        has_table: Whether its table is there.
        models: The models that are recorded to be deployed there.
        held: How many models the table holds.
    """

    target: "Target"
    account: str
    cloud: "Cloud"
    stack: "Stack | None"
    has_table: bool
    models: tuple[str, ...]
    held: int


@dataclass(frozen=True, slots=True)
class Destroyed:
    """What was done.

    Attributes:
        target: Where.
        stack_deleted: Whether there was a stack to delete.
        table_deleted: Whether the table was deleted.
        models: The models whose deployment was recorded as removed.
        stays: What is left, and what it costs, one sentence each.
    """

    target: "Target"
    stack_deleted: bool
    table_deleted: bool
    models: tuple[str, ...]
    stays: tuple[str, ...]


def find_standing(target: "Target", tools: "Tools") -> Standing:
    """Look at what there is.

    Raises:
        NotFoundError: Neither the stack nor its table is there.
        RefusedError: It is another application's stack, or somebody changes it at this moment.
        SettingsError: No region, or credentials that AWS does not take.
    """
    parse_target(target.stack)
    if not target.region:
        raise RefusedError("No region is set. Name it with --region, or set AWS_REGION.")
    cloud = tools.open_cloud(target.region)
    identity = cloud.identity()
    stack = cloud.stack(target.stack)
    has_table = cloud.has_table(target.table)
    if stack is None and not has_table:
        raise NotFoundError(
            f"There is no stack {target.stack} in {target.region} of account {identity.account}."
        )
    if stack is not None:
        require_ours(stack)
    if stack is not None and stack.busy and not stack.status.startswith("DELETE"):
        raise RefusedError(f"{target.stack} is {stack.status}: somebody changes it. Wait for that.")
    models: tuple[str, ...] = ()
    held = 0
    if has_table:
        with tools.open_registry(target.registry) as table:
            models = tuple(deployed_models(table, target.stack))
            held = sum(1 for _ in model_names(table))
    return Standing(target, identity.account, cloud, stack, has_table, models, held)


def destroy(
    project: "Project",
    standing: Standing,
    tools: "Tools",
    *,
    delete_table: bool,
    patience: "Patience",
) -> Destroyed:
    """Delete the stack, then record that its functions are gone, then delete the table if asked.

    Args:
        project: The application, where `sam` runs.
        standing: What there is.
        tools: What to work with.
        delete_table: Delete the registry's table too, with every version and its history.
        patience: How long to wait for AWS.

    Raises:
        TryAgainError: Something of the stack could not be deleted; promotes stay refused.
        KeyboardInterrupt: After saying how things stand.
    """
    target = standing.target
    try:
        _leave(standing, tools)
        if standing.stack is not None:
            _delete_stack(project, standing, tools, patience)
        _remove(standing, tools)
    except (KeyboardInterrupt, MaasError):
        tools.say(_LEAVING)
        raise
    if delete_table and standing.has_table:
        tools.say(f"deleting the table {target.table}")
        _delete_table(standing.cloud, target.table, patience)
    return Destroyed(
        target=target,
        stack_deleted=standing.stack is not None,
        table_deleted=delete_table and standing.has_table,
        models=standing.models,
        stays=tuple(_stays(standing, delete_table=delete_table)),
    )


def _leave(standing: Standing, tools: "Tools") -> None:
    if not standing.models:
        return
    stack = standing.target.stack
    with tools.open_registry(standing.target.registry) as table:
        for model in standing.models:
            again(lambda model=model: table.leave_deployment(model, stack))  # type: ignore[misc]


def _remove(standing: Standing, tools: "Tools") -> None:
    if not standing.models:
        return
    stack = standing.target.stack
    with tools.open_registry(standing.target.registry) as table:
        for model in standing.models:
            again(lambda model=model: table.remove_deployment(model, stack))  # type: ignore[misc]


def _delete_stack(
    project: "Project", standing: Standing, tools: "Tools", patience: "Patience"
) -> None:
    """Let sam delete the stack and what it had uploaded for it, and see that it is gone."""
    target, cloud = standing.target, standing.cloud
    tools.say(f"deleting: sam delete {target.stack} in {target.region}")
    tools.find_sam().run(
        "delete",
        *("--stack-name", target.stack, "--region", target.region, "--no-prompts"),
        *("--s3-prefix", target.stack),  # not samconfig.toml's, which may be another stack's
        root=project.root,
        say=tools.say,
    )
    end = patience.clock() + patience.seconds
    while (stack := cloud.stack(target.stack)) is not None:
        if not stack.busy or patience.clock() + patience.every > end:
            raise TryAgainError(
                f"{target.stack} is {stack.status}. {stack.reason} Mend that, then run maas"
                " destroy again."
            )
        patience.sleep(patience.every)


def _delete_table(cloud: "Cloud", name: str, patience: "Patience") -> None:
    """Without its protection a table is busy for a moment before it can be deleted."""
    cloud.unprotect_table(name)
    for _ in range(patience.tries - 1):
        try:
            cloud.delete_table(name)
        except TryAgainError:
            patience.sleep(patience.every)
        else:
            return
    cloud.delete_table(name)


def _stays(standing: Standing, *, delete_table: bool) -> "list[str]":
    target = standing.target
    stays = [
        "The bucket of sam deploy (aws-sam-cli-managed-default…), which other stacks use too:"
        " 0.023 USD per GB and month.",
        "Log groups that AWS made itself, such as API Gateway's; those of the functions are gone.",
    ]
    if standing.has_table and not delete_table:
        stays.insert(
            0,
            f"The table {target.table} with every version and its history: {_COSTS}. Save it with"
            " maas registry export. A new stack of this name needs it gone:"
            f" maas destroy --stack {target.stack} --delete-table",
        )
    if standing.has_table and delete_table:
        stays.insert(0, f"The backup that DynamoDB makes of {target.table}: 35 days, at no cost.")
    return stays
