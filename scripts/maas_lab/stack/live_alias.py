"""A function's alias `live`, which the gateway asks: its name, and waiting until it is ready.

Imports `maas.errors` and `maas_lab.aws`.

    function = model_function("maas", "sentiment")           # maas-model-sentiment
    version = wait_for_alias(cloud, function, Patience(), print)
"""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from maas.errors import NotFoundError, RefusedError, TryAgainError

if TYPE_CHECKING:
    from collections.abc import Callable

    from maas_lab.aws import Cloud

LIVE = "live"
"""The alias that the gateway asks."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for what AWS does by itself.

    Attributes:
        clock: Seconds, never going back.
        sleep: Waits so many seconds.
        seconds: For a function version to become active, its snapshot included.
        every: Between two looks.
        tries: Of one question to a function that is throttled, starting or loading.
    """

    clock: "Callable[[], float]" = time.monotonic
    sleep: "Callable[[float], None]" = time.sleep
    seconds: float = 900.0
    every: float = 5.0
    tries: int = 6


def model_function(stack: str, model: str) -> str:
    """The name of a model's function; template.yaml names it so."""
    return f"{stack}-model-{model}"


def catalog_function(stack: str) -> str:
    """The name of the catalog's function."""
    return f"{stack}-catalog"


def wait_for_alias(
    cloud: "Cloud", function: str, patience: Patience, say: "Callable[[str], None]"
) -> str:
    """Wait until a function's alias points at one version that is ready; its number.

    With SnapStart that takes minutes, until the snapshot has been made.

    Raises:
        NotFoundError: There is no such function or alias.
        RefusedError: Lambda could not make the version ready.
        TryAgainError: It was not ready in time.
    """
    end = patience.clock() + patience.seconds
    said = ""
    while True:
        version, waiting = _readiness(cloud, function)
        if not waiting:
            return version
        if waiting != said:
            say(f"{function}:{LIVE} {waiting}")
            said = waiting
        if patience.clock() + patience.every > end:
            raise TryAgainError(
                f"{function}:{LIVE} {waiting} after {patience.seconds:g} s. Run maas deploy again;"
                " it goes on from what is there."
            )
        patience.sleep(patience.every)


def _readiness(cloud: "Cloud", function: str) -> tuple[str, str]:
    """The version behind the alias, and what it still waits for; empty when nothing."""
    alias = cloud.alias(function, LIVE)
    if alias is None:
        raise NotFoundError(
            f"There is no function {function} with the alias {LIVE}; template.yaml should make it."
        )
    if alias.others:
        return alias.version, "shares its traffic among function versions"
    state = cloud.version(function, alias.version)
    if state is None:
        return alias.version, f"waits for version {alias.version}"
    if state.state == "Failed":
        raise RefusedError(
            f"Lambda could not start {function} version {alias.version}: {state.reason}. Look at"
            f" its log group /aws/lambda/{function}."
        )
    if state.state == "Pending":
        return alias.version, f"version {alias.version} is pending"
    if state.snapshot_due:
        return alias.version, f"version {alias.version} waits for its snapshot"
    return alias.version, ""  # Inactive too: the next question wakes it
