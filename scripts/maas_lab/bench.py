"""How fast a version starts and answers, beside a bare script on the same bundle.

Imports `maas`, the lab and the standard library; the measured programs run in fresh processes.

    result = bench_version(settings, "sentiment", None, processes=11, requests=300, console=console)
    result.ratio("handler", "cold_median")    # × the bare script

The machine may be shared, so the variants take turns within every round, the first round is thrown
away, and what counts are medians and ratios.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import Progress

from maas.assembly import build_registry
from maas.bundle.golden import read_golden
from maas.bundle.manifest import digest16
from maas.bundle.verify import Bundle, verify_bundle
from maas.errors import MaasError, RefusedError
from maas.loading import TOKENIZER, choose_form
from maas.registry.addresses import ByAlias
from maas.registry.records import DEFAULT_ALIAS
from maas.settings import child_environment

if TYPE_CHECKING:
    from rich.console import Console

    from maas.registry.addresses import VersionAddress
    from maas.settings import Settings

REFERENCE = "bare script"
FIGURES = ("cold_median", "warm_p50", "warm_p99", "batch_p50", "memory_mb")
"""What is compared with the reference."""
_APP = Path(__file__).parents[2] / "functions" / "inference" / "app.py"
_BATCH = 32
_TIMEOUT_SECONDS = 300
# ru_maxrss is in bytes on macOS and in KiB elsewhere.
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Measured:
    """One variant's figures: milliseconds but for `memory_mb`.

    Attributes:
        cold: Process start to first answer, per process.
        ready: Process start to a loaded model, per process.
        warm_p50: Median over processes of the median of one text's requests.
        warm_p99: Median over processes of their 99th percentile.
        batch_p50: Median over processes of the median of a batch of 32.
        memory_mb: Median over processes of the largest resident set (MB).
    """

    cold: tuple[float, ...]
    ready: tuple[float, ...]
    warm_p50: float
    warm_p99: float
    batch_p50: float
    memory_mb: float

    @property
    def cold_median(self) -> float:
        """Median of `cold`."""
        return statistics.median(self.cold)


@dataclass(frozen=True, slots=True)
class Bench:
    """The figures of one run.

    Attributes:
        model: The model's name.
        version: The version's number.
        digest: Its bundle's digest.
        form: The form that the handler opened.
        words: Words of the measured text, roughly its tokens.
        variants: Figures by variant; `REFERENCE` is among them.
    """

    model: str
    version: int
    digest: str
    form: str
    words: int
    variants: dict[str, Measured]

    def ratios(self, variant: str) -> dict[str, float]:
        """All of a variant's figures as multiples of the bare script's."""
        return {figure: self.ratio(variant, figure) for figure in FIGURES}

    def ratio(self, variant: str, figure: str) -> float:
        """A variant's figure as a multiple of the bare script's."""
        mine, reference = self.variants[variant], self.variants[REFERENCE]
        return float(getattr(mine, figure) / getattr(reference, figure))


def bench_version(
    settings: "Settings",
    model: str,
    address: "VersionAddress | None",
    *,
    processes: int,
    requests: int,
    console: "Console",
) -> Bench:
    """Measure a version; takes about a second per process and variant.

    Raises:
        RefusedError: The version's bundle or the function's source is not here.
        MaasError: A measured program failed.
    """
    with build_registry(settings) as registry:
        version = registry.version(model, address or ByAlias(DEFAULT_ALIAS))
    folder = settings.bundles / model / digest16(version.digest)
    bundle = verify_bundle(folder, digest=version.digest)
    if not _APP.exists():
        raise RefusedError("functions/inference/app.py is not here; run from a clone of maas.")
    texts = _texts(bundle)
    with tempfile.TemporaryDirectory() as scratch:
        commands = _commands(bundle, version.number, texts, Path(scratch), requests)
        environment = child_environment(settings, model)
        reports: dict[str, list[dict[str, float]]] = {name: [] for name in commands}
        with Progress(console=console, transient=True) as progress:
            task = progress.add_task("measuring", total=(processes + 1) * len(commands))
            for turn in range(processes + 1):
                for name in _rotated(list(commands), turn):
                    report = _measure(commands[name], environment)
                    if turn > 0:  # the first round fills the page cache
                        reports[name].append(report)
                    progress.advance(task)
    return Bench(
        model=model,
        version=version.number,
        digest=version.digest,
        form=choose_form(bundle.manifest).name,
        words=len(texts[0].split()),
        variants={name: _summary(rows) for name, rows in reports.items()},
    )


def _texts(bundle: Bundle) -> list[str]:
    """A text of ordinary length first, then enough for a batch."""
    singles = [g.texts[0] for g in read_golden(bundle) if len(g.texts) == 1 and g.texts[0].strip()]
    by_distance = sorted(singles, key=lambda text: abs(len(text.split()) - 20))
    return by_distance[:1] * _BATCH


def _commands(
    bundle: Bundle, number: int, texts: list[str], scratch: Path, requests: int
) -> dict[str, list[str]]:
    batches = {"one": texts[:1], "batch": texts}
    text_file, event_file = scratch / "texts.json", scratch / "events.json"
    text_file.write_text(json.dumps(batches))
    path = f"/models/{bundle.manifest.name}/versions/{number}"
    event_file.write_text(json.dumps({key: _event(path, rows) for key, rows in batches.items()}))
    tokenizer = str(bundle.folder / TOKENIZER)
    commands = {"handler": ["handler", str(_APP), str(event_file), str(requests)]}
    for form in bundle.manifest.forms:
        name = REFERENCE if form.name == "portable" else f"{REFERENCE}, {form.name}"
        graph = str(bundle.graph(form))
        flag = "yes" if form.optimised else "no"
        commands[name] = ["bare", tokenizer, graph, flag, str(text_file), str(requests)]
    return commands


def _event(path: str, texts: list[str]) -> dict[str, object]:
    """A REST API event, as API Gateway sends it."""
    return {
        "resource": path,
        "path": path,
        "httpMethod": "POST",
        "headers": {"content-type": "application/json"},
        "multiValueHeaders": {"content-type": ["application/json"]},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "requestContext": {"resourcePath": path, "httpMethod": "POST", "stage": "bench"},
        "body": json.dumps({"inputs": texts}),
        "isBase64Encoded": False,
    }


def _rotated(names: list[str], turn: int) -> list[str]:
    at = turn % len(names)
    return names[at:] + names[:at]


def _measure(command: list[str], environment: dict[str, str]) -> dict[str, float]:
    probe, *arguments = command
    started = repr(time.monotonic())
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and files
            [sys.executable, "-m", f"maas_lab.probes.{probe}", started, *arguments],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise MaasError(f"The probe {probe} did not end in {_TIMEOUT_SECONDS} s.") from None
    if done.returncode != 0:
        raise MaasError(f"The probe {probe} failed: {done.stderr.strip()[-500:]}")
    report = json.loads(done.stdout.splitlines()[-1])
    warm = sorted(report["warm"])
    return {
        "cold": report["cold"] * 1000,
        "ready": report["ready"] * 1000,
        "warm_p50": statistics.median(warm) * 1000,
        "warm_p99": warm[int(len(warm) * 0.99)] * 1000,
        "batch_p50": statistics.median(report["batch"]) * 1000,
        "memory_mb": report["max_rss"] * _RSS_UNIT / 1e6,
    }


def _summary(rows: list[dict[str, float]]) -> Measured:
    def median(key: str) -> float:
        return statistics.median(row[key] for row in rows)

    return Measured(
        cold=tuple(row["cold"] for row in rows),
        ready=tuple(row["ready"] for row in rows),
        warm_p50=median("warm_p50"),
        warm_p99=median("warm_p99"),
        batch_p50=median("batch_p50"),
        memory_mb=median("memory_mb"),
    )
