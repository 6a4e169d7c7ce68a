"""A recipe: all that decides what a training run computes, typed and checked before any work.

Imports msgspec, `maas.errors`, `maas.limits`, `maas.bundle.manifest` and `maas_lab.recipe_errors`.
One TOML file per model lies in scripts/recipes; the run keeps the canonical JSON of what was really
used:

    recipe = load_recipe(Path("scripts/recipes/sentiment-lstm.toml"), seed=2)
    recipe.training.learning_rate                # 0.001
    run.recipe_file.write_bytes(recipe.encode())
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from maas.bundle.manifest import LABEL
from maas.errors import FieldError
from maas.limits import LIMITS
from maas_lab.recipe_errors import explain, parse_toml

if TYPE_CHECKING:
    from collections.abc import Sequence

MOVIE_REVIEWS = "movie-reviews"

Share = Annotated[float, Meta(ge=0.01, le=0.4)]
Probability = Annotated[float, Meta(ge=0.0, le=0.95)]
Seed = Annotated[int, Meta(ge=0, le=2**32 - 1)]
# The bundle's own rule, whole: what trains for minutes must not be refused at the end.
Label = Annotated[str, Meta(pattern=rf"\A{LABEL.pattern}\Z")]
ShortText = Annotated[str, Meta(min_length=1, max_length=200)]


class DataRecipe(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the rows come from and how they are shared out.

    The split has a seed of its own, so that a model of another `seed` learns from the same rows and
    is measured on the same test rows: the two figures can be compared.
    """

    source: Annotated[str, Meta(min_length=1, max_length=4096)]
    """`movie-reviews`, or the path of a .csv, .jsonl or .parquet file."""
    text_column: ShortText = "text"
    """The column that holds the text; files only."""
    label_column: ShortText = "label"
    """The column that holds the label; files only."""
    labels: Annotated[tuple[Label, ...], Meta(min_length=2, max_length=LIMITS.labels)]
    """The classes, in the order of the network's outputs; a row with any other label is reported
    and not used."""
    validation: Share = 0.1
    """Share of the rows that decides when to stop (0.01 to 0.4)."""
    test: Share = 0.1
    """Share of the rows that is looked at once, at the end (0.01 to 0.4). Training has the rest."""
    split_seed: Seed = 0
    """Seed of the split alone."""

    def __post_init__(self) -> None:
        """Refuse labels that are the same."""
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("Expected `labels` that differ from one another")


