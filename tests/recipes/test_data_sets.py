"""Every data set that comes with a name, as it really is: counts, splits, licence, and no leak.

What is not in the cache of this checkout is fetched into it, from Python's and npm's registries and
from the Debian archive.
"""

import functools
import time
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from typing import Any

import pytest

from maas_lab.data.checkpoints import CHECKPOINTS, fetch_checkpoint
from maas_lab.data.dataset import (
    Dataset,
    load_pairs,
    load_pictures,
    load_plain,
    load_texts,
    load_transfer,
)
from maas_lab.data.debian_synopses import stem
from maas_lab.data.known_sets import PAIR_SETS, PICTURE_SETS, about_set
from maas_lab.data.splits import fold
from maas_lab.data.text_sets import TEXT_SETS
from maas_lab.recipes.data import ImageData, PairData, TextData

pytestmark = pytest.mark.recipes
CACHE = Path(__file__).parents[2] / ".maas" / "cache"
DIGITS = tuple("0123456789")
SIGNS = ("negative", "positive")
TOOK: dict[str, float] = {}
"""Seconds of the last loading, by set."""


def load(name: str, *, seed: int = 0) -> Dataset[Any]:
    started = time.monotonic()
    dataset = read(name, seed)
    TOOK[name] = time.monotonic() - started
    return dataset


def read(name: str, seed: int) -> Dataset[Any]:
    if name in TEXT_SETS:
        return load_texts(TextData(source=name, split_seed=seed), cache=CACHE)
    if name in PICTURE_SETS:
        return load_pictures(ImageData(source=name, labels=DIGITS, split_seed=seed), cache=CACHE)
    return load_pairs(PairData(source=name, split_seed=seed), cache=CACHE)


loaded = functools.cache(load)


@pytest.fixture(scope="module", autouse=True)
def _forget() -> Iterable[None]:
    """Give the memory back after the last test."""
    yield
    loaded.cache_clear()


def sizes(dataset: Dataset[Any]) -> tuple[int, int, int]:
    return len(dataset.train), len(dataset.validation), len(dataset.test)


def shared(dataset: Dataset[Any], key: Callable[[Any], Hashable]) -> set[Hashable]:
    """Keys that are in more than one split; the empty one is no key."""
    train, validation, test = (
        {key(row) for row in rows} - {""}
        for rows in (dataset.train, dataset.validation, dataset.test)
    )
    return (train & validation) | (train & test) | (validation & test)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("amazon-reviews", (2750, 316, 534)),
        ("chinese-reviews", (13888, 1735, 1735)),
        ("fashion-mnist", (54000, 6000, 10000)),
        ("mnist", (54004, 5996, 10000)),
        ("movie-reviews", (8454, 1056, 1056)),
        ("tweets", (3312, 412, 412)),
    ],
)
def test_pinned_sets_have_exactly_these_rows(name: str, expected: tuple[int, int, int]) -> None:
    assert sizes(loaded(name)) == expected
    assert about_set(name).rows == sum(expected)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("libreoffice-help-zh", (37160, 1098, 1124)), ("debian-synopses", (21500, 2860, 2220))],
)
def test_debians_sets_have_about_these_rows(name: str, expected: tuple[int, int, int]) -> None:
    for found, wanted in zip(sizes(loaded(name)), expected, strict=True):
        assert found == pytest.approx(wanted, rel=0.3)
    assert about_set(name).rows == pytest.approx(sum(expected), rel=0.3)


@pytest.mark.parametrize("name", [*TEXT_SETS, *PICTURE_SETS, *PAIR_SETS])
def test_a_card_says_whose_the_data_are_and_what_was_fetched(name: str) -> None:
    card = loaded(name).card

    assert card.source == name
    assert card.title
    assert card.licence
    assert card.citation
    assert card.redistribution
    assert card.files
    for file, digest in card.files.items():
        assert (CACHE / file).is_file()
        assert len(digest) == 64
    assert card.rows == sum(
        [
            *(count for counts in card.counts.values() for count in counts.values()),
            *card.reasons.values(),
            len(card.duplicates.repeated),
            len(card.duplicates.conflicting),
        ]
    )


