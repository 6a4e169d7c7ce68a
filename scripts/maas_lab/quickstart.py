"""From nothing to a first answer over HTTP: every step of the README, one after the other.

Imports the lab. Runs the same functions as the verbs of `maas`, so a second run finds what is there
and only serves:

    python -m maas_lab.quickstart [--serve] [--port 8080]
"""

import json
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from maas.assembly import build_registry
from maas.errors import TryAgainError
from maas.registry.addresses import ByNumber
from maas.registry.records import DEFAULT_ALIAS
from maas.settings import read_settings
from maas_lab.baseline import LINEAR, MAJORITY
from maas_lab.bundling import bundle_run
from maas_lab.endings import exit_codes
from maas_lab.export import export_run
from maas_lab.predicting import predict_there
from maas_lab.recipes.recipe import load_recipe
from maas_lab.releasing import promote, register_bundle
from maas_lab.train import train

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maas.settings import Settings

RECIPE = Path(__file__).parents[1] / "recipes" / "sentiment-lstm.toml"
TEXT = "A gripping story, told with warmth and wit."


def main(
    serve: Annotated[bool, typer.Option("--serve", help="Stay up when all is done.")] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
) -> None:
    """Train, export, bundle, register, promote, serve, predict."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is ended, too
    with exit_codes():
        walk(read_settings(), Console(highlight=False), stay=serve, port=port)


def walk(settings: "Settings", console: Console, *, stay: bool, port: int) -> None:
    """Do every step and print its figures."""
    started = time.monotonic()
    with _step(console, "train"):
        run = train(
            load_recipe(RECIPE),
            home=settings.home,
            cache=settings.cache,
            resume=True,  # a quickstart that was interrupted goes on; a new one begins
            console=console,
        )
    with _step(console, "export"):
        exported = export_run(run)
    with _step(console, "bundle"):
        made = bundle_run(run, settings.bundles)
    with _step(console, "register and promote"), build_registry(settings) as registry:
        version = register_bundle(registry, made.bundle.folder).record
        if DEFAULT_ALIAS not in registry.policy(version.model).aliases:  # later ones stay
            first = ByNumber(version.number)
            promote(registry, settings.bundles, version.model, first, reason="quickstart")
        newest = registry.model(version.model).last_version
    with _step(console, "serve"), _server(port) as (server, url):
        before = time.perf_counter()
        answer = predict_there(url, version.model, None, [TEXT], top_k=1)
        spent = (time.perf_counter() - before) * 1000
        best = answer.rows[0][0]
        summary = run.summary()
        console.print(
            f"\n  {TEXT!r} is {best['label']} ({best['score']:.2f}),"
            f" says version {answer.version} after {spent:.0f} ms\n\n"
            f"  version {version.number}, run {run.name}\n"
            f"  test accuracy    {summary.reached:.3f}"
            f"   (TF-IDF baseline {summary.baselines[LINEAR]:.3f},"
            f" majority {summary.baselines[MAJORITY]:.3f})\n"
            f"  torch against ONNX, largest difference of a logit"
            f" {exported.parity.max_difference:.1e}\n"
            f"  bundle           {made.bytes / 1e6:.1f} MB in {len(made.bytes_by_form)} forms,"
            f" {made.bundle.digest[:23]}…\n"
            f"  card             {made.card / 'card.md'}\n"
            f"  all of it took   {time.monotonic() - started:.0f} s\n",
            markup=False,
            soft_wrap=True,
        )
        console.print(_next_commands(version.model, newest + 1), markup=False, soft_wrap=True)
        if stay:
            console.print(f"\nserving on {url}; Ctrl-C ends it", markup=False)
            server.wait()


def _next_commands(model: str, number: int) -> str:
    recipe = RECIPE.relative_to(Path(__file__).parents[2])
    return (
        "Next, with . .venv/bin/activate:\n"
        "  maas serve                                   answer on http://127.0.0.1:8080\n"
        f"  maas train {recipe} --seed {number}\n"
        f"  maas export && maas bundle && maas register  becomes version {number}\n"
        f"  maas promote {model}@{number} --weight 10            10 % of the requests\n"
        f"  maas rollback {model}\n"
        f"  maas bench {model}"
    )


@contextmanager
def _step(console: Console, name: str) -> "Iterator[None]":
    console.print(f"== {name}", markup=False, style="bold")
    started = time.monotonic()
    yield
    console.print(f"   {name}: {time.monotonic() - started:.1f} s", markup=False, style="dim")


@contextmanager
def _server(port: int) -> "Iterator[tuple[subprocess.Popen[str], str]]":
    """Run `maas serve` beside this process, and end it afterwards."""
    command = [sys.executable, "-m", "maas_lab.cli", "serve", "--port", str(port), "--json"]
    with subprocess.Popen(  # noqa: S603 - our own interpreter and module
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            assert server.stdout is not None  # noqa: S101 - a pipe was asked for
            line = server.stdout.readline()  # one JSON line once it listens; empty if it ended
            if not line:
                raise TryAgainError("The server did not start; run maas serve to see why.")
            yield server, json.loads(line)["url"]
        finally:
            server.terminate()


if __name__ == "__main__":
    typer.run(main)
