"""How long a server takes to its first answer, and how many it gives: ours beside its peers.

Run by hand from a clone, once `maas promote` has said who answers. The environments of the peers
are made first, which takes minutes:

    python tests/perf/peers/run.py embed --rounds 7

Every server has the same model, one thread for each run of it, and is asked the same text. They
take turns within every round, the first round is thrown away, and ratios are made within a round.
Prints a table on standard error and one JSON line, and writes a plot beside the state of the lab.
"""

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from contestants import Server, make_servers  # type: ignore[import-not-found]
from environments import make_environments  # type: ignore[import-not-found]
from load import (  # type: ignore[import-not-found]
    answer_seconds,
    post,
    requests_per_second,
)
from report import draw, summary, table  # type: ignore[import-not-found]

from maas.assembly import build_registry
from maas.bundle.manifest import digest16
from maas.bundle.verify import verify_bundle
from maas.registry.addresses import ByAlias
from maas.registry.records import DEFAULT_ALIAS
from maas.settings import read_settings
from maas_lab.benching.packed import policy_of, registry_stand_in

COLD_SECONDS = 120
REQUESTS = 100
CONNECTIONS = 8
SECONDS = 3.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Ours beside its peers, over HTTP.")
    parser.add_argument("model", nargs="?", default="embed")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", action="append", help="A server's name; all of them if left out.")
    asked = parser.parse_args()
    settings = read_settings()
    pythons = make_environments(settings.home / "peers")
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        registry = stack.enter_context(build_registry(settings))
        version = registry.version(asked.model, ByAlias(DEFAULT_ALIAS))
        place = settings.bundles / asked.model / digest16(version.digest)
        bundle = verify_bundle(place, digest=version.digest)
        policy = policy_of(bundle, version.number)
        address = stack.enter_context(registry_stand_in(policy))
        servers = make_servers(
            settings, version.number, bundle, pythons, scratch=scratch, registry=address
        )
        names = [name for name in servers if not asked.only or name in asked.only]
        found = measure({name: servers[name] for name in names}, asked.rounds)
    plot = settings.home / "bench" / f"{asked.model}-peers.png"
    plot.parent.mkdir(parents=True, exist_ok=True)
    plot.write_bytes(draw(found))
    report = summary(found) | {"plot": str(plot), "threads": {n: servers[n].threads for n in names}}
    sys.stderr.write(table(report))
    sys.stdout.write(json.dumps(report) + "\n")


def measure(servers: dict[str, Server], rounds: int) -> dict[str, list[dict[str, float]]]:
    """Figures by server and round."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in servers}
    names = list(servers)
    for turn in range(rounds + 1):
        at = turn % len(names)
        for name in names[at:] + names[:at]:
            figures = measure_one(name, servers[name])
            if turn > 0:
                found[name].append(figures)
        sys.stderr.write(f"round {turn} of {rounds}\n")
    return found


def measure_one(name: str, server: Server) -> dict[str, float]:
    """Start it, wait for its first answer, ask it a bounded number of times, and end it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(port) if part == "@" else part for part in server.command]
    with tempfile.TemporaryFile() as said:
        started = time.monotonic()
        process = subprocess.Popen(
            command, env=server.environment, stdout=said, stderr=said, start_new_session=True
        )
        try:
            wait_for_answer(name, process, port, server, until=started + COLD_SECONDS)
            cold = time.monotonic() - started
            warm = answer_seconds(port, server.path, server.body, count=REQUESTS)
            rate = requests_per_second(
                port, server.path, server.body, connections=CONNECTIONS, seconds=SECONDS
            )
        finally:
            end(process)
    return {"cold": cold * 1000, "warm": statistics.median(warm) * 1000, "rate": rate}


def wait_for_answer(
    name: str, process: "subprocess.Popen[bytes]", port: int, server: Server, *, until: float
) -> None:
    """Ask until there is a 200; a server that ends or never answers is an error."""
    while time.monotonic() < until and process.poll() is None:
        try:
            if post(port, server.path, server.body) == 200:
                return
        except OSError:
            pass
        time.sleep(0.002)
    raise RuntimeError(f"{name} did not answer (exit {process.poll()}).")


def end(process: "subprocess.Popen[bytes]") -> None:
    """End it, and whatever it started."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


if __name__ == "__main__":
    main()
