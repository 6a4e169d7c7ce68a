"""A user's own rows: CSV, tab-separated values, JSON lines and Parquet with named columns.

Imports pyarrow (when a Parquet file is read), msgspec, `maas.errors` and `maas_lab.data.rows`:

    reading = Reading(labels)
    read_table(Path("reviews.csv"), (Column("text", "body"), Column("label", "stars")), reading)
    reading.unusable[0].line, reading.unusable[0].reason      # 17, "wrong number of fields"

The file is read row by row; a row that is broken is reported, and the next one is read. Blank lines
hold no row. A CSV record may take up to 20 lines; tab-separated values have no quotes.
"""

from typing import TYPE_CHECKING

import msgspec

from maas.errors import FieldError
from maas_lab.data.columns import require_columns
from maas_lab.data.delimited import read_csv, read_tsv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from maas_lab.data.columns import Column
    from maas_lab.data.rows import Findings

    Add = Callable[..., None]


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
        require_columns(path, columns, names)


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
            require_columns(path, columns, file.schema_arrow.names)
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


_READERS = {
    ".csv": read_csv,
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".parquet": _read_parquet,
    ".tsv": read_tsv,
}
