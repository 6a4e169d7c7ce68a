"""Files are whole or absent; folders have one writer."""

from pathlib import Path

import pytest

from maas.errors import ConflictError
from maas_lab.files import drop_folder, lock_folder, write_file


def test_a_file_is_replaced_as_a_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"

    write_file(path, b"one")
    write_file(path, b"two")

    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_cannot_be_put_in_place_leaves_nothing_beside_it(tmp_path: Path) -> None:
    # Given a folder where the file should be
    (tmp_path / "file").mkdir()

    with pytest.raises(OSError, match="file"):
        write_file(tmp_path / "file", b"one")

    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_second_writer_is_turned_away_until_the_first_is_done(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "one"

    with (
        lock_folder(folder),
        pytest.raises(ConflictError, match="one"),
        lock_folder(folder),
    ):
        pass
    with lock_folder(folder), lock_folder(tmp_path / "runs" / "two"):
        pass


def test_a_dropped_folder_is_gone_and_dropping_nothing_is_fine(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    write_file(folder / "deep" / "file", b"one")

    drop_folder(folder)
    drop_folder(folder)

    assert list(tmp_path.iterdir()) == []
