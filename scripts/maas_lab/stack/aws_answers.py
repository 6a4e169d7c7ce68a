"""What AWS answered, without what nobody here asks for. Values only; `aws` makes them.

Imports the standard library.

    Stack("maas", "UPDATE_COMPLETE", "", "maas: …", {"Url": "https://…"}).busy      # False
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Identity:
    """Who AWS takes us for."""

    account: str
    arn: str


@dataclass(frozen=True, slots=True)
class Stack:
    """A CloudFormation stack.

    Attributes:
        name: Its name.
        status: Such as `UPDATE_COMPLETE`.
        reason: Why it is so, where CloudFormation says it.
        description: The template's.
        outputs: The template's outputs by name.
    """

    name: str
    status: str
    reason: str
    description: str
    outputs: "Mapping[str, str]"

    @property
    def busy(self) -> bool:
        """Whether somebody changes it at this moment."""
        return self.status.endswith("_IN_PROGRESS")


@dataclass(frozen=True, slots=True)
class LiveAlias:
    """Where a function's alias points.

    Attributes:
        version: The function version.
        others: Share of the traffic of further versions; empty when it points at one.
    """

    version: str
    others: "Mapping[str, float]"


@dataclass(frozen=True, slots=True)
class VersionState:
    """How far a published function version is.

    Attributes:
        state: `Pending`, `Active`, `Inactive` or `Failed`.
        reason: Why, where Lambda says it.
        snapshot_due: A SnapStart snapshot is asked for and not there yet.
    """

    state: str
    reason: str
    snapshot_due: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What a function answered.

    Attributes:
        version: The function version that ran.
        payload: The handler's result; empty after an error.
        error: Lambda's word for what went wrong; empty when the handler returned.
    """

    version: str
    payload: "Mapping[str, Any]"
    error: str
