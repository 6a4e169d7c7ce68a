"""S16, S20, S21: a graph is refused by its bytes, with a reason, before anything opens it.

What is admitted is read by onnx alike. That the policy is wide enough for what torch exports, and
for what ONNX Runtime's optimiser and quantiser make of it, is in test_graph_operators.py.
"""

import random
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from msgspec.structs import replace
from onnx import TensorProto, helper
from support.effort import count, examples
from support.graphs import add_node, classifier_graph, edited, nested, save_external, slow_graph
from support.tiny import tiny_weights

from maas.bundle import onnx_fields as tables
from maas.bundle.graph_policy import check_graph
from maas.bundle.wire import Budget, Wire, read_message
from maas.errors import BundleError
from maas.limits import LIMITS
from maas_lab.graphs import strip_graph

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Change = Callable[[onnx.ModelProto], object]

WEIGHTS = tiny_weights(1)
GRAPH = classifier_graph(WEIGHTS)
NODE: Any = helper.make_node


def refusal(change: "Change", *, graph: bytes = GRAPH) -> str:
    with pytest.raises(BundleError) as refused:
        check_graph(edited(graph, change), {"weights.bin": 144})
    count("attacks")
    return str(refused.value)


def test_a_graph_that_is_a_model_is_admitted_and_described() -> None:
    facts = check_graph(GRAPH, {})
    assert (facts.opset, facts.nodes, facts.files) == (17, 6, frozenset())
    assert (facts.inputs, facts.outputs) == (("input_ids", "attention_mask"), ("logits",))
    assert facts.rows == {"input_ids": len(WEIGHTS)}
    assert check_graph(slow_graph(WEIGHTS, slow_id=3), {}).nodes == 11  # its turns are not known


@pytest.mark.parametrize("operator", ["Cast", "Identity"])
def test_the_table_of_weights_is_found_behind_a_cast(operator: str) -> None:
    def change(model: onnx.ModelProto) -> None:
        to = {"to": TensorProto.INT32} if operator == "Cast" else {}
        model.graph.node[0].input[1] = "ids"
        add_node(model, NODE(operator, ["input_ids"], ["ids"], **to))

    assert check_graph(edited(GRAPH, change), {}).rows == {"input_ids": len(WEIGHTS)}


# ---- S20: what a graph would do -----------------------------------------------------------------


def _operator(name: str, domain: str = "") -> "Change":
    def change(model: onnx.ModelProto) -> None:
        model.graph.node[0].op_type, model.graph.node[0].domain = name, domain
        if domain not in ("", "ai.onnx"):
            model.opset_import.append(helper.make_opsetid(domain, 1))

    return change


@pytest.mark.parametrize(
    "change",
    [
        _operator("Run", "evil.example"),
        _operator("Gather", "evil.example"),
        _operator("PyOp", "com.microsoft"),
        _operator("EPContext", "com.microsoft"),
        _operator("Tokenizer", "com.microsoft"),
        _operator("BeamSearch", "com.microsoft"),
        _operator("gather", "com.microsoft"),
        _operator("ATen", "org.pytorch.aten"),
        _operator("PythonOp", "com.microsoft"),
        _operator("ZipMap", "ai.onnx.ml"),
        _operator("Gather", "ai.onnx"),
        _operator("Gather", "\u0000"),
        _operator("NoSuchOperator"),
        _operator(""),
        _operator("ImageDecoder"),
        _operator("RandomNormal"),
        _operator("RegexFullMatch"),
        _operator("StringNormalizer"),
        _operator("SequenceInsert"),
        _operator("OptionalGetElement"),
    ],
)
def test_s20_an_operator_that_is_not_listed_is_refused(change: "Change") -> None:
    assert "is no operator that is admitted" in refusal(change)


def test_s20_a_domain_that_is_not_imported_cannot_be_used() -> None:
    def change(model: onnx.ModelProto) -> None:
        model.graph.node[0].domain, model.graph.node[0].op_type = "com.microsoft", "Gelu"

    assert "is no operator that is admitted" in refusal(change)


