"""A training small enough for a test: made-up rows, a tiny network, one thread."""

from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import msgspec
from rich.console import Console

from maas_lab.recipes.recipe import TextClassification, load_recipe
from maas_lab.runs import Run
from maas_lab.train import train

RECIPE = """
name = "tiny"
task = "text-classification"
seed = 3

[data]
source = "rows.csv"
labels = ["bad", "good"]
validation = 0.2
test = 0.2

[vocabulary]
size = 60

[network]
architecture = "bilstm"
embedding = 8
hidden = 4

[training]
batch_size = 4
learning_rate = 0.01
max_epochs = 3
patience = 2
word_dropout = 0.1
checkpoint_steps = 5

[targets]
test_accuracy = 0.6
"""


def made_up_rows(rows: int) -> str:
    """Rows whose label follows from one word; the others are noise."""
    lines = ["text,label"]
    for row in range(rows):
        word, label = (("dull", "bad"), ("fine", "good"))[row % 2]
        noise = " ".join(f"w{(row * factor) % 11}" for factor in range(1, 2 + row % 7))
        lines.append(f"{noise} {word} n{row},{label}")
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Lab:
    """A folder with a tiny recipe and its rows."""

    folder: Path

    @property
    def recipe_file(self) -> Path:
        return self.folder / "tiny.toml"

    @property
    def rows_file(self) -> Path:
        return self.folder / "rows.csv"

    def recipe(self, *, seed: int | None = None, **training: object) -> TextClassification:
        recipe = load_recipe(self.recipe_file, seed=seed)
        assert isinstance(recipe, TextClassification)
        changed = msgspec.structs.replace(recipe.training, **training)
        return msgspec.structs.replace(recipe, training=changed)

    def train(
        self,
        recipe: TextClassification | None = None,
        *,
        home: str = "home",
        resume: bool = False,
        restart: bool = False,
        console: Console | None = None,
    ) -> Run:
        return train(
            recipe or self.recipe(),
            home=self.folder / home,
            cache=self.folder / "cache",
            resume=resume,
            restart=restart,
            console=console or Console(file=StringIO()),
            device="cpu",
        )
