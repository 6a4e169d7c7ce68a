"""How many lines of the processor's cache a request of a function touches: counted, not timed.

The weights of a model fill the caches at each run, so that a request's own code and data come from
memory, line by line, and their number is what the request costs (0016). Valgrind's callgrind counts
it the same on a busy machine: where a tiny model has run, a sweep over memory empties the cache of
2 MB that is simulated. Run by hand from a clone; needs valgrind with its headers, and a C compiler:

    python tests/perf/cache_lines.py --requests 10

Prints one JSON object, per request: `instructions`; `lines`, of code and of data; `by_library`.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support.doors import rest_event  # noqa: E402
from support.function import function_environ, pack, routed  # noqa: E402
from support.tiny import make_home  # noqa: E402

TOGGLE = """
#include <valgrind/callgrind.h>
void toggle(void) { CALLGRIND_TOGGLE_COLLECT; }
"""
CACHES = ["--I1=32768,8,64", "--D1=49152,12,64", "--LL=2097152,16,64"]
REQUEST = """
import ctypes, json, os, runpy, sys
event, count, app, toggle = json.loads(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
handler = runpy.run_path(app)["handler"]
import numpy as np
from maas.engine.session import Session
toggle, swept = ctypes.PyDLL(toggle).toggle, np.ones(4 * 2**20 // 8)
run, counting = Session.run, False
class Context:
    aws_request_id = "00000000-0000-4000-8000-000000000000"
    get_remaining_time_in_millis = staticmethod(lambda: 900_000)
def run_and_sweep(*given, **options):
    answer = run(*given, **options)
    if counting: toggle()
    swept.sum()
    if counting: toggle()
    return answer
Session.run = run_and_sweep
for _ in range(12):  # the interpreter has specialised its code by then
    assert handler(event, Context())["statusCode"] == 200
counting = True
for _ in range(count):
    toggle()
    handler(event, Context())
    toggle()
os._exit(0)
"""


def main() -> None:
    """Count and print."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--requests", type=int, default=10)
    count: int = arguments.parse_args().requests
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = make_home(folder / "home")
        models = pack(home, folder / "models", routed(home, 1, v1=100))
        environ = function_environ(models, endpoint="http://127.0.0.1:9", policy_ttl=3600.0)
        source, library, found = folder / "toggle.c", folder / "toggle.so", folder / "callgrind.out"
        source.write_text(TOGGLE)
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, source], check=True)
        command = ["valgrind", "--tool=callgrind", "--collect-atstart=no", "--cache-sim=yes"]
        command += [*CACHES, f"--callgrind-out-file={found}", sys.executable, "-c", REQUEST]
        event = json.dumps(rest_event(body={"inputs": "a good film"}))
        command += [event, str(count), str(ROOT / "functions/inference/app.py"), str(library)]
        subprocess.run(
            command,
            env={**environ, "MAAS_REGISTRY": home.settings.registry, "PYTHONHASHSEED": "0"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
            timeout=900,
        )
        figures = read(found)
    totals: Counter[str] = sum(figures.values(), Counter())
    summary = {
        "instructions": totals["instructions"] // count,
        "lines": {each: totals[each] // count for each in ("code", "data")},
        "by_library": {
            library: (lines["code"] + lines["data"]) // count
            for library, lines in sorted(
                figures.items(), key=lambda item: -item[1]["code"] - item[1]["data"]
            )
        },
    }
    sys.stdout.write(json.dumps(summary, indent=2) + "\n")


def read(path: Path) -> dict[str, Counter[str]]:
    """What was counted, by library: callgrind's format says each cost where it arose."""
    names: dict[str, str] = {}
    figures: dict[str, Counter[str]] = {}
    events: list[str] = []
    library, is_call = "", False
    for line in path.read_text().splitlines():
        if line.startswith("events:"):
            events = line.split()[1:]
        elif match := re.fullmatch(r"c?ob=\((\d+)\)(?: (.*))?", line):
            if match[2]:
                names[match[1]] = os.path.basename(match[2])  # noqa: PTH119 - a text, and no file
            if line.startswith("ob="):
                library = names[match[1]]
        elif line.startswith("calls="):
            is_call = True  # what follows is the cost of another place
        elif re.match(r"[+*\d-]", line):
            if not is_call:
                cost = dict(zip(events, map(int, line.split()[1:]), strict=False))
                figures.setdefault(library, Counter()).update(
                    instructions=cost.get("Ir", 0),
                    code=cost.get("ILmr", 0),
                    data=cost.get("DLmr", 0) + cost.get("DLmw", 0),
                )
            is_call = False
    return figures


if __name__ == "__main__":
    main()
