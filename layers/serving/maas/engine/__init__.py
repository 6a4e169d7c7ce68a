"""Running an ONNX graph. The only room that imports `onnxruntime`."""
