"""A rollout from its wish to its end: one driver at a time, its timeline, plot and notices.

Imports `maas` and the lab:

    desk = Desk(registry, settings.home, output.progress, clock=clock, ticks=monotonic, sleep=sleep)
    outcome = desk.begin(wish, source_of, channels)
    outcome = desk.resume("sentiment", "production", source_of, channels)
"""

import contextlib
import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from maas.errors import ConflictError, RefusedError
from maas.registry.addresses import ByNumber
from maas.registry.rollout_plans import Plan, named, running_text
from maas_lab.files import lock_folder, write_file
from maas_lab.rollout.delivery import deliver, news_of, own_end, tell
from maas_lab.rollout.driver import PAUSE, TAKEN_BACK, Driver
from maas_lab.rollout.outcome import Ending, Outcome
from maas_lab.rollout.plot import PLOT, draw_rollout
from maas_lab.rollout.progress import Progress
from maas_lab.rollout.timeline import Mark, Timeline, last_baseline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from rich.console import Console

    from maas.registry.addresses import VersionAddress
    from maas.registry.registry import Registry
    from maas.registry.roller import RolloutState
    from maas.registry.rollout_records import Gate, RolloutRecord
    from maas_lab.rollout.notify import Channel
    from maas_lab.rollout.sources import Source


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants rolled out.

    Attributes:
        model: The model's name.
        address: The version.
        alias: The alias.
        steps: Its shares in percent.
        gate: What the version must keep to.
        reason: Why.
    """

    model: str
    address: "VersionAddress"
    alias: str
    steps: tuple[int, ...]
    gate: "Gate"
    reason: str


@dataclass(frozen=True, slots=True)
class Desk:
    """Where rollouts are driven from: this machine.

    Attributes:
        registry: Where they are written down.
        home: Where their timelines lie.
        console: Where progress is shown.
        clock: The time now, with its zone.
        ticks: Seconds, never going back.
        sleep: Waits so many seconds; may raise to end the driver.
        pause: Seconds between two looks at the most.
    """

    registry: "Registry"
    home: Path
    console: "Console"
    clock: "Callable[[], datetime]"
    ticks: "Callable[[], float]"
    sleep: "Callable[[float], None]"
    pause: float = PAUSE

    def begin(
        self,
        wish: Wish,
        source_of: "Callable[[int, Sequence[int]], Source]",
        channels: "Sequence[Channel]" = (),
    ) -> Outcome:
        """Roll a version out; go on, if the same was begun here and its driver was killed.

        Where that was killed after the end and before the end was told, it is told now, and no
        other rollout is begun. What is owed of former rollouts is told first.

        Args:
            wish: What to roll out.
            source_of: The source for a version and those that it is to replace.
            channels: Who is told of the end.

        Raises:
            ConflictError: Another rollout to the alias is running; the message names the remedy.
            RefusedError: A rule of the registry says no.
            MaasError: The version cannot be watched; nothing was written.
        """
        version = self.registry.version(wish.model, wish.address)
        with self._alone(wish.model, wish.alias):
            state = self.registry.rollout(wish.model, alias=wish.alias)
            record = state.record
            if record is not None and state.running:
                self._require_same(record, wish, version.number)
                return self._drive(record, source_of, channels, goes_on=True)
            if record is not None and record.owed and channels:
                if own_end(record) and self._is_same(record, wish, version.number):
                    return self._told(record, channels)
                deliver(self.registry, record, channels, sleep=self.sleep)
            record = self._begun(wish, version.number, state, source_of)
            return self._drive(record, source_of, channels, goes_on=False)

    def resume(
        self,
        model: str,
        alias: str,
        source_of: "Callable[[int, Sequence[int]], Source]",
        channels: "Sequence[Channel]" = (),
    ) -> Outcome:
        """Go on with a rollout whose driver is gone; it may have run on another machine.

        Of one that is over, whoever is still to be told is told.

        Raises:
            ConflictError: It is over and nobody is owed the news, or its driver runs here.
            RefusedError: There never was one.
        """
        with self._alone(model, alias):
            state = self.registry.rollout(model, alias=alias)
            record = state.record
            if record is not None and state.running and self._is_ours(record):
                return self._drive(record, source_of, channels, goes_on=True)
            if record is not None and not state.running and record.owed:
                return self._told(record, channels)
            if record is not None and state.running:
                source_of(record.version, _others(record))  # refuses before anything is written
            holder = secrets.token_hex(8)
            taken = self.registry.take_rollout(model, alias=alias, holder=holder, reason="resumed")
            return self._drive(taken, source_of, channels, goes_on=True)

    def _begun(
        self,
        wish: Wish,
        version: int,
        state: "RolloutState",
        source_of: "Callable[[int, Sequence[int]], Source]",
    ) -> "RolloutRecord":
        plan = Plan(wish.steps, wish.gate, secrets.token_hex(8))
        self._require_watched(source_of, state, version)
        # Before the registry is written to: who finds it later knows that it is ours.
        folder = self._folder(wish.model, wish.alias, plan.holder)
        folder.mkdir(parents=True)
        try:
            return self.registry.begin_rollout(
                wish.model, ByNumber(version), plan=plan, alias=wish.alias, reason=wish.reason
            )
        except (ConflictError, RefusedError):
            folder.rmdir()
            raise

    def _drive(
        self,
        record: "RolloutRecord",
        source_of: "Callable[[int, Sequence[int]], Source]",
        channels: "Sequence[Channel]",
        *,
        goes_on: bool,
    ) -> Outcome:
        timeline = Timeline(self._folder(record.model, record.alias, record.holder))
        marks = timeline.marks()
        with Progress(self.console, record) as progress:

            def note(mark: Mark) -> None:
                marks.append(mark)
                with contextlib.suppress(OSError):  # a full disk must not end the driver
                    timeline.add(mark)
                progress.show(mark)

            driver = Driver(
                self.registry,
                source_of(record.version, _others(record)),
                clock=self.clock,
                ticks=self.ticks,
                sleep=self.sleep,
                tell=note,
                pause=self.pause,
                reference=last_baseline(marks, least=record.gate.min_requests),
                owes=bool(channels),
            )
            ending = driver.drive(record, "resumed" if goes_on else "began")
        said: list[str] = []
        if channels and ending.kind not in {"finished", "stopped"}:  # else the record owes it
            said = list(map(str, tell(channels, news_of(ending, marks[-1]), sleep=self.sleep)))
        return self._closed(ending, marks, channels, said)

    def _told(self, record: "RolloutRecord", channels: "Sequence[Channel]") -> Outcome:
        """The outcome of a rollout that is over, once more for whoever is still to be told."""
        if not channels:
            raise ConflictError(
                f"The {named(record)} is over, and somebody is still to be told of it: say who by"
                " --notify or --sns."
            )
        own = own_end(record)
        if own is not None:
            ending = Ending(own.event, record, own.reason.removeprefix(TAKEN_BACK))
        elif record.status == "running":
            ending = Ending("overtaken", record, f"somebody has changed {record.alias}")
        else:  # without anybody to be told; former ones had
            ending = Ending(record.status, record, record.reason)
        marks = Timeline(self._folder(record.model, record.alias, record.holder)).marks()
        return self._closed(ending, marks, channels, [])

    def _closed(
        self, ending: Ending, marks: list[Mark], channels: "Sequence[Channel]", said: list[str]
    ) -> Outcome:
        record, more = deliver(self.registry, ending.record, channels, sleep=self.sleep)
        plot = None
        if marks:
            title = f"{record.model}@{record.version} to {record.alias}"
            plot = self._folder(record.model, record.alias, record.holder) / PLOT
            try:
                write_file(plot, draw_rollout(title, marks, record.gate))
            except OSError:
                plot = None
        return Outcome(replace(ending, record=record), marks, plot, [*said, *more])

    def _is_same(self, record: "RolloutRecord", wish: Wish, version: int) -> bool:
        same = (record.version, record.steps, record.gate) == (version, wish.steps, wish.gate)
        return same and self._is_ours(record)

    def _require_same(self, record: "RolloutRecord", wish: Wish, version: int) -> None:
        if not self._is_same(record, wish, version):
            raise ConflictError(running_text(record))

    def _require_watched(
        self,
        source_of: "Callable[[int, Sequence[int]], Source]",
        state: "RolloutState",
        version: int,
    ) -> None:
        """Nothing is given traffic that cannot be watched."""
        routes = state.alias.routes if state.alias else ()
        others = [route.version for route in routes if route.version != version]
        if others:  # else the registry refuses it, in better words
            source_of(version, others).begin(self.clock())

    def _is_ours(self, record: "RolloutRecord") -> bool:
        """Whether a driver of this machine held it; since we are alone here, it is gone."""
        return self._folder(record.model, record.alias, record.holder).is_dir()

    def _folder(self, model: str, alias: str, holder: str) -> Path:
        return self.home / "rollouts" / f"{model}.{alias}" / holder

    @contextlib.contextmanager
    def _alone(self, model: str, alias: str) -> "Iterator[None]":
        try:
            lock = contextlib.ExitStack()
            lock.enter_context(lock_folder(self.home / "rollouts" / f"{model}.{alias}"))
        except ConflictError:
            raise ConflictError(
                f"A rollout to {alias} of {model} is driven from here already. Let it end, or end"
                f" it with maas rollout stop {model}."
            ) from None
        with lock:
            yield


def _others(record: "RolloutRecord") -> list[int]:
    return [route.version for route in record.baseline if route.version != record.version]
