"""A fresh process that starts as Lambda starts a function, answers once, then many times.

Arguments: the time of its start, the function's app.py, the event, and how many warm requests.
Prints one JSON object. Imports nothing before its clock needs it, so the cold start is the
function's own.
"""

import sys
import time

STARTED = float(sys.argv[1])
CLOCK = time.monotonic  # one clock for all processes of a machine


class _Context:
    """What the runtime hands to a handler beside the event."""

    aws_request_id = "00000000-0000-4000-8000-000000000000"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 15_000


def main() -> None:
    """Start, answer, measure, report."""
    import json
    import runpy

    app, event_file, count = sys.argv[2:5]
    with open(event_file, encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs a cold start
        events = json.load(file)
    standard_output, sys.stdout = sys.stdout, sys.stderr  # the function logs to standard output
    handler = runpy.run_path(app)["handler"]
    ready = CLOCK()
    answer = handler(events["one"], _Context())
    first = CLOCK()
    if answer["statusCode"] != 200:
        raise SystemExit(f"The handler answered {answer['statusCode']}: {answer.get('body')}")

    def seconds(event: object) -> float:
        before = time.perf_counter()
        handler(event, _Context())
        return time.perf_counter() - before

    warm = [seconds(events["one"]) for _ in range(int(count))]
    batch = [seconds(events["batch"]) for _ in range(max(5, int(count) // 30))]

    import resource

    report = {
        "ready": ready - STARTED,
        "cold": first - STARTED,
        "warm": warm,
        "batch": batch,
        "max_rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }
    standard_output.write(json.dumps(report) + "\n")


main()
