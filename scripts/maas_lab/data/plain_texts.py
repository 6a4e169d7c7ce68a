"""Texts without labels, to compare vectors on.

Imports the modules of this room below it:

    splits, card = read_plain(recipe.data, cache=settings.cache)
"""

from pathlib import Path
from typing import TYPE_CHECKING

from maas.errors import FieldError
from maas_lab.data import vader
from maas_lab.data.about import About, about_file
from maas_lab.data.cards import make_card
from maas_lab.data.files import read_texts
from maas_lab.data.rows import Findings
from maas_lab.data.splits import digest_parts, fold, rank, share_of
from maas_lab.data.text_sets import TEXT_SETS, require_known
from maas_lab.recipes.data import is_known_set
from maas_lab.records import Duplicates

if TYPE_CHECKING:
    from collections.abc import Callable

    from maas_lab.data.rows import Sample
    from maas_lab.recipes.data import TextData
    from maas_lab.records import DataCard

MIXED = "mixed-english"
_PARTS = ("movie-reviews", "amazon-reviews", "tweets")
_OF_EACH = 500
ABOUT = About(
    title=f"{len(_PARTS) * _OF_EACH:,} English: sentences of film and product reviews; tweets",
    licence=vader.MOVIES.licence,
    citation=vader.MOVIES.citation,
    redistribution=vader.MOVIES.redistribution,
    rows=len(_PARTS) * _OF_EACH,
)


def read_plain(
    recipe: "TextData", *, cache: Path, say: "Callable[[str], None]" = lambda _: None
) -> "tuple[dict[str, list[str]], DataCard]":
    """Texts, each once, in the order of a hash; and their card.

    Args:
        recipe: The data section. Its source is `mixed-english` or a file, of which the text column
            alone is read; `train_rows` bounds the texts. The share `validation` comes first, and
            the rest is for the test: nothing is learned from any.
        cache: The folder that keeps fetched data sets.
        say: Tells the user about a download.

    Raises:
        FieldError: There is no such set, or the file or its column is not acceptable.
        TryAgainError: A data set has to be fetched and the registry is away.
        RefusedError: A fetched data set is not the one that was expected.
    """
    name = Path(recipe.source).name
    findings: Findings
    if is_known_set(recipe.source):
        require_known(recipe.source, [MIXED])
        samples, findings, about = [], Findings(), ABOUT
        for part in _PARTS:
            read = TEXT_SETS[part].read(cache, labels=(), say=say).samples
            chosen, _ = _distinct(read, recipe.split_seed)
            samples += chosen[:_OF_EACH]
        files = vader.ARCHIVE.files
    else:
        reading = read_texts(Path(recipe.source), recipe)
        samples, findings, about, files = reading.samples, reading, about_file(name), {}
    kept, repeated = _distinct(samples, recipe.split_seed)
    texts = [sample.text for sample in kept][: recipe.train_rows or None]
    validated = share_of(len(texts), recipe.validation)
    splits = {"train": [], "validation": texts[:validated], "test": texts[validated:]}
    if not splits["test"]:
        raise FieldError(f"{name}: holds {len(texts)} usable texts; 2 are needed.", field="data")
    card = make_card(
        name,
        about,
        findings,
        rows=len(samples) + len(findings.unusable),
        digest=digest_parts(text.encode() for text in texts),
        counts={split: {"texts": len(rows)} for split, rows in splits.items()},
        duplicates=Duplicates(repeated=repeated, conflicting=[]),
        files=files,
    )
    return splits, card


def _distinct(samples: "list[Sample]", seed: int) -> "tuple[list[Sample], list[int]]":
    """Each text once, in the order of its hash, and the lines of the others."""
    first: dict[str, Sample] = {}
    repeated = []
    for sample in samples:
        if first.setdefault(fold(sample.text), sample) is not sample:
            repeated.append(sample.line)
    return [first[key] for key in sorted(first, key=lambda key: rank(key, seed))], repeated
