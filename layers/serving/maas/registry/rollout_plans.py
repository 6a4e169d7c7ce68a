"""How a rollout shall go, and whether it still does.

Imports `maas.errors`, the records, the weights and msgspec. Pure; `rollouts` says what is written:

    plan = Plan((1, 10, 50, 100), gate, holder="3f2a9c01")
    is_running(alias, rollout)        # until it ends, or somebody else changes the alias
    running(aliases, rollouts)        # {"production": rollout}
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from msgspec import Struct
from msgspec.structs import replace

from maas.errors import FieldError
from maas.registry.records import DEFAULT_ALIAS, WEIGHT_TOTAL, AliasRecord, Route
from maas.registry.rollout_records import STEPS_MAX, Gate, RolloutRecord
from maas.registry.weights import share


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


def running(
    aliases: Sequence[AliasRecord], rollouts: Sequence[RolloutRecord]
) -> dict[str, RolloutRecord]:
    """The rollouts that still decide, by alias; both read at one revision of the model."""
    by_name = {alias.name: alias for alias in aliases}
    return {
        rollout.alias: rollout
        for rollout in rollouts
        if is_running(by_name.get(rollout.alias), rollout)
    }


def needs(rollout: RolloutRecord, version: int) -> bool:
    """Whether a rollout gives a version traffic, or would when it is stopped."""
    return version in {rollout.version, *(route.version for route in rollout.baseline)}


def baselines(rollouts: Iterable[RolloutRecord]) -> dict[int, list[str]]:
    """The versions that running rollouts would go back to, with the aliases where they would."""
    found: dict[int, list[str]] = {}
    for rollout in rollouts:
        for route in rollout.baseline:
            found.setdefault(route.version, []).append(rollout.alias)
    return found


def routes_of(rollout: RolloutRecord) -> tuple[Route, ...]:
    """What a rollout's present step routes to.

    Raises:
        RefusedError: Nobody could take the rest of the requests, or there would be too many routes.
    """
    weight = rollout.steps[rollout.step] * WEIGHT_TOTAL // 100
    # Of the routes from before, so that the others keep their proportions to the last step.
    return share(rollout.baseline, version=rollout.version, weight=weight)


def carried_on(rollout: RolloutRecord, alias: AliasRecord) -> RolloutRecord:
    """A rollout after a change of its alias that shall not end it; `alias` is as it shall be."""
    return replace(rollout, alias_revision=alias.revision, revision=rollout.revision + 1)


def named(rollout: RolloutRecord) -> str:
    """A rollout in a sentence."""
    return f"rollout of version {rollout.version} to {rollout.alias} of {rollout.model}"


def running_text(rollout: RolloutRecord) -> str:
    """That a rollout is running, and what may be done about it."""
    return (
        f"A {named(rollout)} is running, "
        f"at {rollout.steps[rollout.step]} % since {rollout.step_at}. Where its driver is gone, go "
        f"on with {command(rollout, 'resume')}, or end it with {command(rollout, 'stop')}."
    )


def command(rollout: RolloutRecord, verb: str) -> str:
    """What to type for a verb of a rollout."""
    alias = "" if rollout.alias == DEFAULT_ALIAS else f" --alias {rollout.alias}"
    return f"maas rollout {verb} {rollout.model}{alias}"