def _huge(operator: str, *inputs: str, **constants: object) -> "Change":
    return lambda model: add_node(model, NODE(operator, inputs, ["huge"]), **constants)


def _huge_constant(**attribute: object) -> "Change":
    def change(model: onnx.ModelProto) -> None:
        model.graph.node.insert(0, NODE("ConstantOfShape", ["shape"], ["huge"]))
        model.graph.node.insert(0, NODE("Constant", [], ["shape"], **attribute))

    return change


def _packed_by_type(model: onnx.ModelProto) -> None:
    add_node(model, NODE("ConstantOfShape", ["shape"], ["huge"]))
    model.graph.initializer.append(
        TensorProto(name="shape", dims=[2], data_type=TensorProto.INT64, int64_data=[10**5, 10**5])
    )


BIG = 10**10
I64, F32 = np.int64, np.float32


@pytest.mark.parametrize(
    "change",
    [
        _huge("ConstantOfShape", "n", n=[BIG]),
        _huge("ConstantOfShape", "n", n=[2**40]),
        _huge("ConstantOfShape", "n", n=[2**16, 2**16]),
        _huge("ConstantOfShape", "n", n=[0, BIG]),
        _huge("ConstantOfShape", "n", n=[-BIG]),
        _packed_by_type,
        _huge_constant(value_ints=[10**5, 10**5]),
        _huge_constant(value=helper.make_tensor("t", TensorProto.INT64, [1], [BIG])),
        _huge("Expand", "zero", "n", n=[1, BIG]),
        _huge("Tile", "zero", "n", n=[2**20, 2**20]),
        _huge("Range", "a", "b", "c", a=0, b=BIG, c=1),
        _huge("Range", "a", "b", "c", a=F32(0), b=F32(1), c=F32(1e-30)),
        _huge("Range", "a", "b", "c", a=0, b=1, c=0),
        _huge("Range", "a", "b", "c", a=F32(0), b=F32("nan"), c=F32(1)),
        _huge("OneHot", "input_ids", "n", "values", n=BIG, values=[0, 1]),
        _huge("Pad", "zero", "n", n=[0, BIG]),
        _huge("Resize", "zero", "", "n", n=np.array([1e6, 1e6], F32)),
        _huge("Resize", "zero", "", "", "n", n=[10**6, 10**6]),
        _huge("HannWindow", "n", n=BIG),
        _huge("MelWeightMatrix", "n", "n", n=BIG),
    ],
)
def test_s20_a_result_that_the_graph_itself_makes_huge_is_refused(change: "Change") -> None:
    assert "would make more than 268435456 elements" in refusal(change)


def test_s20_a_size_that_hides_in_a_file_is_refused() -> None:
    def change(model: onnx.ModelProto) -> None:
        add_node(model, NODE("ConstantOfShape", ["n"], ["huge"]), n=[BIG])
        _make_external(model, "n", length=8)

    assert "takes its size from no small tensor" in refusal(change)


def _looped(trips: str, **constants: object) -> "Change":
    body = helper.make_graph(
        [NODE("Identity", ["more"], ["again"])],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("more", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("again", TensorProto.BOOL, [])],
    )
    node = NODE("Loop", [trips, "yes"], [], body=body)
    return lambda model: add_node(model, node, yes=True, **constants)


@pytest.mark.parametrize(
    "change",
    [
        _looped("n", n=2**62),
        _looped("n", n=[2**62]),
        _looped("n", n=2**63 - 1),
        _looped("n", n=LIMITS.graph_turns + 1),
        _looped(""),  # for as long as a condition says
    ],
)
def test_s20_a_loop_without_an_end_is_refused(change: "Change") -> None:
    assert "may turn more than 1000000 times" in refusal(change)


def test_s20_graphs_nested_eight_deep_are_admitted_and_nine_are_not() -> None:
    def change(levels: int) -> "Change":
        return lambda model: add_node(model, nested(levels), yes=True)

    check_graph(edited(GRAPH, change(8)), {})
    assert "nests graphs deeper than 8 levels" in refusal(change(9))
    assert "nests graphs deeper than 8 levels" in refusal(change(15))


