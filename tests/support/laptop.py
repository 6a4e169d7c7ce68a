"""A laptop in a temporary folder: small data, the `maas` command, and a running server."""

import csv
import json
import random
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from typer.testing import CliRunner, Result

from maas_lab import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

GOOD = ("lovely", "warm", "funny", "brilliant", "tender", "gripping", "moving", "bright")
BAD = ("dull", "cold", "boring", "clumsy", "harsh", "tedious", "hollow", "grim")
NEUTRAL = ("film", "story", "scene", "plot", "actor", "script", "music", "ending", "a", "the")

RECIPE = """\
name = "sentiment"
task = "text-classification"
seed = 1

[data]
source = "reviews.csv"
labels = ["negative", "positive"]

[vocabulary]
size = 60
max_tokens = 64

[network]
architecture = "bilstm"
embedding = 12
hidden = 6

[training]
batch_size = 16
learning_rate = 0.02
max_epochs = 2

[targets]
test_accuracy = 0.6
"""


def write_reviews(path: Path, rows: int, *, seed: int = 0) -> None:
    """Write made-up reviews whose label a small network can learn."""
    rng = random.Random(seed)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for index in range(rows):
            words = [rng.choice(NEUTRAL) for _ in range(rng.randint(3, 12))]
            words += rng.choices(GOOD if index % 2 else BAD, k=2)
            rng.shuffle(words)
            writer.writerow(
                [" ".join(words) + f" {index}", "positive" if index % 2 else "negative"]
            )


@dataclass
class Laptop:
    """The `maas` command with a home of its own."""

    home: Path
    environment: dict[str, str] = field(init=False)
    recipe: Path = field(init=False)

    def __post_init__(self) -> None:
        """Lay the recipe and its data beside each other."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.environment = {"MAAS_HOME": str(self.home / "state"), "MAAS_ACTOR": "ada"}
        self.recipe = self.home / "recipe.toml"
        self.recipe.write_text(RECIPE)
        write_reviews(self.home / "reviews.csv", 2400)

    @property
    def bundles(self) -> Path:
        """Where the bundles lie."""
        return self.home / "state" / "bundles"

    def run(self, *arguments: str, stdin: str | None = None) -> Result:
        """Run a verb in this process; its exit code is for the caller to look at."""
        return CliRunner().invoke(cli.app, arguments, input=stdin, env=self.environment)

    def ok(self, *arguments: str) -> dict[str, object]:
        """Run a verb that must succeed, and give its JSON."""
        result = self.run(*arguments, "--json")
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        answer: dict[str, object] = json.loads(result.stdout)
        return answer

    def ship(self, *, seed: int) -> dict[str, object]:
        """Train, export, bundle and register; gives the version's record."""
        self.ok("train", str(self.recipe), "--seed", str(seed))
        self.ok("export")
        self.ok("bundle")
        return self.ok("register")

    @contextmanager
    def serving(self, *arguments: str) -> "Iterator[str]":
        """Run `maas serve` in a process of its own; gives its URL."""
        command = [sys.executable, "-m", "maas_lab.cli", "serve", "--port", "0", "--json"]
        with (
            (self.home / "serve.log").open("w") as log,
            subprocess.Popen(
                [*command, *arguments],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={"PATH": "", **self.environment},
            ) as server,
        ):
            try:
                assert server.stdout is not None
                yield json.loads(server.stdout.readline())["url"]
            finally:
                server.terminate()
                server.communicate(timeout=15)
