"""Running an ONNX graph. The only room that imports `onnxruntime`, and what must be said before.

From 1.29 on ONNX Runtime's wheels for Linux tell Microsoft of each process and model, by a thread
that starts with the import, and keep an id of the machine and a database below the home folder. Its
own variable ends all of that, if it is set before the import; `disable_telemetry_events` ends less.

numpy's OpenBLAS starts a thread per processor when it is loaded, each with a buffer of its own: 50
ms on two processors (0016). Nothing here multiplies by it.
"""

import os

# `os.environ` is for `maas.settings`; this reads nothing.
os.putenv("ORT_DISABLE_TELEMETRY", "1")
os.putenv("OPENBLAS_NUM_THREADS", "1")
