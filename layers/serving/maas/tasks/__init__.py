"""What a model does: one module per task, and the dict that names them.

A task turns a request struct into tensors, runs the session and turns logits into a response
struct; it knows no HTTP and no registry.
"""

from maas.tasks.classify import Classifier

TASKS = {"text-classification": Classifier}
"""The task that a manifest names, and what answers for it. Never extended from data."""