def test_s20_a_million_nodes_are_refused_before_they_are_read() -> None:
    node = NODE("Identity", ["a"], ["a"]).SerializeToString()
    nodes = (b"\x0a" + _varint(len(node)) + node) * 1_000_000
    opset = helper.make_opsetid("", 17).SerializeToString()
    data = b"\x08\x08\x3a" + _varint(len(nodes)) + nodes + b"\x42" + _varint(len(opset)) + opset
    assert len(onnx.load_from_string(data).graph.node) == 1_000_000
    started = time.process_time()
    with pytest.raises(BundleError, match=r"more than 100000 nodes"):
        check_graph(data, {})
    assert time.process_time() - started < 20  # seen: about 1.5 s
    count("attacks")


def _varint(number: int) -> bytes:
    data = bytearray()
    while number >= 0x80:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*data, number])


@pytest.mark.parametrize("size", [-1, -(2**62)])
def test_s20_negative_sizes_are_refused(size: int) -> None:
    def shape(model: onnx.ModelProto) -> None:
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = size

    def tensor(model: onnx.ModelProto) -> None:
        model.graph.initializer[0].dims[0] = size

    assert "value 'input_ids' has a negative size" in refusal(shape)
    assert "tensor 'weights' has a negative size" in refusal(tensor)


def test_s20_sizes_beyond_all_memory_are_refused() -> None:
    def shape(model: onnx.ModelProto) -> None:
        for dim in model.graph.input[0].type.tensor_type.shape.dim:
            dim.dim_value = 2**40

    def tensor(model: onnx.ModelProto) -> None:
        model.graph.initializer[0].dims[:] = [2**40, 2**40]

    def zeros(model: onnx.ModelProto) -> None:
        model.graph.initializer[0].dims[:] = [0, 2**40, 2**40]

    for change in (shape, tensor, zeros):
        assert "has more than 268435456 elements" in refusal(change)


@pytest.mark.parametrize("name", ["pads", "strides", "dilations", "kernel_shape", "blocksize"])
@pytest.mark.parametrize("value", [2**40, -(2**40), [1] * 65])
def test_s20_huge_steps_of_a_layer_are_refused(name: str, value: object) -> None:
    value = value if isinstance(value, list) else [value]
    node = NODE("MaxPool", ["zero"], ["pooled"], **{name: value})
    assert f"a value of '{name}'" in refusal(lambda model: add_node(model, node))


@pytest.mark.parametrize(
    ("operator", "name"),
    [("ConvTranspose", "group"), ("Attention", "q_num_heads"), ("Attention", "kv_num_heads")],
)
@pytest.mark.parametrize("value", [0, -1, 2**62])
def test_s20_a_kernel_that_would_divide_by_nothing_is_refused(
    operator: str, name: str, value: int
) -> None:
    node = NODE(operator, ["zero", "zero", "zero"], ["made"], **{name: value})
    assert f"a value of '{name}'" in refusal(lambda model: add_node(model, node))


# ---- S21: what a graph would do by what it says beside its nodes --------------------------------


def _sparse(model: onnx.ModelProto) -> None:
    model.graph.sparse_initializer.add().dims.append(4)


def _function(model: onnx.ModelProto) -> None:
    model.functions.add(name="Gather", domain="evil.example")


