"""The records of deployments around a change of a stack, each written against others' changes.

Imports `maas` and the lab.

    leaving = make_way(table, "maas", served, absent=())     # before the stack is changed
    record(table, "maas", checks)                            # after its functions were asked
    deployed_models(table, "maas")                           # ["sentiment"]
"""

from typing import TYPE_CHECKING

from maas.errors import ConflictError, RefusedError
from maas_lab.registry.pages import model_names
from maas_lab.stack.live_alias import LIVE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from maas.registry.reader import Reader
    from maas.registry.registry import Registry
    from maas.served import ServedSet
    from maas_lab.stack.truth import Check

TRIES = 5
"""Of one record, each lost to somebody else's change."""


def make_way(
    table: "Registry", stack: str, served: "Mapping[str, ServedSet]", *, absent: "Collection[str]"
) -> tuple[str, ...]:
    """Let no promote reach what is about to leave a stack.

    Args:
        table: The stack's registry.
        stack: The stack's name.
        served: What the next functions carry, by model.
        absent: The models that the table does not have yet.

    Returns:
        The models that leave as a whole.

    Raises:
        RefusedError: A version that is in use would leave.
        ConflictError: Others keep changing a model.
    """
    for model in sorted(served.keys() - set(absent)):
        digests = served[model].digests()
        again(lambda m=model, d=digests: table.narrow_deployment(m, stack, d))  # type: ignore[misc]
    leaving = tuple(name for name in deployed_models(table, stack) if name not in served)
    for model in leaving:
        again(lambda model=model: table.leave_deployment(model, stack))  # type: ignore[misc]
    return leaving


def record(table: "Registry", stack: str, checks: "Mapping[str, Check]") -> None:
    """Record what the functions were seen to answer with, by model.

    Raises:
        RefusedError: They lack a version in use: it was promoted or shadowed meanwhile.
        ConflictError: Others keep changing a model.
    """
    for model, check in checks.items():
        try:
            again(
                lambda model=model, check=check: table.record_deployment(  # type: ignore[misc]
                    model,
                    stack,
                    function=f"{check.function}:{LIVE}",
                    function_version=check.function_version,
                    digests=check.digests,
                )
            )
        except RefusedError as error:
            raise RefusedError(f"The stack answers as packaged, but: {error}") from error


def deployed_models(registry: "Reader", stack: str) -> list[str]:
    """The models that a stack is recorded to answer for, or to be leaving."""
    return [
        model
        for model in model_names(registry)
        for deployment in registry.deployments(model)
        if deployment.target == stack and deployment.status != "removed"
    ]


def again(change: "Callable[[], object]") -> None:
    """Make a change that may lose to others' a few times; it depends on nothing they did."""
    for _ in range(TRIES - 1):
        try:
            change()
        except ConflictError:
            continue
        return
    change()
