"""Token ids of rows: made once, and anew where what was kept is not what was written."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from maas_lab.data.token_cache import cached_rows

ROWS = [np.array(row, dtype=np.int32) for row in ([3, 1, 4], [], [1, 5])]


class Tokenising:
    """Counts how often rows are made."""

    def __init__(self, rows: Sequence[npt.NDArray[np.int32]] = ROWS) -> None:
        self.rows = rows
        self.asked = 0

    def __call__(self) -> Sequence[npt.NDArray[np.int32]]:
        self.asked += 1
        return self.rows


def lists(rows: Sequence[npt.NDArray[np.int32]]) -> list[list[int]]:
    assert all(row.dtype == np.int32 for row in rows)
    return [row.tolist() for row in rows]


def test_rows_are_made_once_for_each_tokenizer_and_data(tmp_path: Path) -> None:
    make = Tokenising()

    for _ in range(2):
        assert lists(cached_rows(tmp_path, "t1", "d1", make)) == [[3, 1, 4], [], [1, 5]]
    assert make.asked == 1
    cached_rows(tmp_path, "t2", "d1", make)
    cached_rows(tmp_path, "t1", "d2", make)
    assert make.asked == 3


def test_no_rows_are_kept_too(tmp_path: Path) -> None:
    make = Tokenising([])

    assert cached_rows(tmp_path, "t", "d", make) == cached_rows(tmp_path, "t", "d", make) == []
    assert make.asked == 1


@pytest.mark.parametrize("place", [0, 31, 40, -1])
def test_what_is_damaged_is_made_anew(tmp_path: Path, place: int) -> None:
    make = Tokenising()
    cached_rows(tmp_path, "t", "d", make)
    (path,) = (tmp_path / "tokens").iterdir()
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)

    assert lists(cached_rows(tmp_path, "t", "d", make)) == lists(ROWS)
    assert lists(cached_rows(tmp_path, "t", "d", make)) == lists(ROWS)
    assert make.asked == 2


def test_what_is_cut_is_made_anew(tmp_path: Path) -> None:
    make = Tokenising()
    cached_rows(tmp_path, "t", "d", make)
    (path,) = (tmp_path / "tokens").iterdir()
    path.write_bytes(path.read_bytes()[:20])

    assert lists(cached_rows(tmp_path, "t", "d", make)) == lists(ROWS)


def test_where_nothing_can_be_kept_the_rows_are_made(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("a file is in the way")

    assert lists(cached_rows(tmp_path, "t", "d", Tokenising())) == lists(ROWS)