def _annotated(model: onnx.ModelProto) -> None:
    model.graph.quantization_annotation.add(tensor_name="weights")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m: m.metadata_props.add(key="ort_config", value="{}"), "model has metadata_props"),
        (lambda m: m.metadata_props.add(key="x", value=""), "model has metadata_props"),
        (lambda m: m.graph.metadata_props.add(key="x"), "graph has metadata_props"),
        (lambda m: m.graph.node[0].metadata_props.add(key="x"), "metadata_props"),
        (lambda m: m.graph.initializer[0].metadata_props.add(key="x"), "metadata_props"),
        (lambda m: m.graph.input[0].metadata_props.add(key="x"), "metadata_props"),
        (lambda m: setattr(m, "doc_string", "/home/me"), "model has a doc_string"),
        (lambda m: setattr(m.graph, "doc_string", "x"), "graph has a doc_string"),
        (lambda m: setattr(m.graph.node[0], "doc_string", "x"), "doc_string"),
        (lambda m: setattr(m.graph.input[0], "doc_string", "x"), "doc_string"),
        (lambda m: setattr(m.graph.initializer[0], "doc_string", "x"), "doc_string"),
        (_function, "model has functions"),
        (lambda m: m.training_info.add(), "model has training_info"),
        (lambda m: m.configuration.add(name="x"), "model has configuration"),
        (lambda m: setattr(m.graph.node[0], "overload", "x"), "overload"),
        (_annotated, "quantization_annotation"),
        (_sparse, "sparse_initializer"),
    ],
)
def test_s21_what_is_no_part_of_a_model_is_refused(change: "Change", reason: str) -> None:
    assert reason in refusal(change)


def test_s21_what_the_lab_strips_is_what_the_policy_refuses() -> None:
    # Given a graph with words in every place that has them, nested ones included
    model = onnx.load_from_string(GRAPH)
    add_node(model, nested(2), yes=True)
    constant = helper.make_tensor("inside", TensorProto.INT64, [1], [1])
    model.graph.node.insert(0, NODE("Constant", [], ["one"], value=constant))
    graphs = [model.graph]
    for graph in graphs:
        attributes = [attribute for node in graph.node for attribute in node.attribute]
        inside = [attribute.t for attribute in attributes if attribute.HasField("t")]
        values = [*graph.input, *graph.output, *graph.initializer, *graph.node, *inside]
        for part in (graph, *values, *attributes):
            part.doc_string = "/home/me"
        for part in (graph, *values):
            part.metadata_props.add(key="ort_config")
        graphs += [attribute.g for attribute in attributes if attribute.HasField("g")]
    assert len(graphs) > 3
    # Then it is refused as it is, and admitted when the lab has stripped it
    assert "not admitted" in refusal(lambda whole: whole.CopyFrom(model))
    assert check_graph(strip_graph(model).SerializeToString(), {}).nodes > 6


def _attribute(**fields: object) -> "Change":
    def change(model: onnx.ModelProto) -> None:
        model.graph.node[0].attribute.append(onnx.AttributeProto(name="x", **fields))  # type: ignore[arg-type]

    return change


def _constant(count: int, texts: list[bytes], **fields: Any) -> "Change":  # noqa: ANN401
    """A constant of texts, of which there should be so many."""
    tensor = TensorProto(name="texts", data_type=8, dims=[count], string_data=texts, **fields)
    return lambda model: model.graph.initializer.append(tensor)


