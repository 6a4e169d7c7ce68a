"""A rollout from its wish to its end: one driver at a time, its timeline, plot and notices.

Imports `maas` and the lab:

    desk = Desk(registry, home=settings.home, console=output.progress, clock=clock, sleep=sleep)
    outcome = desk.begin(wish, source_of, channels)
    outcome = desk.resume("sentiment", "production", source_of, channels)
"""

import contextlib
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from maas.errors import ConflictError, RefusedError
from maas.registry.addresses import ByNumber
from maas.registry.rollout_plans import Plan, running_text
from maas_lab.files import lock_folder, write_file
from maas_lab.rollout.driver import PAUSE, Driver, Ending
from maas_lab.rollout.notify import Channel, Notice, notify
from maas_lab.rollout.plot import PLOT, draw_rollout
from maas_lab.rollout.progress import Progress
from maas_lab.rollout.timeline import Mark, Timeline, last_baseline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from rich.console import Console

    from maas.registry.addresses import VersionAddress
    from maas.registry.records import Gate, RolloutRecord
    from maas.registry.registry import Registry
    from maas.registry.roller import RolloutState
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
class Outcome:
    """How it went.

    Attributes:
        ending: How the rollout ended.
        marks: Everything that happened, of former drivers on this machine too.
        plot: Where it is drawn.
        notices: How each notification went.
    """

    ending: Ending
    marks: list[Mark]
    plot: Path
    notices: list[str]


@dataclass(frozen=True, slots=True)
class Desk:
    """Where rollouts are driven from: this machine.

    Attributes:
        registry: Where they are written down.
        home: Where their timelines lie.
        console: Where progress is shown.
        clock: The time now, with its zone.
        sleep: Waits so many seconds; may raise to end the driver.
        pause: Seconds between two looks at the most.
    """

    registry: "Registry"
    home: Path
    console: "Console"
    clock: "Callable[[], datetime]"
    sleep: "Callable[[float], None]"
    pause: float = PAUSE

    def begin(
        self,
        wish: Wish,
        source_of: "Callable[[int, Sequence[int]], Source]",
        channels: "Sequence[Channel]" = (),
    ) -> Outcome:
        """Roll a version out; go on, if the same was begun here and its driver was killed.

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
            if state.running and state.record is not None:
                self._require_same(state.record, wish, version.number)
                return self._drive(state.record, source_of, channels, goes_on=True)
            plan = Plan(wish.steps, wish.gate, secrets.token_hex(8))
            self._require_watched(source_of, state, version.number)
            # Before the registry is written to: who finds it later knows that it is ours.
            folder = self._folder(wish.model, wish.alias, plan.holder)
            folder.mkdir(parents=True)
            try:
                record = self.registry.begin_rollout(
                    wish.model,
                    ByNumber(version.number),
                    plan=plan,
                    alias=wish.alias,
                    reason=wish.reason,
                )
            except (ConflictError, RefusedError):
                folder.rmdir()
                raise
            return self._drive(record, source_of, channels, goes_on=False)

    def resume(
        self,
        model: str,
        alias: str,
        source_of: "Callable[[int, Sequence[int]], Source]",
        channels: "Sequence[Channel]" = (),
    ) -> Outcome:
        """Go on with a rollout whose driver is gone; it may have run on another machine.

        Raises:
            ConflictError: It is over, or its driver runs here.
            RefusedError: There never was one.
        """
        with self._alone(model, alias):
            state = self.registry.rollout(model, alias=alias)
            record = state.record
            if record is not None and state.running and self._is_ours(record):
                return self._drive(record, source_of, channels, goes_on=True)
            holder = secrets.token_hex(8)
            taken = self.registry.take_rollout(model, alias=alias, holder=holder, reason="resumed")
            return self._drive(taken, source_of, channels, goes_on=True)

    def _drive(
        self,
        record: "RolloutRecord",
        source_of: "Callable[[int, Sequence[int]], Source]",
        channels: "Sequence[Channel]",
        *,
        goes_on: bool,
    ) -> Outcome:
        folder = self._folder(record.model, record.alias, record.holder)
        timeline = Timeline(folder)
        reference = last_baseline(timeline.marks(), least=record.gate.min_requests)
        with Progress(self.console, record) as progress:

            def tell(mark: Mark) -> None:
                timeline.add(mark)
                progress.show(mark)

            driver = Driver(
                self.registry,
                source_of(record.version, _others(record)),
                clock=self.clock,
                sleep=self.sleep,
                tell=tell,
                pause=self.pause,
                reference=reference,
            )
            ending = driver.drive(record, "resumed" if goes_on else "began")
        marks = timeline.marks()
        notices = notify(channels, notice_of(ending, marks[-1])) if channels else []
        title = f"{record.model}@{record.version} to {record.alias}"
        write_file(folder / PLOT, draw_rollout(title, marks, record.gate))
        return Outcome(ending, marks, folder / PLOT, notices)

    def _require_same(self, record: "RolloutRecord", wish: Wish, version: int) -> None:
        same = (record.version, record.steps, record.gate) == (version, wish.steps, wish.gate)
        if not same or not self._is_ours(record):
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


def notice_of(ending: Ending, last: Mark) -> Notice:
    """What is told of an end."""
    record = ending.record
    what = f"{record.model}@{record.version}"
    texts = {
        "finished": f"{what} answers all of {record.alias}",
        "stopped": f"{what} was taken back from {record.alias} by itself",
        "overtaken": f"the rollout of {what} to {record.alias} was ended by somebody",
        "stuck": f"the rollout of {what} to {record.alias} is stuck and nobody watches it",
    }
    return Notice(
        event=ending.kind,
        model=record.model,
        alias=record.alias,
        version=record.version,
        percent=last.percent,
        reason=ending.reason,
        at=last.at,
        text=f"{texts[ending.kind]}: {ending.reason}",
    )


def _others(record: "RolloutRecord") -> list[int]:
    return [route.version for route in record.baseline if route.version != record.version]
