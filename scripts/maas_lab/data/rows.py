"""A row, and the one rule of what makes a row usable.

Imports `maas.text.check` and `maas_lab.records`. Every source puts each of its rows through `add`,
so that a row is either a sample or is reported with its line; there is no third way:

    reading = Reading(labels=("negative", "positive"))
    reading.add(1, "A fine film.", "positive")
    reading.refuse(2, "not UTF-8")
    reading.samples, reading.unusable
"""

from dataclasses import dataclass, field

from maas.text.check import is_unicode
from maas_lab.records import UnusableRow

_DETAIL_CHARACTERS = 40


@dataclass(frozen=True, slots=True)
class Sample:
    """A usable row.

    Attributes:
        line: Where it was read, the first line is 1; in Parquet the number of the row.
        text: Not empty, without white space around it.
        label: One of the labels of the recipe.
    """

    line: int
    text: str
    label: str


@dataclass(slots=True)
class Reading:
    """What came out of a source, growing while it is read.

    Attributes:
        labels: The labels that are known.
        samples: The usable rows, in the order of the source.
        unusable: The others, each with its reason.
    """

    labels: tuple[str, ...]
    samples: list[Sample] = field(default_factory=list)
    unusable: list[UnusableRow] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """All rows that were read."""
        return len(self.samples) + len(self.unusable)

    def add(self, line: int, text: object, label: object) -> None:
        """Take a row if it is usable, and report it if it is not."""
        name = label_name(label)
        if text is None:
            self.refuse(line, "no text")
        elif not isinstance(text, str):
            self.refuse(line, "text is not a string", type(text).__name__)
        elif not is_unicode(text):
            self.refuse(line, "not UTF-8")
        elif not text.strip():
            self.refuse(line, "empty text")
        elif not name:
            self.refuse(line, "no label")
        elif name not in self.labels:
            self.refuse(line, "unknown label", name)
        else:
            self.samples.append(Sample(line, text.strip(), name))

    def refuse(self, line: int, reason: str, detail: str = "") -> None:
        """Report a row that cannot be used."""
        shown = detail.encode("utf-8", "replace").decode()[:_DETAIL_CHARACTERS]
        self.unusable.append(UnusableRow(line=line, reason=reason, detail=shown))


def label_name(value: object) -> str:
    """A label as text: 1 and 1.0 are `1`, true is `true`; nothing is the empty string."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
