"""How much a run of the tests tries: short by default, long with `--full`; and how much it tried.

@settings(max_examples=examples(60, 2_000))       # also right where a test is decorated
for body in bad_bodies[: examples(500, 10_000)]:
    count("inputs")
    count("requests")                             # `support.doors.Client` counts its own

The counts are printed at the end of the run. Of other processes only those of pytest's own workers
are known, which hand them over.
"""

from collections import Counter
from typing import ClassVar, Literal

Kind = Literal["inputs", "faults", "attacks", "requests"]
"""Bad inputs tried, faults survived, attacks refused, requests sent."""

_WORDS: dict[Kind, str] = {
    "inputs": "bad inputs",
    "faults": "faults survived",
    "attacks": "attacks refused",
    "requests": "requests sent",
}


class _Effort:
    """What this process was asked for, and what it tried."""

    full: ClassVar[bool] = False
    tried: ClassVar[Counter[str]] = Counter()


def be_full(*, full: bool) -> None:
    """Say once, before tests are collected, whether the long variants run."""
    _Effort.full = full


def examples(default: int, full: int) -> int:
    """How many to try: `default` of them, or `full` under `scripts/test --full`."""
    return full if _Effort.full else default


def count(kind: Kind, number: int = 1) -> None:
    """Count what was tried. A fault or an attack counts when the test has seen it survived."""
    _Effort.tried[kind] += number


def tried() -> dict[str, int]:
    """What this process tried, by kind."""
    return dict(_Effort.tried)


def add(counts: "dict[str, int]") -> None:
    """Add what another process tried."""
    _Effort.tried.update(counts)


def summary() -> str:
    """One line of all counts; empty where nothing was counted."""
    if not _Effort.tried:
        return ""
    return "tried: " + ", ".join(f"{_Effort.tried[kind]:,} {_WORDS[kind]}" for kind in _WORDS)
