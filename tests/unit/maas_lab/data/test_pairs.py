"""Pairs: every row is accounted for, and no source of the test is learned from."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from maas.errors import FieldError, RefusedError
from maas_lab.data.dataset import load_pairs, report
from maas_lab.data.pair_splits import PairRule, refuse_shared_sources, split_pairs
from maas_lab.data.rows import Pair, PairReading
from maas_lab.data.splits import fold
from maas_lab.recipes.data import PairData

RECIPE = PairData(source="./pairs")


def reading_of(groups: int, rows: int) -> PairReading:
    """Distinct pairs, some of each group."""
    reading = PairReading()
    for group in range(groups):
        for row in range(rows):
            line = reading.rows + 1
            reading.add(line, f"source {group} {row}", f"target {group} {row}", f"page {group}")
    return reading


def accounted(splits: dict[str, list[Pair]], reading: PairReading, repeated: list[int]) -> int:
    return sum(map(len, splits.values())) + sum(reading.reasons.values()) + len(repeated)


def test_groups_stay_together_and_every_row_has_one_place() -> None:
    reading = reading_of(30, 4)

    splits, duplicates = split_pairs(reading, RECIPE)

    assert {name: len(rows) for name, rows in splits.items()} == {
        "train": 96,
        "validation": 12,
        "test": 12,
    }
    groups = [{row.group for row in rows} for rows in splits.values()]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 30
    assert accounted(splits, reading, duplicates.repeated) == 120


def test_the_order_of_the_pairs_does_not_matter() -> None:
    turned = reading_of(30, 4)
    turned.pairs.reverse()

    assert split_pairs(turned, RECIPE)[0] == split_pairs(reading_of(30, 4), RECIPE)[0]


def test_a_planted_copy_of_a_test_source_is_dropped_from_training_and_reported() -> None:
    # Given the source of a test pair, in other letters, on a page of training
    clean, _ = split_pairs(reading_of(30, 4), RECIPE)
    reading = reading_of(30, 4)
    reading.add(900, clean["test"][0].source.upper(), "another target", clean["train"][0].group)
    reading.add(901, clean["test"][1].source, "one more", clean["validation"][0].group)

    splits, _ = split_pairs(reading, RECIPE)

    assert [(row.line, row.reason) for row in reading.unusable] == [
        (901, "source is in the test split too"),
        (900, "source is in the test split too"),
    ]
    assert splits == clean


def test_a_set_of_common_phrases_asks_for_new_sources_instead() -> None:
    clean, _ = split_pairs(reading_of(30, 4), RECIPE)
    phrase = clean["test"][0]
    reading = reading_of(30, 4)
    reading.add(900, phrase.source, phrase.target, clean["train"][0].group)

    splits, duplicates = split_pairs(reading, RECIPE, PairRule(novel=True))

    assert phrase.source not in {row.source for row in splits["test"]}
    assert phrase.source in {row.source for row in splits["train"]}
    assert reading.reasons == {"held out, and its source is in train too": 1}
    assert accounted(splits, reading, duplicates.repeated) == 121


def test_some_pairs_teach_only_and_some_do_not_measure() -> None:
    reading = reading_of(30, 4)
    reading.add(900, "a message", "its translation")
    rule = PairRule(
        teaches=lambda pair: not pair.group,
        measures=lambda pair: not pair.source.endswith("3"),
        unmeasured="held out, and odd",
    )

    splits, duplicates = split_pairs(reading, RECIPE, rule)

    assert 900 in {row.line for row in splits["train"]}
    assert [len(splits[name]) for name in ("validation", "test")] == [9, 9]
    assert reading.reasons == {"held out, and odd": 6}
    assert accounted(splits, reading, duplicates.repeated) == 121


def test_the_same_pair_is_used_once_and_two_targets_stay_together(tmp_path: Path) -> None:
    lines = [f"text {row}\ttarget {row}" for row in range(40)]
    lines += ["TEXT 7\tTarget 7", "text 7\tanother target"]
    path = tmp_path / "pairs.tsv"
    path.write_text("\n".join(["source\ttarget", *lines]))

    dataset = load_pairs(PairData(source=str(path)), cache=tmp_path)

    assert dataset.card.duplicates.repeated == [42]
    assert dataset.card.rows == 42
    places = [
        name
        for name in ("train", "validation", "test")
        for row in getattr(dataset, name)
        if fold(row.source) == "text 7"
    ]
    assert len(places) == 2
    assert len(set(places)) == 1
    assert dataset.card.labels == []
    counts = dataset.card.counts
    assert set(counts["test"]) == {"pairs"}
    assert sum(count["pairs"] for count in counts.values()) == 41


def test_a_source_in_two_splits_is_refused() -> None:
    splits = {"train": [Pair(3, "Fine.", "a")], "test": [Pair(8, "fine.", "b")]}

    with pytest.raises(RefusedError, match=r"same source.*train \(line 3\) and in test \(line 8\)"):
        refuse_shared_sources(splits)


def test_smoke_runs_take_the_first_rows(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("\n".join(["source,target", *(f"s {row},t {row}" for row in range(100))]))
    full = load_pairs(PairData(source=str(path)), cache=tmp_path)

    cut = load_pairs(PairData(source=str(path), train_rows=5, test_rows=3), cache=tmp_path)

    assert cut.train == full.train[:5]
    assert cut.test == full.test[:3]
    assert cut.card.counts["train"] == {"pairs": 5}


ROWS = [("one", "uno"), ("two", ""), (" ", "tres"), ("four", "cuatro")]
REASONS = [(2, "empty target"), (3, "empty source")]


def used_of(
    path: Path, source: str = "source", target: str = "target"
) -> tuple[list[tuple[str, str]], list[tuple[int, str]]]:
    from maas_lab.data.files import read_pairs

    reading = read_pairs(
        path, PairData(source=str(path), source_column=source, target_column=target)
    )
    pairs = [(pair.source, pair.target) for pair in reading.pairs]
    return pairs, [(row.line, row.reason) for row in reading.unusable]


def test_every_format_gives_the_same_pairs(tmp_path: Path) -> None:
    wanted = [ROWS[0], ROWS[3]]
    later = [(line + 1, reason) for line, reason in REASONS]

    (tmp_path / "a.csv").write_text("source,target\n" + "".join(f"{a},{b}\n" for a, b in ROWS))
    assert used_of(tmp_path / "a.csv") == (wanted, later)

    (tmp_path / "a.tsv").write_text("target\tsource\n" + "".join(f"{b}\t{a}\n" for a, b in ROWS))
    assert used_of(tmp_path / "a.tsv") == (wanted, later)

    lines = [f'{{"en": "{a}", "es": "{b}"}}' for a, b in ROWS]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    found = used_of(tmp_path / "a.jsonl", source="en", target="es")
    assert found == (wanted, REASONS)

    pq.write_table(
        pa.table({"source": [a for a, _ in ROWS], "target": [b for _, b in ROWS]}),
        tmp_path / "a.parquet",
    )
    assert used_of(tmp_path / "a.parquet") == (wanted, REASONS)

    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo\n \nfour\n\n")
    (tmp_path / "a.target.txt").write_text("uno\n\ntres\ncuatro\n\n")
    assert used_of(tmp_path / "a.txt") == (wanted, REASONS)


def test_tab_separated_values_have_no_quotes(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(b'source\ttarget\n"Open\tAbierto\r\none\ttwo\tthree\n\ncaf\xe9\tx\nlast\tfin')

    pairs, reasons = used_of(path)

    assert pairs == [('"Open', "Abierto"), ("last", "fin")]
    assert reasons == [(3, "wrong number of fields"), (5, "not UTF-8")]


@pytest.mark.parametrize(
    ("sources", "targets", "told"),
    [
        ("a\nb\nc\n", "x\ny\n", r"a\.target\.txt: has 2 lines and a\.txt has more"),
        ("a\n", "x\ny\n", r"a\.txt: has 1 lines and a\.target\.txt has more"),
        ("a\n", None, r"a\.target\.txt: cannot be read"),
    ],
)
def test_two_text_files_have_a_line_for_each_pair(
    tmp_path: Path, sources: str, targets: str | None, told: str
) -> None:
    (tmp_path / "a.txt").write_text(sources)
    if targets is not None:
        (tmp_path / "a.target.txt").write_text(targets)

    with pytest.raises(FieldError, match=told):
        load_pairs(PairData(source=str(tmp_path / "a.txt")), cache=tmp_path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("source,target\n", "holds no rows"),
        ("source,target\na,\n", "none of its 1 rows can be used; line 2: empty target"),
        ("source,target\na,b\nc,d\n", "belong to 2 groups"),
        ("text,target\na,b\n", "no column source.*--source-column"),
    ],
)
def test_hopeless_pairs_are_refused(tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "a.csv").write_text(content)

    with pytest.raises(FieldError, match=told):
        load_pairs(PairData(source=str(tmp_path / "a.csv")), cache=tmp_path)


def test_a_split_that_is_left_empty_is_refused() -> None:
    reading = PairReading()
    for group in range(3):
        reading.add(group, "the same source", f"target {group}", f"page {group}")

    with pytest.raises(FieldError, match="No pair is left for the train rows"):
        split_pairs(reading, RECIPE)


def test_an_unknown_set_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(FieldError, match="debian-synopses, libreoffice-help-zh"):
        load_pairs(PairData(source="wikipedia"), cache=tmp_path)


def test_rows_that_a_set_leaves_out_are_told_without_a_line() -> None:
    reading = reading_of(30, 4)
    reading.leave_out("not translated", 7)
    from maas_lab.data.about import about_file
    from maas_lab.data.cards import make_card

    card = make_card("set", about_file("set"), reading, rows=reading.rows, digest="", counts={})

    assert report(card)[1:] == ["  not used: 7 not translated"]
    assert card.rows == 127
