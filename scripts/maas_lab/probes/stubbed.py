"""What a function does beside its model: the same handler, and a task whose answer is at hand.

Arguments as `handler` takes them; prints the same. The model answers once; from then on a request
is routed, read, checked, given that answer, written and logged.
"""

import functools
import json
import sys
import time
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from maas.assembly import build_services
from maas.http.app import App
from maas.http.gateway import guarded, new_id
from maas.http.inference import inference_routes
from maas.observe import Observer
from maas.settings import read_settings
from maas_lab.probes.report import report

if TYPE_CHECKING:
    from maas.service import Service, Turn


class _Context:
    aws_request_id = "00000000-0000-4000-8000-000000000000"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 15_000


class _Canned:
    """A task that says to everybody what the model said first."""

    def __init__(self, task: Any) -> None:  # noqa: ANN401 - whatever a task is asked and answers
        self._task = task
        self._answer: Any = None

    def predict(self, request: Any, *, deadline: float) -> Any:  # noqa: ANN401
        if self._answer is None:
            self._answer = self._task.predict(request, deadline=deadline)
        return self._answer


class _Service:
    """Chooses a version as the real one does, and gives it the canned task."""

    def __init__(self, service: "Service") -> None:
        self.model = service.model
        self._service = service
        turn = service.turn(None)
        task: Any = _Canned(turn.task)
        self._turn = replace(turn, loaded=replace(turn.loaded, task=task))

    def turn(self, *arguments: Any, **options: Any) -> "Turn":  # noqa: ANN401
        self._service.turn(*arguments, **options)
        return self._turn


def main() -> None:
    """Start, answer, measure, report."""
    started, count, _, event_file = sys.argv[1:5]
    with open(event_file, encoding="utf-8") as file:  # noqa: PTH123 - as its neighbours do
        events = json.load(file)
    standard_output, sys.stdout = sys.stdout, sys.stderr
    settings = read_settings()
    services = build_services(settings, full=False)
    service = _Service(services(str(settings.model)))
    routes = inference_routes(lambda _: service)  # type: ignore[arg-type]
    observer = Observer(settings.log_level, metrics=True)
    handler = guarded(App(routes, observer=observer, new_id=new_id), observer)
    context = _Context()
    one = functools.partial(handler, events["one"], context)
    ready = time.monotonic()
    if one()["statusCode"] != 200:
        raise SystemExit("The handler did not answer.")
    first = time.monotonic()
    figures = report(
        started=float(started), ready=ready, first=first, work={"one": one}, requests=int(count)
    )
    standard_output.write(figures + "\n")


main()
