"""Run folders: where a training run keeps everything, and how a run is found again.

Imports `maas.errors`, `maas_lab.recipes.recipe` and `maas_lab.records`. A run's name says what it
computes: the same recipe on the same rows is the same run.

    run = run_folder(settings.home, recipe, data_digest)      # .maas/runs/sentiment-s1-3f2a9c01
    run = open_run(settings.home, "sentiment-s1-3f2a9c01")    # or a path
    run.summary().test.accuracy
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from maas.errors import NotFoundError, RefusedError
from maas_lab.recipes.recipe import AnyRecipe, decode_recipe
from maas_lab.records import DataCard, Environment, Record, Summary, decode_record

if TYPE_CHECKING:
    import numpy.typing as npt

_RUN_NAME = re.compile(r"[a-z][a-z0-9-]{1,31}-s\d{1,10}-[0-9a-f]{8}")


class TextRow(Struct, frozen=True, forbid_unknown_fields=True, tag="text"):
    """A text and its label, as test.jsonl keeps them; the label is empty where there is none."""

    text: str
    label: str = ""


class PairRow(Struct, frozen=True, forbid_unknown_fields=True, tag="pair"):
    """A text and what it becomes, as test.jsonl keeps them."""

    source: str
    target: str


class PictureRow(Struct, frozen=True, forbid_unknown_fields=True, tag="picture"):
    """A picture and its label, as test.jsonl keeps them."""

    shape: tuple[int, int, int]
    """Height, width and channels."""
    data: bytes
    """The pixels, uint8 in row-major order; base64 in the file."""
    label: str

    def pixels(self) -> "npt.NDArray[np.uint8]":
        """uint8 `[height, width, channels]`."""
        return np.frombuffer(self.data, np.uint8).reshape(self.shape)


TestRow = TextRow | PairRow | PictureRow


@dataclass(frozen=True, slots=True)
class Run:
    """A run's folder, by the names of its parts. Nothing is read until it is asked for."""

    folder: Path

    @property
    def name(self) -> str:
        """The run's name, such as `sentiment-s1-3f2a9c01`."""
        return self.folder.name

    @property
    def finished(self) -> bool:
        """Whether the summary, which is written last, is there."""
        return self.summary_file.is_file()

    @property
    def recipe_file(self) -> Path:
        """The canonical JSON of the recipe; written first."""
        return self.folder / "recipe.json"

    @property
    def environment_file(self) -> Path:
        """Versions, device and commit."""
        return self.folder / "environment.json"

    @property
    def data_file(self) -> Path:
        """The data card."""
        return self.folder / "data.json"

    @property
    def test_file(self) -> Path:
        """The test rows, one JSON object a line."""
        return self.folder / "test.jsonl"

    @property
    def tokenizer_file(self) -> Path:
        """The vocabulary, as the `tokenizers` library keeps it."""
        return self.folder / "tokenizer.json"

    @property
    def checkpoints(self) -> Path:
        """The folder of what training needs to go on."""
        return self.folder / "checkpoints"

    @property
    def best_file(self) -> Path:
        """The weights of the epoch with the lowest validation loss."""
        return self.checkpoints / "best.safetensors"

    @property
    def checkpoint(self) -> Path:
        """The folder with config.json, the sizes, of a checkpoint that the run began with."""
        return self.folder / "checkpoint"

    @property
    def metrics_file(self) -> Path:
        """One JSON object per reported step and per epoch."""
        return self.folder / "metrics.jsonl"

    @property
    def plots(self) -> Path:
        """The folder of the PNG files."""
        return self.folder / "plots"

    @property
    def summary_file(self) -> Path:
        """The figures of a finished run; written last."""
        return self.folder / "summary.json"

    def recipe(self) -> AnyRecipe:
        """What the run computes.

        Raises:
            FieldError: The file is not a recipe.
            RefusedError: The file is absent.
        """
        return decode_recipe(self._read(self.recipe_file))

    def environment(self) -> Environment:
        """Where the run was made."""
        return self._record(self.environment_file, Environment)

    def data_card(self) -> DataCard:
        """What the run learned from."""
        return self._record(self.data_file, DataCard)

    def summary(self) -> Summary:
        """The figures at the end.

        Raises:
            RefusedError: The run is not finished, or the file is not a summary.
        """
        return self._record(self.summary_file, Summary)

    def test_rows(self) -> "list[TestRow]":
        """The test rows that were kept, in the order of the split: what an export is compared on.

        All rows of one run are of one kind.
        """
        lines = self._read(self.test_file).splitlines()
        return [msgspec.json.decode(line, type=TestRow) for line in lines]

    def picture_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the run's pictures.

        Raises:
            RefusedError: It has none.
        """
        rows = self.test_rows()
        if not rows or not isinstance(rows[0], PictureRow):
            raise RefusedError(f"Run {self.name} keeps no pictures; train it with --restart.")
        height, width, channels = rows[0].shape
        return channels, height, width

    def _record(self, path: Path, kind: type[Record]) -> Record:
        return decode_record(self._read(path), kind)

    def _read(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except FileNotFoundError:
            state = "is damaged" if self.finished else "is not finished: train it with --resume"
            raise RefusedError(f"Run {self.name} has no {path.name}; it {state}.") from None


def run_folder(home: Path, recipe: AnyRecipe, data_digest: str) -> Run:
    """The folder of this recipe on these rows, whether it exists or not.

    What computes nothing (the note, the minutes, the threads, how often a checkpoint is written)
    does not count: a run goes on with other values of these, and a finished one stays finished.
    The target does: the summary says whether it was met.
    """
    training = replace(recipe.training, threads=1, checkpoint_steps=1)
    computed = replace(recipe, note="", minutes=0.0, training=training)
    digest = hashlib.sha256(computed.encode() + data_digest.encode()).hexdigest()
    return Run(home / "runs" / f"{recipe.name}-s{recipe.seed}-{digest[:8]}")


def open_run(home: Path, reference: str) -> Run:
    """Find a run by its name or by its folder's path.

    Raises:
        NotFoundError: There is no such run; the message names those that there are.
    """
    for folder in (home / "runs" / reference, Path(reference)):
        run = Run(folder.absolute())
        if run.recipe_file.is_file():
            return run
    known = ", ".join(run.name for run in list_runs(home)[-5:]) or "none yet"
    raise NotFoundError(f"No run is called {reference}. Newest runs: {known}.", field="run")


def list_runs(home: Path) -> list[Run]:
    """All runs; the one that was begun, finished or asked for last is last."""
    found = []
    for folder in (home / "runs").glob("*"):
        run = Run(folder)
        if _RUN_NAME.fullmatch(run.name) and run.recipe_file.is_file():
            found.append(run)
    return sorted(found, key=lambda run: (touched(run), run.name))


def touched(run: Run) -> int:
    """When a run was begun, finished or asked for last, in nanoseconds."""
    file = run.summary_file if run.finished else run.recipe_file
    return file.stat().st_mtime_ns
