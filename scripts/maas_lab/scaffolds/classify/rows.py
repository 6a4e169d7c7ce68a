"""Turns raw files into rows.csv: a text and its label in each row.

    python rows.py

Change `read_rows`: it now makes rows up. Read your own files there, for example

    for line in (HERE / "raw.txt").read_text(encoding="utf-8").splitlines():
        label, _, text = line.partition(" ")
        yield text, label

Rows that cannot be used, such as empty texts, are reported by `maas train` with their lines.
"""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
FILE = "rows.csv"
GOOD = ("a warm story", "a lovely cast", "sharp and funny", "a great ending", "moving throughout")
BAD = ("a dull story", "a lazy cast", "slow and boring", "a poor ending", "clumsy throughout")


def read_rows() -> Iterator[tuple[str, str]]:
    """Texts with their labels; made up, in the same order every time."""
    for number in range(1, 121):
        label, phrases = (("bad", BAD), ("good", GOOD))[number % 2]
        first, second = phrases[number % 5], phrases[number // 5 % 5]
        yield f"Review {number}: {first}, {second}.", label


def write_rows(folder: Path) -> Path:
    """Write the rows; gives the file."""
    file = folder / FILE
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        writer.writerow(["text", "label"])
        writer.writerows(read_rows())
    return file


if __name__ == "__main__":
    sys.stdout.write(f"wrote {write_rows(HERE)}\n")
