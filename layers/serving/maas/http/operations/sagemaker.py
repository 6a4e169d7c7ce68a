"""The routes of SageMaker's containers and MLflow's servers, of a model.

Imports the structs that the routes themselves decode and encode, and nothing that serves.
"""

from maas.http.operations.operation import DESCRIBED, INFERENCE, PREDICTED, Operation
from maas.http.operations.tasks import FILE_TYPES, TASKS
from maas.http.protocols.sagemaker_wire import InvocationBody, Ping, Predicted


def _of_model(prefix: str, what: str, suffix: str) -> dict[str, dict[str, Operation]]:
    ping = Operation(
        name=f"ping{suffix}",
        summary=f"Ask whether {what} can answer, as SageMaker does",
        tag=INFERENCE,
        answers=(Ping,),
        errors=DESCRIBED,
    )
    invoke = Operation(
        name=f"invoke{suffix}",
        summary=f"Ask {what} by rows or a table, or to do its task",
        tag=INFERENCE,
        answers=(Predicted, *(answer for _, answers in TASKS.values() for answer in answers)),
        errors=PREDICTED,
        bodies=(InvocationBody, *(body for body, _ in TASKS.values())),
        media_types=(*FILE_TYPES, "text/csv"),
        answer_types=("text/event-stream",),
    )
    return {f"{prefix}/ping": {"GET": ping}, f"{prefix}/invocations": {"POST": invoke}}


OPERATIONS: dict[str, dict[str, Operation]] = {
    **_of_model("/models/{model}", "whichever version answers", "Model"),
    **_of_model("/models/{model}/versions/{version}", "one version", "Version"),
}
"""Operations by path and method."""
