"""Class names that a classifier holds itself, where no ZipMap says them.

Imports onnx and numpy. Converted classifiers answer with the label of each row beside its scores;
who makes the labels knows their names:

    labels = class_labels(model)               # ("no", "yes"), or none
"""

import onnx
from onnx import numpy_helper

_CLASSIFIERS = frozenset(("LinearClassifier", "SVMClassifier", "TreeEnsembleClassifier"))
_NAMES = frozenset(("classlabels_strings", "classlabels_int64s", "classlabels_ints"))
_PASSING = frozenset(("Cast", "Identity", "Reshape", "Squeeze", "Flatten"))


def class_labels(model: onnx.ModelProto) -> tuple[str, ...]:
    """The names behind an output of labels, in the order of the scores; none where there are none.

    Strings are as they are, whole numbers as they are written.
    """
    makers = {name: node for node in model.graph.node for name in node.output}
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    for output in model.graph.output:
        name = output.name
        while (node := makers.get(name)) is not None and node.op_type in _PASSING and node.input:
            name = node.input[0]
        if node is None:
            continue
        if node.op_type in _CLASSIFIERS and name == node.output[0]:
            return _held(node)
        if node.op_type == "ArrayFeatureExtractor" and node.input[0] in tensors:
            return tuple(map(_written, numpy_helper.to_array(tensors[node.input[0]]).ravel()))
    return ()


def _held(node: onnx.NodeProto) -> tuple[str, ...]:
    for attribute in node.attribute:
        if attribute.name in _NAMES and (attribute.strings or attribute.ints):
            return tuple(map(_written, attribute.strings or attribute.ints))
    return ()


def _written(label: object) -> str:
    return label.decode(errors="replace") if isinstance(label, bytes) else str(label)
