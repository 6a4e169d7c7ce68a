"""A foreign ONNX file as we ship graphs: what has no effect is gone, what is cut is said.

Imports onnx, `maas.errors` and the lab. Nothing of the model runs here:

    foreign = read_foreign(Path("model.onnx"))
    foreign.model, foreign.digest, foreign.labels, foreign.notes
"""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import onnx
from google.protobuf.message import DecodeError
from onnx import external_data_helper, inliner

from maas.bundle.composites import Composite
from maas.bundle.operators import IR_VERSIONS, ONNX_OPSETS
from maas.errors import FieldError, RefusedError
from maas_lab.files import CHUNK_BYTES
from maas_lab.graphs import strip_graph
from maas_lab.importing.class_labels import class_labels
from maas_lab.importing.division import guard_divisions
from maas_lab.importing.opsets import settle_opsets
from maas_lab.importing.recurrence import guard_recurrences
from maas_lab.importing.sequences import unroll_sequences
from maas_lab.importing.zip_maps import cut_zip_maps

if TYPE_CHECKING:
    from pathlib import Path

_HIDDEN = ("training_info", "configuration")
_NO_NAMES = frozenset(("", "?", "-1", "None", "unk"))
_AGAIN = "Export the model again"


@dataclass(frozen=True, slots=True)
class Foreign:
    """A graph from elsewhere, stripped.

    Attributes:
        model: With all of its weights.
        digest: `sha256:` over the files that it was read from, as they lay there.
        producer: What made it, as the file says.
        labels: Class names that the graph itself held; none where it held none.
        notes: What was changed, for people.
        composites: Outputs that were lists of tensors or of maps, and are tensors now.
    """

    model: onnx.ModelProto
    digest: str
    producer: str
    labels: tuple[str, ...]
    notes: tuple[str, ...]
    composites: tuple[Composite, ...] = ()


def read_foreign(path: "Path") -> Foreign:
    """Read a model.onnx with the weights beside it, and make it what a bundle may hold.

    Args:
        path: The file. Weights in other files must lie in its own folder.

    Raises:
        FieldError: There is no such file, or it is no ONNX model.
        RefusedError: It is of a version that is not read, or of another kind; with the remedy.
    """
    model = _parsed(path)
    producer = f"{model.producer_name} {model.producer_version}".strip()
    settle_opsets(model)
    _check_versions(model)
    notes: list[str] = []
    if model.functions:
        model = inliner.inline_local_functions(model)
        notes.append("Functions of the model's own are written out.")
    if model.functions:
        raise RefusedError(
            "The model has functions by another version of ONNX's operators than its graph's."
            " Convert it: onnx.inliner.inline_local_functions(onnx.load(file),"
            " convert_version=True)"
        )
    lists = unroll_sequences(model, notes)
    maps = cut_zip_maps(model, notes)
    labels = maps[0].keys if len(maps) == 1 else ()
    for field in _HIDDEN:
        model.ClearField(field)
    _settle_inputs(model, notes)
    guard_divisions(model, notes)
    guard_recurrences(model)
    for value in (*model.graph.input, *model.graph.output):
        value.type.ClearField("denotation")
    model.graph.ClearField("quantization_annotation")
    _free_dimensions(model)
    strip_graph(model)
    return Foreign(
        model,
        _digest(path),
        producer,
        labels or class_labels(model),
        tuple(notes),
        composites=lists + tuple(each for each in maps if each.keys),
    )


def _parsed(path: "Path") -> onnx.ModelProto:
    try:
        model = onnx.load(path)
    except OSError as error:
        reason = error.strerror or "no file"
        raise FieldError(f"{path} cannot be read: {reason}", field="model") from None
    except (DecodeError, ValueError, onnx.checker.ValidationError):
        raise FieldError(
            f"{path} is no ONNX model whose weights lie beside it; export it as .onnx",
            field="model",
        ) from None
    if not model.graph.node or not model.graph.output:
        raise FieldError(f"{path} is no ONNX model: it computes nothing", field="model")
    return model


def _check_versions(model: onnx.ModelProto) -> None:
    opset = max((each.version for each in model.opset_import if not each.domain), default=1)
    if opset < ONNX_OPSETS[0]:
        raise RefusedError(
            f"The graph uses version {opset} of ONNX's operators, {ONNX_OPSETS[0]} to"
            f" {ONNX_OPSETS[-1]} are read. Convert it: onnx.version_converter"
            f".convert_version(onnx.load(file), 17)"
        )
    if opset > ONNX_OPSETS[-1]:
        raise RefusedError(
            f"The graph uses version {opset} of ONNX's operators, {ONNX_OPSETS[-1]} is the newest"
            f" that is read. {_AGAIN} with opset_version={ONNX_OPSETS[-1]} or less."
        )
    if model.ir_version > IR_VERSIONS[-1]:
        raise RefusedError(
            f"The file has IR version {model.ir_version}, {IR_VERSIONS[-1]} is the newest that is"
            f" read. {_AGAIN} with an older version of onnx."
        )


def _settle_inputs(model: onnx.ModelProto, notes: list[str]) -> None:
    """Leave what has a value in the graph out of its inputs.

    Old files list all weights there; newer ones those that a caller may replace, which nobody can
    here: a version answers alike for everybody.
    """
    constants = {tensor.name for tensor in model.graph.initializer}
    kept = [value for value in model.graph.input if value.name not in constants]
    dropped = [value.name for value in model.graph.input if value.name in constants]
    if model.ir_version < IR_VERSIONS[0]:
        model.ir_version = IR_VERSIONS[0]
    elif dropped:
        notes.append(f"Inputs with a value in the graph keep it: {', '.join(dropped)}.")
    if not kept:
        raise RefusedError("The graph has no input, so that it always answers the same.")
    del model.graph.input[:]
    model.graph.input.extend(kept)


def _free_dimensions(model: onnx.ModelProto) -> None:
    """Name what varies: a size below 1, or a name that stands for nothing, is one of its own."""
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            dim.ClearField("denotation")
            fixed = dim.HasField("dim_value") and dim.dim_value > 0
            if not fixed and (dim.dim_param in _NO_NAMES or dim.HasField("dim_value")):
                dim.dim_param = f"{value.name}_{axis}"


def _digest(path: "Path") -> str:
    """Over the file and those that it points at, in the order of their names."""
    plain = onnx.load(path, load_external_data=False)
    names = {
        external_data_helper.ExternalDataInfo(tensor).location
        for tensor in plain.graph.initializer
        if external_data_helper.uses_external_data(tensor)
    }
    found = hashlib.sha256()
    for file in (path, *(path.parent / name for name in sorted(names))):
        with file.open("rb") as opened:
            while chunk := opened.read(CHUNK_BYTES):
                found.update(chunk)
    return "sha256:" + found.hexdigest()
