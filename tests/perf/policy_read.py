"""What reading the policy costs a function: at its cold start, and while it is warm.

Run by hand from a clone; prints one JSON object. DynamoDB Local is started (Java or Docker), unless
AWS_ENDPOINT_URL_DYNAMODB names one that runs:

    python tests/perf/policy_read.py --rounds 11 --requests 300

The variants take turns within every round and the first round is thrown away, because the machine
may be shared: what counts are medians and ratios of one run. The model is a tiny one, so that next
to nothing hides the read; the longer a real one takes to open, the less of the read is seen.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support.doors import rest_event  # noqa: E402
from support.function import function_environ, pack, routed  # noqa: E402
from support.tiny import Home, make_home, register_bundle  # noqa: E402

from maas.assembly import utc_now  # noqa: E402
from maas.registry.addresses import ByNumber  # noqa: E402
from maas.registry.dynamo import Table  # noqa: E402
from maas.registry.dynamo_table import create_table  # noqa: E402
from maas.registry.stores import open_registry  # noqa: E402
from maas.settings import AwsSettings  # noqa: E402
from maas_lab.registry.dynamodb_local import dynamodb_local  # noqa: E402

APP = ROOT / "functions/inference/app.py"
NOBODY = "http://127.0.0.1:9"
# From a bare interpreter to a policy, by each of the two ways; then as often as wanted.
READ = """
import json, sys, time
from datetime import UTC, datetime
started, way, table, count = float(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
from maas.settings import read_settings
now = lambda: datetime.now(UTC)
if way == "bare":
    from maas.registry.policy_read import PolicyReader
    source = PolicyReader(table, read_settings().aws, now=now)
else:
    from maas.registry.stores import open_registry
    source = open_registry("dynamodb://" + table, clock=now, actor="perf")
source.policy("sentiment")
first = time.monotonic() - started
kept = []
for _ in range(count):
    before = time.perf_counter()
    source.policy("sentiment")
    kept.append(time.perf_counter() - before)
print(json.dumps({"cold": first, "ready": first, "one": kept}))
"""


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=11)
    arguments.add_argument("--requests", type=int, default=300)
    asked = arguments.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        endpoint = os.environ.get("AWS_ENDPOINT_URL_DYNAMODB", "")
        if not endpoint:
            local = stack.enter_context(dynamodb_local(cache=ROOT / ".maas/cache"))
            endpoint = local.address
        home = make_home(folder / "home")
        table = make_table(home, endpoint)
        programs = variants(home, folder, endpoint, table, asked.requests)
        found = measure(programs, asked.rounds)
    sys.stdout.write(json.dumps(summary(found), indent=2) + "\n")


def make_table(home: Home, endpoint: str) -> str:
    """A table with both versions, production at the first."""
    environ = function_environ(Path("unused"), endpoint=endpoint)
    name = f"perf-{uuid4().hex[:8]}"
    os.environ.update({key: value for key, value in environ.items() if key.startswith("AWS_")})
    table = Table(name, region=environ["AWS_REGION"], endpoint=endpoint)
    create_table(table, sleep=time.sleep)
    table.close()
    aws = AwsSettings.parse(environ)
    with open_registry(f"dynamodb://{name}", clock=utc_now, actor="perf", aws=aws) as registry:
        for bundle in home.bundles.values():
            register_bundle(registry, bundle)
        registry.promote("sentiment", ByNumber(1))
    return name


def variants(
    home: Home, folder: Path, endpoint: str, table: str, requests: int
) -> dict[str, tuple[list[str], dict[str, str]]]:
    """Command and environment by name; the start's time goes where `@` stands."""
    models = pack(home, folder / "models", routed(home, 1, v1=100))
    event = rest_event(body={"inputs": "a good film"})
    events = folder / "events.json"
    events.write_text(json.dumps({"one": event}))
    handler = ["-m", "maas_lab.probes.handler", "@", str(requests), str(APP), str(events)]
    made: dict[str, tuple[list[str], dict[str, str]]] = {}
    for ttl in (15.0, 0.0):
        for name, where in (("dynamodb", endpoint), ("baked", NOBODY)):
            environ = function_environ(models, endpoint=where, table=table, policy_ttl=ttl)
            made[f"{name}, ttl {ttl:g}"] = (handler, environ)
        sqlite = function_environ(models, endpoint=NOBODY, policy_ttl=ttl)
        made[f"sqlite, ttl {ttl:g}"] = (handler, sqlite | {"MAAS_REGISTRY": home.settings.registry})
    for way in ("bare", "boto3"):
        read = ["-c", READ, "@", way, table, str(requests)]
        made[f"read alone, {way}"] = (read, function_environ(models, endpoint=endpoint))
    return made


def measure(
    programs: dict[str, tuple[list[str], dict[str, str]]], rounds: int
) -> dict[str, list[dict[str, float]]]:
    """Seconds by variant and round."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in programs}
    names = list(programs)
    for turn in range(rounds + 1):
        at = turn % len(names)
        for name in names[at:] + names[:at]:
            command, environ = programs[name]
            started = repr(time.monotonic())
            done = subprocess.run(
                [sys.executable, *(started if part == "@" else part for part in command)],
                env=environ,
                capture_output=True,
                text=True,
                check=True,
                timeout=120,
            )
            report = json.loads(done.stdout.splitlines()[-1])
            if turn > 0:
                warm = statistics.median(report["one"])
                found[name].append({"cold": report["cold"], "ready": report["ready"], "warm": warm})
    return found


def summary(found: dict[str, list[dict[str, float]]]) -> dict[str, object]:
    """Milliseconds: medians of each variant, its least cold start, and ratios."""

    def median(name: str, figure: str) -> float:
        return statistics.median(row[figure] for row in found[name]) * 1000

    figures = {
        name: {
            "cold_ms": round(median(name, "cold"), 1),
            "cold_min_ms": round(min(row["cold"] for row in rows) * 1000, 1),
            "warm_p50_ms": round(median(name, "warm"), 3),
        }
        for name, rows in found.items()
    }

    def ratio(one: str, other: str, figure: str) -> float:
        return round(median(one, figure) / median(other, figure), 3)

    return {
        "rounds": len(found["read alone, bare"]),
        "variants": figures,
        "ratios": {
            "cold: dynamodb / baked": ratio("dynamodb, ttl 15", "baked, ttl 15", "cold"),
            "cold: dynamodb / sqlite": ratio("dynamodb, ttl 15", "sqlite, ttl 15", "cold"),
            "cold: read alone, boto3 / bare": ratio(
                "read alone, boto3", "read alone, bare", "cold"
            ),
            "warm: dynamodb ttl 0 / ttl 15": ratio("dynamodb, ttl 0", "dynamodb, ttl 15", "warm"),
            "warm: sqlite ttl 0 / ttl 15": ratio("sqlite, ttl 0", "sqlite, ttl 15", "warm"),
            "warm: dynamodb / baked, ttl 15": ratio("dynamodb, ttl 15", "baked, ttl 15", "warm"),
        },
    }


if __name__ == "__main__":
    main()
