"""Labelled pictures in four IDX files, with a test split of their own.

Imports numpy, `maas.errors`, `maas_lab.records` and the modules of this room below it. A folder of
one's own holds the four files under the names that MNIST gave them, compressed by gzip or not:

    found = read_picture_folder(Path("letters"))
    splits, findings, duplicates = split_pictures(found, recipe)

The official test pictures are kept as they are. The same picture twice in training is used once,
and a training picture that is also a test picture is not used: both are reported. Validation is
carved out of training by a hash of the pixels.
"""

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from maas.errors import FieldError
from maas_lab.data.idx import parse_images, parse_labels, read_bounded
from maas_lab.data.rows import Findings, Picture
from maas_lab.data.splits import digest_parts, rank, refuse_shared, share_of
from maas_lab.records import Duplicates

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from maas_lab.recipes.data import ImageData

IMAGES = {"train": "train-images-idx3-ubyte", "test": "t10k-images-idx3-ubyte"}
LABELS = {"train": "train-labels-idx1-ubyte", "test": "t10k-labels-idx1-ubyte"}
NAMES = (*IMAGES.values(), *LABELS.values())
"""The four files."""
_FEWEST = 2  # training pictures of a label: one to train on, one to choose by


@dataclass(frozen=True, slots=True)
class PictureFiles:
    """What the four files hold, by split (train, test).

    Attributes:
        images: uint8 `[pictures, height, width, channels]` each.
        labels: uint8 `[pictures]` each.
        files: File name to sha256 of what was fetched, or of the four files.
    """

    images: "Mapping[str, npt.NDArray[np.uint8]]"
    labels: "Mapping[str, npt.NDArray[np.uint8]]"
    files: dict[str, str]


def parse_files(contents: "Mapping[str, bytes]", files: dict[str, str]) -> PictureFiles:
    """Parse the four files, and compare them with one another.

    Args:
        contents: Name to content, not compressed.
        files: File name to sha256, for the card.

    Raises:
        FieldError: A file is not what its header says, or two of them do not belong together.
    """
    images = {split: parse_images(contents[name], name) for split, name in IMAGES.items()}
    labels = {split: parse_labels(contents[name], name) for split, name in LABELS.items()}
    for split, name in IMAGES.items():
        pictures, named = len(images[split]), len(labels[split])
        if pictures != named:
            raise FieldError(
                f"{name}: holds {pictures} pictures, and {LABELS[split]} {named} labels.",
                field="data.source",
            )
    if images["train"].shape[1:] != images["test"].shape[1:]:
        raise FieldError(
            f"{IMAGES['test']}: its pictures have another size than those of {IMAGES['train']}.",
            field="data.source",
        )
    return PictureFiles(images, labels, files)


def read_picture_folder(folder: "Path") -> PictureFiles:
    """Read a folder of one's own.

    Raises:
        FieldError: A file is missing or cannot be read, or the four do not belong together.
    """
    contents, files = {}, {}
    for name in NAMES:
        path = next(
            (each for each in (folder / name, folder / f"{name}.gz") if each.is_file()), None
        )
        if path is None:
            raise FieldError(
                f"{folder.name}: is no folder of pictures; it holds neither {name} nor {name}.gz. "
                f"Needed: {', '.join(NAMES)}.",
                field="data.source",
            )
        contents[name] = read_bounded(path)
        files[path.name] = hashlib.sha256(contents[name]).hexdigest()
    return parse_files(contents, files)


