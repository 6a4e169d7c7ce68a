"""Comma-separated and tab-separated values, read record by record.

Imports the standard library, `maas.errors` and `maas_lab.data.columns`:

    read_csv(path, columns, findings, reading.add)

A record that is broken is reported, and the next one is read. A quote that nobody closed costs one
row, and never the rest of the file.
"""

import csv
import itertools
from collections import deque
from typing import TYPE_CHECKING, TextIO

from maas.errors import FieldError
from maas_lab.data.columns import require_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from maas_lab.data.columns import Column
    from maas_lab.data.rows import Findings

    Add = Callable[..., None]

_RECORD_LINES = 20  # a CSV record that is longer is a quote that somebody forgot to close
_UNCLOSED = ("a quote is not closed", "")  # reason and detail
_WIDTH = "wrong number of fields"


def read_csv(path: "Path", columns: "Sequence[Column]", findings: "Findings", add: "Add") -> None:
    """Comma-separated values, with quotes; a record may take up to 20 lines."""
    with _open_text(path) as file:
        _add_records(path, columns, findings, add, _csv_records(file, findings))


def read_tsv(path: "Path", columns: "Sequence[Column]", findings: "Findings", add: "Add") -> None:
    """Tab-separated values, without quotes."""
    with _open_text(path) as file:
        _add_records(path, columns, findings, add, _tsv_records(file, findings))


def _open_text(path: "Path") -> TextIO:
    # Bytes that are not UTF-8 become lone surrogates, which the row's own check finds: one bad
    # byte costs one row and not the file.
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


def _add_records(
    path: "Path",
    columns: "Sequence[Column]",
    findings: "Findings",
    add: "Add",
    records: "Iterator[tuple[int, list[str]]]",
) -> None:
    _, header = next(records, (1, []))
    if findings.unusable:  # no later line can take the header's place
        first = findings.unusable[0]
        reason = f"{path.name}, line {first.line}: cannot read the header ({first.reason})."
        raise FieldError(reason, field="data")
    names = [name.strip() for name in header]
    require_columns(path, columns, names)
    places = [names.index(column.name) for column in columns]
    for line, record in records:
        add(line, *(record[place] for place in places))


def _tsv_records(file: TextIO, findings: "Findings") -> "Iterator[tuple[int, list[str]]]":
    """The header and all records as wide; a field holds neither a tab nor the end of a line."""
    width = 0
    for line, text in enumerate(file, start=1):
        record = text.rstrip("\r\n").split("\t")
        if not text.strip():
            continue
        if width not in (0, len(record)):
            findings.refuse(line, _WIDTH, f"{len(record)} where the header has {width}")
            continue
        width = len(record)
        yield line, record


def _csv_records(file: TextIO, findings: "Findings") -> "Iterator[tuple[int, list[str]]]":
    """The header and all records as wide, each with the line on which it begins.

    Any other record is reported by its first line, and reading goes on with the line after that:
    a quote that is not closed must not swallow the rows behind it, wherever the next quote is.
    """
    ahead: deque[str] = deque()
    line, width, torn = 1, 0, False
    while True:
        ahead.extend(itertools.islice(file, _RECORD_LINES - len(ahead)))
        if not ahead:
            return
        record, used, problem = _first_record(ahead)
        if not problem and torn and _quotes(ahead, used) % 2:
            problem = _UNCLOSED  # the end, perhaps, of the text whose beginning was reported
        elif record and width not in (0, len(record)):
            problem = (_WIDTH, f"{len(record)} where the header has {width}")
        if problem:
            torn = torn or problem == _UNCLOSED
            findings.refuse(line, *problem)
            used = 1
        elif record:
            width = len(record)
            yield line, record
        for _ in range(used):
            ahead.popleft()
        line += used


def _first_record(ahead: "deque[str]") -> tuple[list[str], int, tuple[str, str] | None]:
    """The first record, how many lines it takes, and the reason and detail why it is none."""
    records = csv.reader(ahead, strict=True)
    try:
        record = next(records)
    except csv.Error as error:
        unclosed = records.line_num > 1 or "unexpected end" in str(error)
        return [], 1, _UNCLOSED if unclosed else ("not CSV", str(error))
    return record, records.line_num, None


def _quotes(ahead: "deque[str]", lines: int) -> int:
    return sum(line.count('"') for line in itertools.islice(ahead, lines))
