"""What a person sees of a rollout: a table that lives on a terminal, plain lines elsewhere.

Imports rich:

    with Progress(output.progress, record) as progress:
        driver = Driver(…, tell=progress.show)
"""

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Self

from rich.live import Live
from rich.table import Table

from maas_lab.output import table

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from rich.console import Console

    from maas.registry.rollout_records import RolloutRecord
    from maas_lab.rollout.judge import Figures
    from maas_lab.rollout.timeline import Mark

_LINE_SECONDS = 60.0
"""Where lines are printed, the same verdict has one so often."""
_LOOKS = frozenset(("go_on", "wait", "blind"))
_WORDS = {"go_on": "well so far", "wait": "waits", "blind": "no figures", "stop": "stops"}


class Progress:
    """Shows each mark as it comes.

    Args:
        console: A terminal, a file or a pipe.
        record: The rollout as it begins, or goes on.
    """

    def __init__(self, console: "Console", record: "RolloutRecord") -> None:
        self._console, self._record = console, record
        self._marks: dict[int, Mark] = {}
        self._last: tuple[str, datetime] | None = None
        self._live = (
            Live(self._table(), console=console, auto_refresh=False)
            if console.is_terminal
            else None
        )

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._live:
            with _whoever_looks():
                self._live.stop()

    def show(self, mark: "Mark") -> None:
        """Show what happened."""
        if mark.kind in _LOOKS | {"stop", "finished"}:
            self._marks[int(mark.percent)] = mark
        with _whoever_looks():
            if self._live:
                self._live.update(self._table(), refresh=True)
            elif self._is_news(mark):
                self._console.print(line_of(mark), markup=False, soft_wrap=True)

    def _is_news(self, mark: "Mark") -> bool:
        at = datetime.fromisoformat(mark.at)
        if mark.kind in _LOOKS and self._last is not None:
            kind, before = self._last
            if kind == mark.kind and abs((at - before).total_seconds()) < _LINE_SECONDS:
                return False
        self._last = mark.kind, at
        return True

    def _table(self) -> Table:
        rows = []
        for step in self._record.steps:
            mark = self._marks.get(step)
            if mark is None:
                rows.append((f"{step} %", "", "", "", ""))
                continue
            new, other = _figures(mark.new), _figures(mark.baseline)
            said = _WORDS.get(mark.kind, mark.kind)
            rows.append((f"{step} %", new, other, said, mark.reason))
        return table("share", "new version", "the others", "verdict", "why", rows=rows)


def _whoever_looks() -> "AbstractContextManager[None]":
    """A terminal or pipe that is gone ends no rollout; rich would end the process for a pipe."""
    return suppress(OSError, SystemExit)


def line_of(mark: "Mark") -> str:
    """A mark as one line."""
    said = _WORDS.get(mark.kind, mark.kind)
    reason = f": {mark.reason}" if mark.reason else ""
    return f"{mark.at[11:19]}  {mark.percent:g} %  {said}{reason}"


def _figures(figures: "Figures | None") -> str:
    if figures is None:
        return ""
    p99 = "" if figures.p99 is None else f", p99 {figures.p99:.1f} ms"
    return f"{figures.requests} requests, {figures.error_rate:.2%} errors{p99}"
