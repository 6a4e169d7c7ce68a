"""The messages of an ONNX file as far as they are read: number, name and kind of every field.

May import `maas.bundle.wire`. A test compares the tables with those of the package onnx. Messages
that no bundle may hold (functions, training, sparse tensors …) are named here as bytes, so that a
refusal can say what was found.
"""

from maas.bundle.wire import Field, Wire

_INT, _BYTES, _FLOAT, _DOUBLE = Wire.VARINT, Wire.BYTES, Wire.FIXED32, Wire.FIXED64

Table = dict[int, Field]

MODEL: Table = {
    1: Field("ir_version", _INT),
    2: Field("producer_name", _BYTES),
    3: Field("producer_version", _BYTES),
    4: Field("domain", _BYTES),
    5: Field("model_version", _INT),
    6: Field("doc_string", _BYTES),
    7: Field("graph", _BYTES),
    8: Field("opset_import", _BYTES, many=True),
    14: Field("metadata_props", _BYTES, many=True),
    20: Field("training_info", _BYTES, many=True),
    25: Field("functions", _BYTES, many=True),
    26: Field("configuration", _BYTES, many=True),
}
OPSET: Table = {1: Field("domain", _BYTES), 2: Field("version", _INT)}
GRAPH: Table = {
    1: Field("node", _BYTES, many=True),
    2: Field("name", _BYTES),
    5: Field("initializer", _BYTES, many=True),
    10: Field("doc_string", _BYTES),
    11: Field("input", _BYTES, many=True),
    12: Field("output", _BYTES, many=True),
    13: Field("value_info", _BYTES, many=True),
    14: Field("quantization_annotation", _BYTES, many=True),
    15: Field("sparse_initializer", _BYTES, many=True),
    16: Field("metadata_props", _BYTES, many=True),
}
NODE: Table = {
    1: Field("input", _BYTES, many=True),
    2: Field("output", _BYTES, many=True),
    3: Field("name", _BYTES),
    4: Field("op_type", _BYTES),
    5: Field("attribute", _BYTES, many=True),
    6: Field("doc_string", _BYTES),
    7: Field("domain", _BYTES),
    8: Field("overload", _BYTES),
    9: Field("metadata_props", _BYTES, many=True),
    10: Field("device_configurations", _BYTES, many=True),
}
ATTRIBUTE: Table = {
    1: Field("name", _BYTES),
    2: Field("f", _FLOAT),
    3: Field("i", _INT),
    4: Field("s", _BYTES),
    5: Field("t", _BYTES),
    6: Field("g", _BYTES),
    7: Field("floats", _FLOAT, many=True),
    8: Field("ints", _INT, many=True),
    9: Field("strings", _BYTES, many=True),
    10: Field("tensors", _BYTES, many=True),
    11: Field("graphs", _BYTES, many=True),
    13: Field("doc_string", _BYTES),
    14: Field("tp", _BYTES),
    15: Field("type_protos", _BYTES, many=True),
    20: Field("type", _INT),
    21: Field("ref_attr_name", _BYTES),
    22: Field("sparse_tensor", _BYTES),
    23: Field("sparse_tensors", _BYTES, many=True),
}
TENSOR: Table = {
    1: Field("dims", _INT, many=True),
    2: Field("data_type", _INT),
    3: Field("segment", _BYTES),
    4: Field("float_data", _FLOAT, many=True),
    5: Field("int32_data", _INT, many=True),
    6: Field("string_data", _BYTES, many=True),
    7: Field("int64_data", _INT, many=True),
    8: Field("name", _BYTES),
    9: Field("raw_data", _BYTES),
    10: Field("double_data", _DOUBLE, many=True),
    11: Field("uint64_data", _INT, many=True),
    12: Field("doc_string", _BYTES),
    13: Field("external_data", _BYTES, many=True),
    14: Field("data_location", _INT),
    16: Field("metadata_props", _BYTES, many=True),
}
ENTRY: Table = {1: Field("key", _BYTES), 2: Field("value", _BYTES)}
VALUE_INFO: Table = {
    1: Field("name", _BYTES),
    2: Field("type", _BYTES),
    3: Field("doc_string", _BYTES),
    4: Field("metadata_props", _BYTES, many=True),
}
TYPE: Table = {
    1: Field("tensor_type", _BYTES),
    4: Field("sequence_type", _BYTES),
    5: Field("map_type", _BYTES),
    6: Field("denotation", _BYTES),
    7: Field("opaque_type", _BYTES),
    8: Field("sparse_tensor_type", _BYTES),
    9: Field("optional_type", _BYTES),
}
TENSOR_TYPE: Table = {1: Field("elem_type", _INT), 2: Field("shape", _BYTES)}
SHAPE: Table = {1: Field("dim", _BYTES, many=True)}
DIMENSION: Table = {
    1: Field("dim_value", _INT),
    2: Field("dim_param", _BYTES),
    3: Field("denotation", _BYTES),
}
