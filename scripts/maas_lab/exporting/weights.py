"""The weights of several graphs in one place: equal ones once, and under names that say something.

Imports numpy and onnx:

    weights = Weights(network)
    name = weights.add(tensor, fallback="encoder.0.forwards.LSTM.1")   # "encoder.0.norm.weight"
    weights.tensors                                                    # for the outermost graph
"""

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import helper, numpy_helper

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import nn

TURNED = ".transposed"


class Weights:
    """Initializers by content."""

    def __init__(self, network: "nn.Module") -> None:
        """Learn what the network calls its parameters."""
        self.tensors: list[onnx.TensorProto] = []
        self._names: dict[str, str] = {}
        self._calls: dict[str, str] = {}
        for name, parameter in network.named_parameters():
            values = parameter.detach().cpu().numpy()
            self._calls.setdefault(_digest(values), name)
            if values.ndim == 2:
                self._calls.setdefault(_digest(values.T), name + TURNED)

    def add(self, tensor: onnx.TensorProto, *, fallback: str) -> str:
        """Keep a tensor, unless an equal one is kept already.

        Args:
            tensor: With its values.
            fallback: What it is called where it is no parameter of the network.

        Returns:
            What it is called from now on.
        """
        values = numpy_helper.to_array(tensor)
        digest = _digest(values)
        if digest not in self._names:
            taken = set(self._names.values())
            name = self._calls.get(digest, fallback)
            while name in taken:
                name += "'"
            self._names[digest] = name
            self.tensors.append(numpy_helper.from_array(values, name))
        return self._names[digest]

    def pairs(self) -> dict[str, str]:
        """Names of tensors that are kept twice, by the name of the same one transposed."""
        names = set(self._names.values())
        return {name + TURNED: name for name in names if name + TURNED in names}

    def drop(self, name: str) -> None:
        """Keep a tensor no longer."""
        self.tensors = [tensor for tensor in self.tensors if tensor.name != name]


def share_turned(
    parts: "list[list[onnx.NodeProto]]", weights: Weights
) -> "list[list[onnx.NodeProto]]":
    """Multiply by a matrix as it is where it was kept a second time, transposed.

    So it is where words are read and written by one matrix.
    """
    for turned, name in weights.pairs().items():
        readers = [node for part in parts for node in part if turned in node.input]
        if any(node.op_type != "MatMul" or node.input[1] != turned for node in readers):
            continue
        rows, columns = next(tensor.dims for tensor in weights.tensors if tensor.name == name)
        parts = [
            [
                new
                for node in part
                for new in (
                    _multiplied(node, name, rows, columns) if turned in node.input else [node]
                )
            ]
            for part in parts
        ]
        weights.drop(turned)
    return parts


def _multiplied(node: onnx.NodeProto, matrix: str, rows: int, columns: int) -> list[onnx.NodeProto]:
    """`x @ matrix.T` of an `x` of any rank, without a transposed copy of the matrix."""
    x, y, at = node.input[0], node.output[0], node.name
    constants = {"columns": [-1, columns], "rows": [rows]}
    return [
        *(
            helper.make_node(
                "Constant",
                [],
                [f"{at}/{name}"],
                f"{at}/{name}",
                value=numpy_helper.from_array(np.array(values, dtype=np.int64)),
            )
            for name, values in constants.items()
        ),
        helper.make_node("Reshape", [x, f"{at}/columns"], [f"{at}/flat"], f"{at}/flat"),
        helper.make_node("Gemm", [f"{at}/flat", matrix], [f"{at}/said"], f"{at}/Gemm", transB=1),
        helper.make_node("Shape", [x], [f"{at}/outer"], f"{at}/outer", end=-1),
        helper.make_node(
            "Concat", [f"{at}/outer", f"{at}/rows"], [f"{at}/shape"], f"{at}/shape", axis=0
        ),
        helper.make_node("Reshape", [f"{at}/said", f"{at}/shape"], [y], at),
    ]


def _digest(values: "npt.NDArray[np.generic]") -> str:
    head = f"{values.dtype.str}{values.shape}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(values).tobytes()).hexdigest()
