"""Where a deployment goes, and what it works with.

Imports nothing at run time but the standard library.

    target = Target("maas", "eu-central-1")
    target.registry                          # dynamodb://maas-registry
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from maas.registry.registry import Registry
    from maas.registry.store import Store
    from maas_lab.aws import Cloud
    from maas_lab.stack.sam import Sam


@dataclass(frozen=True, slots=True)
class Target:
    """Where to.

    Attributes:
        stack: The stack's name.
        region: AWS's region; empty where nothing says it.
        container: Build in a container, so that no python3.13 and no make is needed here.
    """

    stack: str
    region: str
    container: bool = False

    @property
    def table(self) -> str:
        """The stack's table; template.yaml names it so."""
        return f"{self.stack}-registry"

    @property
    def registry(self) -> str:
        """The URL of the stack's table."""
        return f"dynamodb://{self.table}"


@dataclass(frozen=True, slots=True)
class Tools:
    """What a deployment works with.

    Attributes:
        registry: The URL that MAAS_REGISTRY names.
        open_registry: Opens a registry by its URL.
        open_store: Opens what is below it, to copy records as they are.
        open_cloud: Makes the clients for a region.
        find_sam: Finds the command.
        say: Told what is being done, line by line.
    """

    registry: str
    open_registry: "Callable[[str], Registry]"
    open_store: "Callable[[str], Store]"
    open_cloud: "Callable[[str], Cloud]"
    find_sam: "Callable[[], Sam]"
    say: "Callable[[str], None]"
