"""torch → ONNX, and the proof that the graph answers what the network answers.

Imports torch, onnx, `maas` and the lab. Writes `export/` into the run, whole or not at all:

    exported = export_run(run)
    exported.parity.max_difference           # absolute, over all rows and forms

Every form is compared with torch on test rows and on rows made by hand; above the tolerance nothing
is written. Golden requests are recorded with torch's own answers.
"""

import hashlib
import logging
import shutil
import time
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import onnx
import torch

from maas.bundle.golden import GOLDEN, TOLERANCE, Golden
from maas.bundle.verify import sha256_file
from maas.engine.session import open_session
from maas.errors import RefusedError
from maas.loading import TOKENIZER, optimised_form
from maas.text.tokenizer import Tokenizer, load_tokenizer
from maas_lab.checkpoint import load_best
from maas_lab.export_record import (
    EXPORT_RECORD,
    EXPORTED,
    ExportedForm,
    ExportRecord,
    Parity,
    is_exported,
    read_export,
)
from maas_lab.files import drop_folder, lock_folder
from maas_lab.graphs import strip_graph
from maas_lab.optimise import optimise_graph
from maas_lab.records import encode_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from maas_lab.runs import Run

    Rows = Sequence[tuple[str, ...]]

OPSET = 20
"""Version of the default operator set, the newest that the exporter writes."""
PARITY_ROWS = 256
"""Rows that are compared: test rows, and where these are fewer, test rows joined."""
_BATCH = 32
_GOLDEN_ROWS = 8
_INPUTS = ("input_ids", "attention_mask")
_RUN_SECONDS = 120.0


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
    recipe = run.recipe()
    tokenizer = load_tokenizer(run.tokenizer_file, max_tokens=recipe.vocabulary.max_tokens)
    network = load_best(run)
    folder = run.folder / f".{EXPORTED}.part"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        portable, optimised = folder / "portable", folder / optimised_form()
        export_graph(network, portable / "model.onnx")
        optimise_graph(portable / "model.onnx", optimised)
        tested = [row.text for row in run.test_rows()][:PARITY_ROWS]
        rows = tested + joined_rows(tested, PARITY_ROWS - len(tested))
        batches = [tuple(rows[at : at + _BATCH]) for at in range(0, len(rows), _BATCH)]
        edges = edge_batches(rows, recipe.vocabulary.max_tokens)
        forms = tuple(
            _compared(form, network, tokenizer, [*batches, *edges], optimised=form is optimised)
            for form in sorted((portable, optimised))
        )
        golden = [*((row,) for row in rows[:_GOLDEN_ROWS]), *edges]
        _record_golden(folder / GOLDEN, network, tokenizer, golden)
        shutil.copyfile(run.tokenizer_file, folder / TOKENIZER)
        record = ExportRecord(
            opset=OPSET,
            forms=forms,
            parity=Parity(
                rows=len(tested),
                joined_rows=len(rows) - len(tested),
                edge_rows=sum(map(len, edges)),
                tolerance=TOLERANCE,
                max_difference=max(form.max_difference for form in forms),
            ),
            golden=len(golden),
        )
        (folder / EXPORT_RECORD).write_bytes(encode_record(record))
        drop_folder(run.folder / EXPORTED)
        folder.rename(run.folder / EXPORTED)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return record


def joined_rows(rows: "Sequence[str]", count: int) -> list[str]:
    """Make more rows out of too few: neighbours joined, so that their lengths differ, too."""
    far = len(rows)
    pairs = ((at % far, (at + 1 + at // far) % far) for at in range(max(0, count)))
    return [f"{rows[left]} {rows[right]}" for left, right in pairs]


def edge_batches(rows: "Sequence[str]", max_tokens: int) -> "Rows":
    """Rows that a test set rarely holds: nothing left, one token, the longest, all of them padded.

    Args:
        rows: Real texts; the longest row is made of them.
        max_tokens: Where the tokenizer cuts.
    """
    nothing, one = "\u200b", "good"  # a zero-width space is no word of any vocabulary
    longest = " ".join(list(rows) * (max_tokens // len(rows) + 1))[: max_tokens * 40]
    return [("",), (nothing,), (one,), (longest,), ("", one, longest, rows[0], nothing)]


def export_graph(network: torch.nn.Module, path: Path) -> None:
    """Trace with two rows of different length; both dimensions stay free in the graph.

    By the TorchScript exporter: the newer one unrolls a recurrence over the traced length, or
    refuses it (infra/decisions/0004-exporter.md).
    """
    path.parent.mkdir(parents=True)
    input_ids = torch.ones((2, 7), dtype=torch.int64)
    attention_mask = torch.ones_like(input_ids)
    attention_mask[1, 4:] = 0
    with _quiet_exporter():
        torch.onnx.export(
            network,
            (input_ids, attention_mask),
            path,
            dynamo=False,
            opset_version=OPSET,
            input_names=list(_INPUTS),
            output_names=["logits"],
            dynamic_axes={
                **{name: {0: "batch", 1: "sequence"} for name in _INPUTS},
                "logits": {0: "batch"},
            },
        )
    onnx.save(strip_graph(onnx.load(path)), path)


@contextmanager
def _quiet_exporter() -> "Iterator[None]":
    """Silence what the exporter says about itself; the comparison is the check that counts."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _compared(
    folder: Path,
    network: torch.nn.Module,
    tokenizer: Tokenizer,
    batches: "Rows",
    *,
    optimised: bool,
) -> ExportedForm:
    """Run a form and torch on the same rows; refuse the form above the tolerance."""
    session = open_session(folder / "model.onnx", optimised=optimised, threads=1)
    worst = 0.0
    for texts in batches:
        encoded = tokenizer.encode(texts)
        feeds = dict(zip(_INPUTS, (encoded.input_ids, encoded.attention_mask), strict=True))
        (logits,) = session.run(feeds, deadline=time.monotonic() + _RUN_SECONDS)
        expected = torch_logits(network, tokenizer, texts)
        worst = max(worst, float(np.abs(np.subtract(logits, expected)).max()))
    if not worst <= TOLERANCE:
        raise RefusedError(
            f"The form {folder.name} differs from torch by {worst:.3g} in a logit"
            f" (at most {TOLERANCE:g}); no model was written."
        )
    return ExportedForm(
        name=folder.name, digest=_digest(folder), optimised=optimised, max_difference=worst
    )


def _digest(folder: Path) -> str:
    """One digest for all files of a form."""
    files = sorted((path.name, sha256_file(path)) for path in folder.iterdir())
    return "sha256:" + hashlib.sha256(msgspec.json.encode(files)).hexdigest()


def torch_logits(
    network: torch.nn.Module, tokenizer: Tokenizer, texts: "Sequence[str]"
) -> "npt.NDArray[np.float32]":
    """The trained network's own answer; float32 `[texts, labels]`."""
    encoded = tokenizer.encode(texts)
    with torch.inference_mode():
        logits = network(
            torch.from_numpy(encoded.input_ids), torch.from_numpy(encoded.attention_mask)
        )
    answer: npt.NDArray[np.float32] = logits.numpy()
    return answer


def _record_golden(
    path: Path, network: torch.nn.Module, tokenizer: Tokenizer, requests: "Rows"
) -> None:
    lines = []
    for texts in requests:
        logits = torch_logits(network, tokenizer, texts)
        rows = tuple(tuple(float(value) for value in row) for row in logits)
        lines.append(Golden(texts=texts, logits=rows).encode())
    path.write_bytes(b"".join(line + b"\n" for line in lines))
