"""Bodies of SageMaker's endpoints and MLflow's servers: rows and tables to what a model is asked.

May import `maas.errors`, `maas.tasks`, `maas.http.fields`, `nested`, `tfs` and the structs beside
it. A model that knows its columns is asked about a table, any other by tensors:

    if is_hugging_face(value, task=turn.task_name): ...      # its own wire format's
    asked = decode_rows(value, reads)                        # a TableAsked, or a tfs.Asked
    asked = decode_csv(data, reads)
"""

import csv
import io
import re
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from maas.errors import BadRequestError, FieldError
from maas.http.fields import convert_fields
from maas.http.protocols.nested import array_of, feeds_of
from maas.http.protocols.sagemaker_wire import InvocationBody
from maas.http.protocols.tfs import Asked, column_feeds, row_feeds
from maas.limits import LIMITS
from maas.tasks.table import TableRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from maas.http.protocols.sagemaker_wire import SplitFrame
    from maas.registry.records import TensorSpec
    from maas.tasks.tensors import Array

CSV = "text/csv"
_KEYS = ("instances", "dataframe_split", "dataframe_records")
_TENSOR = "tensor"
_WHOLE = re.compile(r"\s*[-+]?[0-9]{1,20}\s*")
_NUMBER = re.compile(r"\s*[-+]?([0-9]{1,20}\.?[0-9]{0,20}|\.[0-9]{1,20})([eE][-+]?[0-9]{1,3})?\s*")


class Reads(Struct, frozen=True):
    """What a model reads.

    Attributes:
        inputs: Its tensors.
        columns: Its columns' names in its order; none for a model that knows none.
    """

    inputs: "Sequence[TensorSpec]"
    columns: "Sequence[str]" = ()


class TableAsked(Struct, frozen=True):
    """A request of a model that knows its columns.

    Attributes:
        request: The table.
        field: Where it stands, for the message.
    """

    request: TableRequest
    field: str


def is_hugging_face(value: object, *, task: str) -> bool:
    """Whether a body has none of these keys, and so is of the wire format of the model's own task.

    Args:
        value: What JSON says.
        task: The model's task; a bare graph has no such format.
    """
    return task != _TENSOR and not (isinstance(value, dict) and value.keys() & set(_KEYS))


def decode_rows(value: object, reads: Reads) -> TableAsked | Asked:
    """Read rows, a table, or tensors as a whole.

    Args:
        value: What JSON says.
        reads: What the model reads.

    Raises:
        FieldError: A field is missing, unknown or of the wrong type, or more ways are used.
    """
    body = convert_fields(value, InvocationBody)
    given = [name for name in (*_KEYS, "inputs") if getattr(body, name) is not None]
    if len(given) != 1:
        raise FieldError(f"One of {', '.join(_KEYS)} and inputs must be given.")
    if body.inputs is not None:
        return Asked(column_feeds(body.inputs, reads.inputs), None)
    if body.instances is not None:
        return Asked(
            row_feeds(body.instances, reads.inputs, field="instances"), len(body.instances)
        )
    if body.dataframe_split is not None:
        table = _split(body.dataframe_split)
    else:
        table = _records(body.dataframe_records or [])
    return _of_table(table, reads, field=given[0])


def decode_csv(data: bytes, reads: Reads) -> TableAsked | Asked:
    """Read rows of CSV, which have no header; for a model that knows its columns they may have one.

    Raises:
        BadRequestError: It is no CSV.
        FieldError: Rows are not of one length, or a cell is no number where only one can be.
    """
    try:
        rows = [row for row in csv.reader(io.StringIO(data.decode()), strict=True) if row]
    except (UnicodeDecodeError, csv.Error):
        raise BadRequestError("The body is not CSV in UTF-8.") from None
    if not rows or any(len(row) != len(rows[0]) for row in rows):
        raise FieldError("The body must be rows of CSV, of as many cells each.")
    if sum(map(len, rows)) > LIMITS.tensor_values:
        raise FieldError(f"The body must be at most {LIMITS.tensor_values} cells.")
    if reads.columns:
        names = [cell.strip() for cell in rows[0]]
        header = sorted(names) == sorted(reads.columns)
        if len(names) != len(reads.columns):
            raise FieldError(f"must have the cells {', '.join(reads.columns)}", field="rows")
        return _of_table((names, rows[1:]) if header else (list(reads.columns), rows), reads)
    numbers = [[_number(cell) for cell in row] for row in rows]
    return Asked(row_feeds(numbers, reads.inputs, field="rows"), len(numbers))


def _number(cell: str) -> int | float:
    if _WHOLE.fullmatch(cell):
        return int(cell)
    if _NUMBER.fullmatch(cell):
        return float(cell)
    raise FieldError("A cell is not a number; send rows of numbers, without a header.")


Table = tuple[list[str], list[list[Any]]]
"""Names of columns, and rows."""


def _split(frame: "SplitFrame") -> Table:
    if any(len(row) != len(frame.columns) for row in frame.data):
        raise FieldError("must have as many cells as columns in each row", field="dataframe_split")
    return frame.columns, frame.data


def _records(records: list[dict[str, Any]]) -> Table:
    names = list(records[0]) if records else []
    if any(record.keys() != set(names) for record in records):
        raise FieldError("must have the same columns in each row", field="dataframe_records")
    return names, [[record[name] for name in names] for record in records]


def _of_table(table: Table, reads: Reads, *, field: str = "rows") -> TableAsked | Asked:
    names, rows = table
    if not rows or len(set(names)) != len(names):
        raise FieldError("must have a row at least, and no column twice", field=field)
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    if not reads.columns:
        return Asked(_feeds(columns, rows, reads.inputs, field), len(rows))
    for name in reads.columns:
        if not {*map(type, columns.get(name, ()))} <= {str, int, float, type(None)}:
            raise FieldError("must be numbers, texts or null", field=f"{field}.{name}")
    return TableAsked(TableRequest(columns), field)


def _feeds(
    columns: dict[str, list[Any]],
    rows: list[list[Any]],
    inputs: "Sequence[TensorSpec]",
    field: str,
) -> "dict[str, Array]":
    """A tensor per column of its name, or one of all cells for a model with one input."""
    specs = {spec.name: spec for spec in inputs}
    if columns.keys() <= specs.keys():
        shaped = {
            name: [[cell] for cell in cells]
            if len(specs[name].shape) == 2 and not isinstance(cells[0], list)
            else cells
            for name, cells in columns.items()
        }
        return feeds_of(shaped, inputs, field=field)
    if len(inputs) == 1:
        return {inputs[0].name: array_of(rows, inputs[0], field=field)}
    raise FieldError(f"has columns that are none of {', '.join(specs)}", field=field)
