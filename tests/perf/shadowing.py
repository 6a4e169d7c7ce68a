"""What a shadow adds to an answer: of `maas serve`, and of a function that sends to a queue.

Run by hand from a clone; prints one JSON object:

    python tests/perf/shadowing.py --rounds 40 --requests 25

The variants take turns within every round and the first round is thrown away, because the machine
may be shared: what counts are medians and differences of one run. The model is a tiny one, so that
next to nothing hides what is added. Requests come one after the other; `paced` leaves the shadow
time between them, as a server has that is not at its limit, and `busy` leaves none.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import uvicorn

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from msgspec.structs import replace  # noqa: E402
from support.doors import LambdaContext, rest_event  # noqa: E402
from support.dynamo_standin import StandIn  # noqa: E402
from support.function import function_environ, pack, routed  # noqa: E402
from support.tiny import Home, make_home  # noqa: E402

from maas.http.entry import build_handler  # noqa: E402
from maas.registry.addresses import ByNumber  # noqa: E402
from maas.registry.records import Shadow  # noqa: E402
from maas.settings import Settings  # noqa: E402
from maas_lab.connections import Connection  # noqa: E402
from maas_lab.serving import build_local_app  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BODY = {"inputs": "a gripping story told with warmth and wit"}


@contextmanager
def server(home: Home) -> "Iterator[str]":
    """The laptop's server, as `maas serve` runs it, in a thread."""
    app, services = build_local_app(home.settings)
    services("sentiment").warm_up()
    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="critical",
        port=0,
    )
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}"
    running.should_exit = True
    thread.join()


def make(path: Path, *, sample: int | None) -> Home:
    """Versions 1 and 2; version 2 sees so many of the requests too."""
    home = make_home(path)
    if sample is not None:
        with home.registry() as registry:
            registry.shadow("sentiment", ByNumber(2), sample=sample)
    return home


def over_http(url: str, *, pause: float) -> "Callable[[], float]":
    """Asks a server, over one connection that is kept; answers with milliseconds."""
    client = httpx.Client(base_url=url)

    def ask() -> float:
        time.sleep(pause)
        started = time.perf_counter()
        answer = client.post("/models/sentiment", json=BODY)
        spent = (time.perf_counter() - started) * 1000
        assert answer.status_code == 200, answer.text
        return spent

    return ask


def by_event(models: Path, table: StandIn, queue: StandIn | None) -> "Callable[[], float]":
    """Asks a function; answers with milliseconds."""
    environ = function_environ(models, endpoint=table.url) | {"MAAS_LOG_LEVEL": "ERROR"}
    if queue is not None:
        environ["MAAS_SHADOW_QUEUE"] = f"{queue.url}/1/shadow"
    handler = build_handler(Settings.parse(environ))
    event = rest_event(body=BODY)

    def ask() -> float:
        started = time.perf_counter()
        answer = handler(event, LambdaContext())
        spent = (time.perf_counter() - started) * 1000
        assert answer["statusCode"] == 200, answer
        return spent

    return ask


def measure(
    variants: "dict[str, Callable[[], float]]", *, rounds: int, requests: int
) -> dict[str, dict[str, float]]:
    """Median and p99 of each, taken in turns."""
    times: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(rounds + 1):
        for name, ask in variants.items():
            took = [ask() for _ in range(requests)]
            if number:
                times[name] += took
    return {
        name: {
            "p50": round(statistics.median(taken), 3),
            "p99": round(statistics.quantiles(taken, n=100)[98], 3),
        }
        for name, taken in times.items()
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--requests", type=int, default=25)
    parser.add_argument("--pause", type=float, default=0.005, help="seconds, where it is paced")
    wanted = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = {
            name: stack.enter_context(server(make(folder / name, sample=sample)))
            for name, sample in (("none", None), ("five", 500), ("all", 10_000))
        }
        found: dict[str, object] = {}
        for load, pause in (("paced", wanted.pause), ("busy", 0.0)):
            variants = {name: over_http(url, pause=pause) for name, url in servers.items()}
            found[load] = measure(variants, rounds=wanted.rounds, requests=wanted.requests)
        home = make(folder / "function", sample=None)
        policy = routed(home, 5, v1=100)
        models = pack(home, folder / "models", policy)
        table, queue = stack.enter_context(StandIn()), stack.enter_context(StandIn())
        table.policy = replace(policy, revision=6, shadows={"production": Shadow(2, 10_000)})
        queue.answer = (200, {"MessageId": "1"})
        asyncio.set_event_loop(asyncio.new_event_loop())
        sends = {
            "none": by_event(models, table, None),
            "all": by_event(models, table, queue),
        }
        found["function"] = measure(sends, rounds=wanted.rounds, requests=wanted.requests)
        found["sent"] = len(queue.requests)
    print(json.dumps(found, indent=2))  # noqa: T201 - the result


if __name__ == "__main__":
    main()
