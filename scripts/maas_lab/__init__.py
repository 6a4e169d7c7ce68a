"""The lab: training, export, bundling, releases and the `maas` command.

Runs on a laptop, in CI and in the GPU job, never inside Lambda. May import `maas` and anything
that pyproject's extra `lab` names.
"""

import maas.engine  # noqa: F401 - before anything imports ONNX Runtime, whose telemetry it ends
