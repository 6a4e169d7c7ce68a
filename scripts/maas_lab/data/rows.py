"""A row of each kind, and the one rule of what makes it usable.

Imports numpy, `maas.text.check` and `maas_lab.records`. Every source puts each of its rows through
`add`, so that a row is used, or is reported with its line, or is counted as one that the set's own
rule leaves out; there is no other way:

    reading = Reading(labels=("negative", "positive"))
    reading.add(1, "A fine film.", "positive")
    reading.refuse(2, "not UTF-8")
    reading.samples, reading.unusable
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from maas.bundle.manifest import LABEL
from maas.text.check import is_unicode
from maas_lab.records import UnusableRow

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_DETAIL_CHARACTERS = 40


@dataclass(frozen=True, slots=True)
class Sample:
    """A usable text with its label.

    Attributes:
        line: Where it was read, the first line is 1; in Parquet the number of the row.
        text: Not empty, without white space around it.
        label: One of the labels of the recipe.
        group: What belongs together in the split, such as a document; empty: it is by itself.
    """

    line: int
    text: str
    label: str
    group: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """A usable text with the text that it becomes.

    Attributes:
        line: Where it was read; in a data set of many files, the number of the pair.
        source: Not empty, without white space around it.
        target: The same.
        group: What belongs together in the split, such as a page; empty: it is by itself.
    """

    line: int
    source: str
    target: str
    group: str = ""


@dataclass(frozen=True, slots=True, eq=False)  # an array has no one answer to `==`
class Picture:
    """A picture with its label.

    Attributes:
        line: Its number in its file, the first is 1.
        pixels: uint8 `[height, width, channels]`, 0 to 255.
        label: One of the labels of the recipe.
    """

    line: int
    pixels: "npt.NDArray[np.uint8]"
    label: str


@dataclass(slots=True)
class Findings:
    """What a reading could not use.

    Attributes:
        unusable: Rows that are broken, each with its reason.
        left_out: Rows that the rule of a data set leaves out, such as texts nobody translated: by
            reason, because there may be more of them than rows that are used.
    """

    unusable: list[UnusableRow] = field(default_factory=list, kw_only=True)
    left_out: Counter[str] = field(default_factory=Counter, kw_only=True)

    @property
    def reasons(self) -> dict[str, int]:
        """Rows that are not used, by reason, the most frequent first."""
        counts = Counter(row.reason for row in self.unusable) + self.left_out
        return dict(counts.most_common())

    def refuse(self, line: int, reason: str, detail: str = "") -> None:
        """Report a row that cannot be used."""
        shown = detail.encode("utf-8", "replace").decode()[:_DETAIL_CHARACTERS]
        self.unusable.append(UnusableRow(line=line, reason=reason, detail=shown))

    def leave_out(self, reason: str, rows: int = 1) -> None:
        """Count rows that the rule of a data set does not use."""
        self.left_out[reason] += rows

    def _text(self, line: int, value: object, name: str) -> str:
        """A text that can be used, or the empty string where it was refused."""
        if value is None:
            self.refuse(line, f"no {name}")
        elif not isinstance(value, str):
            self.refuse(line, f"{name} is not a string", type(value).__name__)
        elif not is_unicode(value):
            self.refuse(line, "not UTF-8")
        elif not value.strip():
            self.refuse(line, f"empty {name}")
        else:
            return value.strip()
        return ""


@dataclass(slots=True)
class Reading(Findings):
    """What came out of a source of labelled texts, growing while it is read.

    Attributes:
        labels: The labels that are known; empty: every label is.
        samples: The usable rows, in the order of the source.
    """

    labels: tuple[str, ...] = ()
    samples: list[Sample] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """All rows that were read."""
        return len(self.samples) + len(self.unusable) + self.left_out.total()

    def add(self, line: int, text: object, label: object, group: str = "") -> None:
        """Take a row if it is usable, and report it if it is not."""
        usable = self._text(line, text, "text")
        if not usable:
            return
        name = label_name(label)
        if not name:
            self.refuse(line, "no label")
        elif self.labels and name not in self.labels:
            self.refuse(line, "unknown label", name)
        elif not LABEL.fullmatch(name):
            self.refuse(line, "label is too long or holds control characters", name)
        else:
            self.samples.append(Sample(line, usable, name, group))


@dataclass(slots=True)
class PairReading(Findings):
    """What came out of a source of pairs, growing while it is read.

    Attributes:
        pairs: The usable rows, in the order of the source.
    """

    pairs: list[Pair] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """All rows that were read."""
        return len(self.pairs) + len(self.unusable) + self.left_out.total()

    def add(self, line: int, source: object, target: object, group: str = "") -> None:
        """Take a row if it is usable, and report it if it is not."""
        before = self._text(line, source, "source")
        after = before and self._text(line, target, "target")
        if after:
            self.pairs.append(Pair(line, before, after, group))


def label_name(value: object) -> str:
    """A label as text: 1 and 1.0 are `1`, true is `true`; nothing is the empty string."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
