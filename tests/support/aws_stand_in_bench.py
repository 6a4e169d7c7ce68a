"""A laptop with something packaged, an AWS that answers in this process, and a `sam` that records.

    bench = make_bench(tmp_path, monkeypatch)
    bench.deploy().models["sentiment"].digests       # {1: "sha256:…", 2: "sha256:…"}
    bench.table().deployments("sentiment")

The stack's table is a file here; tests/integration uses DynamoDB Local.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import structs
from support.aws_session import REGION
from support.aws_stand_in import AwsStandIn
from support.sam_stand_in import SamStandIn, install_sam
from support.shipping import make_project, package_into
from support.tiny import Home, make_home

from maas.registry.stores import open_registry, open_store
from maas_lab.deploying import Deployed, deploy
from maas_lab.destroying import Destroyed, destroy, find_standing
from maas_lab.packing.served_sets import Wishes
from maas_lab.stack.live_alias import Patience
from maas_lab.stack.preflight import Result, look
from maas_lab.stack.sam import find_sam
from maas_lab.stack.targets import Target, Tools

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from maas.registry.registry import Registry
    from maas_lab.packing.project import Project

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass
class Bench:
    """All that a deployment needs.

    Attributes:
        home: Versions of `sentiment`, production at 1; MAAS_REGISTRY names its file.
        project: The real application.
        sam: The command.
        aws: The account.
        where: The URL that is opened for the stack's table.
        target: The stack `maas`.
        lines: What was said.
        heard: Called with each line while it is said, so that a test can act in the middle.
        slept: Seconds of each sleep, of a clock that nobody has to wait for.
    """

    home: Home
    project: "Project"
    sam: SamStandIn
    aws: AwsStandIn
    where: str
    target: Target = field(default_factory=lambda: Target("maas", REGION))
    registry: str = ""
    lines: list[str] = field(default_factory=list)
    heard: "Callable[[str], None]" = lambda _: None
    slept: list[float] = field(default_factory=list)

    @property
    def tools(self) -> Tools:
        """What the verbs hand over."""
        return Tools(
            registry=self.registry or self.home.settings.registry,
            open_registry=self.open,
            open_store=lambda url: open_store(self._address(url)),
            open_cloud=self.aws.cloud,
            find_sam=find_sam,
            say=self._say,
        )

    @property
    def patience(self) -> Patience:
        """A clock that runs as fast as it is waited for."""
        return Patience(clock=lambda: sum(self.slept), sleep=self.slept.append, seconds=60.0)

    def open(self, url: str) -> "Registry":
        """Open a registry; the table's name stands for a file."""
        return open_registry(self._address(url), clock=lambda: NOW, actor="ada")

    def table(self) -> "Registry":
        """The stack's table."""
        return self.open(self.target.registry)

    def package(self, wishes: Wishes | None = None) -> None:
        """As `maas package` does, from the registry that MAAS_REGISTRY names."""
        url = self._address(self.registry) if self.registry else self.home.settings.registry
        home = replace(self.home, settings=structs.replace(self.home.settings, registry=url))
        package_into(self.project, home, wishes)

    def look(self) -> Result:
        """The preflight."""
        return look(self.project, self.target, self.tools)

    def deploy(self) -> Deployed:
        """The preflight, which must find nothing, and the deployment."""
        result = self.look()
        assert result.ready is not None, [f for f in result.findings if not f.ok]
        return deploy(self.project, self.target, self.tools, result.ready, patience=self.patience)

    def destroy(self, *, delete_table: bool = False) -> Destroyed:
        """As `maas destroy --yes` does."""
        standing = find_standing(self.target, self.tools)
        return destroy(
            self.project,
            standing,
            self.tools,
            delete_table=delete_table,
            patience=self.patience,
        )

    def _address(self, url: str) -> str:
        return self.where if url == self.target.registry else url

    def _say(self, line: str) -> None:
        self.lines.append(line)
        self.heard(line)


def make_bench(tmp_path: "Path", monkeypatch: "pytest.MonkeyPatch", *, versions: int = 2) -> Bench:
    """Make it, with everything packaged and nothing deployed."""
    home = make_home(tmp_path / "home", versions)
    project = make_project(tmp_path / "project")
    sam = install_sam(tmp_path / "bin", monkeypatch)
    where = f"sqlite:///{tmp_path / 'table.sqlite'}"
    aws = AwsStandIn(project, sam, registry=where, folder=tmp_path / "aws")
    bench = Bench(home, project, sam, aws, where)
    bench.package()
    return bench
