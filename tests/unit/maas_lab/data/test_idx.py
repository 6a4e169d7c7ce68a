"""IDX files: what a file claims is what it holds, or it is refused by its name."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from support.archives import idx_of

from maas.errors import FieldError
from maas_lab.data import idx
from maas_lab.data.idx import decompress, parse_images, parse_labels, read_bounded

PICTURES = idx_of(0x803, (2, 2, 3), bytes(range(12)))
LABELS = idx_of(0x801, (3,), b"\x00\x02\x01")


def test_pixels_and_labels_are_where_they_were() -> None:
    images = parse_images(PICTURES, "images")

    assert images.shape == (2, 2, 3, 1)
    assert images.dtype == np.uint8
    assert images[1, 0, 2, 0] == 8
    assert parse_labels(LABELS, "labels").tolist() == [0, 2, 1]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is no IDX file"),
        (PICTURES[:3], "is no IDX file"),
        (PICTURES[:10], "it is cut"),
        (PICTURES[:-1], r"says 2 × 2 × 3 bytes, which are 12, and it holds 11"),
        (PICTURES + b"x", "it holds 13"),
        (LABELS, "it holds labels"),
        (idx_of(0x80D03, (2, 2, 3), bytes(12)), "is no IDX file"),
        (idx_of(0x803, (2**31, 2**31, 2**31), b""), "it holds 0"),
        (idx_of(0x803, (0, 2, 3), b""), "holds no pictures"),
        (idx_of(0x803, (1, 1, 5000), bytes(5000)), "1 by 5000 pixels"),
        (b"\x1f\x8b" + bytes(30), "is no IDX file"),
    ],
)
def test_what_is_not_pictures_is_refused_by_its_name(content: bytes, told: str) -> None:
    with pytest.raises(FieldError, match=told) as caught:
        parse_images(content, "some-images")

    assert "some-images" in str(caught.value)
    assert caught.value.exit_code == 2


def test_pictures_are_no_labels() -> None:
    with pytest.raises(FieldError, match="it holds pictures"):
        parse_labels(PICTURES, "some-labels")


def test_compressed_files_are_read_up_to_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(PICTURES))
    assert read_bounded(path) == decompress(path.read_bytes(), "images.gz") == PICTURES

    monkeypatch.setattr(idx, "LARGEST", 20)
    with pytest.raises(FieldError, match=r"images\.gz: holds more than 20 bytes"):
        read_bounded(path)
    with pytest.raises(FieldError, match=r"images\.gz: is cut or too large"):
        decompress(path.read_bytes(), "images.gz")


@pytest.mark.parametrize("damage", [b"no gzip", gzip.compress(PICTURES, mtime=0)[:-9]])
def test_damaged_compression_is_told(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "images.gz"
    path.write_bytes(damage)

    with pytest.raises(FieldError, match=r"images\.gz: cannot be read"):
        read_bounded(path)
    with pytest.raises(FieldError, match=r"images\.gz: is (damaged|cut)"):
        decompress(damage, "images.gz")
    with pytest.raises(FieldError, match="cannot be read"):
        read_bounded(tmp_path / "absent")
