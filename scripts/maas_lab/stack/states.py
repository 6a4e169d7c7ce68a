"""What a stack's state allows, and what to do where it does not allow it.

Imports `maas.errors` and `maas_lab.stack.aws_answers`.

    require_ours(stack)                      # RefusedError: another application's stack
    require_steady(stack, "eu-central-1")    # RefusedError with the remedy; TryAgainError: busy
    after_failure(stack, target)             # what a failed deployment left, in words
"""

from typing import TYPE_CHECKING

from maas.errors import RefusedError, TryAgainError

if TYPE_CHECKING:
    from maas_lab.stack.aws_answers import Stack
    from maas_lab.stack.targets import Target

DESCRIPTION = "maas: "
"""How template.yaml's description begins; a stack that never stood has no outputs to know it by."""
NEVER_MADE = ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED")
_STEADY = (
    "CREATE_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
)


def require_ours(stack: "Stack") -> None:
    """Refuse a stack that is not of this application: an update would replace all it holds.

    Raises:
        RefusedError: It is not.
    """
    if "RegistryUrl" not in stack.outputs and not stack.description.startswith(DESCRIPTION):
        raise RefusedError(
            f"The stack {stack.name} is another application's; nothing was changed. Name yours"
            " with --stack."
        )


def require_steady(stack: "Stack", region: str) -> None:
    """Refuse a stack that CloudFormation would not update.

    Raises:
        TryAgainError: Somebody changes it.
        RefusedError: It must be mended or removed first.
    """
    name, status = stack.name, stack.status
    if stack.busy:
        raise TryAgainError(f"{name} is {status}: somebody changes it. Try again then.")
    if status in _STEADY:
        return
    raise RefusedError(
        f"{name} is {status} {stack.reason}".rstrip() + f". {_remedy(stack, region)}"
    )


def after_failure(stack: "Stack | None", target: "Target") -> str:
    """What a failed deployment left, and what to do."""
    if stack is None:
        return "There is no stack. Mend what is said above and run maas deploy again."
    if stack.status in _STEADY:
        again = "Run maas deploy again; it goes on from what is there."
    else:
        again = _remedy(stack, target.region)
    return f"{target.stack} is {stack.status}. Mend what is said above. {again}"


def _remedy(stack: "Stack", region: str) -> str:
    name = stack.name
    if stack.status in NEVER_MADE:  # its table is left, which the next attempt could not make again
        return (
            "It never stood. Remove what is left of it, its table included, with maas destroy"
            f" --stack {name} --delete-table, and run maas deploy again."
        )
    if stack.status == "DELETE_FAILED":
        return f"Remove what is left with maas destroy --stack {name}."
    if stack.status == "UPDATE_ROLLBACK_FAILED":
        return (
            "Run aws cloudformation continue-update-rollback"
            f" --stack-name {name} --region {region}, then maas deploy."
        )
    return "Look at it in CloudFormation's console, and run maas deploy when it is steady."
