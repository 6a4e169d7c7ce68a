"""Whether a rollout goes on, waits or stops, from what two versions did in the same time.

Pure; imports the records alone:

    judge(Figures(1_200, 2, 48.0), Figures(10_800, 15, 45.0), gate).kind      # "go_on"

A version is stopped as soon as it can no longer keep within the limit, so that a version that
fails all of its requests is not given `min_requests` of them.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from maas.registry.rollout_records import Gate

WORSE = 2.0
"""So many times the baseline's error rate stop a rollout below its limit, if it is not chance."""
EVIDENCE = 9.55
"""Of the G-test, two by two: what chance reaches once in a thousand, on the worse side."""
SLACK_MS = 1.0
"""Milliseconds of p99 that are no difference, whatever their ratio."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a version, or several together, did in some time.

    Attributes:
        requests: How many it was asked, and ended one way or the other. CloudWatch counts callers'
            mistakes too, a server's statistics do not.
        errors: Those that failed by a fault of ours; a caller's own mistakes are none.
        p99: Milliseconds that 99 % of its answers did not exceed; None where it gave none.
    """

    requests: int
    errors: int
    p99: float | None

    @property
    def error_rate(self) -> float:
        """The share of the requests that failed; 0 where there was none."""
        return self.errors / self.requests if self.requests else 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do, and why in a person's words."""

    kind: Literal["go_on", "wait", "stop"]
    reason: str


def judge(new: Figures, baseline: Figures, gate: "Gate") -> Verdict:
    """Compare a new version with those that it is to replace.

    Args:
        new: The new version's figures.
        baseline: Those of the others, of the same time; of a former time where they answer nobody
            any more. With fewer than `gate.min_requests` they say nothing.
        gate: The limits.
    """
    if why := _fails(new, gate) or _fails_more(new, baseline, gate) or _slower(new, baseline, gate):
        return Verdict("stop", why)
    if new.requests < gate.min_requests:
        return Verdict("wait", f"{new.requests} of {gate.min_requests} requests so far")
    return Verdict("go_on", f"{new.requests} requests, {_errors(new)}{_p99(new, baseline)}")


def _fails(new: Figures, gate: "Gate") -> str:
    """Above the limit, or bound to be at `min_requests` though all further requests succeed."""
    if new.errors <= gate.max_error_rate * max(new.requests, gate.min_requests):
        return ""
    return (
        f"{_errors(new)} of {new.requests} requests, above the limit of {gate.max_error_rate:.3%}"
    )


def _fails_more(new: Figures, baseline: Figures, gate: "Gate") -> str:
    if min(new.requests, baseline.requests) < gate.min_requests:
        return ""
    if new.error_rate <= WORSE * baseline.error_rate or _evidence(new, baseline) <= EVIDENCE:
        return ""
    return (
        f"{_errors(new)} of {new.requests} requests, against {baseline.error_rate:.3%} of the"
        " other versions'"
    )


def _slower(new: Figures, baseline: Figures, gate: "Gate") -> str:
    if min(new.requests, baseline.requests) < gate.min_requests:
        return ""
    if new.p99 is None or baseline.p99 is None or new.p99 - baseline.p99 <= SLACK_MS:
        return ""
    if new.p99 <= gate.max_p99_ratio * baseline.p99:
        return ""
    return (
        f"p99 {new.p99:.1f} ms is {new.p99 / baseline.p99:.1f} × the other versions'"
        f" {baseline.p99:.1f} ms, above the limit of {gate.max_p99_ratio:g} ×"
    )


def _evidence(new: Figures, baseline: Figures) -> float:
    """The G statistic of errors by version: 0 where the rates are equal."""
    requests, errors = new.requests + baseline.requests, new.errors + baseline.errors
    total = 0.0
    for one in (new, baseline):
        for seen, all_seen in (
            (one.errors, errors),
            (one.requests - one.errors, requests - errors),
        ):
            if seen:
                total += seen * math.log(seen * requests / (one.requests * all_seen))
    return 2 * total


def _errors(figures: Figures) -> str:
    return f"{figures.errors} errors ({figures.error_rate:.3%})"


def _p99(new: Figures, baseline: Figures) -> str:
    if new.p99 is None:
        return ""
    beside = "" if baseline.p99 is None else f" against {baseline.p99:.1f} ms"
    return f", p99 {new.p99:.1f} ms{beside}"
