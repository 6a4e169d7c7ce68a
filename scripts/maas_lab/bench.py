"""How fast a version starts and answers, beside a bare script on the same bundle.

Imports `maas`, the lab and the standard library; the measured programs run in fresh processes.

    bench = bench_version(settings, "sentiment", None, processes=11, requests=300, console=console)
    bench.ratio("handler", "cold")           # × the bare script
    [row for row in bench.rows if row.met is False]

The machine may be shared, so the programs take turns within every round, the first round is thrown
away, and what counts are medians and ratios.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import Progress

from maas.assembly import build_registry
from maas.bundle.manifest import digest16
from maas.bundle.verify import verify_bundle
from maas.errors import MaasError, RefusedError
from maas.loading import choose_form
from maas.registry.addresses import ByAlias
from maas.registry.records import DEFAULT_ALIAS
from maas.settings import child_environment
from maas_lab.benching.figures import Bench, promised, summarise
from maas_lab.benching.packed import policy_of, registry_stand_in
from maas_lab.benching.programs import APP, make_programs
from maas_lab.benching.texts import measured_texts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from maas.registry.addresses import VersionAddress
    from maas.settings import Settings
    from maas_lab.benching.programs import Program

_TIMEOUT_SECONDS = 300


def bench_version(
    settings: "Settings",
    model: str,
    address: "VersionAddress | None",
    *,
    processes: int,
    requests: int,
    console: "Console",
) -> Bench:
    """Measure a version; takes some seconds per round.

    Args:
        settings: Where the registry and the bundles are.
        model: The model's name.
        address: Which version; what production routes to when None.
        processes: Rounds that count, each with a fresh process of every program.
        requests: Warm requests of each process.
        console: Where progress is shown.

    Raises:
        RefusedError: The version's bundle or the function's source is not here, or it reads no
            texts.
        MaasError: A measured program failed.
    """
    with build_registry(settings) as registry:
        version = registry.version(model, address or ByAlias(DEFAULT_ALIAS))
    folder = settings.bundles / model / digest16(version.digest)
    bundle = verify_bundle(folder, digest=version.digest)
    if not APP.exists():
        raise RefusedError("functions/inference/app.py is not here; run from a clone of maas.")
    texts = measured_texts(bundle)
    own = choose_form(bundle.manifest).name
    policy = policy_of(bundle, version.number)
    with tempfile.TemporaryDirectory() as scratch, registry_stand_in(policy) as address_of_registry:
        programs = make_programs(
            bundle,
            version.number,
            texts,
            scratch=Path(scratch),
            registry=address_of_registry,
            own=own,
            environment=child_environment(settings, model),
            requests=requests,
        )
        rounds = measure_rounds(programs, processes, console=console)
    return Bench(
        model=model,
        version=version.number,
        digest=version.digest,
        form=own,
        tokens=texts.tokens,
        rounds=processes,
        variants=summarise(rounds),
        rows=promised(rounds, own),
    )


def measure_rounds(
    programs: "Mapping[str, Program]", count: int, *, console: "Console"
) -> dict[str, list[dict[str, float]]]:
    """Start every program once in every round, in an order that turns.

    Returns:
        By program, the figures of each round but the first.

    Raises:
        MaasError: One failed, or did not end.
    """
    names = list(programs)
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("measuring", total=(count + 1) * len(names))
        for turn in range(count + 1):
            at = turn % len(names)
            for name in names[at:] + names[:at]:
                figures = _measure(programs[name])
                if turn > 0:  # the first round fills the page cache
                    rounds[name].append(figures)
                progress.advance(task)
    return rounds


def _measure(program: "Program") -> dict[str, float]:
    started = repr(time.monotonic())
    count = str(program.requests)
    module = f"maas_lab.probes.{program.probe}"
    try:
        # No site-packages: what a program may import is in its environment.
        done = subprocess.run(  # noqa: S603 - our own interpreter and files
            [sys.executable, "-S", "-m", module, started, count, *program.arguments],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            env=program.environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise MaasError(f"The probe {program.probe} did not end in {_TIMEOUT_SECONDS} s.") from None
    if done.returncode != 0:
        raise MaasError(f"The probe {program.probe} failed: {done.stderr.strip()[-500:]}")
    return _figures(json.loads(done.stdout.splitlines()[-1]))


def _figures(report: dict[str, list[float] | float]) -> dict[str, float]:
    """Milliseconds and MB."""
    found = {}
    for name, value in report.items():
        if isinstance(value, list):
            if name == "one" and value:
                ordered = sorted(value)
                found["warm_p50"] = statistics.median(ordered) * 1000
                found["warm_p99"] = ordered[int(len(ordered) * 0.99)] * 1000
            elif value:
                found[name] = statistics.median(value) * 1000
        elif name.endswith("_bytes"):
            found[name.removesuffix("_bytes") + "_mb"] = value / 1e6
        else:
            found[name] = value * 1000
    return found
