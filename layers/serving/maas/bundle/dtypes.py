"""The elements that a tensor may have, by numpy's names. Imports nothing.

DTYPES["int64"]        # 8, the bytes of one
dtype == STRING        # a tensor of texts
"""

DTYPES = {
    **{"bool": 1, "float16": 2, "float32": 4, "float64": 8},
    **{"int8": 1, "int16": 2, "int32": 4, "int64": 8},
    **{"uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8},
}
"""Bytes of an element by its name."""
STRING = "string"
"""The dtype of a tensor of texts or bytes, which numpy has no name for."""
