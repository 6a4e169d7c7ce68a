"""TensorFlow Serving's routes of a model, which are KServe's first protocol.

Imports the structs that the routes themselves decode and encode, and nothing that serves.
"""

from maas.http.operations.operation import DESCRIBED, INFERENCE, PREDICTED, Operation
from maas.http.protocols.tfs_wire import (
    ModelStatus,
    Outputs,
    PredictBody,
    Predictions,
    TfsMetadata,
)


def _of_model(prefix: str, what: str, suffix: str) -> dict[str, dict[str, Operation]]:
    told = {
        "/metadata": ("Signature", "Tell the inputs and outputs of {}", TfsMetadata),
        "": ("Status", "Ask whether {} can answer", ModelStatus),
    }
    predict = Operation(
        name=f"predictRows{suffix}",
        summary=f"Ask {what} by rows or tensors, as TensorFlow Serving is asked",
        tag=INFERENCE,
        answers=(Predictions, Outputs),
        errors=PREDICTED,
        bodies=(PredictBody,),
    )
    described = {
        prefix + path: {
            "GET": Operation(
                name=f"tell{name}{suffix}",
                summary=summary.format(what),
                tag=INFERENCE,
                answers=(answer,),
                errors=DESCRIBED,
            )
        }
        for path, (name, summary, answer) in told.items()
    }
    return {f"{prefix}:predict": {"POST": predict}, **described}


_MODEL = "/v1/models/{model}"
OPERATIONS: dict[str, dict[str, Operation]] = {
    **_of_model(_MODEL, "whichever version answers", "Model"),
    **_of_model(f"{_MODEL}/versions/{{version}}", "one version", "Version"),
    **_of_model(f"{_MODEL}/labels/{{version}}", "one alias", "Label"),
}
"""Operations by path and method."""
