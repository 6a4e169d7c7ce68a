"""Turns raw pictures into a folder of four IDX files, the format of MNIST: rows/.

    python rows.py

Change `read_rows`: it now draws lines. Read your own pictures there, all of one size and as grey as
they shall be, for example

    for split in ("train", "test"):
        for file in sorted((HERE / "raw" / split).glob("*/*.png")):      # raw/train/cat/1.png
            grey = Image.open(file).convert("L").resize((28, 28))
            yield split, file.parent.name, np.asarray(grey)

Keep pictures of one thing in one split. LABELS are those of the recipe, in the same order.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

HERE = Path(__file__).parent
FILE = "rows"
LABELS = ("horizontal", "vertical")
SIZE = 12
Pixels = npt.NDArray[np.uint8]


def read_rows() -> Iterator[tuple[str, str, Pixels]]:
    """Split, label and pixels `[height, width]`; made up, the same every time."""
    rng = np.random.default_rng(1)
    for number in range(160):
        label = LABELS[number % 2]
        pixels = rng.integers(0, 90, (SIZE, SIZE), np.uint8)
        pixels[rng.integers(1, SIZE - 1), 1:-1] = 255
        yield (
            "test" if number >= 120 else "train",
            label,
            pixels if label == "horizontal" else pixels.T,
        )


def write_rows(folder: Path) -> Path:
    """Write the rows; gives the folder."""
    made = folder / FILE
    made.mkdir(exist_ok=True)
    rows = list(read_rows())
    for split, prefix in (("train", "train"), ("test", "t10k")):
        labels = [LABELS.index(label) for which, label, _ in rows if which == split]
        pixels = np.stack([picture for which, _, picture in rows if which == split])
        _write_idx(made / f"{prefix}-images-idx3-ubyte", pixels)
        _write_idx(made / f"{prefix}-labels-idx1-ubyte", np.array(labels, np.uint8))
    return made


def _write_idx(file: Path, array: Pixels) -> None:
    """A header (bytes, and the length of each dimension) and the numbers."""
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    file.write_bytes(header + array.tobytes())


if __name__ == "__main__":
    sys.stdout.write(f"wrote {write_rows(HERE)}\n")
