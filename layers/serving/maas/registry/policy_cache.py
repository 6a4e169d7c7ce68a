"""A function's view of its policy: read now and then, and never a reason to stop answering.

Imports `maas.errors`, the records and msgspec. Reads happen in a thread of their own, one at a time
and at most one per TTL; a request waits for one a moment at the most, and is answered by what is
there.
While the registry does not answer, the last policy stands in, else the baked one. That is a circuit
breaker: after a failed read it is open, and no request reads or waits for a time that doubles up to
the TTL; then one read tries it, and with its success it is closed:

    cache = PolicyCache(lambda: reader.policy("sentiment"), ttl=15.0,
                        clock=time.monotonic, rng=random.random, baked=None)
    cache.begin()                 # reads while the model opens
    view = cache.current()        # view.policy, and view.source for the header x-maas-policy
"""

import threading
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from maas.errors import MaasError, ModelNotFoundError, NotReadyError
from maas.registry.records import Policy

JITTER = 0.1
"""Part of the TTL by which it varies, so that many functions do not read in step."""
BACKOFF = 0.5
"""Seconds before the next try after a failed read; doubles up to the TTL."""
READ_WAIT = 0.05
"""Seconds that a read may add to a request which can be answered without it."""
FROZEN = 5.0
"""Seconds that no read takes: older ones were frozen with their function between two requests."""
FIRST_READ_WAIT = 2.5
"""Seconds to wait for the very first policy where nothing else can answer; above the bound of a
read, so that its own reason arrives."""


class PolicyView(Struct, frozen=True):
    """A policy and how current it is.

    Attributes:
        policy: The policy.
        source: `live`: the registry said so within the TTL. `stale`: it said so before, and since
            then nothing or, restored from a backup, something older. `baked`: never read.
    """

    policy: Policy
    source: Literal["live", "stale", "baked"]


_NOT_LIVE: tuple[PolicyView | None, float] = (None, 0.0)
"""What is current, and until when; one value, so that who reads it without a lock reads both."""


class PolicyCache:
    """Holds one model's policy. Safe to share among threads.

    Args:
        read: Reads the policy within its own time limit; raises a `MaasError` where it cannot.
        ttl: Seconds for which a policy is taken as current; 0 reads every time.
        clock: Seconds, never going back.
        rng: Numbers from 0 to 1.
        baked: The policy of packaging time, or None.
        wait: Seconds that a read may add to a request which can be answered without it.
        notice: Told of a failed read, unless the one before failed alike.
    """

    def __init__(
        self,
        read: Callable[[], Policy],
        *,
        ttl: float,
        clock: Callable[[], float],
        rng: Callable[[], float],
        baked: Policy | None = None,
        wait: float = READ_WAIT,
        notice: Callable[[MaasError], None] = lambda _: None,
    ) -> None:
        self._read = read
        self._ttl = ttl
        self._clock = clock
        self._rng = rng
        self._baked = baked
        self._wait = wait
        self._notice = notice
        self._held: Policy | None = None
        self._error: MaasError | None = None
        self._failures = 0
        self._confirmed = 0
        self._live: tuple[PolicyView | None, float] = _NOT_LIVE
        self._was_read = False
        self._generation = 0
        self._next_read = clock()
        self._reader: threading.Thread | None = None
        self._began = 0.0
        self._changed = threading.Condition()

    @property
    def baked(self) -> Policy | None:
        """The policy of packaging time, or None."""
        return self._baked

    def begin(self) -> None:
        """Begin a read if one is due, and wait for nothing."""
        with self._changed:
            self._begin()

    def current(self) -> PolicyView:
        """The policy to answer by.

        Raises:
            ModelNotFoundError: Nothing was ever read, and the registry knows no such model.
            NotReadyError: Nothing was ever read, and the registry does not answer.
        """
        live, until = self._live  # as a rule, and without a lock
        if live is not None and self._clock() < until:
            return live
        with self._changed:
            confirmed = self._confirmed
            begun, frozen = self._begin(), self._is_frozen()
            if not self._known():
                self._await_read(FIRST_READ_WAIT)
            elif begun or not self._was_read or frozen:
                # A read that another request began is worth the wait too where the registry was
                # never heard, and where it goes on only while requests are answered.
                self._await_read(self._wait)
            # What a frozen read brings may have been true only when it was begun.
            return self._view(fresh=self._confirmed > confirmed and not frozen)

    def expire(self) -> None:
        """Count nothing as heard and a read under way as lost: after a restored snapshot."""
        with self._changed:
            self._generation += 1
            self._reader = None
            self._live = _NOT_LIVE
            self._was_read = False
            self._failures = 0
            self._next_read = self._clock()

    def _known(self) -> Policy | None:
        return self._held or self._baked

    def _is_reading(self) -> bool:
        # A reader that a fork has left behind in the parent is dead here, and another may start.
        return self._reader is not None and self._reader.is_alive()

    def _is_frozen(self) -> bool:
        """Whether a read is under way that must have been frozen, for none takes so long."""
        return self._is_reading() and self._clock() - self._began > FROZEN

    def _is_due(self) -> bool:
        return not self._is_reading() and self._clock() >= self._next_read

    def _await_read(self, seconds: float) -> None:
        self._changed.wait_for(lambda: not self._is_reading(), timeout=seconds)

    def _begin(self) -> bool:
        """Read in a thread of its own; one that is frozen with its function goes on later."""
        if not self._is_due():
            return False
        generation = self._generation
        self._began = self._clock()
        self._reader = threading.Thread(
            target=self._refresh, args=(generation,), name="maas-policy", daemon=True
        )
        try:
            self._reader.start()
        except RuntimeError:  # the machine has no more threads
            self._settle(None, None, self._clock())
            return False
        return True

    def _refresh(self, generation: int) -> None:
        policy: Policy | None = None
        error: MaasError | None = None
        began = self._clock()
        try:
            policy = self._read()
        except MaasError as failure:
            error = failure
        finally:
            with self._changed:
                before = self._error
                counts = generation == self._generation  # else it was begun before a snapshot
                if counts:
                    self._settle(policy, error, began)
        if counts and error is not None and _text(error) != _text(before):
            self._notice(error)

    def _settle(self, policy: Policy | None, error: MaasError | None, began: float) -> None:
        """Take over what a read brought, and set the time of the next one."""
        live = None
        if policy is None:
            since = self._clock()
            wait = min(BACKOFF * 2 ** min(self._failures, 16), self._ttl)
            self._failures += 1
        else:
            since = began  # a read that was frozen half-way brings what was true then
            wait = self._ttl
            self._failures = 0
            self._was_read = True
            known = self._known()
            # A reader that lags behind, or a table of another day, takes nothing back.
            if known is None or policy.revision >= known.revision:
                self._held = policy
                self._confirmed += 1
                live = PolicyView(policy, "live")
        self._error = error
        self._next_read = since + wait * (1 - JITTER + 2 * JITTER * self._rng())
        self._live = (live, self._next_read)
        self._reader = None
        self._changed.notify_all()

    def _view(self, *, fresh: bool) -> PolicyView:
        if self._held is not None:
            live, until = self._live
            current = fresh or (live is not None and self._clock() < until)
            return PolicyView(self._held, "live" if current else "stale")
        if self._baked is not None:
            return PolicyView(self._baked, "baked")
        if isinstance(self._error, ModelNotFoundError):
            raise ModelNotFoundError(str(self._error)) from self._error
        raise NotReadyError(
            "It is not known yet which version answers: the registry does not answer. Try again."
        ) from self._error


def _text(error: MaasError | None) -> str:
    return "" if error is None else f"{type(error).__name__} {error}"
