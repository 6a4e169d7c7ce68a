"""What a probe prints: imported after the first answer, so that it costs no cold start."""

import json
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

# ru_maxrss is in bytes on macOS and in KiB elsewhere.
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024
_STATUS = Path("/proc/self/status")


def report(
    *, started: float, ready: float, first: float, work: Mapping[str, Callable[[], object]],
    requests: int,
) -> str:  # fmt: skip
    """Measure warm requests and write all figures as one JSON object.

    Args:
        started: When the process was started; like the next two, seconds on one clock.
        ready: When the model was loaded.
        first: When the first answer was there.
        work: What is measured, by name: `one` as often as is asked, the others a few times.
        requests: Warm requests of one text; with none of them nothing more is measured.
    """
    figures: dict[str, object] = {"ready": ready - started, "cold": first - started}
    for name, each in work.items():
        few = max(2, requests // 100)
        times = 0 if not requests else requests if name == "one" else few
        figures[name] = [_seconds(each) for _ in range(times)]
        if name == "one":
            figures["peak_bytes"] = _peak()
    return json.dumps(figures | {"whole_peak_bytes": _peak()})


def _seconds(work: Callable[[], object]) -> float:
    before = time.perf_counter()
    work()
    return time.perf_counter() - before


def _peak() -> int:
    """The largest resident set of this program; what forked it counts into `ru_maxrss`, too."""
    if _STATUS.exists():
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT
