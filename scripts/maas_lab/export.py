"""A trained network → its graphs, and the proof that they answer what the network answers.

Imports torch, onnx, `maas` and the lab. Writes `export/` into the run, whole or not at all:

    exported = export_run(run)
    exported.parity.max_difference           # absolute, over all rows and exact forms
    exported.quantisation.reason             # why there is, or is not, a form with 8-bit weights

Every form is compared with torch on test rows and on rows made by hand; above the tolerance nothing
is written. Golden requests are recorded with torch's own answers; the form with 8-bit weights, kept
where it is worth it, has its own. What differs by task is in `maas_lab.exporting`.
"""

import shutil
from typing import TYPE_CHECKING

from msgspec.structs import replace

from maas.bundle.golden import GOLDEN, TOLERANCE
from maas.loading import TOKENIZER
from maas_lab.environment import limit_threads
from maas_lab.export_record import (
    EXPORT_RECORD,
    EXPORTED,
    ExportRecord,
    Parity,
    is_exported,
    read_export,
)
from maas_lab.exporting.forms import write_exact_forms, write_goldens, write_quantised
from maas_lab.exporting.subjects import open_subject
from maas_lab.exporting.tracing import OPSET
from maas_lab.files import drop_folder, lock_folder
from maas_lab.records import encode_record

if TYPE_CHECKING:
    from pathlib import Path

    from maas_lab.export_record import ExportedForm
    from maas_lab.runs import Run


def export_run(run: "Run", *, again: bool = False) -> ExportRecord:
    """Export a finished run in all forms, or find that this was done before.

    Args:
        run: A finished run.
        again: Export it anew.

    Raises:
        RefusedError: The run is not finished, or a form does not answer what torch answers.
    """
    run.summary()  # an unfinished run is refused here
    with lock_folder(run.folder):
        return read_export(run) if is_exported(run) and not again else _export(run)


def _export(run: "Run") -> ExportRecord:
    """Make everything in a folder of its own, prove it, and then move it into place."""
    folder = run.folder / f".{EXPORTED}.part"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        with limit_threads(1):  # as a session of the graph has it
            record = _write(run, folder)
        drop_folder(run.folder / EXPORTED)
        folder.rename(run.folder / EXPORTED)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return record


def _write(run: "Run", folder: "Path") -> ExportRecord:
    subject = open_subject(run)
    forms = write_exact_forms(subject, folder)
    golden = subject.goldens()
    write_goldens(folder / GOLDEN, golden)
    quantised, quantisation = write_quantised(subject, folder)
    shipped = () if quantised is None else (quantised,)
    if run.tokenizer_file.is_file():
        shutil.copyfile(run.tokenizer_file, folder / TOKENIZER)
    record = ExportRecord(
        opset=OPSET,
        forms=_sorted([*forms, *shipped]),
        parity=Parity(
            rows=subject.counts.rows,
            joined_rows=subject.counts.joined_rows,
            edge_rows=subject.counts.edge_rows,
            tolerance=TOLERANCE,
            max_difference=max(form.max_difference for form in forms),
            ties=max(form.ties for form in forms),
        ),
        golden=len(golden),
        quantisation=replace(quantisation, shipped=bool(shipped)),
    )
    (folder / EXPORT_RECORD).write_bytes(encode_record(record))
    return record


def _sorted(forms: "list[ExportedForm]") -> "tuple[ExportedForm, ...]":
    return tuple(sorted(forms, key=lambda form: form.name))
