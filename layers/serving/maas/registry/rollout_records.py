"""What the registry stores of a rollout. Imports msgspec and the records that a policy is made of.

Gate(interval=600, max_error_rate=0.01, max_p99_ratio=1.5, min_requests=100)
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from maas.registry.records import (
    WEIGHT_TOTAL,
    AliasName,
    Count,
    ModelName,
    Revision,
    Route,
    VersionNumber,
)

STEPS_MAX = 32
"""Steps of one rollout."""
OWED_MAX = 8
"""Ends of rollouts to one alias that somebody is still to be told of, the newest of them."""


class Gate(Struct, frozen=True, forbid_unknown_fields=True):
    """What a version must keep to at each step of a rollout.

    Attributes:
        interval: Seconds that a step lasts at the least.
        max_error_rate: The share of its requests that may fail by a fault of ours.
        max_p99_ratio: Its p99 latency may be so many times that of the other versions.
        min_requests: Requests of a step without which nothing is said of it.
    """

    interval: Annotated[float, Meta(gt=0)]
    max_error_rate: Annotated[float, Meta(ge=0, le=1)]
    max_p99_ratio: Annotated[float, Meta(ge=1)]
    min_requests: Annotated[int, Meta(ge=1)]


class Owed(Struct, frozen=True, forbid_unknown_fields=True):
    """The end of a rollout that somebody is still to be told of.

    Attributes:
        version: The version that was rolled out.
        event: How it ended.
        weight: The version's share from then on, in hundredths of a percent.
        reason: Why.
        at: When (ISO 8601, UTC).
        revision: The record's revision that ended it: no two ends to an alias have the same.
    """

    version: VersionNumber
    event: Literal["finished", "stopped"]
    weight: Annotated[int, Meta(ge=0, le=WEIGHT_TOTAL)]
    reason: str
    at: str
    revision: Revision


class RolloutRecord(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The newest rollout to an alias: a version's share grows step by step (`ROLLOUT#<alias>`).

    Attributes:
        model: The model's name.
        alias: The alias.
        version: The version that is rolled out.
        steps: Its shares in percent, ascending; the last is 100.
        step: Which of them it has, counted from 0.
        status: `running` until it is `finished`, or `stopped` by its driver or by somebody.
        baseline: What the alias routed to before, which a stop restores.
        started_at: When it began (ISO 8601, UTC).
        step_at: When the present step began.
        by: Who began it.
        reason: Why; of one that was stopped, why that.
        alias_revision: The alias's revision that the rollout wrote last. Where the alias is at
            another, somebody else has changed it, and that wins.
        revision: The record's own count of changes: 1, 2, 3 …
        gate: What the version must keep to.
        holder: The driver that moves it, by a word that no other driver has.
        owed: Ends that somebody is still to be told of, oldest first: this rollout's, and those of
            former ones to the same alias. Written with the end itself, taken out after delivery.
    """

    model: ModelName
    alias: AliasName
    version: VersionNumber
    steps: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=100)], ...], Meta(min_length=1, max_length=STEPS_MAX)
    ]
    step: Count
    status: Literal["running", "finished", "stopped"]
    baseline: tuple[Route, ...]
    started_at: str
    step_at: str
    by: str
    reason: str
    alias_revision: Revision
    revision: Revision
    gate: Gate
    holder: Annotated[str, Meta(pattern=r"^[0-9a-f]{1,32}$(?!\n)")]
    owed: tuple[Owed, ...] = ()
