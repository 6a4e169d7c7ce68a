"""Tabular classification: rows of named columns to labels with scores.

May import `maas.bundle`, `maas.errors`, `maas.tasks` and numpy.

    classifier = TableClassifier(manifest, session)
    request = TableRequest(columns={"age": ("41", "17"), "fare": (7.25, 71.3)})
    classifier.predict(request, deadline=deadline).rows[0][0]      # LabelScore("survived", 0.83)

A graph reads one tensor `[rows, columns]`, in the manifest's order of columns, or several, or one
`[rows, 1]` for each, of the column's name, as scikit-learn's pipelines are exported. A missing cell
is what is no number, where the manifest says that the graph takes it. Golden requests are those of
a bare graph.
"""

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from maas.bundle.dtypes import STRING
from maas.bundle.table_rules import columns_of
from maas.errors import BundleError, DeadlineError, FieldError, ModelError, ModelOutputError
from maas.limits import LIMITS
from maas.tasks.answers import Answer
from maas.tasks.labels import LabelScore, ranked
from maas.tasks.task import Counts
from maas.tasks.tensor import TensorModel
from maas.tasks.tensors import strings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from maas.bundle.golden import Golden
    from maas.bundle.manifest import Manifest
    from maas.engine.session import Session
    from maas.registry.records import TensorSpec
    from maas.tasks.tensors import Array, TensorResponse

    Cell = str | int | float | None


_GAPS = (None, "")
"""What stands for a missing number."""


class TableRequest(Struct, frozen=True):
    """Rows to classify, column by column.

    Attributes:
        columns: By name the cells, as many in each; numbers may be written as texts, and what is
            missing is None, or no text where numbers belong.
    """

    columns: "Mapping[str, Sequence[Cell]]"

    @property
    def counts(self) -> Counts:
        """Neither texts nor images."""
        return Counts()


class TableResponse(Answer, frozen=True):
    """One row per row, in the request's order.

    Attributes:
        rows: Per row, labels with scores, best first.
    """

    rows: tuple[tuple[LabelScore, ...], ...]