def split_pictures(
    found: PictureFiles, recipe: "ImageData"
) -> tuple[dict[str, list[Picture]], Findings, Duplicates]:
    """The rows of each split, before any is cut for a smoke run, in an order that mixes labels.

    Args:
        found: The four files.
        recipe: Gives the labels, the share for validation and the seed.

    Returns:
        The rows of `train`, `validation` and `test`; training rows that are test rows; repeated
        training rows. Lines of the last two are of the training files.

    Raises:
        FieldError: A label is not named by the recipe, or has too few pictures.
    """
    pictures = {split: _named(found, split, recipe.labels) for split in IMAGES}
    findings = Findings()
    tested = {_key(picture) for picture in pictures["test"]}
    groups: dict[bytes, list[Picture]] = defaultdict(list)
    for picture in pictures["train"]:
        key = _key(picture)
        if key in tested:
            findings.refuse(picture.line, "same picture in the test split", picture.label)
        else:
            groups[key].append(picture)
    repeated = [picture.line for group in groups.values() for picture in group[1:]]
    conflicting = []
    for group in groups.values():
        if len({picture.label for picture in group}) > 1:
            conflicting += [picture.line for picture in group]
    left = set(conflicting)
    kept = {key: group[0] for key, group in groups.items() if group[0].line not in left}
    splits = _carve(kept, recipe)
    splits["test"] = pictures["test"]
    _refuse_missing(pictures["test"], recipe.labels)
    refuse_shared(splits, _key, "picture")
    lines = sorted(line for line in repeated if line not in left)
    return splits, findings, Duplicates(repeated=lines, conflicting=sorted(conflicting))


def first_pictures(pictures: "Sequence[Picture]", rows: int, seed: int) -> list[Picture]:
    """Some pictures by the hash of their pixels, in the order in which they were; 0 takes all."""
    if not rows or rows >= len(pictures):
        return list(pictures)
    ranked = sorted(pictures, key=lambda picture: rank(_key(picture).hex(), seed))[:rows]
    chosen = {id(picture) for picture in ranked}
    return [picture for picture in pictures if id(picture) in chosen]


def digest_pictures(splits: "Mapping[str, Sequence[Picture]]") -> str:
    """`sha256:` and the digest of all pixels, sizes and labels, split after split."""
    rows = chain.from_iterable(splits.values())
    return digest_parts(
        part
        for row in rows
        for part in (repr(row.pixels.shape).encode(), row.pixels.tobytes(), row.label.encode())
    )


def _key(picture: Picture) -> bytes:
    return hashlib.sha256(picture.pixels.tobytes()).digest()  # all are of one size


def _named(found: PictureFiles, split: str, labels: tuple[str, ...]) -> list[Picture]:
    numbers = found.labels[split]
    largest = int(numbers.max())
    if largest >= len(labels):
        line = int(numbers.argmax()) + 1
        raise FieldError(
            f"{LABELS[split]}: label {largest} of picture {line} has no name; the recipe names "
            f"{len(labels)}, for 0 to {len(labels) - 1}.",
            field="data.labels",
        )
    rows = zip(found.images[split], numbers.tolist(), strict=True)
    return [Picture(line, pixels, labels[number]) for line, (pixels, number) in enumerate(rows, 1)]


def _carve(kept: "Mapping[bytes, Picture]", recipe: "ImageData") -> dict[str, list[Picture]]:
    """Training and validation rows, each label by itself, in the order of the hash."""
    ranked = sorted(kept, key=lambda key: rank(key.hex(), recipe.split_seed))
    by_label: dict[str, list[bytes]] = {label: [] for label in recipe.labels}
    for key in ranked:
        by_label[kept[key].label].append(key)
    validated: set[bytes] = set()
    for label, keys in by_label.items():
        if len(keys) < _FEWEST:
            raise FieldError(
                f"Label {label} has {len(keys)} usable training pictures; each label needs at "
                f"least {_FEWEST}, one to train on and one to choose by.",
                field="data.labels",
            )
        validated.update(keys[: share_of(len(keys), recipe.validation)])
    return {
        "train": [kept[key] for key in ranked if key not in validated],
        "validation": [kept[key] for key in ranked if key in validated],
    }


def _refuse_missing(pictures: "Sequence[Picture]", labels: tuple[str, ...]) -> None:
    missing = set(labels) - {picture.label for picture in pictures}
    if missing:
        raise FieldError(
            f"{LABELS['test']}: holds no picture of {min(missing)}.", field="data.labels"
        )
