"""Model as a Service: what runs inside Lambda, on a laptop and in the lab alike.

This root may import numpy, onnxruntime, tokenizers, Pillow, msgspec and, in one module, boto3; and
never `maas_lab`, torch, onnx or transformers. Importing any of its modules does no I/O, starts no
client and reads no environment.
"""

__version__ = "0.1.0"
