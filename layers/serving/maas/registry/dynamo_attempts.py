"""How often something is asked of DynamoDB, and when we give up.

Imports the registry's faults. There is one loop, so there is one bound: three attempts where no
answer or no capacity comes, eight where others work on the same items, and none that could end
later than `BOUND`. AWS's library is told to try once:

    attempts = Attempts(sleep=time.sleep, draw=random.random, clock=time.monotonic)
    answer = attempts.make(lambda: client.get_item(...))      # raises FaultError
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from maas.registry.dynamo_faults import Fault, FaultError, Kind

CONNECT_TIMEOUT = 1.0
READ_TIMEOUT = 1.7
"""Seconds; two waits of it, with their pauses, leave room for a third."""
BOUND = 7.0
"""Seconds for all attempts together."""
BEGIN_WITHIN = BOUND - CONNECT_TIMEOUT - READ_TIMEOUT
"""Seconds; an attempt that began later could end behind the bound."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class _Patience:
    """Attempts in all, and the longest pause before the second; it doubles, up to `longest`."""

    attempts: int
    first: float
    longest: float


_AWAY = _Patience(attempts=3, first=0.05, longest=0.1)
_BUSY = _Patience(attempts=3, first=0.2, longest=0.4)
_CROWD = _Patience(attempts=8, first=0.025, longest=0.4)
_PATIENCE = {
    Kind.UNSENT: _AWAY,
    Kind.UNCLEAR: _AWAY,
    Kind.THROTTLED: _BUSY,
    Kind.CROWDED: _CROWD,
    Kind.RUNNING: _CROWD,
}


@dataclass(frozen=True, slots=True)
class Attempts:
    """The loop. Safe to share among threads.

    Attributes:
        sleep: Waits so many seconds.
        draw: A number from 0 to 1: pauses are drawn, so that losers do not meet again.
        clock: Seconds, never going back.
    """

    sleep: Callable[[float], None]
    draw: Callable[[], float]
    clock: Callable[[], float]

    def make(self, attempt: Callable[[], Answer]) -> Answer:
        """Attempt it until it is answered for good.

        Args:
            attempt: Asks once and raises `FaultError`; asking it again must mean the same.

        Raises:
            FaultError: The last attempt's fault; says whether any attempt may have been obeyed.
        """
        began, made, unclear = self.clock(), 0, False
        while True:
            try:
                return attempt()
            except FaultError as error:
                made += 1
                unclear = unclear or error.fault.kind in (Kind.UNCLEAR, Kind.RUNNING)
                pause = self._pause(error.fault, made)
                if pause is None or self.clock() - began + pause > BEGIN_WITHIN:
                    raise FaultError(error.fault, unclear=unclear) from error
            self.sleep(pause)

    def _pause(self, fault: Fault, made: int) -> float | None:
        patience = _PATIENCE.get(fault.kind)
        if patience is None or made >= patience.attempts:
            return None
        return self.draw() * min(patience.longest, patience.first * 2.0 ** (made - 1))
