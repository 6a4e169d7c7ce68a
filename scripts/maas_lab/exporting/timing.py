"""How long forms take, beside each other on the same machine at the same time.

Imports numpy's types and `maas`:

    before, after = median_milliseconds([old, new], feeds)
"""

import statistics
import time
from typing import TYPE_CHECKING

from maas_lab.exporting.subject import RUN_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from maas.engine.session import Session
    from maas_lab.exporting.subject import Feeds

_ROUNDS = 15
_PATIENCE = 5.0  # seconds; slow models are timed fewer times


def median_milliseconds(sessions: "Sequence[Session]", feeds: "Feeds") -> list[float]:
    """The median time of a warm request, the sessions taking turns so that all meet the same load.

    Args:
        sessions: With one thread each.
        feeds: The request.
    """
    for session in sessions:
        _seconds(session, feeds)
    times: list[list[float]] = [[] for _ in sessions]
    started = time.perf_counter()
    for done in range(_ROUNDS):
        for session, taken in zip(sessions, times, strict=True):
            taken.append(_seconds(session, feeds))
        if done >= 2 and time.perf_counter() - started > _PATIENCE:
            break
    return [1000 * statistics.median(taken) for taken in times]


def _seconds(session: "Session", feeds: "Feeds") -> float:
    """Time of the processor: with one thread it is the time of an idle machine, on a busy one."""
    started = time.thread_time()
    session.run(feeds, deadline=time.monotonic() + RUN_SECONDS)
    return time.thread_time() - started
