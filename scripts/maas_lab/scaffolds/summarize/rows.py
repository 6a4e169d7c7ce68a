"""Turns raw files into rows.csv: a text and its summary in each row.

    python rows.py

Change `read_rows`: it now makes pairs up. Read your own files there, for example

    for file in sorted((HERE / "reports").glob("*.txt")):
        title, *lines = file.read_text(encoding="utf-8").splitlines()
        yield " ".join(lines), title

Rows that cannot be used, such as empty texts, are reported by `maas train` with their lines.
"""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
FILE = "rows.csv"
DEVICES = ("printer", "door", "lamp", "lift", "heating", "projector")
FAULTS = {"makes a noise": "noisy", "has stopped": "broken", "is stuck": "stuck"}
FLOORS = ("first floor", "second floor", "cellar", "entrance", "canteen")


def read_rows() -> Iterator[tuple[str, str]]:
    """Texts with their summaries; made up, in the same order every time."""
    for device in DEVICES:
        for fault, short in FAULTS.items():
            for floor in FLOORS:
                yield (
                    f"Good morning, I am writing because the {device} on the {floor} {fault}."
                    " It has been like this for days. Could somebody have a look?",
                    f"{device.capitalize()} {short}, {floor}",
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
