"""Classifiers of scikit-learn as they are converted: a map of scores per row becomes a tensor.

Imports onnx, `maas` and the lab. `ZipMap` puts names to a row of scores, and computes nothing; so
the scores are taken before it, and its names are the model's labels. No other node makes a map, and
none reads one:

    (maps,) = cut_zip_maps(model, notes)
    maps.keys                                  # ("no", "yes")
"""

from typing import TYPE_CHECKING

from maas.bundle.composites import Composite
from maas.errors import RefusedError

if TYPE_CHECKING:
    import onnx

_REMEDY = (
    "Export the model so that it answers tensors (for scikit-learn's: convert_sklearn with"
    " options={'zipmap': False})."
)


def cut_zip_maps(model: "onnx.ModelProto", notes: list[str]) -> tuple[Composite, ...]:
    """Answer with what goes into each ZipMap whose maps are an output.

    Args:
        model: Changed in place.
        notes: Where it is said.

    Returns:
        For each such output, its name and what its columns are called; no columns where that is not
        said, or not once for each.

    Raises:
        RefusedError: An output is another kind of sequence or map, or something reads the maps.
    """
    found: list[Composite] = []
    for value in model.graph.output:
        if value.type.WhichOneof("value") in ("tensor_type", None):
            continue
        maker = next((node for node in model.graph.node if value.name in node.output), None)
        readers = [node for node in model.graph.node if value.name in node.input]
        if maker is None or maker.op_type != "ZipMap" or readers:
            kind = str(value.type.WhichOneof("value")).removesuffix("_type")
            raise RefusedError(f"The output {value.name} is a {kind}, no tensor. {_REMEDY}")
        keys = _names(maker)
        found.append(Composite(value.name, (value.name,), keys))
        _cut(value, maker, width=len(keys))
        notes.append(f"{value.name} is a row of scores: the ZipMap that named them was cut.")
    return tuple(found)


def _names(node: "onnx.NodeProto") -> tuple[str, ...]:
    """Strings as they are, integers as they are written."""
    for attribute in node.attribute:
        if attribute.name == "classlabels_strings" and attribute.strings:
            return tuple(each.decode() for each in attribute.strings)
        if attribute.name == "classlabels_int64s" and attribute.ints:
            return tuple(map(str, attribute.ints))
    return ()


def _cut(value: "onnx.ValueInfoProto", node: "onnx.NodeProto", *, width: int) -> None:
    """Let an Identity answer under the map's name: `[rows, classes]`."""
    node.op_type, node.domain = "Identity", ""
    del node.attribute[:]
    value.type.Clear()
    value.type.tensor_type.elem_type = 1  # scores are float32, in every version of the operator
    value.type.tensor_type.shape.dim.add().dim_param = f"{value.name}_0"
    columns = value.type.tensor_type.shape.dim.add()
    if width:
        columns.dim_value = width
    else:
        columns.dim_param = f"{value.name}_1"
