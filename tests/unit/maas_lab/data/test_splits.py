"""Splits: no text twice, every label everywhere, and no order of the file matters."""

import msgspec
import pytest

from maas.errors import FieldError, RefusedError
from maas_lab.data.rows import Sample
from maas_lab.data.splits import deduplicate, digest_rows, fold, refuse_overlap, split
from maas_lab.recipes.data import TextData

RECIPE = TextData(source="rows", labels=("bad", "good"))


def made_up(rows: int) -> list[Sample]:
    return [
        Sample(line, f"text number {line}", ("bad", "good")[line % 2])
        for line in range(1, rows + 1)
    ]


def texts(samples: list[Sample]) -> list[str]:
    return [sample.text for sample in samples]


def test_case_width_and_white_space_make_no_difference() -> None:
    assert fold(" \uff21\u00a0Fine\t\nFILM ") == fold("a fine film")
    assert fold("Straße") == fold("STRASSE")
    assert fold("a fine film") != fold("a fine, film")


def test_repeated_texts_are_kept_once_and_contradictions_not_at_all() -> None:
    samples = [
        Sample(2, "Fine.", "good"),
        Sample(3, "Odd.", "good"),
        Sample(4, "FINE. ", "good"),
        Sample(5, "odd.", "bad"),
        Sample(6, "Bad.", "bad"),
        Sample(9, "fine.", "good"),
    ]

    kept, duplicates = deduplicate(samples)

    assert kept == [samples[0], samples[4]]
    assert duplicates.repeated == [4, 9]
    assert duplicates.conflicting == [3, 5]


def test_shares_are_exact_and_labels_are_in_every_split() -> None:
    splits = split(made_up(1000), RECIPE)

    assert {name: len(rows) for name, rows in splits.items()} == {
        "train": 800,
        "validation": 100,
        "test": 100,
    }
    for rows in splits.values():
        assert sum(row.label == "good" for row in rows) * 2 == len(rows)
    assert sorted(s.line for rows in splits.values() for s in rows) == list(range(1, 1001))


def test_the_order_of_the_rows_does_not_matter() -> None:
    assert split(made_up(200)[::-1], RECIPE) == split(made_up(200), RECIPE)


def test_new_rows_move_few_of_the_old_ones() -> None:
    before = set(texts(split(made_up(1000), RECIPE)["test"]))
    after = set(texts(split(made_up(1010), RECIPE)["test"]))

    assert len(before - after) <= 5


def test_another_split_seed_is_another_split() -> None:
    other = msgspec.structs.replace(RECIPE, split_seed=1)

    assert texts(split(made_up(200), other)["test"]) != texts(split(made_up(200), RECIPE)["test"])


def test_the_smallest_label_that_can_be_split_has_three_rows() -> None:
    largest = msgspec.structs.replace(RECIPE, validation=0.4, test=0.4)

    splits = split(made_up(6), largest)

    assert [len(rows) for rows in splits.values()] == [2, 2, 2]
    with pytest.raises(FieldError, match="Label bad has 2 usable rows"):
        split(made_up(5), RECIPE)


def test_the_same_text_in_two_splits_is_refused() -> None:
    splits = {"train": [Sample(3, "Fine.", "good")], "test": [Sample(8, "fine.", "bad")]}

    with pytest.raises(RefusedError, match=r"train \(line 3\) and in test \(line 8\)"):
        refuse_overlap(splits)


def test_the_digest_knows_texts_labels_and_their_order() -> None:
    rows = made_up(3)
    digests = {
        digest_rows(rows),
        digest_rows(rows[::-1]),
        digest_rows(rows[:2]),
        digest_rows([Sample(1, rows[0].text, "bad"), *rows[1:]]),
        digest_rows([Sample(1, rows[0].text + rows[0].label, ""), *rows[1:]]),
    }

    assert len(digests) == 5
    assert digest_rows([Sample(99, row.text, row.label) for row in rows]) == digest_rows(rows)
