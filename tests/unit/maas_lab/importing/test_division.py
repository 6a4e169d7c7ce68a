"""Divisions of whole numbers: an imported graph answers all of them, as ONNX defines it."""

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.foreign_graphs import FLOATS, graph_of, node, saved, zoo

from maas.bundle.graph_policy import check_graph
from maas.errors import RefusedError
from maas_lab.importing.division import guard_divisions
from maas_lab.importing.reading import read_foreign

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    Numbers = npt.NDArray[np.signedinteger[Any]]

KINDS = {
    "int8": TensorProto.INT8,
    "int16": TensorProto.INT16,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
}
TRAPPING = ("int32", "int64")
NOTE = "Whole numbers are divided by -1 without overflow."


def grid(dtype: str) -> "tuple[Numbers, Numbers]":
    """Each dividend by each divisor: both ends of the type, both signs, and -1, but not by 0."""
    ends = np.iinfo(dtype)
    values = np.array([ends.min, ends.min + 1, -7, -2, -1, 0, 1, 2, 7, ends.max], dtype)
    dividends, divisors = np.meshgrid(values, values[values != 0], indexing="ij")
    return dividends.ravel(), divisors.ravel()


def meant(operator: str, one: "Numbers", other: "Numbers", *, fmod: int = 0) -> "Numbers":
    """By Python's integers, which have no end: towards zero, and then cut to the type."""
    half = -int(np.iinfo(one.dtype).min)

    def answer(a: int, b: int) -> int:
        quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        if operator == "Div":
            return (quotient + half) % (2 * half) - half
        return a - quotient * b if fmod else a % b

    pairs = zip(one.tolist(), other.tolist(), strict=True)
    return np.array([answer(a, b) for a, b in pairs], one.dtype)


def dividing(operator: str, dtype: str, **constants: Any) -> onnx.ModelProto:  # noqa: ANN401
    """From `a` and `b`, where that is no constant, to `y`."""
    kind = (KINDS[dtype], ["n"])
    inputs = {name: kind for name in "ab" if name not in constants}
    return graph_of([node(operator, ["a", "b"], ["y"])], inputs, {"y": kind}, **constants)


def read(folder: "Path", model: onnx.ModelProto) -> onnx.ModelProto:
    """As import reads it, and as it may be served."""
    foreign = read_foreign(saved(folder, model))
    check_graph(foreign.model.SerializeToString(), {})
    return foreign.model


def asked(model: onnx.ModelProto, **feeds: Any) -> Any:  # noqa: ANN401
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, feeds)[0]


@pytest.mark.parametrize("constant", [False, True], ids=["input", "constant"])
@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("operator", ["Div", "Mod"])
def test_every_number_is_divided_by_every_other(
    tmp_path: "Path", operator: str, dtype: str, *, constant: bool
) -> None:
    dividends, divisors = grid(dtype)
    constants = {"b": divisors} if constant else {}
    model = read(tmp_path, dividing(operator, dtype, **constants))
    feeds = {"a": dividends} if constant else {"a": dividends, "b": divisors}
    found = asked(model, **feeds)
    assert found.dtype == dividends.dtype
    assert found.tolist() == meant(operator, dividends, divisors).tolist()
    if operator == "Mod":  # numpy's is ONNX's
        assert found.tolist() == np.mod(dividends, divisors).tolist()


@pytest.mark.parametrize("dtype", TRAPPING)
def test_the_sign_of_the_dividend_is_kept_as_it_was(tmp_path: "Path", dtype: str) -> None:
    # Small numbers: ONNX Runtime computes this one in floats
    dividends, divisors = (each.clip(-100, 100) for each in grid(dtype))
    plain = dividing("Mod", dtype)
    plain.graph.node[0].attribute.append(helper.make_attribute("fmod", 1))
    model = read(tmp_path, plain)
    assert len(model.graph.node) == 1
    wanted = meant("Mod", dividends, divisors, fmod=1)
    assert asked(model, a=dividends, b=divisors).tolist() == wanted.tolist()
    least = np.array([np.iinfo(dtype).min], dividends.dtype)
    assert asked(model, a=least, b=np.array([-1], least.dtype)).tolist() == [0]


@pytest.mark.parametrize("dtype", TRAPPING)
@pytest.mark.parametrize("operator", ["Div", "Mod"])
def test_a_constant_of_minus_one_alone(tmp_path: "Path", operator: str, dtype: str) -> None:
    dividends, _ = grid(dtype)
    minus = np.array(-1, dividends.dtype)
    model = read(tmp_path, dividing(operator, dtype, b=minus))
    wanted = meant(operator, dividends, np.full_like(dividends, -1))
    assert asked(model, a=dividends).tolist() == wanted.tolist()


@pytest.mark.parametrize("operator", ["Div", "Mod"])
def test_shapes_are_broadcast_as_before(tmp_path: "Path", operator: str) -> None:
    model = dividing(operator, "int32")
    for value, shape in zip(
        (*model.graph.input, *model.graph.output), ("n1", "m", "nm"), strict=True
    ):
        value.CopyFrom(helper.make_tensor_value_info(value.name, TensorProto.INT32, [*shape]))
    least = np.iinfo("int32").min
    column, row = np.array([[least], [9]], "int32"), np.array([-1, 4, -4], "int32")
    wanted = [meant(operator, np.full_like(row, each), row).tolist() for each in column[:, 0]]
    found = asked(read(tmp_path, model), a=column, b=row)
    assert found.tolist() == wanted


