"""Which graphs are admitted, told from their bytes before ONNX Runtime sees them.

May import `maas.bundle`, `maas.errors` and `maas.limits`; not the package onnx, so that the same
check runs wherever `maas` does. A graph is read within bounds, down to its last field, and refused
for whatever it does not need to be a model (infra/decisions/0011):

    facts = check_graph(data, {"model.data": 4096})    # files that the manifest lists beside it
    facts.files                                        # those of them that hold its weights
"""

from collections import ChainMap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from maas.bundle.huge_results import FEW, check_result, floats, least, values_of
from maas.bundle.onnx_fields import ATTRIBUTE, GRAPH, MODEL, NODE, OPSET, VALUE_INFO
from maas.bundle.operators import CLASSIC, IR_VERSIONS, OPERATORS, OPSETS
from maas.bundle.tensor_policy import (
    TENSOR_TYPES,
    WeightFiles,
    check_tensor,
    check_value,
    read_tensor,
)
from maas.bundle.widths import width_after
from maas.bundle.wire import Budget, Message, Wire, read_message
from maas.errors import BundleError
from maas.limits import LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

    from maas.bundle.huge_results import Values

    Scope = ChainMap[str, Values | None]

_MODEL = frozenset(("metadata_props", "training_info", "functions", "configuration"))
_GRAPH = frozenset(("metadata_props", "quantization_annotation", "sparse_initializer"))
_NODE = frozenset(("metadata_props", "overload", "device_configurations"))
_VALUES = {1: "f", 2: "i", 3: "s", 4: "t", 5: "g", 6: "floats", 7: "ints", 8: "strings"}
"""Where an attribute of each admitted type has its value."""
_STEPS = frozenset(("pads", "strides", "dilations", "kernel_shape", "output_shape", "blocksize"))
_COUNTS = frozenset(("group", "q_num_heads", "kv_num_heads"))
"""Kernels divide by these; 0 of them ends the process."""
_LARGEST_STEP = 65_536
_ATTRIBUTES, _DOMAINS = 64, 32


@dataclass(frozen=True, slots=True)
class GraphFacts:
    """What an admitted graph says of itself.

    Attributes:
        opset: Version of ONNX's own operators.
        nodes: How many, those of nested graphs included.
        files: Names of the files that hold its weights.
        inputs: Names of its inputs.
        outputs: Names of its outputs.
        rows: By input whose numbers pick rows of a table of weights, the rows of the smallest one.
    """

    opset: int
    nodes: int
    files: frozenset[str]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    rows: "Mapping[str, int]"


def check_graph(data: bytes, files: "Mapping[str, int]", *, limits: Limits = LIMITS) -> GraphFacts:
    """Check the bytes of an ONNX file.

    Args:
        data: All of them.
        files: Bytes by name, of the files beside it that may hold its weights.
        limits: Sizes and counts.

    Raises:
        BundleError: With the reason; who knows the file's name says it.
    """
    if len(data) > limits.graph_bytes:
        raise BundleError(
            f"it has more than {limits.graph_bytes} bytes; keep its weights in a file beside it"
        )
    budget = Budget(limits.graph_fields)
    model = read_message(memoryview(data), MODEL, budget)
    _refuse(model, _MODEL, "the model")
    if model.number("ir_version") not in IR_VERSIONS:
        raise BundleError(f"its IR version is {model.number('ir_version')}, which is not read")
    opsets = _opsets(model, budget)
    graph = model.parts("graph")
    if not graph:
        raise BundleError("it holds no graph")
    reading = _Reading(budget, limits, WeightFiles(files), opsets.keys() & OPERATORS.keys())
    inputs, outputs = reading.graph(graph[0], ChainMap(), 0)
    return GraphFacts(
        opset=opsets[""],
        nodes=reading.nodes,
        files=frozenset(reading.weights.claimed),
        inputs=inputs,
        outputs=outputs,
        rows=reading.rows,
    )


