"""Pairs shared out so that no source, and no group, is in two splits.

Imports the standard library, `maas.errors`, `maas_lab.records` and the modules of this room below
it:

    splits, duplicates = split_pairs(reading, recipe)
    splits["test"]

A pair's place follows from a hash of its group and the split seed; a pair without a group has its
source for one. The same source may still be in two groups: then one of the two does not use it, and
the reading says so. What is measured with goes first, unless a set's rule asks for new sources.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from maas.errors import FieldError
from maas_lab.data.rows import Pair, PairReading
from maas_lab.data.splits import SPLITS, digest_parts, fold, place_groups, rank, refuse_shared
from maas_lab.records import Duplicates

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from maas_lab.recipes.data import PairData


@dataclass(frozen=True, slots=True)
class PairRule:
    """What is particular about the split of a data set.

    Attributes:
        teaches: Whether a pair is for training only, whatever its group.
        measures: Whether a pair may be measured with; one of a held-out group that may not is left
            out.
        unmeasured: Why it may not, for the card.
        novel: Whether a source that is in training is left out of the other splits, rather than the
            other way round. Right for a set in which common phrases are on most pages.
    """

    teaches: "Callable[[Pair], bool]" = lambda _: False
    measures: "Callable[[Pair], bool]" = lambda _: True
    unmeasured: str = ""
    novel: bool = False


@dataclass(frozen=True, slots=True)
class _Placed:
    pair: Pair
    source: str  # folded
    target: str  # folded


def split_pairs(
    reading: PairReading, recipe: "PairData", rule: PairRule | None = None
) -> tuple[dict[str, list[Pair]], Duplicates]:
    """Share pairs out.

    Args:
        reading: The pairs; told those that are left out because another split has their source.
        recipe: Gives the shares and the seed.
        rule: What is particular about the set.

    Returns:
        The rows of `train`, `validation` and `test`, in the order of a hash, and the lines of pairs
        that say again what another pair of their split says.

    Raises:
        FieldError: There are too few pairs or groups.
    """
    rule = rule or PairRule()
    placed = _place(reading, recipe, rule)
    _leave_shared_sources(placed, reading, rule)
    repeated: list[int] = []
    splits: dict[str, list[Pair]] = {}
    for name in SPLITS:
        seen: dict[tuple[str, str], Pair] = {}
        for row in placed[name]:
            if seen.setdefault((row.source, row.target), row.pair) is not row.pair:
                repeated.append(row.pair.line)
        ranked = sorted(seen, key=lambda key: rank("\n".join(key), recipe.split_seed))
        splits[name] = [seen[key] for key in ranked]
        if not splits[name]:
            raise FieldError(
                f"No pair is left for the {name} rows. Take larger shares or more pairs.",
                field="data",
            )
    refuse_shared_sources(splits)
    return splits, Duplicates(repeated=sorted(repeated), conflicting=[])


def refuse_shared_sources(splits: "Mapping[str, Sequence[Pair]]") -> None:
    """Make sure that no source is in two splits: what was trained on cannot be a test.

    Raises:
        RefusedError: A source is in two splits; the message gives both lines.
    """
    refuse_shared(splits, lambda pair: fold(pair.source), "source")


def digest_pairs(pairs: "Sequence[Pair]") -> str:
    """`sha256:` and the digest of all sources and targets in order."""
    return digest_parts(part.encode() for pair in pairs for part in (pair.source, pair.target))


def _place(reading: PairReading, recipe: "PairData", rule: PairRule) -> dict[str, list[_Placed]]:
    rows = [_Placed(pair, fold(pair.source), fold(pair.target)) for pair in reading.pairs]
    names = [row.pair.group or f"text {row.source}" for row in rows]
    taught = [rule.teaches(row.pair) for row in rows]
    free = {name for name, only in zip(names, taught, strict=True) if not only}
    places = place_groups(free, recipe)
    placed: dict[str, list[_Placed]] = defaultdict(list)
    for row, name, only in zip(rows, names, taught, strict=True):
        place = "train" if only else places[name]
        if place != "train" and not rule.measures(row.pair):
            reading.leave_out(rule.unmeasured)
        else:
            placed[place].append(row)
    return placed


def _leave_shared_sources(
    placed: dict[str, list[_Placed]], reading: PairReading, rule: PairRule
) -> None:
    """Let one split alone have each source: the first of an order."""
    order = ("train", "test", "validation") if rule.novel else ("test", "validation", "train")
    owners: dict[str, str] = {}
    for name in order:
        kept = []
        for row in placed[name]:
            owner = owners.setdefault(row.source, name)
            if owner == name:
                kept.append(row)
            elif rule.novel:
                reading.leave_out(f"held out, and its source is in {owner} too")
            else:
                reading.refuse(row.pair.line, f"source is in the {owner} split too")
        placed[name] = kept
    # `reading.pairs` are those that are used: each row of the source is counted once.
    used = {row.pair.line for rows in placed.values() for row in rows}
    reading.pairs = [pair for pair in reading.pairs if pair.line in used]
