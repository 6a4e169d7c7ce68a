"""Outlying channels: the same answers in float32, better ones in bytes, no node without use."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from maas_lab.exporting.quantising import quantise
from maas_lab.exporting.smoothing import outlying, smooth

WIDTH, ROWS = 48, 24
RNG = np.random.default_rng(7)


def graph(outlier: float, *, shared: bool = False) -> onnx.ModelProto:
    """A norm that two products read, one channel of it so many times as large as the others."""
    scale = np.ones(WIDTH, dtype=np.float32)
    scale[5] = outlier
    first = RNG.normal(size=(WIDTH, 8)).astype(np.float32)
    weights = {"first": first, "second": first[:, ::-1].copy()}
    made = [numpy_helper.from_array(scale, "scale"), numpy_helper.from_array(scale * 0, "bias")]
    made += [numpy_helper.from_array(array, name) for name, array in weights.items()]
    other = "first" if shared else "second"
    nodes = [
        helper.make_node("LayerNormalization", ["x", "scale", "bias"], ["normed"], "norm"),
        helper.make_node("MatMul", ["normed", "first"], ["one"], "one"),
        helper.make_node("MatMul", ["normed", other], ["two"], "two"),
        helper.make_node("Add", ["one", "two"], ["product"], "add"),
        helper.make_node("ReduceMax", ["normed"], ["largest"], "largest", keepdims=0),
    ]
    floats = TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info("x", floats, ["rows", WIDTH])]
    outputs = [
        helper.make_tensor_value_info("product", floats, ["rows", 8]),
        helper.make_tensor_value_info("largest", floats, []),
    ]
    made_graph = helper.make_graph(nodes, "outliers", inputs, outputs, made)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(made_graph, opset_imports=opsets, ir_version=10)


def ask(model: onnx.ModelProto, x: Any) -> list[Any]:  # noqa: ANN401
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return list(session.run(None, {"x": x}))


def feeds() -> list[dict[str, Any]]:
    return [{"x": RNG.normal(size=(ROWS, WIDTH)).astype(np.float32)} for _ in range(4)]


@pytest.mark.parametrize("shared", [False, True])
def test_it_answers_the_same_and_is_better_in_bytes(*, shared: bool) -> None:
    plain = graph(20.0, shared=shared)
    before = plain.SerializeToString()
    smoothed = smooth(plain, feeds())
    assert plain.SerializeToString() == before
    onnx.checker.check_model(smoothed)  # no name twice, which the runtime would only warn of
    assert [node.op_type for node in smoothed.graph.node].count("Mul") == 1
    x = RNG.normal(size=(ROWS, WIDTH)).astype(np.float32)
    wanted = ask(plain, x)
    for one, other in zip(ask(smoothed, x), wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    # As bytes it is nearer to the answer than it would have been
    far, near = (
        np.abs(ask(quantise(model), x)[0] - wanted[0]).mean() for model in (plain, smoothed)
    )
    assert near < 0.7 * far


def test_a_graph_without_outliers_is_let_alone() -> None:
    plain = graph(1.0)
    assert smooth(plain, feeds()).SerializeToString() == plain.SerializeToString()
    bare = graph(20.0)
    del bare.graph.node[0]  # what is multiplied is no norm's
    bare.graph.node[0].input[0] = bare.graph.node[1].input[0] = "x"
    bare.graph.node[3].input[0] = "x"
    assert smooth(bare, feeds()).SerializeToString() == bare.SerializeToString()


def test_what_a_graph_within_a_node_reads_stays() -> None:
    plain = graph(20.0)
    branches = {}
    for name, operator in (("then_branch", "Add"), ("else_branch", "Sub")):
        out = helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", 8])
        node = helper.make_node(operator, ["product", "inside"], [name])
        branches[name] = helper.make_graph([node], name, [], [out])
    values = {"inside": np.ones(8, dtype=np.float32), "yes": np.array(True)}
    plain.graph.initializer.extend(numpy_helper.from_array(v, k) for k, v in values.items())
    plain.graph.node.append(helper.make_node("If", ["yes"], ["chosen"], **branches))
    plain.graph.output[0].name = "chosen"
    smoothed = smooth(plain, feeds())
    assert [node.op_type for node in smoothed.graph.node].count("Mul") == 1
    x = RNG.normal(size=(ROWS, WIDTH)).astype(np.float32)
    np.testing.assert_allclose(ask(smoothed, x)[0], ask(plain, x)[0], rtol=1e-5, atol=1e-5)


def test_a_product_with_a_vector_is_let_alone() -> None:
    plain = graph(20.0)
    vector = numpy_helper.from_array(RNG.normal(size=WIDTH).astype(np.float32), "vector")
    plain.graph.initializer.append(vector)
    plain.graph.node.append(helper.make_node("MatMul", ["normed", "vector"], ["dot"]))
    plain.graph.output.append(helper.make_tensor_value_info("dot", TensorProto.FLOAT, ["rows"]))
    x = RNG.normal(size=(ROWS, WIDTH)).astype(np.float32)
    for one, other in zip(ask(smooth(plain, feeds()), x), ask(plain, x), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_channels_are_made_smaller_down_to_one_and_a_half_times_the_usual() -> None:
    largest = np.ones(100, dtype=np.float32)
    largest[[3, 70]] = [6.0, 1.4]
    scale = outlying(largest)
    assert scale.dtype == np.float32
    assert scale[3] == pytest.approx(6 / (1.5 * np.quantile(largest, 0.98)))
    assert (np.delete(scale, 3) == 1).all()
    assert (outlying(np.zeros(4, dtype=np.float32)) == 1).all()