def test_short_texts_may_be_constants() -> None:
    data = edited(GRAPH, _constant(2, [b"a", "é".encode() * 512]))
    assert check_graph(data, {}).nodes


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m: setattr(m, "ir_version", 2), "IR version is 2"),
        (lambda m: setattr(m, "ir_version", 99), "IR version is 99"),
        (lambda m: m.ClearField("ir_version"), "IR version is 0"),
        (lambda m: setattr(m.opset_import[0], "version", 1), "11 to 24 are admitted"),
        (lambda m: setattr(m.opset_import[0], "version", 99), "11 to 24 are admitted"),
        (lambda m: setattr(m.opset_import[0], "domain", "x"), "does not import ONNX's own"),
        (lambda m: m.ClearField("opset_import"), "does not import ONNX's own"),
        (lambda m: m.opset_import.append(m.opset_import[0]), "operators of '' twice"),
        (lambda m: m.ClearField("graph"), "holds no graph"),
        (_attribute(), "attribute 'x' that is not admitted"),
        (_attribute(type=2, i=1, s=b"two"), "attribute 'x' that is not admitted"),
        (_attribute(type=2, ref_attr_name="y"), "attribute 'x' that is not admitted"),
        (_attribute(type=11), "attribute 'x' that is not admitted"),
        (_attribute(type=9, tensors=[TensorProto()]), "attribute 'x' that is not admitted"),
        (_attribute(type=3, s=b"\xff"), "text that is not UTF-8"),
        (_attribute(type=3, s=b"x" * 4097), "text of more than 4096 bytes"),
        (lambda m: setattr(m.graph.node[0], "name", "x" * 4097), "text of more than 4096 bytes"),
        (lambda m: setattr(m.graph.initializer[0], "data_type", 8), "has texts that are none"),
        (_constant(2, [b"a"]), "another size"),
        (_constant(1, [b"a"], raw_data=b"a"), "has texts that are none"),
        (_constant(1, [b"a"], data_location=1), "has texts that are none"),
        (_constant(1, [b"a" * 1_025]), "a text of more than 1024 bytes"),
        (_constant(1, [b"\xff"]), "text that is not UTF-8"),
        (_constant(65_537, [b""] * 65_537), "more than 65536 texts"),
        (lambda m: setattr(m.graph.initializer[0], "data_type", 14), "of type 14"),
        (lambda m: setattr(m.graph.initializer[0], "data_type", 0), "of type 0"),
        (lambda m: setattr(m.graph.initializer[0], "raw_data", b"1"), "another size"),
        (lambda m: m.graph.initializer[0].float_data.append(1.0), "another size"),
        (lambda m: m.graph.initializer[0].dims.append(2), "another size"),
        (lambda m: m.graph.initializer[0].segment.SetInParent(), "tensor with segment"),
        (lambda m: m.graph.initializer[0].string_data.append(b"x"), "tensor with string_data"),
        (lambda m: m.graph.initializer[0].dims.extend([1] * 33), "more than 32 numbers"),
        (lambda m: m.graph.input[0].type.sequence_type.SetInParent(), "is not a tensor"),
        (lambda m: m.graph.input[0].type.map_type.SetInParent(), "is not a tensor"),
        (lambda m: m.graph.input[0].type.sparse_tensor_type.SetInParent(), "is not a tensor"),
        (lambda m: m.graph.input[0].type.opaque_type.SetInParent(), "is not a tensor"),
        (lambda m: m.graph.input[0].type.optional_type.SetInParent(), "is not a tensor"),
        (lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", 14), "not admitted"),
        (lambda m: setattr(m.graph.input[0].type, "denotation", "IMAGE"), "is not a tensor"),
    ],
)
def test_s20_what_no_model_of_ours_has_is_refused(change: "Change", reason: str) -> None:
    assert reason in refusal(change)


# ---- S16: weights in files ----------------------------------------------------------------------


def _make_external(
    model: onnx.ModelProto, name: str, *, location: str = "weights.bin", **entries: object
) -> None:
    (tensor,) = (t for t in model.graph.initializer if t.name == name)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=str(value))


def _external(**entries: object) -> "Change":
    return lambda model: _make_external(model, "weights", **entries)  # type: ignore[arg-type]


SIZE = WEIGHTS.nbytes


@pytest.mark.parametrize(
    "entries",
    [{}, {"offset": 0}, {"length": SIZE}, {"offset": 0, "length": SIZE, "checksum": "ab"}],
)
def test_s16_weights_beside_the_graph_are_admitted(entries: dict[str, object]) -> None:
    facts = check_graph(edited(GRAPH, _external(**entries)), {"weights.bin": SIZE})
    assert facts.files == {"weights.bin"}


