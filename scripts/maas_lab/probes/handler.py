"""A fresh process that starts as Lambda starts a function, answers once, then many times.

Arguments: the time of its start, how many warm requests, the function's app.py, the events.
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

    count, app, event_file = sys.argv[2:5]
    with open(event_file, encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs a cold start
        events = json.load(file)
    standard_output, sys.stdout = sys.stdout, sys.stderr  # the function logs to standard output
    handler = runpy.run_path(app)["handler"]
    ready = CLOCK()
    answer = handler(events["one"], _Context())
    first = CLOCK()
    if answer["statusCode"] != 200:
        raise SystemExit(f"The handler answered {answer['statusCode']}: {answer.get('body')}")

    import functools

    from maas_lab.probes.report import report

    context = _Context()
    line = report(
        started=STARTED,
        ready=ready,
        first=first,
        work={name: functools.partial(handler, event, context) for name, event in events.items()},
        requests=int(count),
    )
    standard_output.write(line + "\n")


main()
