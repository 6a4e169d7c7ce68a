"""Columns of a table in which a cell may be missing, as the graph says and its answers show.

Imports numpy, onnx, `maas` and the lab. What is no number goes one way in every tree, whether
anybody meant it or not. So it is admitted where the graph says what becomes of it, by filling it in
or by the way that a tree has for it, and is answered by numbers:

    missing_columns(model, fitted, columns, graph)        # ("age",)
"""

import math
import time
from typing import TYPE_CHECKING

import numpy as np

from maas.bundle.table_rules import columns_of
from maas.engine.session import open_session
from maas.errors import DeadlineError, ModelError
from maas.tasks.tensor import as_array
from maas_lab.importing.table_values import KEEPING, followed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import onnx

    from maas.engine.session import Session
    from maas.tasks.tensors import Array
    from maas_lab.importing.fitted import Fitted

    Cell = tuple[str, int]

_SCALING = KEEPING | {"Scaler"}
_TRACKS = "nodes_missing_value_tracks_true"
_RUN_SECONDS = 2.0


def missing_columns(
    model: "onnx.ModelProto", fitted: "Fitted", columns: tuple[str, ...], graph: "Path"
) -> tuple[str, ...]:
    """The columns that a request may leave a cell of out.

    Args:
        model: The graph.
        fitted: With requests that it takes.
        columns: All of them.
        graph: Where it lies.
    """
    takes = _filled(model)
    cells = {
        name: (spec.name, at)
        for spec, names in zip(fitted.inputs, columns_of(fitted.inputs, columns), strict=True)
        for at, name in enumerate(names)
        if spec.dtype.startswith("float") and (spec.name, at) in takes
    }
    session = open_session(graph, optimised=True, threads=1)
    feeds = {each.name: as_array(each) for each in fitted.goldens[0].tensors}
    return tuple(name for name, cell in cells.items() if _answers(session, feeds, cell))


def _filled(model: "onnx.ModelProto") -> "set[Cell]":
    """Columns of which the graph says what becomes of a missing cell."""
    found: set[Cell] = set()
    for node, attributes, given in followed(model, _SCALING):
        fills = node.op_type == "Imputer" and math.isnan(
            attributes.get("replaced_value_float", 0.0)
        )
        asks = node.op_type == "IsNaN" or any(attributes.get(_TRACKS, ()))
        if fills or asks:
            found.update(column for column in given if column is not None)
    return found


def _answers(session: "Session", feeds: "Mapping[str, Array]", missing: "Cell") -> bool:
    """Whether rows without this cell are answered by numbers."""
    name, at = missing
    tried = {**feeds, name: feeds[name].copy()}
    tried[name][:, at] = np.nan
    try:
        outputs = session.run(tried, deadline=time.monotonic() + _RUN_SECONDS)
    except (ModelError, DeadlineError):
        return False
    return all(np.isfinite(each).all() for each in outputs if each.dtype.kind == "f")
