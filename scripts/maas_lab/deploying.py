"""Packaged layers → a stack that answers as was registered, and the record of it.

Imports `maas` and the lab. infra/decisions/0010 says why the steps have this order:

    result = look(project, target, tools)
    deployed = deploy(project, target, tools, result.ready, patience=Patience())
    deployed.url

Each step may be repeated: whatever ended a deployment, the next one goes on from what is there.
"""

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from maas.errors import MaasError, RefusedError, TryAgainError
from maas.registry.addresses import ByNumber
from maas_lab.stack.live_alias import (
    LIVE,
    Patience,
    catalog_function,
    model_function,
    wait_for_alias,
)
from maas_lab.stack.records import again, make_way, record
from maas_lab.stack.registries import copy_over
from maas_lab.stack.states import after_failure
from maas_lab.stack.truth import Check, check_catalog, check_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from maas.registry.registry import Registry
    from maas.served import ServedSet
    from maas_lab.aws import Cloud
    from maas_lab.packing.project import Project
    from maas_lab.stack.aws_answers import Stack
    from maas_lab.stack.preflight import Ready
    from maas_lab.stack.targets import Target, Tools

CAPABILITIES = ("CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND")
_UNCHANGED = "Nothing was changed."
_RUNNING = (
    "CloudFormation goes on by itself. Until maas deploy has run again, only versions that both the"
    " former and the new functions carry can be promoted."
)
_UNRECORDED = "The stack is deployed and not recorded yet; maas deploy goes on from there."


@dataclass(frozen=True, slots=True)
class Deployed:
    """What answers now.

    Attributes:
        target: Where.
        account: AWS's number of the account.
        url: The API's address, with its stage.
        api_key_id: What `aws apigateway get-api-key` asks for; empty when none was made.
        registry: The URL of the stack's table.
        models: What each model's function was seen to answer with, by model.
        copied: Models that were copied to the table.
        removed: Models that are no longer deployed there.
        notes: What is worth a look, one sentence each.
    """

    target: "Target"
    account: str
    url: str
    api_key_id: str
    registry: str
    models: "Mapping[str, Check]"
    copied: tuple[str, ...]
    removed: tuple[str, ...]
    notes: tuple[str, ...]


def deploy(
    project: "Project", target: "Target", tools: "Tools", ready: "Ready", *, patience: Patience
) -> Deployed:
    """Build, deploy, wait, ask every function, and record what it answered.

    Args:
        project: The application.
        target: Where to.
        tools: What to work with.
        ready: What the preflight found.
        patience: How long to wait.

    Raises:
        TryAgainError: sam, CloudFormation or a function failed or did not answer in time.
        RefusedError: A function answers otherwise than was registered; nothing was recorded.
        ConflictError: Others keep changing a model, or somebody else deploys.
        KeyboardInterrupt: After saying how things stand.
    """
    served = {one.model: one for one in ready.packaged.served}
    former = {model: _version(ready.cloud, target, model) for model in served}
    with _state(tools.say, _UNCHANGED):
        tools.say("building: sam build")
        options = ("--use-container",) if target.container else ()
        ready.sam.run("build", *options, root=project.root, say=tools.say)
        leaving: tuple[str, ...] = ()
        if ready.stack is not None:
            with tools.open_registry(target.registry) as table:
                leaving = make_way(table, target.stack, served, absent=ready.absent)
    with _state(tools.say, _RUNNING):
        stack = _deploy_stack(project, target, tools, ready)
    with _state(tools.say, _UNRECORDED):
        registry = stack.outputs.get("RegistryUrl", target.registry)
        copied = _copy(tools, registry, ready.absent)
        with tools.open_registry(registry) as table:
            checks = _check(target, tools, ready.cloud, table, served, patience=patience)
            _require_truth(target, ready.cloud, checks, former)
            record(table, target.stack, {model: checks[model] for model in served})
            for model in leaving:
                again(lambda model=model: table.remove_deployment(model, target.stack))  # type: ignore[misc]
    return Deployed(
        target=target,
        account=ready.identity.account,
        url=stack.outputs.get("Url", ""),
        api_key_id=stack.outputs.get("ApiKeyId", ""),
        registry=registry,
        models={model: checks[model] for model in served},
        copied=copied,
        removed=leaving,
        notes=tuple(_notes(checks)),
    )


@contextmanager
def _state(say: "Callable[[str], None]", state: str) -> "Iterator[None]":
    """Say how things stand when the block ends before its time."""
    try:
        yield
    except (KeyboardInterrupt, MaasError):
        say(state)
        raise


def _deploy_stack(project: "Project", target: "Target", tools: "Tools", ready: "Ready") -> "Stack":
    tools.say(f"deploying: sam deploy to {target.stack} in {target.region}")
    try:
        ready.sam.run(
            "deploy",
            *("--stack-name", target.stack, "--region", target.region),
            *("--s3-prefix", target.stack),  # two stacks share a bucket, and one may be deleted
            *("--capabilities", *CAPABILITIES),
            *("--no-confirm-changeset", "--no-fail-on-empty-changeset"),
            root=project.root,
            say=tools.say,
        )
    except TryAgainError as error:
        left = after_failure(ready.cloud.stack(target.stack), target)
        raise TryAgainError(f"{error} {left}") from error
    stack = ready.cloud.stack(target.stack)
    if stack is None:
        raise TryAgainError(f"sam deploy made no stack {target.stack}. Run maas deploy again.")
    return stack


def _copy(tools: "Tools", registry: str, absent: tuple[str, ...]) -> tuple[str, ...]:
    if registry == tools.registry:
        return ()
    for model in absent:
        tools.say(f"copying {model} to {registry}")
        source, table = tools.open_store(tools.registry), tools.open_store(registry)
        try:
            copy_over(source, table, model)
        finally:
            source.close()
            table.close()
    return absent


def _check(
    target: "Target",
    tools: "Tools",
    cloud: "Cloud",
    table: "Registry",
    served: "Mapping[str, ServedSet]",
    *,
    patience: Patience,
) -> dict[str, Check]:
    """Wait for every function, then ask it; by model, and the catalog by its function's name."""
    stack = target.stack
    catalog = catalog_function(stack)
    functions = {model: model_function(stack, model) for model in served}
    versions = {
        function: wait_for_alias(cloud, function, patience, tools.say)
        for function in (*functions.values(), catalog)
    }
    checks = {}
    for model, function in functions.items():
        tools.say(f"asking {function}:{LIVE}")
        digests = {n: table.version(model, ByNumber(n)).digest for n in served[model].digests()}
        checks[model] = check_model(
            cloud,
            stack,
            model,
            digests,
            function_version=versions[function],
            patience=patience,
        )
    newest = {model: table.model(model).last_version for model in served}
    tools.say(f"asking {catalog}:{LIVE}")
    checks[catalog] = check_catalog(
        cloud, stack, newest, function_version=versions[catalog], patience=patience
    )
    return checks


def _require_truth(
    target: "Target",
    cloud: "Cloud",
    checks: "Mapping[str, Check]",
    former: "Mapping[str, str]",
) -> None:
    """Refuse to record what differs, and say how to go back."""
    differences = [str(one) for check in checks.values() for one in check.differences]
    if not differences:
        return
    back = [
        f"aws lambda update-alias --function-name {check.function} --name {LIVE}"
        f" --function-version {former[model]} --region {target.region}"
        for model, check in checks.items()
        if former.get(model, "") not in ("", check.function_version)
        and cloud.version(check.function, former[model]) is not None
    ]
    remedy = (
        "To go back until it is mended: " + "; ".join(back)
        if back
        else "No former function version is left to go back to: mend it, or package what was"
        " deployed before, and run maas deploy again."
    )
    raise RefusedError(f"Not recorded, because {'; '.join(differences)}. {remedy}")


def _version(cloud: "Cloud", target: "Target", model: str) -> str:
    """The function version behind the alias; empty before the first deployment."""
    alias = cloud.alias(model_function(target.stack, model), LIVE)
    return alias.version if alias else ""


def _notes(checks: "Mapping[str, Check]") -> "Iterator[str]":
    for check in checks.values():
        if check.policy not in ("", "live"):
            yield (
                f"{check.function} answered by its {check.policy} policy: it had not read the"
                " registry yet. If x-maas-policy stays so, look at its role and its log."
            )
