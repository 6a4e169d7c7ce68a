"""Readers of a user's own rows: each row is a sample or is reported, and none gets lost."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from maas.errors import FieldError
from maas_lab.data.files import read_rows
from maas_lab.data.rows import Reading
from maas_lab.recipes.data import TextData

RECIPE = TextData(source="rows", labels=("bad", "good"))
STARS = TextData(source="rows", labels=("1", "5"), text_column="body", label_column="stars")


def read(folder: Path, name: str, content: bytes, recipe: TextData = RECIPE) -> Reading:
    path = folder / name
    path.write_bytes(content)
    return read_rows(path, recipe)


def used(reading: Reading) -> list[tuple[int, str, str]]:
    return [(sample.line, sample.text, sample.label) for sample in reading.samples]


def refused(reading: Reading) -> list[tuple[int, str]]:
    return [(row.line, row.reason) for row in reading.unusable]


def test_csv_rows_are_used_or_reported_by_the_line_they_begin_on(tmp_path: Path) -> None:
    content = (
        b"\xef\xbb\xbfid,text,label\r\n"
        b"1,Fine.,good\r\n"
        b'2,"Two\r\nlines, quoted ""so"".",bad\r\n'  # begins on line 3
        b"\r\n"
        b"3,Too,many,good\r\n"  # line 6
        b"4,Short\r\n"
        b"5,  ,good\r\n"
        b"6,What?,ugly\r\n"
        b"7,No label,\r\n"
        b"8,Caf\xe9,good\r\n"  # Latin-1, line 11
        b'9,"odd"quote,good\r\n'
        b"10, Last , bad"
    )

    reading = read(tmp_path, "rows.csv", content)

    assert used(reading) == [
        (2, "Fine.", "good"),
        (3, 'Two\r\nlines, quoted "so".', "bad"),
        (13, "Last", "bad"),
    ]
    assert refused(reading) == [
        (6, "wrong number of fields"),
        (7, "wrong number of fields"),
        (8, "empty text"),
        (9, "unknown label"),
        (10, "no label"),
        (11, "not UTF-8"),
        (12, "not CSV"),
    ]
    assert reading.unusable[3].detail == "ugly"
    assert reading.rows == 10


UNCLOSED = "a quote is not closed"


def test_a_quote_that_is_never_closed_costs_one_row(tmp_path: Path) -> None:
    many = "".join(f"Row {number}.,good\n" for number in range(1000))
    content = f'text,label\nFine.,good\n"Open,bad\n{many}'

    reading = read(tmp_path, "rows.csv", content.encode())

    assert refused(reading) == [(3, UNCLOSED)]
    assert [line for line, _, _ in used(reading)] == [2, *range(4, 1004)]
    assert reading.rows == 1002


@pytest.mark.parametrize(
    ("between", "closing", "refused_too"),
    [
        (2, b'"Quoted, fine.",bad\n', []),
        (30, b'"Quoted, fine.",bad\n', []),
        (30, b'Fine,"bad"\n', []),
        (30, b'the end.",bad\n', [(34, UNCLOSED)]),  # it may have been a very long text
    ],
)
def test_a_quote_that_some_later_line_closes_costs_one_row_too(
    tmp_path: Path, between: int, closing: bytes, refused_too: list[tuple[int, str]]
) -> None:
    content = b'text,label\nFine.,good\n"Open,bad\n' + b"More.,good\n" * between + closing

    reading = read(tmp_path, "rows.csv", content + b"Last.,bad\n")

    assert refused(reading) == [(3, UNCLOSED), *refused_too]
    assert reading.rows == between + 4  # every line but the header


def test_a_record_of_several_lines_with_too_many_fields_costs_none_of_the_others(
    tmp_path: Path,
) -> None:
    content = b'text,label\n"Open,bad\nMore.,good\ntail",x,good\n'

    reading = read(tmp_path, "rows.csv", content)

    assert used(reading) == [(3, "More.", "good")]
    assert refused(reading) == [(2, "wrong number of fields"), (4, "wrong number of fields")]


def test_a_text_may_take_twenty_lines(tmp_path: Path) -> None:
    text = "\n".join("abcdefghijklmnopqrst")

    reading = read(tmp_path, "rows.csv", f'text,label\n"{text}",good\nLast.,bad\n'.encode())

    assert used(reading) == [(2, text, "good"), (22, "Last.", "bad")]


def test_a_header_with_an_open_quote_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FieldError, match=rf"rows\.csv, line 1: .*header \({UNCLOSED}\)"):
        read(tmp_path, "rows.csv", b'text,"label\nFine.,good\nDull.,bad\n')


def test_jsonl_rows_are_used_or_reported_by_line(tmp_path: Path) -> None:
    lines = [
        b'{"text": "Fine.", "label": "good", "more": [1]}',
        b"",
        b'{"text": "Bad", "label"',
        b'["text", "label"]',
        b'{"text": 3, "label": "good"}',
        b'{"text": null, "label": "good"}',
        b'{"label": "good"}',
        b'{"text": "x"}',
        b'{"text": "Caf\xe9", "label": "good"}',
        b'{"text": "\\ud800", "label": "good"}',
        b"[" * 100_000,
        b'{"text": "Last", "label": "bad"}',
    ]

    reading = read(tmp_path, "rows.jsonl", b"\xef\xbb\xbf" + b"\n".join(lines))

    assert used(reading) == [(1, "Fine.", "good"), (12, "Last", "bad")]
    assert refused(reading) == [
        (3, "not JSON"),
        (4, "not an object"),
        (5, "text is not a string"),
        (6, "no text"),
        (7, "no text"),
        (8, "no label"),
        (9, "not UTF-8"),
        (10, "not JSON"),
        (11, "not JSON"),
    ]


def test_labels_may_be_numbers_and_truth_values(tmp_path: Path) -> None:
    content = b'{"text": "a", "label": true}\n{"text": "b", "label": 2}\n'
    recipe = TextData(source="rows", labels=("true", "2"))

    assert used(read(tmp_path, "rows.ndjson", content, recipe)) == [(1, "a", "true"), (2, "b", "2")]


def parquet(path: Path, texts: pa.Array, labels: Sequence[object]) -> Path:
    pq.write_table(pa.table({"n": range(len(labels)), "body": texts, "stars": labels}), path)
    return path


def test_parquet_rows_are_used_or_reported_by_number(tmp_path: Path) -> None:
    broken = pa.array([b"Fine.", b"Caf\xe9", None, b" ", b"Bad."], pa.binary())
    texts = pa.Array.from_buffers(pa.string(), len(broken), broken.buffers())
    path = parquet(tmp_path / "rows.parquet", texts, [5.0, 5.0, 1.0, 1.0, None])

    reading = read_rows(path, STARS)

    assert used(reading) == [(1, "Fine.", "5")]
    assert refused(reading) == [
        (2, "not UTF-8"),
        (3, "no text"),
        (4, "empty text"),
        (5, "no label"),
    ]


def test_parquet_knows_dictionaries_and_refuses_other_types(tmp_path: Path) -> None:
    folded = pa.array(["Fine.", "Fine.", None]).dictionary_encode()
    numbers = pa.array([1, 2, 3])

    words = read_rows(parquet(tmp_path / "words.parquet", folded, [5, 1, 1]), STARS)
    others = read_rows(parquet(tmp_path / "numbers.parquet", numbers, [5, 1, 1]), STARS)

    assert used(words) == [(1, "Fine.", "5"), (2, "Fine.", "1")]
    assert refused(words) == [(3, "no text")]
    assert refused(others) == [(row, "text is not a string") for row in (1, 2, 3)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.csv", b"content,label\nFine.,good\n"),
        ("rows.jsonl", b'{"content": "Fine.", "label": "good"}\n'),
    ],
)
def test_a_missing_column_is_told_with_those_that_are_there(
    tmp_path: Path, name: str, content: bytes
) -> None:
    with pytest.raises(FieldError, match=r"no column text\. Columns: content, label\.") as caught:
        read(tmp_path, name, content)

    assert caught.value.field == "data.text_column"
    assert "--text-column" in str(caught.value)


def test_a_missing_parquet_column_is_told(tmp_path: Path) -> None:
    path = parquet(tmp_path / "rows.parquet", pa.array(["Fine."]), [5])

    with pytest.raises(FieldError, match=r"no column text\. Columns: n, body, stars\."):
        read_rows(path, RECIPE)


def test_a_column_that_is_there_twice_is_refused_where_it_is_needed(tmp_path: Path) -> None:
    columns = [pa.array([text]) for text in ("Fine.", "Dull.", "good")]
    path = tmp_path / "rows.parquet"

    pq.write_table(pa.Table.from_arrays(columns, names=["text", "text", "label"]), path)
    with pytest.raises(FieldError, match="more than one column text") as caught:
        read_rows(path, RECIPE)
    assert caught.value.field == "data.text_column"
    with pytest.raises(FieldError, match="more than one column label"):
        read(tmp_path, "rows.csv", b"text,label,label\nFine.,good,bad\n")

    pq.write_table(
        pa.Table.from_arrays(
            [columns[0], columns[0], *columns[1:]], names=["n", "n", "text", "label"]
        ),
        path,
    )
    assert used(read_rows(path, RECIPE)) == [(1, "Dull.", "good")]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("rows.txt", b"Fine.", r"allowed: \.csv, \.jsonl, \.ndjson, \.parquet"),
        ("rows.parquet", b"PAR1 not really PAR1", "is not a Parquet file"),
        ("rows.parquet", b"", "is not a Parquet file"),
        ("rows.csv", b"", "Columns: none"),
        ("rows.csv", b"\xff\xfet\x00e\x00", "no column text"),
    ],
)
def test_a_file_that_cannot_be_read_at_all_is_refused(
    tmp_path: Path, name: str, content: bytes, told: str
) -> None:
    with pytest.raises(FieldError, match=told) as caught:
        read(tmp_path, name, content)

    assert caught.value.exit_code == 2
    str(caught.value).encode()  # can be printed


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.parquet"])
def test_a_file_that_is_absent_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(FieldError, match="cannot be read"):
        read_rows(tmp_path / name, RECIPE)
