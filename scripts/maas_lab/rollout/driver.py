"""The loop of a rollout: look, judge, move the weights or take them back.

Imports `maas` and the lab. Clock and sleep are passed in; all state is the registry's record, so
a driver may be killed at any point and another go on. Times are told by the clock, and measured by
`ticks`, which nobody sets:

    driver = Driver(registry, source, clock=clock, ticks=monotonic, sleep=sleep, tell=timeline.add)
    driver.drive(record).kind                # "finished", "stopped", "overtaken" or "stuck"
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from maas.errors import ConflictError, MaasError, RefusedError
from maas.registry.changes import TEXT_CHARACTERS
from maas.registry.records import WEIGHT_TOTAL
from maas.registry.rollout_records import RolloutRecord
from maas_lab.rollout.judge import Figures, judge
from maas_lab.rollout.outcome import Ending
from maas_lab.rollout.timeline import Mark

if TYPE_CHECKING:
    from collections.abc import Callable

    from maas.registry.roller import Roller, RolloutState
    from maas_lab.rollout.sources import Seen, Source
    from maas_lab.rollout.timeline import Ended, Kind

PAUSE = 15.0
"""Seconds between two looks at the most."""
LOOKS = 20
"""Looks at the figures in one interval, so that a bad version does not have all of it."""
BLIND_INTERVALS = 3
BLIND_SECONDS = 60.0
"""So long a driver may see no figures before it takes the version back: the longer of both."""
TAKEN_BACK = "taken back: "
"""What the registry's reason of a driver's stop begins with."""


class Driver:
    """Drives one rollout, once.

    Args:
        registry: Where it is written down.
        source: Where the figures come from.
        clock: The time now, with its zone.
        ticks: Seconds, never going back.
        sleep: Waits so many seconds; what it raises ends the driver and leaves the rollout as it
            is.
        tell: Told everything that happens.
        pause: Seconds between two looks at the most.
        reference: Figures of the other versions from before, for a step in which they have none.
        owes: Whether somebody is to be told of the end.
    """

    def __init__(
        self,
        registry: "Roller",
        source: "Source",
        *,
        clock: "Callable[[], datetime]",
        ticks: "Callable[[], float]",
        sleep: "Callable[[float], None]",
        tell: "Callable[[Mark], None]",
        pause: float = PAUSE,
        reference: Figures | None = None,
        owes: bool = False,
    ) -> None:
        self._registry, self._source = registry, source
        self._clock, self._ticks, self._sleep, self._tell = clock, ticks, sleep, tell
        self._pause, self._owes = pause, owes
        self._reference = reference or Figures(0, 0, None)
        self._since: float | None = None
        self._taking: float | None = None
        self._condemned = ""

    def drive(self, record: RolloutRecord, opening: "Kind" = "began") -> Ending:
        """Go on from a record that this driver holds, until the rollout ends."""
        self._record = record
        self._say(opening, record.reason)
        self._answered = self._looked = self._ticks()
        while True:
            ending = self._turn()
            if ending is not None:
                self._say(ending.kind, ending.reason)
                return ending
            self._sleep(self._wait())

    def _turn(self) -> Ending | None:
        now = self._ticks()
        record = self._record
        try:
            state = self._registry.rollout(record.model, alias=record.alias)
        except MaasError as error:
            return self._away(now, error)
        self._answered = now
        ending = self._ended(state)
        if ending is not None or state.record is None:
            return ending
        if state.record.step != record.step:  # a write whose answer was lost
            self._moved(state.record, "")
        if self._condemned:
            return self._take_back()
        return self._judge(now)

    def _judge(self, now: float) -> Ending | None:
        seen = self._look(now)
        if seen is None or self._since is None:
            return self._take_back() if self._condemned else None
        gate = self._record.gate
        if seen.baseline.requests >= gate.min_requests:
            self._reference = seen.baseline
        verdict = judge(seen.new, self._reference, gate)
        self._say(verdict.kind, verdict.reason, seen)
        if verdict.kind == "stop":
            self._condemned = verdict.reason
            return self._take_back()
        if verdict.kind == "go_on" and now - self._since >= gate.interval:
            return self._advance(verdict.reason)
        return None

    def _look(self, now: float) -> "Seen | None":
        """The figures since the step began; None where there are none now."""
        try:
            if self._since is None:
                self._source.begin(self._clock())
                self._since = now
            seen = self._source.read(self._clock())
        except MaasError as error:
            self._say("blind", str(error))
            if now - self._looked > self._patience():
                self._condemned = f"no figures for {self._patience():.0f} s: {error}"
            return None
        self._looked = now
        return seen

    def _advance(self, reason: str) -> Ending | None:
        record = self._record
        try:
            moved = self._registry.advance_rollout(
                record.model,
                alias=record.alias,
                holder=record.holder,
                reason=reason,
                owes=self._owes,
            )
        except RefusedError as error:
            self._condemned = str(error)
            return self._take_back()
        except ConflictError:
            return None  # the next turn looks who was first
        except MaasError as error:  # or whether it was written after all
            self._say("blind", f"the registry: {error}")
            return None
        if moved.status == "finished":
            self._record = moved
            return Ending("finished", moved, reason)
        self._moved(moved, reason)
        return None

    def _moved(self, record: RolloutRecord, reason: str) -> None:
        """Watch the next step from its own beginning."""
        self._record, self._since = record, None
        self._say("advanced", reason)

    def _take_back(self) -> Ending | None:
        record, now = self._record, self._ticks()
        self._taking = now if self._taking is None else self._taking
        try:
            stopped = self._registry.stop_rollout(
                record.model,
                alias=record.alias,
                reason=_line(f"{TAKEN_BACK}{self._condemned}"),
                holder=record.holder,
                owes=self._owes,
            )
        except ConflictError:
            return None
        except RefusedError as error:
            return self._stuck(error)
        except MaasError as error:  # the next turn looks whether it was written after all
            self._say("blind", f"the registry: {error}")
            return self._stuck(error) if now - self._taking > self._patience() else None
        self._record = stopped
        return Ending("stopped", stopped, self._condemned)

    def _stuck(self, error: MaasError) -> Ending:
        reason = f"{self._condemned}. It cannot be taken back: {error}"
        return Ending("stuck", self._record, reason)

    def _ended(self, state: "RolloutState") -> Ending | None:
        """The end that the records tell of: by somebody else, or by a write of ours."""
        mine, record, alias = self._record, state.record, state.alias
        if state.running and record is not None and record.holder == mine.holder:
            return None
        if record is None or record.holder != mine.holder:
            return Ending("overtaken", mine, "another driver has taken over")
        if record.status == "finished":
            return Ending("finished", record, record.reason)
        by = alias.by if alias else "somebody"
        if record.status == "stopped":
            if self._condemned:
                return Ending("stopped", record, self._condemned)
            return Ending("overtaken", record, f"{by} stopped it: {record.reason}".rstrip(": "))
        said = f"{by} changed {mine.alias} meanwhile: {alias.reason if alias else ''}"
        return Ending("overtaken", record, said.rstrip(": "))

    def _away(self, now: float, error: MaasError) -> Ending | None:
        """The registry does not answer: the weights stay as they are, and cannot be changed."""
        self._say("blind", f"the registry: {error}")
        if now - self._answered <= self._patience():
            return None
        reason = f"{self._condemned}. " if self._condemned else ""
        return Ending("stuck", self._record, f"{reason}The registry does not answer: {error}")

    def _patience(self) -> float:
        return max(BLIND_SECONDS, BLIND_INTERVALS * self._record.gate.interval)

    def _wait(self) -> float:
        """Seconds until the next look: no later than the step's end."""
        interval = self._record.gate.interval
        pause = min(self._pause, interval / LOOKS)
        if self._since is None:
            return pause
        left = interval - (self._ticks() - self._since)
        return min(pause, left) if left > 0 else pause

    def _say(self, kind: "Kind | Ended", reason: str, seen: "Seen | None" = None) -> None:
        at = self._clock().astimezone(UTC).isoformat(timespec="milliseconds")
        self._tell(
            Mark(
                at=at.replace("+00:00", "Z"),
                kind=kind,
                percent=_percent(self._record),
                reason=reason,
                new=seen.new if seen else None,
                baseline=seen.baseline if seen else None,
            )
        )


def _line(text: str) -> str:
    """A reason as the registry takes it: another server's words may be long, or several lines."""
    return "".join(c if c.isprintable() else " " for c in text[:TEXT_CHARACTERS])


def _percent(record: RolloutRecord) -> float:
    """The version's share as the record has it."""
    if record.status != "stopped":
        return record.steps[record.step]
    weights = [route.weight for route in record.baseline if route.version == record.version]
    return sum(weights) * 100 / WEIGHT_TOTAL
