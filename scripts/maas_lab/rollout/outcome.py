"""How a rollout ended, and what is there to show of it.

Imports the lab. Values only:

    outcome = desk.begin(wish, source_of, channels)
    outcome.ending.kind             # "finished", "stopped", "overtaken" or "stuck"
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from maas.registry.rollout_records import RolloutRecord
    from maas_lab.rollout.timeline import Ended, Mark


@dataclass(frozen=True, slots=True)
class Ending:
    """How a rollout ended, or its driver.

    Attributes:
        kind: `finished`: the version answers all. `stopped`: what was before answers again.
            `overtaken`: somebody else decided. `stuck`: neither could be done, and nobody watches.
        record: The rollout as its driver saw it last.
        reason: Why.
    """

    kind: "Ended"
    record: "RolloutRecord"
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it went.

    Attributes:
        ending: How the rollout ended; its record says whether somebody is still to be told.
        marks: Everything that happened, of former drivers on this machine too.
        plot: Where it is drawn; None where it could not be, or nothing of it is known here.
        notices: How each notification went.
    """

    ending: Ending
    marks: "list[Mark]"
    plot: "Path | None"
    notices: list[str]
