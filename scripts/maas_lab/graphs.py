"""ONNX graphs as files: what is taken out of them before they are shipped. Imports onnx."""

import onnx


def strip_graph(model: onnx.ModelProto) -> onnx.ModelProto:
    """Remove what has no effect or names this machine: doc strings, metadata, unused domains."""
    model.ClearField("metadata_props")
    model.ClearField("doc_string")
    model.producer_version = ""
    domains = {""}
    graphs = [model.graph]
    while graphs:
        graph = graphs.pop()
        graph.ClearField("doc_string")
        graph.ClearField("metadata_props")
        attributes = [attribute for node in graph.node for attribute in node.attribute]
        constants = [attribute.t for attribute in attributes if attribute.HasField("t")]
        values = (*graph.input, *graph.output, *graph.value_info, *graph.initializer, *constants)
        for part in (*values, *graph.node):
            part.ClearField("doc_string")
            part.ClearField("metadata_props")
        for attribute in attributes:
            attribute.ClearField("doc_string")
        domains |= {node.domain for node in graph.node}
        graphs += [attribute.g for attribute in attributes if attribute.HasField("g")]
    opsets = [opset for opset in model.opset_import if opset.domain in domains]
    model.ClearField("opset_import")
    model.opset_import.extend(opsets)
    return model
