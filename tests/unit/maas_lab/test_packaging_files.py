"""Copying and replacing: large files pass in pieces, a folder is whole at every moment."""

import tracemalloc
from pathlib import Path

import pytest

from maas_lab.files import CHUNK_BYTES, copy_file, replace_folder


def folder(path: Path, text: str) -> Path:
    path.mkdir()
    (path / "file").write_text(text)
    return path


def test_a_copy_is_equal_and_tells_how_far_it_is(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(range(256)) * 4096 * 2 + b"end")
    told: list[int] = []
    copy_file(source, tmp_path / "target", advance=told.append)
    assert (tmp_path / "target").read_bytes() == source.read_bytes()
    assert (sum(told), len(told)) == (source.stat().st_size, 3)


def test_a_large_file_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    source = tmp_path / "source"
    with source.open("wb") as file:
        file.truncate(40 * CHUNK_BYTES)
    tracemalloc.start()
    copy_file(source, tmp_path / "target")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * CHUNK_BYTES


def test_a_copy_follows_no_link_and_overwrites_nothing(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("x")
    (tmp_path / "link").symlink_to(source)
    with pytest.raises(OSError, match="symbolic links"):
        copy_file(tmp_path / "link", tmp_path / "target")
    with pytest.raises(FileExistsError):
        copy_file(source, source)


@pytest.mark.parametrize("system", ["linux", "darwin"])
def test_a_folder_is_replaced_and_the_former_one_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str
) -> None:
    monkeypatch.setattr("sys.platform", system)
    place = tmp_path / "place"
    replace_folder(place, folder(tmp_path / "one", "one"))
    assert (place / "file").read_text() == "one"
    replace_folder(place, folder(tmp_path / "two", "two"))
    assert (place / "file").read_text() == "two"
    assert list(tmp_path.iterdir()) == [place]
