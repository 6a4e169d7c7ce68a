"""Shapes that are settled are right, and those that only a run tells are left alone."""

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from maas_lab.exporting.tracing import Traced, trace


def unflattened(x: Tensor) -> Tensor:
    return torch.unflatten(x, 2, (3, -1)).transpose(1, 2)


def flattened(x: Tensor) -> Tensor:
    return (x * 2).flatten(1)


def chunked(x: Tensor) -> Tensor:
    left, right = (x + 1).chunk(2, dim=2)
    return left - right


def merged(x: Tensor) -> Tensor:
    return x.reshape(x.shape[0] * x.shape[1], -1)


def grown(x: Tensor) -> Tensor:
    return torch.unflatten(torch.cat([x, x], dim=1), 1, (2, x.shape[1])).sum(1)


def normalised(x: Tensor) -> Tensor:
    return torch.nn.functional.normalize(x * 3, dim=2)


def numbered(x: Tensor) -> Tensor:
    return x + torch.arange(x.shape[1])[:, None] / x.shape[0]


@pytest.mark.parametrize(
    ("function", "shapes"),
    [
        (unflattened, 0),
        (flattened, 0),
        (chunked, 0),
        (merged, 1),
        (grown, 0),
        (normalised, 0),
        (numbered, 1),
    ],
)
def test_a_settled_graph_computes_the_same_for_every_size(function: object, shapes: int) -> None:
    examples = ((torch.rand(2, 4, 12),), (torch.rand(3, 5, 12),))
    module = Traced(nn.Identity(), function)  # type: ignore[arg-type]
    model = trace(module, ["x"], ["y"], examples)
    kinds = [node.op_type for node in model.graph.node]
    assert min(1, kinds.count("Shape")) == shapes
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for size in ((2, 4, 12), (1, 1, 12), (7, 9, 12)):
        x = torch.rand(*size)
        (answer,) = session.run(None, {"x": x.numpy()})
        np.testing.assert_allclose(answer, function(x).numpy(), rtol=1e-6)  # type: ignore[operator]
