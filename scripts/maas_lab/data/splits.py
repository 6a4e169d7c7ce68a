"""Duplicates out, then train, validation and test rows that no order of the file can change.

Imports the standard library, `maas.errors`, `maas_lab.records` and `maas_lab.data.rows`:

    kept, duplicates = deduplicate(reading.samples)
    splits = split(kept, recipe)
    splits["test"]

A row's place follows from a hash of its text and the split seed, within its label. So the same
rows in another order give the same split, and a few new rows move few of the old ones. Where rows
belong to groups, such as the sentences of one review, the place follows from the group's hash.
"""

import hashlib
import unicodedata
from collections import defaultdict
from typing import TYPE_CHECKING, Protocol, TypeVar

from maas.errors import FieldError, RefusedError
from maas_lab.records import Duplicates

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

    from maas_lab.data.rows import Sample
    from maas_lab.recipes.data import PairData, TextData

_FEWEST = 3  # rows of a label, or groups: one for each split
SPLITS = ("train", "validation", "test")


class Row(Protocol):
    """What every kind of row has."""

    @property
    def line(self) -> int:
        """Where it was read."""


AnyRow = TypeVar("AnyRow", bound=Row)


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


def split(samples: "Sequence[Sample]", recipe: "TextData") -> "dict[str, list[Sample]]":
    """Share rows out, each label by itself, or group by group where rows have groups.

    Args:
        samples: Rows without duplicates.
        recipe: Gives the labels, the shares and the seed.

    Returns:
        The rows of `train`, `validation` and `test`. Each holds every label.

    Raises:
        FieldError: A label has too few rows, or there are too few groups.
    """
    ranked = sorted(samples, key=lambda sample: rank(fold(sample.text), recipe.split_seed))
    by_label: dict[str, list[Sample]] = {label: [] for label in recipe.labels}
    for sample in ranked:
        by_label[sample.label].append(sample)
    _refuse_too_few(by_label)
    places: dict[int, str] = {}
    if any(sample.group for sample in ranked):
        groups = place_groups((_group(sample) for sample in ranked), recipe)
        places = {sample.line: groups[_group(sample)] for sample in ranked}
    else:
        for rows in by_label.values():
            tested = share_of(len(rows), recipe.test)
            validated = tested + share_of(len(rows), recipe.validation)
            places.update({row.line: "test" for row in rows[:tested]})
            places.update({row.line: "validation" for row in rows[tested:validated]})
    splits: dict[str, list[Sample]] = {name: [] for name in SPLITS}
    for sample in ranked:  # still in the order of the hash, so that the labels are mixed
        splits[places.get(sample.line, "train")].append(sample)
    _refuse_missing(splits, recipe.labels)
    refuse_overlap(splits)
    return splits


def place_groups(groups: "Iterable[str]", recipe: "TextData | PairData") -> dict[str, str]:
    """The split of each group, by the hash of its name.

    Args:
        groups: Names, in any order, each as often as it likes.
        recipe: Gives the shares, of the groups, and the seed.

    Raises:
        FieldError: There are fewer groups than splits.
    """
    ranked = sorted(set(groups), key=lambda group: rank(group, recipe.split_seed))
    if len(ranked) < _FEWEST:
        raise FieldError(
            f"The rows belong to {len(ranked)} groups, which stay together; at least {_FEWEST} are "
            "needed, one for each split.",
            field="data",
        )
    tested = share_of(len(ranked), recipe.test)
    validated = tested + share_of(len(ranked), recipe.validation)
    names = ["test"] * tested + ["validation"] * (validated - tested)
    return dict(zip(ranked, names + ["train"] * (len(ranked) - validated), strict=True))


def refuse_overlap(splits: "Mapping[str, Sequence[Sample]]") -> None:
    """Make sure that no text is in two splits: what was trained on cannot be a test.

    Raises:
        RefusedError: A text is in two splits; the message gives both lines.
    """
    refuse_shared(splits, lambda sample: fold(sample.text), "text")


def refuse_shared(
    splits: "Mapping[str, Sequence[AnyRow]]", key: "Callable[[AnyRow], Hashable]", what: str
) -> None:
    """Make sure that no row of a split has the key of a row of another one.

    Args:
        splits: The rows by split.
        key: What must not be shared: a text without its case, the pixels, a page.
        what: Its name, for the message.

    Raises:
        RefusedError: A key is in two splits; the message gives both lines.
    """
    seen: dict[Hashable, tuple[str, int]] = {}
    for name, rows in splits.items():
        for row in rows:
            other, line = seen.setdefault(key(row), (name, row.line))
            if other != name:
                raise RefusedError(
                    f"The same {what} is in {other} (line {line}) and in {name} (line {row.line})."
                )


def digest_rows(samples: "Sequence[Sample]") -> str:
    """`sha256:` and the digest of all texts and labels in order."""
    return digest_parts(part.encode() for row in samples for part in (row.text, row.label))


def digest_parts(parts: "Iterable[bytes]") -> str:
    """`sha256:` and the digest of parts in order."""
    digest = hashlib.sha256()
    for part in parts:
        # The length first: no two lists of rows can then look the same.
        digest.update(len(part).to_bytes(8, "big") + part)
    return f"sha256:{digest.hexdigest()}"


def rank(key: str, seed: int) -> bytes:
    """What decides the order, and so the place, of whatever has this key."""
    return hashlib.sha256(f"{seed}:{key}".encode()).digest()


def share_of(rows: int, share: float) -> int:
    """How many of some rows are a share of them; one at the least."""
    return max(1, int(rows * share + 1e-9))


def _group(sample: "Sample") -> str:
    return sample.group or f"text {fold(sample.text)}"


def _refuse_too_few(by_label: "Mapping[str, Sequence[Sample]]") -> None:
    for label, rows in by_label.items():
        if len(rows) < _FEWEST:
            raise FieldError(
                f"Label {label} has {len(rows)} usable rows; each label needs at least {_FEWEST}, "
                "one to train on, one to choose by and one to test with.",
                field="data.labels",
            )


def _refuse_missing(splits: "Mapping[str, Sequence[Sample]]", labels: tuple[str, ...]) -> None:
    for name, rows in splits.items():
        missing = set(labels) - {row.label for row in rows}
        if missing:
            raise FieldError(
                f"The {name} rows hold no {min(missing)}: its rows are in too few groups. Take "
                "another split_seed or larger shares.",
                field="data.split_seed",
            )