@pytest.mark.parametrize("name", TEXT_SETS)
def test_no_text_is_in_two_splits(name: str) -> None:
    assert shared(loaded(name), lambda row: fold(row.text)) == set()
    assert loaded(name).card.labels == list(SIGNS)


def test_no_product_review_is_in_two_splits() -> None:
    assert shared(loaded("amazon-reviews"), lambda row: row.group) == set()


@pytest.mark.parametrize("name", PICTURE_SETS)
def test_no_picture_is_in_two_splits(name: str) -> None:
    dataset = loaded(name)

    assert shared(dataset, lambda row: row.pixels.tobytes()) == set()
    assert dataset.test[0].pixels.shape == (28, 28, 1)
    assert [row.line for row in dataset.test] == list(range(1, 10_001))


@pytest.mark.parametrize("name", PAIR_SETS)
def test_no_source_and_no_group_is_in_two_splits(name: str) -> None:
    assert shared(loaded(name), lambda row: fold(row.source)) == set()
    assert shared(loaded(name), lambda row: row.group) == set()


def test_test_rows_of_the_translation_are_sentences_of_the_help() -> None:
    dataset = loaded("libreoffice-help-zh")

    for row in dataset.validation + dataset.test:
        assert row.group.endswith(".html")
        assert 5 <= len(row.source.split()) <= 40
    assert {row.group == "" for row in dataset.train} == {True, False}


def test_no_stem_of_a_package_is_in_two_splits() -> None:
    dataset = loaded("debian-synopses")

    assert stem("python3-foo-common") == stem("foo") == "foo"
    assert all(len(row.source.split()) >= 20 for row in dataset.test)


@pytest.mark.parametrize("name", ["movie-reviews", "mnist", "debian-synopses"])
def test_the_same_seed_splits_alike(name: str) -> None:
    first, again = loaded(name), load(name)

    assert again.card == first.card
    for split in ("train", "validation", "test"):
        lines = [row.line for row in getattr(first, split)]
        assert [row.line for row in getattr(again, split)] == lines


def test_another_seed_splits_otherwise() -> None:
    first, other = loaded("movie-reviews"), load("movie-reviews", seed=1)

    assert {row.line for row in other.test} != {row.line for row in first.test}


def test_sets_of_other_domains_are_tests_for_the_movie_reviews() -> None:
    learned = {fold(row.text) for row in loaded("movie-reviews").train}
    for name, rows in (("amazon-reviews", 3600), ("tweets", 4136)):
        samples = load_transfer(name, labels=SIGNS, cache=CACHE, seen=learned)

        assert len({fold(sample.text) for sample in samples}) == len(samples)
        assert rows - 1 <= len(samples) <= rows  # "Don't waste your money." is in both
        assert not learned & {fold(sample.text) for sample in samples}


def test_the_plain_texts_are_many_and_distinct() -> None:
    dataset = load_plain(TextData(source="mixed-english"), cache=CACHE)

    assert sizes(dataset) == (0, 150, 1350)
    assert len({fold(text) for text in dataset.validation + dataset.test}) == 1500


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_checkpoint_is_a_folder_of_verified_files(name: str) -> None:
    folder = fetch_checkpoint(name, CACHE)
    started = time.monotonic()

    assert fetch_checkpoint(name, CACHE) == folder
    assert time.monotonic() - started < 5
    names = {path.name for path in folder.iterdir()}
    assert names == {*CHECKPOINTS[name].files, "LICENCE.txt"}


@pytest.mark.parametrize("name", [*PICTURE_SETS, *PAIR_SETS])
def test_loading_takes_seconds(name: str) -> None:
    """On a quiet machine 1 to 4; a loop over the pixels would take minutes."""
    loaded(name)

    assert TOOK[name] < 40
