"""What happened during a rollout, line by line, in a file that outlives its driver.

Imports msgspec and the lab. A rollout's state is in the registry; this is for people, for the plot,
and for the last figures of versions that answer nobody any more:

    timeline = Timeline(folder)
    timeline.add(mark)
    timeline.marks()          # all of them, of former drivers too
"""

from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from maas_lab.rollout.judge import Figures

FILE = "timeline.jsonl"

Kind = Literal["began", "resumed", "go_on", "wait", "stop", "blind", "advanced"]
Ended = Literal["finished", "stopped", "overtaken", "stuck"]


class Mark(Struct, frozen=True, omit_defaults=True):
    """One look, one step, or the end.

    Attributes:
        at: When (ISO 8601, UTC).
        kind: A verdict (`go_on`, `wait`, `stop`), a look that showed nothing (`blind`), a change of
            the weights, or how the rollout ended.
        percent: The version's share from then on.
        reason: Why, in a person's words.
        new: The version's figures since the step began; None where none were looked at.
        baseline: Those of the other versions.
    """

    at: str
    kind: Kind | Ended
    percent: float
    reason: str = ""
    new: Figures | None = None
    baseline: Figures | None = None


class Timeline:
    """The marks of one rollout, oldest first.

    Args:
        folder: Where its file lies; made with the first mark.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, mark: Mark) -> None:
        """Write a mark behind the others."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / FILE).open("ab") as file:
            file.write(msgspec.json.encode(mark) + b"\n")

    def marks(self) -> list[Mark]:
        """All marks; a last line that a kill has cut is left out."""
        path = self._folder / FILE
        lines = path.read_bytes().splitlines() if path.is_file() else []
        marks = []
        for line in lines:
            try:
                marks.append(msgspec.json.decode(line, type=Mark))
            except msgspec.DecodeError:
                continue
        return marks


def last_baseline(marks: "list[Mark]", *, least: int) -> Figures | None:
    """The last figures of the other versions that have enough requests to say something."""
    for mark in reversed(marks):
        if mark.baseline is not None and mark.baseline.requests >= least:
            return mark.baseline
    return None
