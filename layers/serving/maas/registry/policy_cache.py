"""A function's view of its policy: read now and then, and never a reason to stop answering.

Imports `maas.errors` and the records. One thread reads, at most once per TTL; the others go on with
what is there. While the registry does not answer, the last policy stands in, else the baked one:

    cache = PolicyCache(lambda: reader.policy("sentiment"), ttl=15.0,
                        clock=time.monotonic, rng=random.random, baked=None)
    view = cache.current()        # view.policy, and view.source for the header x-maas-policy
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from maas.errors import MaasError, ModelNotFoundError, NotReadyError
from maas.registry.records import Policy

JITTER = 0.1
"""Part of the TTL by which it varies, so that many functions do not read in step."""
BACKOFF = 0.5
"""Seconds before the next try after a failed read; doubles up to the TTL."""
FIRST_READ_WAIT = 2.0
"""Seconds for which others wait while one thread reads the very first policy."""


@dataclass(frozen=True, slots=True)
class PolicyView:
    """A policy and how current it is.

    Attributes:
        policy: The policy.
        source: `live`: read within its TTL. `stale`: read before. `baked`: never read.
    """

    policy: Policy
    source: Literal["live", "stale", "baked"]


class PolicyCache:
    """Holds one model's policy. Safe to share among threads.

    Args:
        read: Reads the policy within its own time limit; raises a `MaasError` where it cannot.
        ttl: Seconds for which a policy is taken as current; 0 reads every time.
        clock: Seconds, never going back.
        rng: Numbers from 0 to 1.
        baked: The policy of packaging time, or None.
    """

    def __init__(
        self,
        read: Callable[[], Policy],
        *,
        ttl: float,
        clock: Callable[[], float],
        rng: Callable[[], float],
        baked: Policy | None = None,
    ) -> None:
        self._read = read
        self._ttl = ttl
        self._clock = clock
        self._rng = rng
        self._baked = baked
        self._held: Policy | None = None
        self._error: MaasError | None = None
        self._failures = 0
        self._next_read = clock()
        self._reading = False
        self._changed = threading.Condition()

    def current(self) -> PolicyView:
        """The policy to answer by.

        Raises:
            ModelNotFoundError: Nothing was ever read, and the registry knows no such model.
            NotReadyError: Nothing was ever read, and the registry does not answer.
        """
        with self._changed:
            mine = not self._reading and self._clock() >= self._next_read
            if mine:
                self._reading = True
            elif self._reading and self._held is None and self._baked is None:
                self._changed.wait_for(lambda: not self._reading, timeout=FIRST_READ_WAIT)
        fresh = mine and self._refresh()
        with self._changed:
            return self._view(fresh=fresh)

    def expire(self) -> None:
        """Read again at the next call, for time may have stood still: after a restored snapshot."""
        with self._changed:
            self._next_read = self._clock()

    def _refresh(self) -> bool:
        policy: Policy | None = None
        error: MaasError | None = None
        try:
            policy = self._read()
        except MaasError as failure:
            error = failure
        finally:
            with self._changed:
                self._settle(policy, error)
        return policy is not None

    def _settle(self, policy: Policy | None, error: MaasError | None) -> None:
        """Take over what a read brought, and set the time of the next one."""
        if policy is None:
            wait = min(BACKOFF * 2 ** min(self._failures, 16), self._ttl)
            self._failures += 1
        else:
            wait = self._ttl
            self._failures = 0
            known = self._held or self._baked
            # A reader that lags behind, or a table of another day, takes nothing back.
            if known is None or policy.revision >= known.revision:
                self._held = policy
        self._error = error
        self._next_read = self._clock() + wait * (1 - JITTER + 2 * JITTER * self._rng())
        self._reading = False
        self._changed.notify_all()

    def _view(self, *, fresh: bool) -> PolicyView:
        if self._held is not None:
            live = fresh or (self._failures == 0 and self._clock() < self._next_read)
            return PolicyView(self._held, "live" if live else "stale")
        if self._baked is not None:
            return PolicyView(self._baked, "baked")
        if isinstance(self._error, ModelNotFoundError):
            raise ModelNotFoundError(str(self._error)) from self._error
        raise NotReadyError(
            "It is not known yet which version answers: the registry does not answer. Try again."
        ) from self._error
