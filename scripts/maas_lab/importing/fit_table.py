"""A foreign classifier of rows: one float32 score per label, whatever it was converted to.

Imports onnx, `maas` and the lab.

    fitted = fit_table(foreign, exported, folder, wishes)
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import onnx
from onnx import TensorProto, helper

from maas.errors import FieldError, RefusedError
from maas.tasks.table import is_scores
from maas.tasks.tensor import as_array
from maas_lab.exporting.forms import GRAPH, PORTABLE
from maas_lab.importing.fit_tensor import fit_tensor, labels_among
from maas_lab.importing.missing_cells import missing_columns

if TYPE_CHECKING:
    from pathlib import Path

    from maas_lab.importing.exported import Exported
    from maas_lab.importing.fitted import Fitted
    from maas_lab.importing.reading import Foreign
    from maas_lab.importing.wishes import Wishes

_FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE)


def fit_table(
    foreign: "Foreign", exported: "Exported", folder: "Path", wishes: "Wishes"
) -> "Fitted":
    """Write the portable form and record what it answers.

    Raises:
        FieldError: Labels or columns do not fit, or an example does not.
        RefusedError: The graph cannot be served; with the remedy.
        BundleError: The graph holds what is not admitted.
    """
    notes = [*foreign.notes]
    labels = exported.labels or foreign.labels
    if not labels:
        raise FieldError(
            "are needed, as the graph names none; give --labels a,b,c in the order of its scores."
            " A model that tells no classes is served by --task tensor",
            field="labels",
        )
    _score_labels(foreign.model, len(labels), notes)
    columns = _columns(foreign.model, wishes.columns)
    fitted = fit_tensor(foreign, replace(exported, labels=()), folder, wishes)
    if _settle_scores(foreign.model, fitted, len(labels), notes):
        fitted = fit_tensor(foreign, exported, folder, wishes)
    fitted = replace(fitted, labels=labels_among(foreign, exported, fitted.outputs))
    if not any(is_scores(spec, len(labels)) for spec in fitted.outputs):
        raise RefusedError(
            f"No output is float32 [rows, {len(labels)}], a score per label. Export the model with"
            " its probabilities, or serve it as it is: --task tensor."
        )
    agreeing, rows = _agreement(fitted, foreign.labels)
    if rows and not agreeing and _swap_scores(foreign.model, notes):
        fitted = fit_tensor(foreign, exported, folder, wishes)
        agreeing, rows = _agreement(fitted, foreign.labels)
    if agreeing < rows:
        notes.append(
            f"Of {rows} rows that were tried, {rows - agreeing} have another label than the best"
            " score's; the task answers by scores."
        )
    graph = folder / PORTABLE / GRAPH
    missing = missing_columns(foreign.model, fitted, columns, graph) if columns else ()
    if missing:
        notes.append(f"A cell may be missing in {', '.join(missing)}.")
    manifest = {"columns": columns, "missing": missing}
    return replace(fitted, notes=tuple(notes), manifest=manifest)


def _columns(model: onnx.ModelProto, given: tuple[str, ...]) -> tuple[str, ...]:
    """Those that are given; else the inputs, where each is a column of its own."""
    sizes = [[dim.dim_value for dim in v.type.tensor_type.shape.dim] for v in model.graph.input]
    told = all(len(size) == 2 and size[1] for size in sizes)
    width = sum(size[1] for size in sizes) if told else 0
    if given and width and len(given) != width:
        raise FieldError(f"are {len(given)}, and the graph reads {width}", field="columns")
    if given:
        return given
    if any(size[1:] != [1] for size in sizes):
        names = ",".join("abcd"[: width or None])
        raise FieldError(
            f"is needed; give --columns {names}: {width or 'all'} of them, in the graph's order",
            field="columns",
        )
    return tuple(value.name for value in model.graph.input)


def _score_labels(model: onnx.ModelProto, labels: int, notes: list[str]) -> None:
    """Make float32 of doubles, and two scores of one that tells two labels apart."""
    scores = [each for each in model.graph.output if each.type.tensor_type.elem_type in _FLOATS]
    if len(scores) != 1:
        return
    value = scores[0]
    sizes = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    single = labels == 2 and sizes[1:] == [1]
    double = value.type.tensor_type.elem_type == TensorProto.DOUBLE
    if not single and not double:
        return
    name, inner = value.name, f"{value.name}/as_before"
    _rename(model, name, inner)
    if double:
        cast = f"{name}/float" if single else name
        model.graph.node.append(helper.make_node("Cast", [inner], [cast], to=TensorProto.FLOAT))
        inner = cast
    if single:
        model.graph.node.extend(
            [
                helper.make_node("Neg", [inner], [f"{name}/other"]),
                helper.make_node("Concat", [f"{name}/other", inner], [name], axis=1),
            ]
        )
        notes.append(f"{name} tells two labels apart by its sign: it is two scores now, -s and s.")
    width = labels if single or not sizes[1:] else sizes[1]
    batch = f"{name}_0"
    value.CopyFrom(helper.make_tensor_value_info(name, TensorProto.FLOAT, (batch, width)))


def _settle_scores(model: onnx.ModelProto, fitted: "Fitted", labels: int, notes: list[str]) -> bool:
    """Do that where the graph says that there are two scores, and answers one."""
    answers = [each for golden in fitted.goldens for each in golden.answers]
    single = list({e.name for e in answers if e.dtype == "float32" and e.shape[1:] == (1,)})
    if labels != 2 or len(single) != 1 or any(is_scores(spec, 2) for spec in fitted.outputs):
        return False
    for value in model.graph.output:
        if value.name == single[0]:
            value.CopyFrom(helper.make_tensor_value_info(value.name, TensorProto.FLOAT, ["n", 1]))
    _score_labels(model, labels, notes)
    return True


def _agreement(fitted: "Fitted", own: tuple[str, ...]) -> tuple[int, int]:
    """Of how many recorded rows the label is that of the best score; both 0 without labels.

    Args:
        fitted: With what was recorded.
        own: The labels as the graph writes them, whatever they are called from now on.
    """
    if len(own) != len(fitted.labels):
        return 0, 0
    kinds = {spec.name: spec for spec in fitted.outputs}
    agreeing = rows = 0
    for golden in fitted.goldens:
        answers = {each.name: as_array(each) for each in golden.answers}
        scores = [
            each for name, each in answers.items() if is_scores(kinds[name], len(fitted.labels))
        ]
        labels = [each for each in answers.values() if each.dtype.kind != "f" and each.ndim == 1]
        if len(scores) != 1 or len(labels) != 1 or len(labels[0]) != len(scores[0]):
            return 0, 0
        best = [own[at] for at in scores[0].argmax(axis=1).tolist()]
        said = [
            each.decode() if isinstance(each, bytes) else str(each) for each in labels[0].tolist()
        ]
        agreeing += sum(one == other for one, other in zip(best, said, strict=True))
        rows += len(best)
    return agreeing, rows


def _swap_scores(model: onnx.ModelProto, notes: list[str]) -> bool:
    """Turn round the two scores of support vectors without probabilities.

    ONNX Runtime answers the label by their sign, and the scores with the other sign.
    """
    nodes = [node for node in model.graph.node if node.op_type == "SVMClassifier"]
    if len(nodes) != 1 or any(each.name == "prob_a" for each in nodes[0].attribute):
        return False
    (value,) = (each for each in model.graph.output if each.type.tensor_type.elem_type in _FLOATS)
    name, inner = value.name, f"{value.name}/turned"
    _rename(model, name, inner)
    model.graph.node.append(helper.make_node("Neg", [inner], [name]))
    notes.append(f"{name} had the sign of the other label: it is turned round.")
    return True


def _rename(model: onnx.ModelProto, name: str, inner: str) -> None:
    """Let nodes make and read a value under another name than that of the output."""
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [inner if each == name else each for each in names]
