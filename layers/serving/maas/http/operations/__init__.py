"""Every route of both functions as the OpenAPI document describes it: what goes in, what comes out.

A module per protocol. A test holds this table against the routes of the app.

    OPERATIONS["/models/{model}"]["POST"].bodies      # (ClassifyBody, ImageBody, …)
"""

from maas.http.operations import (
    catalog,
    open_inference,
    openai,
    sagemaker,
    tasks,
    tensorflow_serving,
)
from maas.http.operations.operation import CATALOG, INFERENCE, Operation
from maas.http.operations.tasks import TASKS

__all__ = ["CATALOG", "INFERENCE", "OPERATIONS", "TASKS", "Operation"]

OPERATIONS: dict[str, dict[str, Operation]] = {
    **tasks.OPERATIONS,
    **open_inference.OPERATIONS,
    **openai.OPERATIONS,
    **tensorflow_serving.OPERATIONS,
    **sagemaker.OPERATIONS,
    **catalog.OPERATIONS,
}
"""Operations by path and method."""