def _opsets(model: Message, budget: Budget) -> dict[str, int]:
    opsets: dict[str, int] = {}
    for part in model.parts("opset_import"):
        entry = read_message(part, OPSET, budget)
        domain = entry.text("domain")
        if domain in opsets or len(opsets) == _DOMAINS:
            raise BundleError(f"it imports the operators of {_shown(domain)} twice")
        opsets[domain] = entry.number("version")
    if "" not in opsets:
        raise BundleError("it does not import ONNX's own operators")
    for domain in opsets.keys() & OPERATORS.keys():  # another may be named, and not used
        versions = OPSETS.get(domain, range(1, 2))
        if opsets[domain] not in versions:
            raise BundleError(
                f"it imports version {opsets[domain]} of {_shown(domain or 'ai.onnx')},"
                f" {versions[0]} to {versions[-1]} are admitted"
            )
    return opsets


@dataclass(slots=True)
class _Reading:
    """One pass over a graph and those within it.

    A scope is the constants that a node can see: by name their values, None where these are not
    small numbers in the graph.
    """

    budget: Budget
    limits: Limits
    weights: WeightFiles
    domains: "Set[str]"
    nodes: int = 0
    tables: dict[str, int] = field(default_factory=dict)
    """First dimension of every tensor of weights of the outermost graph."""
    bounds: "dict[str, Values | None]" = field(default_factory=dict)
    """By name of a value, what it is at the most, as a loop's count may be."""
    sources: dict[str, str] = field(default_factory=dict)
    """By name of a value, the input that it is, though perhaps as another type."""
    rows: dict[str, int] = field(default_factory=dict)
    widths: dict[str, int] = field(default_factory=dict)
    """By name of a value of the outermost graph, the numbers of each of its rows."""

    def graph(
        self, data: memoryview, outer: "Scope", depth: int
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Check a graph; answers with the names of its inputs and outputs."""
        if depth > self.limits.graph_depth:
            raise BundleError(f"it nests graphs deeper than {self.limits.graph_depth} levels")
        graph = read_message(data, GRAPH, self.budget)
        _refuse(graph, _GRAPH, "a graph")
        inputs, outputs, _ = (
            tuple(self._value(part, depth, kind) for part in graph.parts(kind))
            for kind in ("input", "output", "value_info")
        )
        scope = outer.new_child()
        for part in graph.parts("initializer"):
            tensor = read_tensor(part, self.budget)
            what = f"tensor {_shown(tensor.name)}"
            check_tensor(tensor, self.weights, self.limits, what)
            scope[tensor.name] = values_of(tensor)
            if depth == 0 and tensor.dims:
                self.tables[tensor.name] = tensor.dims[0]
        if depth == 0:
            self.sources |= {name: name for name in inputs}
        for part in graph.parts("node"):
            self._node(part, scope, depth)
        return inputs, outputs

    def _value(self, data: memoryview, depth: int, kind: str) -> str:
        value = read_message(data, VALUE_INFO, self.budget)
        name = value.text("name")
        _refuse(value, frozenset(("metadata_props",)), f"value {_shown(name)}")
        for part in value.parts("type"):
            sizes = check_value(part, self.budget, self.limits, f"value {_shown(name)}")
            if depth == 0 and kind == "input" and len(sizes) == 2 and sizes[1]:
                self.widths[name] = sizes[1]  # no other is taken from a caller
        return name

    def _node(self, data: memoryview, scope: "Scope", depth: int) -> None:
        self.nodes += 1
        if self.nodes > self.limits.graph_nodes:
            raise BundleError(f"it has more than {self.limits.graph_nodes} nodes")
        node = read_message(data, NODE, self.budget)
        domain, operator = node.text("domain"), node.text("op_type")
        name = node.text("name")
        what = f"node {_shown(name)} ({_shown(operator)})" if name else f"node {_shown(operator)}"
        _refuse(node, _NODE, what)
        if domain not in self.domains or operator not in OPERATORS[domain]:
            raise BundleError(
                f"{what} of {_shown(domain or 'ai.onnx')} is no operator that is admitted"
            )
        inputs, outputs = node.texts("input"), node.texts("output")
        constants, attributes = self._attributes(node, scope, depth, what)
        widths = self.widths if depth == 0 else {}
        width = None
        if domain == CLASSIC:
            width = self._classic(operator, inputs, attributes, widths, scope, what)
        if domain == "":
            if operator == "Constant" and outputs:
                scope[outputs[0]] = constants
            if outputs and (bound := least(operator, inputs, ChainMap(self.bounds, scope))):
                self.bounds[outputs[0]] = bound
            seen = ChainMap(self.bounds, scope) if operator == "Loop" else scope
            check_result(operator, inputs, seen, self.limits, what)
            width = width_after(operator, inputs, widths, scope, constants)
        if depth == 0:
            self._follow(operator, inputs, outputs)
            if width and outputs:
                self.widths[outputs[0]] = width

    def _classic(  # noqa: PLR0917
        self,
        operator: str,
        inputs: list[str],
        attributes: dict[str, Message],
        widths: "Mapping[str, int]",
        scope: "Scope",
        what: str,
    ) -> int | None:
        # Imported here, because most graphs have no such node.
        from maas.bundle.attributes import Attributes  # noqa: PLC0415
        from maas.bundle.classic_policy import Operand, check_classic  # noqa: PLC0415

        operands = [Operand(widths.get(name), scope.get(name)) for name in inputs]
        return check_classic(operator, Attributes(attributes, what), operands, self.limits)

    def _attributes(
        self, node: Message, scope: "Scope", depth: int, what: str
    ) -> "tuple[Values | None, dict[str, Message]]":
        """Check a node's attributes; answers with their number where there is one alone."""
        parts = node.parts("attribute")
        if len(parts) > _ATTRIBUTES:
            raise BundleError(f"{what} has more than {_ATTRIBUTES} attributes")
        read: dict[str, Message] = {}
        values: Values | None = None
        for part in parts:
            attribute = read_message(part, ATTRIBUTE, self.budget)
            name = attribute.text("name")
            kind = _VALUES.get(attribute.number("type"))
            _refuse(attribute, frozenset(), what)
            if kind is None or name in read or attribute.names() - {"name", "type", kind, _DOC}:
                raise BundleError(f"{what} has an attribute {_shown(name)} that is not admitted")
            read[name] = attribute
            values = self._attribute(attribute, kind, scope, depth, what)
            if not _is_admitted(name, values):
                raise BundleError(f"{what} has a value of {_shown(name)} that is not admitted")
        return values, read

    def _attribute(
        self, attribute: Message, kind: str, scope: "Scope", depth: int, what: str
    ) -> "Values | None":
        """Check an attribute; answers with its numbers where these are few."""
        if kind in ("i", "ints"):
            few = attribute.count(kind, Wire.VARINT) <= FEW
            return tuple(attribute.numbers(kind, most=FEW)) if few else None
        if kind in ("f", "floats"):
            return floats(attribute, kind)
        if kind in ("s", "strings"):
            attribute.texts(kind)
        for part in attribute.parts(kind):
            if kind == "t":
                tensor = read_tensor(part, self.budget)
                check_tensor(tensor, None, self.limits, what)
                return values_of(tensor)
            if kind == "g":
                self.graph(part, scope, depth + 1)
        return None

    def _follow(self, operator: str, inputs: list[str], outputs: list[str]) -> None:
        """Find tables of weights of which an input picks rows: no number may be above them."""
        source = self.sources.get(inputs[0]) if inputs else None
        if operator in ("Cast", "Identity") and source and outputs:
            self.sources[outputs[0]] = source
        picks = {"Gather": (1, 0), "EmbedLayerNormalization": (0, 2)}.get(operator)
        if picks is None or len(inputs) <= max(picks):
            return
        source, rows = self.sources.get(inputs[picks[0]]), self.tables.get(inputs[picks[1]])
        if source is not None and rows is not None:
            self.rows[source] = min(rows, self.rows.get(source, rows))


_DOC = "doc_string"


def _is_admitted(name: str, values: "Values | None") -> bool:
    if name in _STEPS:
        return values is not None and all(abs(value) <= _LARGEST_STEP for value in values)
    if name in _COUNTS:
        return values is not None and all(1 <= value <= _LARGEST_STEP for value in values)
    return name != "to" or values is None or values[0] in TENSOR_TYPES


def _refuse(message: Message, fields: frozenset[str], what: str) -> None:
    """Refuse a message with fields that have no effect on an answer, or a bad one."""
    if found := message.names() & fields:
        raise BundleError(f"{what} has {min(found)}, which is not admitted")
    if message.has(_DOC) and message.parts(_DOC)[0]:
        raise BundleError(f"{what} has a doc_string, which is not admitted")


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 64 else text[:64] + "…")
