"""Duplicates out, then train, validation and test rows that no order of the file can change.

Imports the standard library, `maas.errors`, `maas_lab.records` and `maas_lab.data.rows`:

    kept, duplicates = deduplicate(reading.samples)
    splits = split(kept, recipe)
    splits["test"]

A row's place follows from a hash of its text and the split seed, within its label. So the same
rows in another order give the same split, and a few new rows move few of the old ones.
"""

import hashlib
import unicodedata
from collections import defaultdict
from typing import TYPE_CHECKING

from maas.errors import FieldError, RefusedError
from maas_lab.records import Duplicates

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from maas_lab.data.rows import Sample
    from maas_lab.recipe import DataRecipe

_FEWEST = 3  # rows of a label: one for each split


def fold(text: str) -> str:
    """What two texts share that a reader would call the same: NFKC, case and white space folded."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())


def deduplicate(samples: "Sequence[Sample]") -> "tuple[list[Sample], Duplicates]":
    """Keep the first of the rows with the same text, and none where their labels differ.

    Returns:
        The rows that are kept, in order, and the lines of the others.
    """
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[fold(sample.text)].append(sample)
    kept: list[Sample] = []
    repeated: list[int] = []
    conflicting: list[int] = []
    for group in groups.values():
        if len({sample.label for sample in group}) > 1:
            conflicting += [sample.line for sample in group]
        else:
            kept.append(group[0])
            repeated += [sample.line for sample in group[1:]]
    return kept, Duplicates(repeated=sorted(repeated), conflicting=sorted(conflicting))


def split(samples: "Sequence[Sample]", recipe: "DataRecipe") -> "dict[str, list[Sample]]":
    """Share rows out, each label by itself.

    Args:
        samples: Rows without duplicates.
        recipe: Gives the labels, the shares and the seed.

    Returns:
        The rows of `train`, `validation` and `test`. Each holds every label.

    Raises:
        FieldError: A label has too few rows.
    """
    ranked = sorted(samples, key=lambda sample: _rank(sample, recipe.split_seed))
    by_label: dict[str, list[Sample]] = {label: [] for label in recipe.labels}
    for sample in ranked:
        by_label[sample.label].append(sample)
    _refuse_too_few(by_label)
    places: dict[int, str] = {}
    for rows in by_label.values():
        tested = _share(rows, recipe.test)
        validated = tested + _share(rows, recipe.validation)
        places.update({row.line: "test" for row in rows[:tested]})
        places.update({row.line: "validation" for row in rows[tested:validated]})
    splits: dict[str, list[Sample]] = {"train": [], "validation": [], "test": []}
    for sample in ranked:  # still in the order of the hash, so that the labels are mixed
        splits[places.get(sample.line, "train")].append(sample)
    refuse_overlap(splits)
    return splits


def refuse_overlap(splits: "Mapping[str, Sequence[Sample]]") -> None:
    """Make sure that no text is in two splits: what was trained on cannot be a test.

    Raises:
        RefusedError: A text is in two splits; the message gives both lines.
    """
    seen: dict[str, tuple[str, int]] = {}
    for name, samples in splits.items():
        for sample in samples:
            other, line = seen.setdefault(fold(sample.text), (name, sample.line))
            if other != name:
                raise RefusedError(
                    f"The same text is in {other} (line {line}) and in {name} (line {sample.line})."
                )


def digest_rows(samples: "Sequence[Sample]") -> str:
    """`sha256:` and the digest of all texts and labels in order."""
    digest = hashlib.sha256()
    for sample in samples:
        for part in (sample.text.encode(), sample.label.encode()):
            # The length first: no two lists of rows can then look the same.
            digest.update(len(part).to_bytes(8, "big") + part)
    return f"sha256:{digest.hexdigest()}"


def _rank(sample: "Sample", seed: int) -> bytes:
    return hashlib.sha256(f"{seed}:{fold(sample.text)}".encode()).digest()


def _share(rows: "Sequence[Sample]", share: float) -> int:
    return max(1, int(len(rows) * share + 1e-9))


def _refuse_too_few(by_label: "Mapping[str, Sequence[Sample]]") -> None:
    for label, rows in by_label.items():
        if len(rows) < _FEWEST:
            raise FieldError(
                f"Label {label} has {len(rows)} usable rows; each label needs at least {_FEWEST}, "
                "one to train on, one to choose by and one to test with.",
                field="data.labels",
            )
