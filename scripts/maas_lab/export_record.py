"""What an export wrote about itself, and how it is read back.

Imports `maas.errors` and `maas_lab.records`.

    record = read_export(run)          # RefusedError names `maas export` when there is none
"""

from typing import TYPE_CHECKING

from msgspec import Struct

from maas.errors import RefusedError
from maas_lab.records import decode_record

if TYPE_CHECKING:
    from pathlib import Path

    from maas_lab.runs import Run

EXPORTED = "export"
"""The folder of a run that holds the forms, the tokenizer and the golden requests."""
EXPORT_RECORD = "export.json"


class Parity(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How closely the graphs answer what torch answers."""

    rows: int
    """Test rows that were compared."""
    joined_rows: int
    """Rows made by joining test rows, where these are too few."""
    edge_rows: int
    """Rows made by hand: nothing left, one token, the longest, padded."""
    tolerance: float
    """Largest absolute difference of a number (logit, vector, score) that is accepted."""
    max_difference: float
    """Largest absolute difference of a number that was seen, over all exact forms."""
    ties: int = 0
    """Texts that a form wrote otherwise because torch itself rates two beams alike; of all other
    texts the ids are equal."""


class ExportedForm(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One form of the model."""

    name: str
    digest: str
    """`sha256:` over the names and contents of its files."""
    optimised: bool
    """Whether the graph was optimised offline."""
    max_difference: float
    """Largest absolute difference of a number from torch."""
    ties: int = 0
    """Texts that it wrote otherwise, where two beams rate alike."""
    fused: bool = False
    """Whether attention and norms are one node each."""


class Quantisation(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The optimised form beside the same with 8-bit weights."""

    metric: str
    """What is compared, 0 to 100: accuracy, bleu, rouge_l, or the mean cosine to torch."""
    metric_before: float
    metric_after: float
    bytes_before: int
    bytes_after: int
    milliseconds_before: float
    """Median of one warm request on one thread, both forms taking turns."""
    milliseconds_after: float
    accepted: bool
    """Whether it was kept."""
    reason: str
    """Why, in figures."""
    shipped: bool = False
    """Whether it is one of the forms."""


class ExportRecord(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The outcome of `maas export`."""

    opset: int
    forms: tuple[ExportedForm, ...]
    parity: Parity
    golden: int
    """Golden requests that were recorded."""
    quantisation: Quantisation | None = None
    """What 8-bit weights did; None where they were not tried."""


def export_folder(run: "Run") -> "Path":
    """Where a run keeps its exported model."""
    return run.folder / EXPORTED


def is_exported(run: "Run") -> bool:
    """Whether a run's export is there; it is whole or absent."""
    return (export_folder(run) / EXPORT_RECORD).is_file()


def read_export(run: "Run") -> ExportRecord:
    """Read the record of a run's export.

    Raises:
        RefusedError: The run was not exported.
    """
    try:
        data = (export_folder(run) / EXPORT_RECORD).read_bytes()
    except FileNotFoundError:
        raise RefusedError(
            f"Run {run.name} was not exported; run: maas export {run.name}"
        ) from None
    return decode_record(data, ExportRecord)
