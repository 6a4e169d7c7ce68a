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
        values = (*graph.input, *graph.output, *graph.value_info, *graph.initializer)
        for part in (*values, *graph.node):
            part.ClearField("doc_string")
            part.ClearField("metadata_props")
        domains |= {node.domain for node in graph.node}
        graphs += [a.g for node in graph.node for a in node.attribute if a.HasField("g")]
    opsets = [opset for opset in model.opset_import if opset.domain in domains]
    model.ClearField("opset_import")
    model.opset_import.extend(opsets)
    return model