class VocabularyRecipe(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which words the model knows."""

    size: Annotated[int, Meta(ge=3, le=1_000_000)] = 10_000
    """Entries at the most, `[PAD]` and `[UNK]` included (words)."""
    max_tokens: Annotated[int, Meta(ge=1, le=LIMITS.tokens)] = 256
    """Tokens of a text that are read; what is longer is cut (tokens)."""


class BiLstmRecipe(
    Struct,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    tag_field="architecture",
    tag="bilstm",
):
    """The sizes of `maas_lab.networks.bilstm`."""

    embedding: Annotated[int, Meta(ge=1, le=4096)] = 128
    """Width of a word's vector (numbers)."""
    hidden: Annotated[int, Meta(ge=1, le=4096)] = 64
    """Width of the state of each direction (numbers)."""
    embedding_dropout: Probability = 0.3
    """Share of the numbers of the word vectors that training sets to zero (0 to 0.95)."""
    dropout: Probability = 0.5
    """Share of the pooled numbers that training sets to zero (0 to 0.95)."""


NetworkRecipe = BiLstmRecipe
"""The union of all architectures, told apart by the key `architecture`."""


class TrainingRecipe(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the network learns: Adam on the cross-entropy, with early stopping."""

    batch_size: Annotated[int, Meta(ge=1, le=65_536)] = 32
    """Texts per step (rows)."""
    learning_rate: Annotated[float, Meta(gt=0.0, le=1.0)] = 1e-3
    """Adam's step size, the same throughout."""
    max_epochs: Annotated[int, Meta(ge=1, le=10_000)] = 12
    """Passes over the training rows at the most (epochs)."""
    patience: Annotated[int, Meta(ge=1, le=10_000)] = 3
    """Training stops after so many epochs in a row without a lower validation loss (epochs)."""
    clip: Annotated[float, Meta(gt=0.0, le=1e6)] = 1.0
    """The gradient's norm is cut to this."""
    word_dropout: Probability = 0.0
    """Share of the words that training replaces by `[UNK]` (0 to 0.95)."""
    checkpoint_steps: Annotated[int, Meta(ge=1, le=1_000_000_000)] = 100
    """A kill loses at most this much work (steps); the result does not depend on it."""
    threads: Annotated[int, Meta(ge=1, le=256)] = 1
    """Threads that torch computes with on a CPU. Two are a third faster for a small network on an
    idle machine, and several times slower where they have to wait for one another."""


class Targets(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the model has to reach to be called good."""

    test_accuracy: Annotated[float, Meta(ge=0.0, le=1.0)]
    """Share of the test rows that are classified rightly (0 to 1)."""


class Recipe(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One training run, but for its data's bytes."""

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{1,31}\Z")]
    """The model's name, such as `sentiment`."""
    task: Literal["text-classification"]
    """What the model is for; decides how it is served."""
    seed: Seed
    """Seed of the first weights, of the order of the batches and of dropout."""
    note: Annotated[str, Meta(max_length=2000)] = ""
    """What readers of the card must know and no figure says."""
    data: DataRecipe
    vocabulary: VocabularyRecipe
    network: NetworkRecipe
    training: TrainingRecipe
    targets: Targets

    def encode(self) -> bytes:
        """The canonical JSON: sorted keys, no path.

        Of a file as source only its name is kept. The run knows the file's rows by their digest,
        and nothing that is shipped may hold a path of this machine.
        """
        kept = msgspec.structs.replace(self.data, source=Path(self.data.source).name)
        return msgspec.json.encode(msgspec.structs.replace(self, data=kept), order="sorted")


def load_recipe(
    path: Path,
    *,
    seed: int | None = None,
    name: str | None = None,
    data: Path | None = None,
    text_column: str | None = None,
    label_column: str | None = None,
    labels: "Sequence[str] | None" = None,
) -> Recipe:
    """Read and check a recipe; arguments that are not None replace what the file says.

    Args:
        path: A TOML file. A relative `data.source` in it is looked for beside it.
        seed: Replaces `seed`.
        name: Replaces `name`.
        data: A file of rows; replaces `data.source`. Relative to the working folder. The file's
            `note` speaks of other rows and is dropped.
        text_column: Replaces `data.text_column`.
        label_column: Replaces `data.label_column`.
        labels: Replaces `data.labels`.

    Raises:
        FieldError: The file cannot be read, or a value is not acceptable. The message names the
            file, the line, the key and what is allowed.
    """
    text, tree = parse_toml(path)
    columns = {"text_column": text_column, "label_column": label_column, "labels": labels}
    given = {key: value for key, value in columns.items() if value is not None}
    section = tree.get("data")
    if isinstance(section, dict):
        _place_source(section, path, data)
        section.update(given)
    if data is not None:
        tree.pop("note", None)
    above = {key: value for key, value in (("seed", seed), ("name", name)) if value is not None}
    tree.update(above)
    replaced = {f"data.{key}" for key in given} | above.keys()
    try:
        return msgspec.convert(tree, Recipe)
    except msgspec.ValidationError as error:
        raise explain(error, path=path, text=text, kind=Recipe, replaced=replaced) from None


def decode_recipe(encoded: bytes) -> Recipe:
    """Read the canonical JSON that a run keeps.

    Raises:
        FieldError: It is not a recipe of this version of the software.
    """
    try:
        return msgspec.json.decode(encoded, type=Recipe)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise FieldError(f"recipe.json is not a recipe: {error}.", field="recipe") from None


def _place_source(section: dict[str, object], path: Path, data: Path | None) -> None:
    source = section.get("source")
    if data is not None:
        section["source"] = str(data.absolute())
    elif isinstance(source, str) and source and source != MOVIE_REVIEWS:
        section["source"] = str(path.absolute().parent / source)
