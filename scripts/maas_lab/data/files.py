"""A user's own rows: CSV, JSON lines and Parquet with a named text and label column.

Imports pyarrow (when a Parquet file is read), msgspec, `maas.errors` and `maas_lab.data.rows`:

    reading = read_rows(Path("reviews.csv"), recipe)
    reading.unusable[0].line, reading.unusable[0].reason      # 17, "wrong number of fields"

The file is read row by row; a row that is broken is reported, and the next one is read. Blank lines
hold no row. A CSV record may take up to 20 lines.
"""

import csv
import itertools
from collections import deque
from typing import TYPE_CHECKING, TextIO

import msgspec

from maas.errors import FieldError
from maas_lab.data.rows import Reading

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    import pyarrow as pa

    from maas_lab.recipe import DataRecipe

_COLUMNS_SHOWN = 20
_RECORD_LINES = 20  # a CSV record that is longer is a quote that somebody forgot to close
_UNCLOSED = ("a quote is not closed", "")  # reason and detail


def read_rows(path: "Path", recipe: "DataRecipe") -> Reading:
    """Read a file by the reader that its ending names.

    Args:
        path: A .csv, .jsonl, .ndjson or .parquet file.
        recipe: Names the columns and the labels.

    Raises:
        FieldError: The file cannot be read at all, or a named column is missing or there twice.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        allowed = ", ".join(sorted(_READERS))
        raise FieldError(f"{path.name}: cannot tell its format; allowed: {allowed}.", field="data")
    try:
        return reader(path, recipe)
    except OSError as error:
        reason = error.strerror or "it is damaged"
        raise FieldError(f"{path}: cannot be read ({reason}).", field="data") from None


# ---- CSV ----------------------------------------------------------------------------------------


def _read_csv(path: "Path", recipe: "DataRecipe") -> Reading:
    reading = Reading(recipe.labels)
    # Bytes that are not UTF-8 become lone surrogates, which the row's own check finds: one bad
    # byte costs one row and not the file.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        records = _csv_records(file, reading)
        _, header = next(records, (1, []))
        if reading.unusable:  # no later line can take the header's place
            first = reading.unusable[0]
            reason = f"{path.name}, line {first.line}: cannot read the header ({first.reason})."
            raise FieldError(reason, field="data")
        text, label = _columns(path, recipe, header)
        for line, record in records:
            reading.add(line, record[text], record[label])
    return reading


def _csv_records(file: TextIO, reading: Reading) -> "Iterator[tuple[int, list[str]]]":
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
            problem = ("wrong number of fields", f"{len(record)} where the header has {width}")
        if problem:
            torn = torn or problem == _UNCLOSED
            reading.refuse(line, *problem)
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


def _columns(path: "Path", recipe: "DataRecipe", header: list[str]) -> tuple[int, int]:
    names = [name.strip() for name in header]
    _require_columns(path, recipe, names)
    return names.index(recipe.text_column), names.index(recipe.label_column)


# ---- JSON lines ---------------------------------------------------------------------------------


def _read_jsonl(path: "Path", recipe: "DataRecipe") -> Reading:
    reading = Reading(recipe.labels)
    columns: dict[str, None] = {}
    with path.open("rb") as file:
        for line, encoded in enumerate(file, start=1):
            content = encoded.removeprefix(b"\xef\xbb\xbf") if line == 1 else encoded
            if content.strip():
                row = _json_object(line, content, reading)
                if row is not None:
                    columns.update(dict.fromkeys(row))
                    reading.add(line, row.get(recipe.text_column), row.get(recipe.label_column))
    if columns:  # otherwise no line is an object, and each line's own reason says more
        _require_columns(path, recipe, columns)
    return reading


def _json_object(line: int, encoded: bytes, reading: Reading) -> dict[str, object] | None:
    try:
        row = msgspec.json.decode(encoded.decode())
    except UnicodeDecodeError:
        reading.refuse(line, "not UTF-8")
    except (msgspec.DecodeError, RecursionError) as error:
        reading.refuse(line, "not JSON", str(error))
    else:
        if isinstance(row, dict):
            return row
        reading.refuse(line, "not an object", type(row).__name__)
    return None


# ---- Parquet ------------------------------------------------------------------------------------


def _read_parquet(path: "Path", recipe: "DataRecipe") -> Reading:
    import pyarrow as pa  # noqa: PLC0415 - 60 MB that only Parquet needs
    import pyarrow.parquet as pq  # noqa: PLC0415

    reading = Reading(recipe.labels)
    try:
        with pq.ParquetFile(path) as file:
            _require_columns(path, recipe, file.schema_arrow.names)
            line = 0
            columns = [recipe.text_column, recipe.label_column]
            for batch in file.iter_batches(columns=columns):
                texts = _values(batch.column(recipe.text_column))
                labels = _values(batch.column(recipe.label_column))
                for text, label in zip(texts, labels, strict=True):
                    line += 1
                    reading.add(line, text, label)
    except pa.ArrowException as error:
        first = str(error).splitlines()[0]
        raise FieldError(f"{path}: is not a Parquet file ({first}).", field="data") from None
    return reading


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


def _require_columns(path: "Path", recipe: "DataRecipe", names: "Collection[str]") -> None:
    for key, column in (("text", recipe.text_column), ("label", recipe.label_column)):
        if column not in names:
            shown = ", ".join(list(names)[:_COLUMNS_SHOWN]) or "none"
            shown = shown.encode("utf-8", "replace").decode()
            raise FieldError(
                f"{path.name}: has no column {column}. Columns: {shown}. "
                f"Name the right one with --{key}-column.",
                field=f"data.{key}_column",
            )
        if list(names).count(column) > 1:
            raise FieldError(
                f"{path.name}: has more than one column {column}. Rename all but one, or name "
                f"another with --{key}-column.",
                field=f"data.{key}_column",
            )


_READERS = {
    ".csv": _read_csv,
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".parquet": _read_parquet,
}
