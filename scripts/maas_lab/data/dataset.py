"""From a recipe's data section to rows that can be trained on, and the card that describes them.

Imports `maas.errors`, `maas_lab.recipes.data`, `maas_lab.records` and the other modules of this
room:

    dataset = load_texts(recipe.data, cache=settings.cache)
    len(dataset.train), dataset.card.digest, dataset.card.labels
    report(dataset.card)                       # lines for the console
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from maas.errors import FieldError
from maas_lab.data.about import about_file
from maas_lab.data.cards import count_labels, make_card, report
from maas_lab.data.files import read_pairs, read_rows
from maas_lab.data.known_sets import PAIR_SETS, PICTURE_SETS
from maas_lab.data.pair_splits import PairRule, digest_pairs, split_pairs
from maas_lab.data.pictures import (
    digest_pictures,
    first_pictures,
    read_picture_folder,
    split_pictures,
)
from maas_lab.data.plain_texts import read_plain
from maas_lab.data.rows import Pair, Picture, Sample
from maas_lab.data.splits import deduplicate, digest_rows, split
from maas_lab.data.text_sets import (
    TEXT_SETS,
    load_transfer,
    refuse_hopeless,
    require_known,
    resolve_labels,
)
from maas_lab.recipes.data import is_known_set

if TYPE_CHECKING:
    from collections.abc import Callable

    from maas_lab.data.rows import PairReading
    from maas_lab.recipes.data import ImageData, PairData, TextData
    from maas_lab.records import DataCard

__all__ = [
    "Dataset",
    "load_pairs",
    "load_pictures",
    "load_plain",
    "load_texts",
    "load_transfer",
    "report",
]

AnyRow = TypeVar("AnyRow")


@dataclass(frozen=True, slots=True)
class Dataset(Generic[AnyRow]):
    """Rows by split, without duplicates between or within them.

    Attributes:
        train: What the network and the vocabulary learn from.
        validation: What decides when to stop.
        test: What is looked at once, at the end.
        card: Where it all comes from, and what was left out.
    """

    train: list[AnyRow]
    validation: list[AnyRow]
    test: list[AnyRow]
    card: "DataCard"


def load_texts(
    recipe: "TextData", *, cache: Path, say: "Callable[[str], None]" = lambda _: None
) -> Dataset[Sample]:
    """Read, check, deduplicate and split the labelled texts of a recipe.

    Args:
        recipe: The data section. Where it names no labels, those that the rows have are taken,
            sorted by name; the card says which.
        cache: The folder that keeps fetched data sets.
        say: Tells the user about a download.

    Raises:
        FieldError: The set, the file or a column is not acceptable, nothing is usable, or a label
            is short of rows. The message says what to do.
        TryAgainError: A data set has to be fetched and the registry is away.
        RefusedError: A fetched data set is not the one that was expected.
    """
    name = Path(recipe.source).name
    files: dict[str, str] = {}
    if is_known_set(recipe.source):
        known = TEXT_SETS[require_known(recipe.source, TEXT_SETS)]
        reading, about, files = (
            known.read(cache, labels=recipe.labels, say=say),
            known.about,
            known.files,
        )
    else:
        reading, about = read_rows(Path(recipe.source), recipe), about_file(name)
    refuse_hopeless(reading, name)
    kept, duplicates = deduplicate(reading.samples)
    labels = resolve_labels(recipe, kept, name)
    splits = split(kept, msgspec.structs.replace(recipe, labels=labels))
    splits["train"] = splits["train"][: recipe.train_rows or None]
    card = make_card(
        name,
        about,
        reading,
        rows=reading.rows,
        digest=digest_rows(kept),
        counts=count_labels(splits, labels),
        labels=labels,
        duplicates=duplicates,
        files=files,
    )
    return Dataset(splits["train"], splits["validation"], splits["test"], card)


def load_plain(
    recipe: "TextData", *, cache: Path, say: "Callable[[str], None]" = lambda _: None
) -> Dataset[str]:
    """Texts without labels, to try on what was learned elsewhere; there are no training rows.

    Args:
        recipe: The data section; its source is `mixed-english` or a file, of which the text column
            alone is read. `train_rows` bounds all texts together.
        cache: The folder that keeps fetched data sets.
        say: Tells the user about a download.

    Raises:
        FieldError: There is no such set, or the file or its column is not acceptable.
        TryAgainError: A data set has to be fetched and the registry is away.
        RefusedError: A fetched data set is not the one that was expected.
    """
    splits, card = read_plain(recipe, cache=cache, say=say)
    return Dataset(splits["train"], splits["validation"], splits["test"], card)


def load_pairs(
    recipe: "PairData", *, cache: Path, say: "Callable[[str], None]" = lambda _: None
) -> Dataset[Pair]:
    """Read, check, deduplicate and split the pairs of texts of a recipe.

    Args:
        recipe: The data section.
        cache: The folder that keeps fetched data sets.
        say: Tells the user about a download.

    Raises:
        FieldError: The set, the file or a column is not acceptable, or too little is usable.
        TryAgainError: A data set has to be fetched and the archive is away.
        RefusedError: A fetched data set is not as it was, or a tool is missing.
    """
    name = Path(recipe.source).name
    files: dict[str, str] = {}
    if is_known_set(recipe.source):
        about, read, rule = PAIR_SETS[require_known(recipe.source, PAIR_SETS)]
        reading, files = read(cache, say=say)
    else:
        reading, about = read_pairs(Path(recipe.source), recipe), about_file(name)
        rule = PairRule()
    _refuse_none(reading, name)
    rows = reading.rows
    splits, duplicates = split_pairs(reading, recipe, rule)
    digest = digest_pairs([pair for pairs in splits.values() for pair in pairs])
    splits["train"] = splits["train"][: recipe.train_rows or None]
    splits["test"] = splits["test"][: recipe.test_rows or None]
    card = make_card(
        name,
        about,
        reading,
        rows=rows,
        digest=digest,
        counts={split: {"pairs": len(pairs)} for split, pairs in splits.items()},
        duplicates=duplicates,
        files=files,
    )
    return Dataset(splits["train"], splits["validation"], splits["test"], card)


def load_pictures(
    recipe: "ImageData", *, cache: Path, say: "Callable[[str], None]" = lambda _: None
) -> Dataset[Picture]:
    """Read, check, deduplicate and split the pictures of a recipe.

    Args:
        recipe: The data section; its source is a data set or a folder of four IDX files.
        cache: The folder that keeps fetched data sets.
        say: Tells the user about a download.

    Raises:
        FieldError: The set, a file or a label is not acceptable. The message names the file.
        TryAgainError: A data set has to be fetched and the registry is away.
        RefusedError: A fetched data set is not the one that was expected, or a tool is missing.
    """
    name = Path(recipe.source).name
    if is_known_set(recipe.source):
        about, read = PICTURE_SETS[require_known(recipe.source, PICTURE_SETS)]
        found = read(cache, say=say)
    else:
        found, about = read_picture_folder(Path(recipe.source)), about_file(name)
    splits, findings, duplicates = split_pictures(found, recipe)
    digest = digest_pictures(splits)
    splits["train"] = splits["train"][: recipe.train_rows or None]
    splits["test"] = first_pictures(splits["test"], recipe.test_rows, recipe.split_seed)
    card = make_card(
        name,
        about,
        findings,
        rows=sum(map(len, found.labels.values())),
        digest=digest,
        counts=count_labels(splits, recipe.labels),
        labels=recipe.labels,
        duplicates=duplicates,
        files=found.files,
    )
    return Dataset(splits["train"], splits["validation"], splits["test"], card)


def _refuse_none(reading: "PairReading", name: str) -> None:
    if not reading.rows:
        raise FieldError(f"{name}: holds no rows.", field="data")
    if not reading.pairs:
        first = next(iter(reading.unusable), None)
        why = f"; line {first.line}: {first.reason}" if first else ""
        raise FieldError(f"{name}: none of its {reading.rows} rows can be used{why}.", field="data")
