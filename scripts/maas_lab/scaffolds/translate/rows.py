"""Turns raw files into rows.csv: a text and its translation in each row.

    python rows.py

Change `read_rows`: it now makes pairs up. Read your own files there, for example

    sources = (HERE / "english.txt").read_text(encoding="utf-8").splitlines()
    targets = (HERE / "french.txt").read_text(encoding="utf-8").splitlines()
    yield from zip(sources, targets, strict=True)

Rows that cannot be used, such as empty texts, are reported by `maas train` with their lines.
"""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
FILE = "rows.csv"
THINGS = {"house": "maison", "table": "table", "door": "porte", "window": "fenêtre"}
COLOURS = {"green": "verte", "white": "blanche", "grey": "grise", "black": "noire"}
PLACES = {"here": "ici", "there": "là", "in town": "en ville", "at home": "chez nous"}
TIMES = {"today": "aujourd'hui", "tomorrow": "demain"}


def read_rows() -> Iterator[tuple[str, str]]:
    """Texts with their translations; made up, in the same order every time."""
    for thing, chose in THINGS.items():
        for colour, couleur in COLOURS.items():
            for place, lieu in PLACES.items():
                for time, temps in TIMES.items():
                    yield (
                        f"The {colour} {thing} is {place} {time}.",
                        f"La {chose} {couleur} est {lieu} {temps}.",
                    )


def write_rows(folder: Path) -> Path:
    """Write the rows; gives the file."""
    file = folder / FILE
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        writer.writerow(["source", "target"])
        writer.writerows(read_rows())
    return file


if __name__ == "__main__":
    sys.stdout.write(f"wrote {write_rows(HERE)}\n")
