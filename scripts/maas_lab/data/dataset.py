"""From a recipe's data section to rows that can be trained on, and the card that describes them.

Imports `maas.errors`, `maas_lab.recipe`, `maas_lab.records` and the other modules of this room:

    dataset = load_dataset(recipe.data, cache=settings.cache)
    len(dataset.train), dataset.card.digest
    report(dataset.card)                       # lines for the console
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from maas.errors import FieldError
from maas_lab.data import movie_reviews
from maas_lab.data.files import read_rows
from maas_lab.data.splits import deduplicate, digest_rows, split
from maas_lab.recipe import MOVIE_REVIEWS
from maas_lab.records import DataCard

if TYPE_CHECKING:
    from collections.abc import Callable

    from maas_lab.data.rows import Reading, Sample
    from maas_lab.recipe import DataRecipe

_LINES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Dataset:
    """Rows by split, without duplicates between or within them.

    Attributes:
        train: What the network and the vocabulary learn from.
        validation: What decides when to stop.
        test: What is looked at once, at the end.
        card: Where it all comes from, and what was left out.
    """

    train: "list[Sample]"
    validation: "list[Sample]"
    test: "list[Sample]"
    card: DataCard


def load_dataset(
    recipe: "DataRecipe", *, cache: Path, say: "Callable[[str], None]" = lambda _: None
) -> Dataset:
    """Read, check, deduplicate and split the rows of a recipe.

    Args:
        recipe: The data section.
        cache: The folder that keeps fetched data sets.
        say: Tells the user about a download.

    Raises:
        FieldError: The file or a column is not acceptable, nothing is usable, or a label is short
            of rows. The message says what to do.
        TryAgainError: A data set has to be fetched and the registry is away.
        RefusedError: A fetched data set is not the one that was expected.
    """
    path = Path(recipe.source)
    if recipe.source == MOVIE_REVIEWS:
        reading = movie_reviews.read_movie_reviews(cache, labels=recipe.labels, say=say)
        title, licence = movie_reviews.TITLE, movie_reviews.LICENCE
        citation = movie_reviews.CITATION
    else:
        reading = read_rows(path, recipe)
        title, licence, citation = f"Rows of {path.name}", "The owner of the file knows.", ""
    _refuse_hopeless(reading, path.name)
    kept, duplicates = deduplicate(reading.samples)
    splits = split(kept, recipe)
    card = DataCard(
        source=path.name,
        title=title,
        licence=licence,
        citation=citation,
        digest=digest_rows(kept),
        labels=list(recipe.labels),
        rows=reading.rows,
        counts={name: _count(rows, recipe.labels) for name, rows in splits.items()},
        duplicates=duplicates,
        reasons=dict(Counter(row.reason for row in reading.unusable).most_common()),
        unusable=reading.unusable,
    )
    return Dataset(splits["train"], splits["validation"], splits["test"], card)


def report(card: DataCard) -> list[str]:
    """What a reader of the console should know about the rows, a line each."""
    sizes = ", ".join(f"{sum(counts.values())} {name}" for name, counts in card.counts.items())
    lines = [f"{card.source}: {card.rows} rows read; {sizes}"]
    for reason, count in card.reasons.items():
        where = [row.line for row in card.unusable if row.reason == reason]
        lines.append(f"  not used: {count} {reason} (line {_shown(where)})")
    if card.duplicates.repeated:
        where = card.duplicates.repeated
        lines.append(f"  not used: {len(where)} repeated (line {_shown(where)})")
    if card.duplicates.conflicting:
        where = card.duplicates.conflicting
        lines.append(f"  not used: {len(where)} same text, other label (line {_shown(where)})")
    return lines


def _refuse_hopeless(reading: "Reading", name: str) -> None:
    """Stop before any work where no row, or no row of some label, can be used."""
    if not reading.rows:
        raise FieldError(f"{name}: holds no rows.", field="data")
    strange = sorted({row.detail for row in reading.unusable if row.reason == "unknown label"})
    remedy = ""
    if strange:
        remedy = f" Other labels found: {_shown(strange)}. Name the right ones, each with --label."
    if not reading.samples:
        first = reading.unusable[0]
        raise FieldError(
            f"{name}: none of its {reading.rows} rows can be used; line {first.line}: "
            f"{first.reason}.{remedy}",
            field="data",
        )
    present = {sample.label for sample in reading.samples}
    for label in reading.labels:
        if label not in present:
            raise FieldError(
                f"{name}: no usable row has the label {label}.{remedy}", field="data.labels"
            )


def _count(rows: "list[Sample]", labels: tuple[str, ...]) -> dict[str, int]:
    counts = Counter(row.label for row in rows)
    return {label: counts[label] for label in labels}


def _shown(values: "list[int] | list[str]") -> str:
    shown = ", ".join(str(value) for value in values[:_LINES_SHOWN])
    return shown + (", …" if len(values) > _LINES_SHOWN else "")
