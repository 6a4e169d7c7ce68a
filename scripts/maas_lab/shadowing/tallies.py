"""What is known of each shadow: counts, and no request. Imports `maas` and msgspec.

tallies.count(pair, comparison, answered_ns=5_100_000, shadow_ns=4_900_000)
tallies.report("sentiment").shadows[0].agreement
"""

import threading
from collections import Counter
from typing import NamedTuple

from msgspec import Struct

from maas.shadow.outcome import Comparison
from maas.statistics import latency_bound

DRIFT_STEPS = 50
"""Buckets of differences from 0 to 1; what is larger counts in the last."""


class Pair(NamedTuple):
    """Who answered a request, and who saw it too: numbers of two versions of a model."""

    model: str
    version: int
    shadow: int


class ShadowReport(Struct, frozen=True):
    """One shadow beside one version that answered.

    Attributes:
        version: Who answered.
        shadow: Who saw the requests too.
        requests: Requests that the shadow answered.
        errors: Requests that it did not.
        dropped: Requests that it was not asked, because it had too many to do.
        rows: Labels or texts that were compared.
        agreed: How many of them are the same.
        scores: Numbers that were compared.
        drift: The sum of their absolute differences.
        worst: The largest of them.
        drifts: Requests by their mean difference: the upper bound of a bucket, and its count.
        answered_ns: Requests by how long the version took that answered: upper bounds, counts.
        shadow_ns: The same of the shadow.
    """

    version: int
    shadow: int
    requests: int = 0
    errors: int = 0
    dropped: int = 0
    rows: int = 0
    agreed: int = 0
    scores: int = 0
    drift: float = 0.0
    worst: float = 0.0
    drifts: dict[float, int] = {}
    answered_ns: dict[int, int] = {}
    shadow_ns: dict[int, int] = {}


class ModelShadows(Struct, frozen=True):
    """All shadows of a model, since the server started.

    Attributes:
        model: The model.
        shadows: By who answered and who saw it too.
    """

    model: str
    shadows: list[ShadowReport]


class _Counts:
    """One report while it is counted."""

    def __init__(self) -> None:
        self.requests = self.errors = self.dropped = 0
        self.rows = self.agreed = self.scores = 0
        self.drift = self.worst = 0.0
        self.drifts: Counter[float] = Counter()
        self.answered_ns: Counter[int] = Counter()
        self.shadow_ns: Counter[int] = Counter()

    def add(self, comparison: Comparison, answered_ns: int, shadow_ns: int) -> None:
        """Count a request that was answered by both."""
        self.requests += 1
        self.rows += comparison.rows
        self.agreed += comparison.agreed
        self.scores += comparison.scores
        self.drift += comparison.drift * comparison.scores
        self.worst = max(self.worst, comparison.worst)
        if comparison.scores:
            self.drifts[_drift_bound(comparison.drift)] += 1
        self.answered_ns[latency_bound(answered_ns)] += 1
        self.shadow_ns[latency_bound(shadow_ns)] += 1

    def report(self, pair: Pair) -> ShadowReport:
        """The counts as they are."""
        return ShadowReport(
            version=pair.version,
            shadow=pair.shadow,
            requests=self.requests,
            errors=self.errors,
            dropped=self.dropped,
            rows=self.rows,
            agreed=self.agreed,
            scores=self.scores,
            drift=self.drift,
            worst=self.worst,
            drifts=dict(sorted(self.drifts.items())),
            answered_ns=dict(sorted(self.answered_ns.items())),
            shadow_ns=dict(sorted(self.shadow_ns.items())),
        )


class Tallies:
    """Counts by pair. Safe to share between threads."""

    def __init__(self) -> None:
        self._counts: dict[Pair, _Counts] = {}
        self._lock = threading.Lock()

    def count(
        self, pair: Pair, comparison: Comparison, *, answered_ns: int, shadow_ns: int
    ) -> None:
        """Count a request that was answered by both."""
        with self._lock:
            self._of(pair).add(comparison, answered_ns, shadow_ns)

    def fail(self, pair: Pair) -> None:
        """Count a request that the shadow could not answer."""
        with self._lock:
            self._of(pair).errors += 1

    def drop(self, pair: Pair) -> None:
        """Count a request that the shadow was not asked."""
        with self._lock:
            self._of(pair).dropped += 1

    def report(self, model: str) -> ModelShadows:
        """What is known of a model's shadows."""
        with self._lock:
            return ModelShadows(
                model,
                [self._counts[p].report(p) for p in sorted(self._counts) if p.model == model],
            )

    def _of(self, pair: Pair) -> _Counts:
        return self._counts.get(pair) or self._counts.setdefault(pair, _Counts())


def _drift_bound(drift: float) -> float:
    """The upper bound of a difference's bucket."""
    step = min(int(drift * DRIFT_STEPS) + 1, DRIFT_STEPS)
    return step / DRIFT_STEPS