def test_by_zero_is_an_error_and_no_end(tmp_path: "Path") -> None:
    numbers = np.array([1], "int32")
    model = read(tmp_path, dividing("Div", "int32"))
    with pytest.raises(Exception, match=r"(?i)zero"):
        asked(model, a=numbers, b=np.array([0], "int32"))
    assert asked(model, a=numbers, b=numbers).tolist() == [1]


def unchanged() -> dict[str, onnx.ModelProto]:
    int64 = (TensorProto.INT64, ["n"])
    half = graph_of(
        [
            node("Shape", ["x"], ["shape"]),
            node("Constant", [], ["two"], value_int=2),
            node("Div", ["shape", "two"], ["half"]),
            node("Mod", ["half", "three"], ["y"]),
        ],
        {"x": FLOATS},
        {"y": int64},
        three=np.array([3]),
    )
    foreign = graph_of(
        [
            node("Gelu", ["x"], ["g"], domain="com.microsoft"),
            node("Div", ["g", "g"], ["y"]),
        ],
        {"x": FLOATS},
        {"y": FLOATS},
    )
    return {
        "by constants": half,
        "floats": graph_of([node("Div", ["x", "x"], ["y"])], {"x": FLOATS}, {"y": FLOATS}),
        "floats of an operator that onnx does not know": foreign,
        "small": dividing("Div", "int8"),
        "no division": zoo(),
    }


@pytest.mark.parametrize("name", list(unchanged()))
def test_what_needs_nothing_is_unchanged_byte_for_byte(name: str) -> None:
    model = unchanged()[name]
    before = model.SerializeToString()
    notes: list[str] = []
    guard_divisions(model, notes)
    assert model.SerializeToString() == before
    assert notes == []


def test_what_is_changed_is_said(tmp_path: "Path") -> None:
    foreign = read_foreign(saved(tmp_path, dividing("Div", "int64")))
    assert foreign.notes == (NOTE,)
    names = [name for each in foreign.model.graph.node for name in each.output]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("operator", ["Div", "Mod"])
@pytest.mark.parametrize("nested", ["If", "Loop", "Scan"])
def test_nested_graphs_are_guarded_too(tmp_path: "Path", nested: str, operator: str) -> None:
    dividends, divisors = grid("int32")
    wanted = meant(operator, dividends, divisors)
    model = read(tmp_path, NESTED[nested](operator))
    assert asked(model, a=dividends, b=divisors).tolist() == wanted.tolist()


KIND = (TensorProto.INT32, ["n"])


def inner(nodes: "list[onnx.NodeProto]", inputs: dict[str, Any], *outputs: str) -> onnx.GraphProto:
    """A graph in a graph, whose outputs have no type: it is inferred."""
    graph = graph_of(nodes, inputs, {}).graph
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
    return graph


def in_if(operator: str) -> onnx.ModelProto:
    # Both branches name their values alike, and only one divides whole numbers
    divides = inner([node(operator, ["k", "b"], ["q"])], {}, "q")
    floats = inner([node("Div", ["f", "f"], ["p"]), node("Cast", ["p"], ["q"], to=6)], {}, "q")
    before = [
        node("Identity", ["a"], ["k"]),
        node("Cast", ["a"], ["f"], to=1),
        node("If", ["yes"], ["y"], then_branch=divides, else_branch=floats),
    ]
    return graph_of(before, {"a": KIND, "b": KIND}, {"y": KIND}, yes=np.array(True))


def in_loop(operator: str) -> onnx.ModelProto:
    body = inner(
        [node("Identity", ["c"], ["on"]), node(operator, ["v", "b"], ["w"])],
        {"i": (TensorProto.INT64, ()), "c": (TensorProto.BOOL, ()), "v": KIND},
        *("on", "w"),
    )
    turn = node("Loop", ["once", "", "a"], ["y"], body=body)
    return graph_of([turn], {"a": KIND, "b": KIND}, {"y": KIND}, once=np.array(1))


def in_scan(operator: str) -> onnx.ModelProto:
    one = (TensorProto.INT32, ())
    body = inner([node(operator, ["v", "w"], ["q"])], {"v": one, "w": one}, "q")
    scan = node("Scan", ["a", "b"], ["y"], body=body, num_scan_inputs=2)
    return graph_of([scan], {"a": KIND, "b": KIND}, {"y": KIND})


NESTED = {"If": in_if, "Loop": in_loop, "Scan": in_scan}


def test_an_inner_value_hides_a_constant_of_its_name(tmp_path: "Path") -> None:
    # Given a constant 2 in one branch, and a value of the same name in the other
    two = numpy_helper.from_array(np.array([2], "int32"), "d")
    safe = inner([node("Div", ["a", "d"], ["q"])], {}, "q")
    safe.initializer.append(two)
    unsafe = inner([node("Identity", ["b"], ["d"]), node("Div", ["a", "d"], ["q"])], {}, "q")
    branch = node("If", ["no"], ["y"], then_branch=safe, else_branch=unsafe)
    model = graph_of([branch], {"a": KIND, "b": KIND}, {"y": KIND}, no=np.array(False))
    dividends, divisors = grid("int32")
    found = asked(read(tmp_path, model), a=dividends, b=divisors)
    assert found.tolist() == meant("Div", dividends, divisors).tolist()


def test_a_division_of_an_unknown_type_is_refused_with_the_remedy() -> None:
    model = graph_of(
        [node("NoOperator", ["x"], ["z"]), node("Div", ["z", "z"], ["w"], name="half")],
        {"x": FLOATS},
        {},
    )
    with pytest.raises(RefusedError, match=r"half divides whole .* a Cast before it"):
        guard_divisions(model, [])