@pytest.mark.parametrize(
    "location",
    [
        *("../weights.bin", "/etc/passwd", "..", ".", "", "sub/weights.bin", "./weights.bin"),
        *("weights.bin/", "other.bin", "..\\weights.bin", "C:\\weights.bin", "~/weights.bin"),
        *("weights.bin\n", "weights.bin\x00x", "WEIGHTS.BIN", "file:///etc/passwd", "model.onnx"),
        "*/_ORT_MEM_ADDR_/*",  # how ONNX Runtime calls an address of its memory
    ],
)
def test_s16_weights_anywhere_else_are_refused(location: str) -> None:
    reason = refusal(_external(location=location))
    assert "points at" in reason
    assert "which the manifest does not list" in reason


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({"offset": 1}, "points beyond the end of weights.bin"),
        ({"offset": 2**62}, "points beyond the end of weights.bin"),
        ({"offset": -1}, "no place in a file"),
        ({"offset": "0x10"}, "no place in a file"),
        ({"offset": "1e3"}, "no place in a file"),
        ({"offset": ""}, "no place in a file"),
        ({"offset": "٣"}, "no place in a file"),
        ({"offset": "9" * 30}, "no place in a file"),
        ({"length": -1}, "no place in a file"),
        ({"length": 0}, "another size than its shape"),
        ({"length": SIZE + 4}, "another size than its shape"),
        ({"basepath": "/"}, "external data with 'basepath'"),
        ({"Location": "x"}, "external data with 'Location'"),
    ],
)
def test_s16_weights_that_are_not_within_their_file_are_refused(
    entries: dict[str, object], reason: str
) -> None:
    assert reason in refusal(_external(**entries))


def test_s16_weights_said_in_two_ways_are_refused() -> None:
    def twice(model: onnx.ModelProto) -> None:
        _make_external(model, "weights")
        model.graph.initializer[0].external_data.add(key="location", value="/etc/passwd")

    def both(model: onnx.ModelProto) -> None:
        raw = model.graph.initializer[0].raw_data
        _make_external(model, "weights")
        model.graph.initializer[0].raw_data = raw

    def unsaid(model: onnx.ModelProto) -> None:
        model.graph.initializer[0].external_data.add(key="location", value="weights.bin")

    def shared(model: onnx.ModelProto) -> None:
        _make_external(model, "weights")
        model.graph.initializer.add().CopyFrom(model.graph.initializer[0])

    def constant(model: onnx.ModelProto) -> None:
        add_node(model, NODE("Constant", [], ["c"], value=model.graph.initializer[0]))
        tensor = model.graph.node[0].attribute[0].t
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="weights.bin")

    assert "or with it twice" in refusal(twice)
    assert "has its data twice" in refusal(both)
    assert "points at a file, which only weights may" in refusal(unsaid)
    assert "bytes of weights.bin that another tensor has" in refusal(shared)
    assert "points at a file, which only weights may" in refusal(constant)


# ---- The bytes themselves -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"garbage",
        b"\x00",
        b"\x08",
        b"\x08" + b"\xff" * 10 + b"\x01",
        b"\x3a\xff\xff\xff\xff\x0f",
        b"\x0b\x0c",
        GRAPH[:-40],
        GRAPH + b"\x08\x08",
        GRAPH + GRAPH,
        GRAPH + b"\xfa\x7f\x00",
        GRAPH + b"\xba\x3e\x01x",
        GRAPH.replace(b"\x08\x08", b"\x0d\x08\x00\x00\x00", 1),
        b"\x18\x00\x00\x00ORTM" + GRAPH,
    ],
    ids=[
        *("empty", "text", "nul", "cut", "endless number", "too long", "group", "cut graph"),
        *("twice", "two", "unknown", "unknown text", "other wire", "ORT's format"),
    ],
)
def test_s20_bytes_that_are_no_graph_are_refused(data: bytes) -> None:
    with pytest.raises(BundleError):
        check_graph(data, {})
    count("attacks")


