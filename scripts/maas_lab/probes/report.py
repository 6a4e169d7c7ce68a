"""What a probe prints: imported after the first answer, so that it costs no cold start."""

import json
import resource
import time
from collections.abc import Callable


def report(
    *,
    started: float,
    ready: float,
    first: float,
    one: Callable[[], object],
    batch: Callable[[], object],
    requests: int,
) -> str:
    """Measure warm requests and write all figures as one JSON object.

    Args:
        started: When the process was started; like the next two, seconds on one clock.
        ready: When the model was loaded.
        first: When the first answer was there.
        one: Answers one text.
        batch: Answers 32 texts.
        requests: Warm requests of one text.
    """
    figures = {
        "ready": ready - started,
        "cold": first - started,
        "warm": [_seconds(one) for _ in range(requests)],
        "batch": [_seconds(batch) for _ in range(max(5, requests // 30))],
        "max_rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }
    return json.dumps(figures)


def _seconds(work: Callable[[], object]) -> float:
    before = time.perf_counter()
    work()
    return time.perf_counter() - before
