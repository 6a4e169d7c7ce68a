"""All that a deployment needs, looked at before anything is changed; every lack names its remedy.

Imports `maas` and the lab.

    result = look(project, target, tools)
    [finding for finding in result.findings if not finding.ok]     # all of them at once
    result.ready                                                   # None unless all is well
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from maas.bundle.manifest import digest16
from maas.errors import MaasError, RefusedError, SettingsError, TryAgainError
from maas.registry.addresses import parse_target
from maas_lab.doctor import Finding
from maas_lab.packing.packaged import check_served, read_packaged
from maas_lab.packing.size_plan import SizedVersion, folder_bytes, plan_sizes
from maas_lab.stack.live_alias import catalog_function, model_function
from maas_lab.stack.registries import Side, compare
from maas_lab.stack.sam import OLDEST, runs
from maas_lab.stack.states import require_ours, require_steady

if TYPE_CHECKING:
    from collections.abc import Callable

    from maas.served import ServedSet
    from maas_lab.aws import Cloud
    from maas_lab.packing.packaged import PackagedSets
    from maas_lab.packing.project import Project
    from maas_lab.stack.aws_answers import Identity, Stack
    from maas_lab.stack.sam import Sam
    from maas_lab.stack.targets import Target, Tools

FUNCTION_NAME_MAX = 64
"""Characters of a function's name."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What was found where all is well.

    Attributes:
        packaged: What will be deployed.
        identity: Who AWS takes us for.
        stack: The stack as it is; None before its first deployment.
        absent: The models that the table does not have, to be copied there.
        sam: The command.
        cloud: The account.
    """

    packaged: "PackagedSets"
    identity: "Identity"
    stack: "Stack | None"
    absent: tuple[str, ...]
    sam: "Sam"
    cloud: "Cloud"


@dataclass(frozen=True, slots=True)
class Result:
    """What was looked at, and what to go on with."""

    findings: tuple[Finding, ...]
    ready: Ready | None


def look(project: "Project", target: "Target", tools: "Tools") -> Result:
    """Look at tools, credentials, what is packaged, the stack and the registry.

    Nothing is changed. A finding that fails keeps only those from being made that need it.
    """
    return _Preflight(project, target, tools).look()


class _Preflight:
    def __init__(self, project: "Project", target: "Target", tools: "Tools") -> None:
        self._project = project
        self._target = target
        self._tools = tools
        self._findings: list[Finding] = []
        self._sam: Sam | None = None
        self._packaged: PackagedSets | None = None
        self._cloud: Cloud | None = None
        self._identity: Identity | None = None
        self._stack: Stack | None = None
        self._absent: tuple[str, ...] = ()

    def look(self) -> Result:
        sam = self._at("sam", self._find_sam)
        for program in () if self._target.container else ("python3.13", "make"):
            self._at(program, lambda program=program: _program(program))  # type: ignore[misc]
        if sam:
            self._at("template", self._lint)
        if self._at("packaged", self._read_packaged):
            self._at("sizes", self._sizes)
        named = self._at("names", self._names)
        if self._at("credentials", self._ask_identity) and named:
            if self._packaged is not None and self._packaged.overrides.get("AccessLog") == "on":
                self._at("access log", self._look_at_log_role)
            stack = self._at("stack", self._look_at_stack)
            if stack and self._packaged is not None:
                self._at("registry", self._registries)
        findings = tuple(self._findings)
        return Result(findings, self._ready() if all(f.ok for f in findings) else None)

    def _at(self, subject: str, step: "Callable[[], str]") -> bool:
        """Make a finding; an error of ours is one that failed."""
        try:
            self._findings.append(Finding(subject, ok=True, detail=step()))
        except MaasError as error:
            self._findings.append(Finding(subject, ok=False, detail=str(error)))
        return self._findings[-1].ok

    def _ready(self) -> Ready | None:
        if not (self._packaged and self._identity and self._sam and self._cloud):
            return None
        return Ready(
            self._packaged, self._identity, self._stack, self._absent, self._sam, self._cloud
        )

    def _find_sam(self) -> str:
        sam = self._tools.find_sam()
        version = sam.version()
        said = ".".join(map(str, version))
        if version < OLDEST:
            raise RefusedError(
                f"{said} is older than 1.170. Install a newer one: pip install -U aws-sam-cli"
            )
        self._sam = sam
        return said

    def _lint(self) -> str:
        lines: list[str] = []
        arguments = ("validate", "--lint", *self._region_arguments())
        try:
            if self._sam is not None:
                self._sam.run(*arguments, root=self._project.root, say=lines.append)
        except TryAgainError as error:
            said = " ".join(filter(None, map(str.strip, lines)))[-600:]
            raise RefusedError(f"sam validate --lint refuses template.yaml: {said}") from error
        return "sam validate --lint has nothing to say"

    def _region_arguments(self) -> tuple[str, ...]:
        return ("--region", self._target.region) if self._target.region else ()

    def _read_packaged(self) -> str:
        self._packaged = read_packaged(self._project)
        return ", ".join(
            f"{served.model} {'+'.join(map(str, served.digests()))}"
            for served in self._packaged.served
        )

    def _sizes(self) -> str:
        if self._packaged is None:
            return ""
        plan = plan_sizes(
            self._project,
            ((s.model, _sized(self._project, s)) for s in self._packaged.served),
        )
        large = [f"{m.model} {m.bytes / 1e6:.0f} MB" for m in plan.models if not m.fits]
        if large:
            raise RefusedError(
                f"Too large for Lambda: {', '.join(large)}. Run maas package; it says what would"
                " make it fit."
            )
        return f"{max(model.bytes for model in plan.models) / 1e6:.0f} MB at the most"

    def _names(self) -> str:
        stack = parse_target(self._target.stack)
        models = self._packaged.served if self._packaged else ()
        functions = [
            catalog_function(stack),
            *(model_function(stack, served.model) for served in models),
        ]
        long = [name for name in functions if len(name) > FUNCTION_NAME_MAX]
        if long:
            raise RefusedError(
                f"{', '.join(long)}: a function's name has {FUNCTION_NAME_MAX} characters at the"
                " most. Choose a shorter --stack."
            )
        return f"stack {stack}"

    def _ask_identity(self) -> str:
        if not self._target.region:
            raise SettingsError(
                "No region is set. Name it with --region, or set AWS_REGION, such as eu-central-1."
            )
        self._cloud = self._tools.open_cloud(self._target.region)
        self._identity = self._cloud.identity()
        return f"account {self._identity.account}, {self._target.region}, {self._identity.arn}"

    def _look_at_log_role(self) -> str:
        if self._cloud is not None and not self._cloud.gateway_logs():
            raise RefusedError(
                f"AccessLog=on needs the role by which API Gateway logs, which account and"
                f" {self._target.region} do not have. Make it once, then aws apigateway"
                " update-account --patch-operations op=replace,path=/cloudwatchRoleArn,value=ARN;"
                " or take AccessLog=on out of samconfig.toml and run maas package."
            )
        return "API Gateway has its log role"

    def _look_at_stack(self) -> str:
        if self._cloud is None:
            return ""
        name, table = self._target.stack, self._target.table
        self._stack = stack = self._cloud.stack(name)
        if stack is None and self._cloud.has_table(table):
            raise RefusedError(
                f"The table {table} is there without its stack; CloudFormation cannot make it"
                f" again. Keep its content with maas registry export, then either remove it with"
                f" maas destroy --stack {name} --delete-table, deploy and import, or choose"
                " another --stack."
            )
        if stack is None:
            return f"{name} is new"
        require_ours(stack)
        require_steady(stack, self._target.region)
        return f"{name} is {stack.status}"

    def _registries(self) -> str:
        """Every model goes on from one history, and its routed versions are packaged."""
        absent = []
        packaged = self._packaged.served if self._packaged else ()
        with self._tools.open_registry(self._tools.registry) as here:
            if self._stack is None:
                for served in packaged:
                    check_served(here, self._target.stack, served)
                    absent.append(served.model)
            else:
                with self._tools.open_registry(self._target.registry) as table:
                    for served in packaged:
                        side = compare(here, table, served.model)
                        if side is Side.ABSENT:
                            absent.append(served.model)
                        reader = here if side is Side.ABSENT else table
                        check_served(reader, self._target.stack, served)
        self._absent = tuple(absent)
        if absent and self._tools.registry != self._target.registry:
            return f"{', '.join(absent)} will be copied to {self._target.registry}"
        return self._target.registry


def _program(name: str) -> str:
    if not runs(name):
        raise RefusedError(
            f"No {name} that runs is on PATH; sam build needs it. Install it, or let sam build in a"
            " container: --use-container"
        )
    return "runs"


def _sized(project: "Project", served: "ServedSet") -> list[SizedVersion]:
    """The versions with the sizes that lie on disk."""
    sizes = {
        version.number: folder_bytes(project.models / served.model / digest16(version.digest))
        for version in served.versions
    }
    return [
        SizedVersion(
            number=version.number,
            roles=frozenset(),
            reason="packaged",
            form=version.form,
            bytes=sizes[version.number],
            bytes_by_form={version.form: sizes[version.number]},
        )
        for version in served.versions
    ]
