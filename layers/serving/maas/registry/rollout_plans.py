"""How a rollout shall go, and whether it still does.

Imports `maas.errors`, the records and msgspec. Pure; what a step writes is in `rollouts`:

    plan = Plan((1, 10, 50, 100), gate, holder="3f2a9c01")
    is_running(alias, rollout)        # until it ends, or somebody else changes the alias
"""

from itertools import pairwise

from msgspec import Struct

from maas.errors import FieldError
from maas.registry.records import STEPS_MAX, AliasRecord, Gate, RolloutRecord


class Plan(Struct, frozen=True):
    """How a rollout shall go.

    Attributes:
        steps: The version's shares in percent, ascending; the last is 100.
        gate: What the version must keep to.
        holder: Who drives it: a word that no other driver has.

    Raises:
        FieldError: The steps are not acceptable.
    """

    steps: tuple[int, ...]
    gate: Gate
    holder: str

    def __post_init__(self) -> None:
        ascending = all(one < other for one, other in pairwise(self.steps))
        if not self.steps or self.steps[0] < 1 or self.steps[-1] != 100 or not ascending:
            message = "must be whole percentages that ascend to 100, such as 1,10,50,100"
            raise FieldError(message, field="steps")
        if len(self.steps) > STEPS_MAX:
            raise FieldError(f"must be {STEPS_MAX} at the most", field="steps")


def is_overtaken(alias: AliasRecord | None, rollout: RolloutRecord) -> bool:
    """Whether somebody else has changed the alias since the rollout did."""
    return alias is None or alias.revision != rollout.alias_revision


def is_running(alias: AliasRecord | None, rollout: RolloutRecord | None) -> bool:
    """Whether a rollout still decides over the alias, be its driver alive or not."""
    return rollout is not None and rollout.status == "running" and not is_overtaken(alias, rollout)


def running_text(rollout: RolloutRecord) -> str:
    """That a rollout is running, and what may be done about it."""
    return (
        f"A rollout of version {rollout.version} to {rollout.alias} of {rollout.model} is running, "
        f"at {rollout.steps[rollout.step]} % since {rollout.step_at}. Where its driver is gone, go "
        f"on with maas rollout resume {rollout.model}, or end it with maas rollout stop "
        f"{rollout.model}."
    )