def test_s20_what_is_admitted_is_what_onnx_reads(tmp_path: "Path") -> None:
    # Given graphs of which single bytes were changed, in and beside the graph
    rng = random.Random(20)
    save_external(GRAPH, tmp_path)
    wholes = (GRAPH, (tmp_path / "model.onnx").read_bytes(), slow_graph(WEIGHTS, slow_id=3))
    admitted = 0
    for _ in range(examples(2_000, 40_000)):
        data = bytearray(rng.choice(wholes))
        for _ in range(rng.randint(1, 3)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        # When the policy admits one, which it may, for a weight is as good as another
        try:
            facts = check_graph(bytes(data), {"weights.bin": 144})
        except BundleError:
            continue
        finally:
            count("inputs")
        admitted += 1
        # Then onnx reads the same
        model = onnx.load_from_string(bytes(data))
        external = {e.value for t in model.graph.initializer for e in t.external_data}
        assert tuple(value.name for value in model.graph.input) == facts.inputs
        assert facts.files == external & {"weights.bin"}
        assert not model.metadata_props
        assert not model.functions
    assert admitted > 100


def wire_of(field: Any) -> Wire:  # noqa: ANN401 - a descriptor of protobuf's, which has no types
    if field.cpp_type in (field.CPPTYPE_STRING, field.CPPTYPE_MESSAGE):
        return Wire.BYTES
    widths = {field.CPPTYPE_FLOAT: Wire.FIXED32, field.CPPTYPE_DOUBLE: Wire.FIXED64}
    return widths.get(field.cpp_type, Wire.VARINT)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (tables.MODEL, onnx.ModelProto),
        (tables.GRAPH, onnx.GraphProto),
        (tables.NODE, onnx.NodeProto),
        (tables.ATTRIBUTE, onnx.AttributeProto),
        (tables.TENSOR, onnx.TensorProto),
        (tables.VALUE_INFO, onnx.ValueInfoProto),
        (tables.TYPE, onnx.TypeProto),
        (tables.TENSOR_TYPE, onnx.TypeProto.Tensor),
        (tables.SHAPE, onnx.TensorShapeProto),
        (tables.DIMENSION, onnx.TensorShapeProto.Dimension),
        (tables.OPSET, onnx.OperatorSetIdProto),
        (tables.ENTRY, onnx.StringStringEntryProto),
    ],
)
def test_the_tables_of_fields_are_onnx_own(table: tables.Table, message: type) -> None:
    fields = message.DESCRIPTOR.fields_by_number  # type: ignore[attr-defined]
    assert {number: (field.name, field.wire, field.many) for number, field in table.items()} == {
        number: (field.name, wire_of(field), field.is_repeated) for number, field in fields.items()
    }


def test_numbers_are_read_packed_or_not() -> None:
    table = tables.TENSOR
    packed = read_message(memoryview(b"\x0a\x03\x01\xac\x02"), table, Budget(9))
    plain = read_message(memoryview(b"\x08\x01\x08\xac\x02"), table, Budget(9))
    assert packed.numbers("dims", most=2) == plain.numbers("dims", most=2) == [1, 300]
    assert packed.count("dims", Wire.VARINT) == plain.count("dims", Wire.VARINT) == 2
    with pytest.raises(BundleError, match="more than 1 numbers in dims"):
        plain.numbers("dims", most=1)
    with pytest.raises(BundleError, match="more fields than are read"):
        read_message(memoryview(b"\x08\x01\x10\x01"), table, Budget(1))
    # And in whatever order they are mixed, or however long a tag is written
    mixed = read_message(memoryview(b"\x08\x01\x0a\x01\x02\x88\x00\x03\x08\x04"), table, Budget(9))
    assert mixed.numbers("dims", most=9) == [1, 2, 3, 4]


def test_a_million_numbers_are_one_field_and_take_no_longer_than_their_bytes() -> None:
    attribute = onnx.AttributeProto(name="x", ints=range(-500_000, 500_000))
    attribute.floats.extend([0.5] * 1_000_000)
    started = time.process_time()
    message = read_message(memoryview(attribute.SerializeToString()), tables.ATTRIBUTE, Budget(3))
    assert message.count("ints", Wire.VARINT) == message.count("floats", Wire.FIXED32) == 10**6
    assert time.process_time() - started < 10  # seen: 0.9 s


def test_limits_of_a_smaller_graph_are_kept() -> None:
    assert check_graph(GRAPH, {}, limits=replace(LIMITS, graph_bytes=len(GRAPH))).nodes == 6
    with pytest.raises(BundleError, match="keep its weights in a file beside it"):
        check_graph(GRAPH, {}, limits=replace(LIMITS, graph_bytes=len(GRAPH) - 1))
