"""Where the rows of a recipe come from and how they are shared out.

Imports msgspec and `maas.limits`. One struct for each kind of rows: labelled texts, labelled
pictures, pairs of texts.

The split has a seed of its own, so that a model of another `seed` learns from the same rows and is
measured on the same test rows: the two figures can be compared.
"""

import re
from typing import Annotated

from msgspec import Meta, Struct

from maas.limits import LIMITS
from maas_lab.recipes.parts import Label, Seed, Share, ShortText, Source

_SET_NAME = re.compile(r"[a-z][a-z0-9-]*")
Labels = Annotated[tuple[Label, ...], Meta(min_length=2, max_length=LIMITS.labels)]


class DataRecipe(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What all kinds of rows have in common."""

    source: Source
    """The name of a data set that `maas_lab.data` knows, or the path of a file."""
    validation: Share = 0.1
    """Share of the rows that decides when to stop (0.01 to 0.4)."""
    split_seed: Seed = 0
    """Seed of the split alone."""
    train_rows: Annotated[int, Meta(ge=0)] = 0
    """Training rows at the most, the first of the split; 0 takes all. For smoke runs."""


class TextData(DataRecipe, frozen=True):
    """Texts with a label."""

    text_column: ShortText = "text"
    """The column that holds the text; files only."""
    label_column: ShortText = "label"
    """The column that holds the label; files only."""
    labels: Annotated[tuple[Label, ...], Meta(max_length=LIMITS.labels)] = ()
    """The classes, in the order of the network's outputs; a row with any other label is reported
    and not used. Empty: every label that the rows have, in the order of their names."""
    test: Share = 0.1
    """Share of the rows that is looked at once, at the end (0.01 to 0.4). Training has the rest."""

    def __post_init__(self) -> None:
        """Refuse labels that are the same, and a single one."""
        _check_labels(self.labels, fewest=2)


class ImageData(DataRecipe, frozen=True):
    """Pictures with a label. Data sets have a test split of their own, which is kept as it is."""

    labels: Labels
    """The classes, by their number in the data set."""
    test_rows: Annotated[int, Meta(ge=0)] = 0
    """Test rows at the most; 0 takes all. For smoke runs."""

    def __post_init__(self) -> None:
        """Refuse labels that are the same."""
        _check_labels(self.labels, fewest=2)


class PairData(DataRecipe, frozen=True):
    """Texts with the text that they become: a translation, a summary."""

    source_column: ShortText = "source"
    """The column that holds the text; files only."""
    target_column: ShortText = "target"
    """The column that holds what it becomes; files only."""
    test: Share = 0.1
    """Share of the rows, or of the groups that belong together, that is looked at once, at the
    end (0.01 to 0.4)."""
    test_rows: Annotated[int, Meta(ge=0)] = 0
    """Test rows at the most; 0 takes all. For smoke runs."""


def _check_labels(labels: tuple[str, ...], *, fewest: int) -> None:
    if labels and len(labels) < fewest:
        raise ValueError(f"Expected `labels` of at least {fewest} classes")
    if len(set(labels)) != len(labels):
        raise ValueError("Expected `labels` that differ from one another")


def is_known_set(source: str) -> bool:
    """Whether a source is the name of a data set, such as `movie-reviews`; else it is a path."""
    return bool(_SET_NAME.fullmatch(source))
