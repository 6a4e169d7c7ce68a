"""The card of a data set, and what the console says of it.

Imports `maas.errors`, `maas_lab.records` and `maas_lab.data.about`:

    card = make_card("rows.csv", about_file("rows.csv"), findings, rows=46, …)
    report(card)                               # lines for the console
"""

from collections import Counter
from typing import TYPE_CHECKING

from maas_lab.records import DataCard, Duplicates

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from maas_lab.data.about import About
    from maas_lab.data.rows import Findings, Picture, Sample

_LINES_SHOWN = 5


def make_card(
    name: str,
    about: "About",
    findings: "Findings",
    *,
    rows: int,
    digest: str,
    counts: dict[str, dict[str, int]],
    labels: "Sequence[str]" = (),
    duplicates: Duplicates | None = None,
    files: dict[str, str] | None = None,
) -> DataCard:
    """The card of a data set.

    Args:
        name: The set's, or the file's without its folder.
        about: Its title page.
        findings: What could not be used.
        rows: All rows that were read.
        digest: Of the usable rows.
        counts: Rows by split and label.
        labels: The classes.
        duplicates: Rows that say again what another one says.
        files: Name to sha256 of what was fetched.
    """
    return DataCard(
        source=name,
        title=about.title,
        licence=about.licence,
        citation=about.citation,
        redistribution=about.redistribution,
        files=dict(files or {}),
        digest=digest,
        labels=list(labels),
        rows=rows,
        counts=counts,
        duplicates=duplicates or Duplicates(repeated=[], conflicting=[]),
        reasons=findings.reasons,
        unusable=findings.unusable,
    )


def count_labels(
    splits: "Mapping[str, Sequence[Sample] | Sequence[Picture]]", labels: "Sequence[str]"
) -> dict[str, dict[str, int]]:
    """Rows by split and label."""
    counts = {name: Counter(row.label for row in rows) for name, rows in splits.items()}
    return {name: {label: count[label] for label in labels} for name, count in counts.items()}


def report(card: DataCard) -> list[str]:
    """What a reader of the console should know about the rows, a line each."""
    sizes = ", ".join(f"{sum(counts.values())} {name}" for name, counts in card.counts.items())
    lines = [f"{card.source}: {card.rows} rows read; {sizes}"]
    for reason, count in card.reasons.items():
        where = [row.line for row in card.unusable if row.reason == reason]
        lines.append(f"  not used: {count} {reason}" + (f" (line {shown(where)})" if where else ""))
    if card.duplicates.repeated:
        where = card.duplicates.repeated
        lines.append(f"  not used: {len(where)} repeated (line {shown(where)})")
    if card.duplicates.conflicting:
        where = card.duplicates.conflicting
        what = "same text, other label"
        lines.append(f"  not used: {len(where)} {what} (line {shown(where)})")
    return lines


def shown(values: "Sequence[int] | Sequence[str]") -> str:
    """The first of some values."""
    first = ", ".join(str(value) for value in values[:_LINES_SHOWN])
    return first + (", …" if len(values) > _LINES_SHOWN else "")
