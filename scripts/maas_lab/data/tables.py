"""A user's own rows: CSV, tab-separated values, JSON lines and Parquet with named columns.

Imports pyarrow (when a Parquet file is read), msgspec, `maas.errors` and `maas_lab.data.rows`:

    reading = Reading(labels)
    read_table(Path("reviews.csv"), (Column("text", "body"), Column("label", "stars")), reading)
    reading.unusable[0].line, reading.unusable[0].reason      # 17, "wrong number of fields"

The file is read row by row; a row that is broken is reported, and the next one is read. Blank lines
hold no row. A CSV record may take up to 20 lines; tab-separated values have no quotes.
"""

import csv
import itertools
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

import msgspec

from maas.errors import FieldError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from maas_lab.data.rows import Findings

    Add = Callable[..., None]

_COLUMNS_SHOWN = 20
_RECORD_LINES = 20  # a CSV record that is longer is a quote that somebody forgot to close
_UNCLOSED = ("a quote is not closed", "")  # reason and detail
_WIDTH = "wrong number of fields"


@dataclass(frozen=True, slots=True)
class Column:
    """A column that is read.

    Attributes:
        key: What it holds: `text` is named by the recipe's `text_column` and by `--text-column`.
        name: Its name in the file.
    """

    key: str
    name: str


def read_table(path: "Path", columns: "Sequence[Column]", findings: "Findings", add: "Add") -> None:
    """Read a file by the reader that its ending names.

    Args:
        path: A .csv, .tsv, .jsonl, .ndjson or .parquet file.
        columns: Those that are read.
        findings: Is told the rows that are broken.
        add: Takes the line of each other row, and its value in each column.

    Raises:
        FieldError: The file cannot be read at all, or a named column is missing or there twice.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        allowed = ", ".join(sorted(_READERS))
        raise FieldError(f"{path.name}: cannot tell its format; allowed: {allowed}.", field="data")
    try:
        reader(path, columns, findings, add)
    except OSError as error:
        reason = error.strerror or "it is damaged"
        raise FieldError(f"{path}: cannot be read ({reason}).", field="data") from None


# ---- CSV ----------------------------------------------------------------------------------------


def _read_csv(path: "Path", columns: "Sequence[Column]", findings: "Findings", add: "Add") -> None:
    with _open_text(path) as file:
        _add_records(path, columns, findings, add, _csv_records(file, findings))


def _read_tsv(path: "Path", columns: "Sequence[Column]", findings: "Findings", add: "Add") -> None:
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
    _require_columns(path, columns, names)
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


# ---- JSON lines ---------------------------------------------------------------------------------


def _read_jsonl(
    path: "Path", columns: "Sequence[Column]", findings: "Findings", add: "Add"
) -> None:
    names: dict[str, None] = {}
    with path.open("rb") as file:
        for line, encoded in enumerate(file, start=1):
            content = encoded.removeprefix(b"\xef\xbb\xbf") if line == 1 else encoded
            if content.strip():
                row = _json_object(line, content, findings)
                if row is not None:
                    names.update(dict.fromkeys(row))
                    add(line, *(row.get(column.name) for column in columns))
    if names:  # otherwise no line is an object, and each line's own reason says more
        _require_columns(path, columns, names)


def _json_object(line: int, encoded: bytes, findings: "Findings") -> dict[str, object] | None:
    try:
        row = msgspec.json.decode(encoded.decode())
    except UnicodeDecodeError:
        findings.refuse(line, "not UTF-8")
    except (msgspec.DecodeError, RecursionError) as error:
        findings.refuse(line, "not JSON", str(error))
    else:
        if isinstance(row, dict):
            return row
        findings.refuse(line, "not an object", type(row).__name__)
    return None


# ---- Parquet ------------------------------------------------------------------------------------


def _read_parquet(
    path: "Path",
    columns: "Sequence[Column]",
    findings: "Findings",
    add: "Add",
) -> None:
    import pyarrow as pa  # noqa: PLC0415 - 60 MB that only Parquet needs
    import pyarrow.parquet as pq  # noqa: PLC0415

    names = [column.name for column in columns]
    try:
        with pq.ParquetFile(path) as file:
            _require_columns(path, columns, file.schema_arrow.names)
            line = 0
            for batch in file.iter_batches(columns=list(dict.fromkeys(names))):
                values = (_values(batch.column(name)) for name in names)
                for row in zip(*values, strict=True):
                    line += 1
                    add(line, *row)
    except pa.ArrowException as error:
        first = str(error).splitlines()[0]
        raise FieldError(f"{path}: is not a Parquet file ({first}).", field="data") from None


def _values(column: "pa.Array") -> "Iterator[object]":
    """A column's values; text as text even where its bytes are not UTF-8."""
    import pyarrow as pa  # noqa: PLC0415

    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.dictionary_decode(), kind.value_type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        yield from column.to_pylist()
        return
    for value in column.cast(pa.large_binary()).to_pylist():
        yield None if value is None else value.decode("utf-8", "surrogateescape")


def _require_columns(path: "Path", columns: "Sequence[Column]", names: "Collection[str]") -> None:
    for column in columns:
        if column.name not in names:
            shown = ", ".join(list(names)[:_COLUMNS_SHOWN]) or "none"
            shown = shown.encode("utf-8", "replace").decode()
            raise FieldError(
                f"{path.name}: has no column {column.name}. Columns: {shown}. "
                f"Name the right one with --{column.key}-column.",
                field=f"data.{column.key}_column",
            )
        if list(names).count(column.name) > 1:
            raise FieldError(
                f"{path.name}: has more than one column {column.name}. Rename all but one, or name "
                f"another with --{column.key}-column.",
                field=f"data.{column.key}_column",
            )


_READERS = {
    ".csv": _read_csv,
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".parquet": _read_parquet,
    ".tsv": _read_tsv,
}
