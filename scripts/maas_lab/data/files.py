"""A user's own rows: labelled texts, plain texts, and pairs of texts.

Imports the standard library, `maas.errors` and the modules of this room below it:

    reading = read_rows(Path("reviews.csv"), recipe)
    pairs = read_pairs(Path("manual.txt"), recipe)     # and manual.target.txt beside it

Two text files with a line for each pair are read as such, a table (see `tables`) by the columns
that the recipe names.
"""

from itertools import zip_longest
from typing import TYPE_CHECKING

from maas.errors import FieldError
from maas_lab.data.columns import Column
from maas_lab.data.rows import PairReading, Reading
from maas_lab.data.tables import read_table

if TYPE_CHECKING:
    from pathlib import Path

    from maas_lab.recipes.data import PairData, TextData


def read_rows(path: "Path", recipe: "TextData") -> Reading:
    """Read labelled texts.

    Args:
        path: A .csv, .tsv, .jsonl, .ndjson or .parquet file.
        recipe: Names the columns and the labels.

    Raises:
        FieldError: The file cannot be read at all, or a named column is missing or there twice.
    """
    reading = Reading(recipe.labels)
    columns = (Column("text", recipe.text_column), Column("label", recipe.label_column))
    read_table(path, columns, reading, reading.add)
    return reading


def read_texts(path: "Path", recipe: "TextData") -> Reading:
    """Read texts whose label nobody asks for; it is `text`.

    Args:
        path: A .csv, .tsv, .jsonl, .ndjson or .parquet file.
        recipe: Names the column.

    Raises:
        FieldError: The file cannot be read at all, or the column is missing or there twice.
    """
    reading = Reading(("text",))
    columns = (Column("text", recipe.text_column),)
    read_table(path, columns, reading, lambda line, text: reading.add(line, text, "text"))
    return reading


def read_pairs(path: "Path", recipe: "PairData") -> PairReading:
    """Read pairs of texts.

    Args:
        path: A .csv, .tsv, .jsonl, .ndjson or .parquet file, or a .txt file of source lines with
            the targets in `NAME.target.txt` beside it.
        recipe: Names the columns.

    Raises:
        FieldError: A file cannot be read at all, a named column is missing or there twice, or two
            text files have different numbers of lines.
    """
    reading = PairReading()
    if path.suffix.lower() == ".txt":
        _read_parallel(path, path.with_name(f"{path.stem}.target{path.suffix}"), reading)
    else:
        columns = (Column("source", recipe.source_column), Column("target", recipe.target_column))
        read_table(path, columns, reading, reading.add)
    return reading


def _read_parallel(sources: "Path", targets: "Path", reading: PairReading) -> None:
    """Line by line; a line that is blank in both files holds no row."""
    for line, (source, target) in enumerate(zip_longest(_lines(sources), _lines(targets)), start=1):
        if source is None or target is None:
            shorter, longer = (sources, targets) if source is None else (targets, sources)
            raise FieldError(
                f"{shorter.name}: has {line - 1} lines and {longer.name} has more. Both need one "
                "for each pair.",
                field="data.source",
            )
        if source.strip() or target.strip():
            reading.add(line, source, target)


def _lines(path: "Path") -> list[str]:
    """The lines; bytes that are not UTF-8 become lone surrogates, which the row's check finds."""
    try:
        text = path.read_bytes().decode("utf-8-sig", "surrogateescape")
    except OSError as error:
        reason = error.strerror or "it is damaged"
        raise FieldError(f"{path}: cannot be read ({reason}).", field="data.source") from None
    lines = text.split("\n")  # and at nothing else that Unicode calls the end of a line
    return lines[:-1] if not lines[-1] else lines
