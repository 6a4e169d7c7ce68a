"""Turns raw files into rows.csv: a text in each row, like those that will be asked about.

    python rows.py

Change `read_rows`: it now makes texts up. Read your own files there, for example

    yield from (HERE / "raw.txt").read_text(encoding="utf-8").splitlines()

Nothing is learned from them: the vectors of these texts are compared with the checkpoint's own.
"""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
FILE = "rows.csv"
PLACES = ("the kitchen", "the station", "the library", "the garden", "the office")
THINGS = ("a blue cup", "an old map", "a wet umbrella", "two keys", "a letter", "a red bicycle")


def read_rows() -> Iterator[str]:
    """Texts; made up, in the same order every time."""
    for place in PLACES:
        for thing in THINGS:
            yield f"Somebody has left {thing} in {place}."


def write_rows(folder: Path) -> Path:
    """Write the rows; gives the file."""
    file = folder / FILE
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        writer.writerow(["text"])
        writer.writerows([text] for text in read_rows())
    return file


if __name__ == "__main__":
    sys.stdout.write(f"wrote {write_rows(HERE)}\n")