class TableClassifier:
    """A loaded classifier of rows. Safe to share between threads."""

    def __init__(self, manifest: "Manifest", session: "Session") -> None:
        """Bring the two together.

        Raises:
            BundleError: The graph is not the one that the manifest describes.
        """
        self._model = TensorModel(manifest, session)
        self._columns = manifest.columns
        self._missing = frozenset(manifest.missing)
        self._inputs = tuple(
            zip(manifest.inputs, columns_of(manifest.inputs, manifest.columns), strict=True)
        )
        self._labels = manifest.labels
        self._scores = next(
            spec.name for spec in manifest.outputs if is_scores(spec, len(manifest.labels))
        )
        self.tensors = self._model.tensors
        self._known: Golden | None = None

    def predict(self, request: TableRequest, *, deadline: float) -> TableResponse:
        """Classify rows.

        Args:
            request: What was asked.
            deadline: Seconds on `time.monotonic`'s clock.

        Raises:
            FieldError: A column is missing, unknown or too long, or a cell is not acceptable.
            ModelError: The model failed.
            ModelOutputError: The model answered something else than a number per row and label.
            DeadlineError: The deadline came first.
        """
        self._check(request.columns)
        answer = self._run(self._feeds(request.columns), deadline=deadline)
        scores = np.asarray(answer.outputs[self._scores], dtype=np.float32)
        count = len(request.columns[self._columns[0]])
        finite = np.isfinite(scores).all()
        if not finite and any(_has_gaps(request.columns[name]) for name in self._missing):
            raise FieldError("misses cells without which there is no answer", field="table")
        if scores.shape != (count, len(self._labels)) or not finite:
            raise ModelOutputError("The model's answer is not a finite number per row and label.")
        rows = ranked(scores, self._labels, top_k=None, function="none")
        return TableResponse(rows=rows, seconds=answer.seconds)

    def replay(self, golden: "Golden", *, deadline: float) -> float:
        """Ask what was asked when the model was imported, as `TensorModel` does."""
        worst = self._model.replay(golden, deadline=deadline)
        self._known = self._known or golden
        return worst

    def check_widest(self, *, deadline: float) -> None:
        """Nothing beyond what the golden requests show, as of a bare graph."""
        self._model.check_widest(deadline=deadline)

    def _run(self, feeds: "dict[str, Array]", *, deadline: float) -> "TensorResponse":
        """Run the graph. Which values it takes, of a category say, only the graph knows.

        So where it fails it is asked what it answered before: if it answers that again, the fault
        is the table's, else the model's.
        """
        try:
            return self.tensors.run(feeds, deadline=deadline)
        except ModelError:
            if self._known is None:
                raise
            with suppress(BundleError, DeadlineError):
                self._model.replay(self._known, deadline=deadline)
                raise FieldError(
                    "holds a value that the model fails on, such as a category that it does not"
                    " know",
                    field="table",
                ) from None
            raise

    def _check(self, columns: "Mapping[str, Sequence[Cell]]") -> None:
        listed = ", ".join(self._columns)
        for name in self._columns:
            if name not in columns:
                raise FieldError(f"has not all columns; this model reads {listed}", field="table")
        if len(columns) > len(self._columns):
            raise FieldError(
                f"has a column that is not known; this model reads {listed}", field="table"
            )
        counts = {len(cells) for cells in columns.values()}
        if len(counts) != 1 or not 1 <= max(counts) <= LIMITS.table_rows:
            raise FieldError(
                f"must have 1 to {LIMITS.table_rows} rows, as many in each column", field="table"
            )

    def _feeds(self, columns: "Mapping[str, Sequence[Cell]]") -> "dict[str, Array]":
        feeds = {}
        for spec, names in self._inputs:
            read = _texts if spec.dtype == STRING else self._numbers
            arrays = [read(spec, columns[name], name) for name in names]
            feeds[spec.name] = np.stack(arrays, axis=1)
        return feeds

    def _numbers(self, spec: "TensorSpec", cells: "Sequence[Cell]", column: str) -> "Array":
        kind = np.dtype(spec.dtype)
        read = _whole if kind.kind in "iu" else float
        gapped = _has_gaps(cells)
        if gapped and column not in self._missing:
            raise FieldError(
                "misses a cell, which this model does not read; send a number",
                field=f"table.{column}",
            )
        try:
            with np.errstate(over="raise"):
                array = np.array([read(cell or 0) for cell in cells]).astype(kind)
        except (ValueError, OverflowError, FloatingPointError):
            array = np.array([np.nan])
        if not np.isfinite(array).all():
            said = "numbers" if read is float else "whole numbers"
            raise FieldError(f"must be {said} that {spec.dtype} can hold", field=f"table.{column}")
        if gapped:
            array[[cell in _GAPS for cell in cells]] = np.nan
        return array


def is_scores(spec: "TensorSpec", labels: int) -> bool:
    """Whether an output has one number per row and label."""
    return spec.dtype == "float32" and len(spec.shape) == 2 and spec.shape[1] == labels


def _texts(spec: "TensorSpec", cells: "Sequence[Cell]", column: str) -> "Array":
    del spec
    if None in cells:
        raise FieldError(
            "misses a cell; send the text that stood for one when the model was fitted",
            field=f"table.{column}",
        )
    return strings([str(cell).encode(errors="replace") for cell in cells], (len(cells),))


def _has_gaps(cells: "Sequence[Cell]") -> bool:
    return any(gap in cells for gap in _GAPS)


def _whole(cell: "str | float") -> int:
    """A whole number, which may be written as 3.0.

    Raises:
        ValueError: It has a fraction, or is none.
    """
    number = int(cell)
    if number != cell and isinstance(cell, float):
        raise ValueError
    return number
