"""A job as it goes: its states and its log, line by line, until it ends.

Imports the lab. Nothing here changes anything; whoever stops following leaves the job as it is:

    ended = follow_job(cloud, job_id, log_group=group, say=console.print, pace=Pace())
    ended.state.status, ended.lines[-1]
"""

import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from maas.errors import TryAgainError

if TYPE_CHECKING:
    from collections.abc import Callable

    from maas_lab.batch.aws import Attempt, JobState, TrainingCloud

LAST_LINES = 20
"""So many lines are repeated when a job has failed."""
_ERROR = "maas: "
"""How `maas_lab.endings` begins what went wrong."""
_STATES = {
    "SUBMITTED": "was submitted",
    "PENDING": "waits for its turn",
    "RUNNABLE": "waits for a machine",
    "STARTING": "has a machine, which fetches the image",
    "RUNNING": "runs",
    "SUCCEEDED": "is done",
    "FAILED": "has failed",
}


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to look, and how long to bear that AWS is away.

    Attributes:
        sleep: Waits so many seconds.
        every: Seconds between two looks.
        misses: Looks in a row that may fail.
    """

    sleep: "Callable[[float], None]" = time.sleep
    every: float = 5.0
    misses: int = 5


@dataclass(frozen=True, slots=True)
class Ended:
    """A job that is over.

    Attributes:
        state: Its last state.
        error: The last line that says what went wrong, which torchrun buries under its own lines;
            empty where there is none.
        lines: The last lines of its log.
    """

    state: "JobState"
    error: str
    lines: tuple[str, ...]


def follow_job(
    cloud: "TrainingCloud", job: str, *, log_group: str, say: "Callable[[str], None]", pace: Pace
) -> Ended:
    """Tell every change of a job and every line of its log until it ends.

    Args:
        cloud: Where it is.
        job: Its id.
        log_group: Where its log is.
        say: Told what happens, line by line.
        pace: How often to look.

    Raises:
        TryAgainError: AWS was away too often in a row.
        NotFoundError: Batch does not know the job.
    """
    follower = _Follower(cloud, log_group, say)
    missed = 0
    while True:
        try:
            state = follower.look(job)
            if state.ended:
                pace.sleep(pace.every)  # the last lines come a little later
                follower.read(state)
                return Ended(state, follower.error, tuple(follower.last))
            missed = 0
        except TryAgainError as error:
            missed += 1
            if missed > pace.misses:
                raise
            say(f"AWS is away, looking again: {error}")
        pace.sleep(pace.every)


@dataclass(slots=True)
class _Follower:
    cloud: "TrainingCloud"
    log_group: str
    say: "Callable[[str], None]"
    last: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))
    error: str = ""
    told: tuple[str, str] = ("", "")
    attempts: int = 0
    tokens: dict[str, str] = field(default_factory=dict)

    def look(self, job: str) -> "JobState":
        """Ask for the state, tell what is new, and read the log."""
        state = self.cloud.job(job)
        log = state if state.nodes == 1 else self._main_node(state)
        self.read(log)
        for number, attempt in enumerate(log.attempts, start=1):
            if number > self.attempts:
                self._tell_attempt(number, attempt, over=state.ended)
        self.attempts = max(self.attempts, len(log.attempts))
        if (state.status, state.reason) != self.told:
            self.told = (state.status, state.reason)
            words = _STATES.get(state.status, state.status)
            self.say(f"job {words}" + (f": {_shown(state.reason)}" if state.reason else ""))
        return state

    def read(self, state: "JobState") -> None:
        """Read on in the streams of all attempts, to the end of what is there."""
        log = state if state.nodes == 1 else self._main_node(state)
        streams = dict.fromkeys((*(attempt.stream for attempt in log.attempts), log.stream))
        for stream in filter(None, streams):
            while True:
                before = self.tokens.get(stream, "")
                page = self.cloud.log_page(self.log_group, stream, before)
                self.tokens[stream] = page.token
                for line in map(_shown, page.lines):
                    self.last.append(line)
                    self.say(f"  {line}")
                    if line.startswith(_ERROR):
                        self.error = line.removeprefix(_ERROR)
                if page.token == before:
                    break

    def _main_node(self, state: "JobState") -> "JobState":
        """The first machine, whose log is shown; it is known when the job has begun."""
        return self.cloud.job(f"{state.id}#0") if state.status != "SUBMITTED" else state

    def _tell_attempt(self, number: int, attempt: "Attempt", *, over: bool) -> None:
        if over:
            return
        code = "" if attempt.exit_code is None else f" (exit code {attempt.exit_code})"
        reason = _shown(attempt.reason).rstrip(".") or "no reason given"
        self.say(
            f"attempt {number} ended{code}: {reason}. AWS Batch starts it again, and it goes on"
            " from its last checkpoint."
        )


def _shown(text: str) -> str:
    """Without what a terminal would obey."""
    return "".join(letter if letter.isprintable() else " " for letter in text).rstrip()
