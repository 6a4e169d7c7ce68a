"""The Open Inference Protocol's routes, of a model and of the whole service.

Imports the structs that the routes themselves decode and encode, and nothing that serves.
"""

from maas.errors import MethodNotAllowedError, NotReadyError
from maas.http.operations.catalog import read_only
from maas.http.operations.operation import (
    CATALOG,
    DESCRIBED,
    INFERENCE,
    LISTED,
    PREDICTED,
    Operation,
)
from maas.http.protocols.oip_wire import (
    IndexBody,
    IndexEntry,
    InferAnswer,
    InferBody,
    ModelConfig,
    ModelMetadata,
    ModelNames,
    ModelReady,
    ModelStatistics,
    ServerHealth,
    ServerMetadata,
)
from maas.http.queries import NoQuery

_BINARY = "application/octet-stream"
_TOLD = {
    "": ("Metadata", "Tell the inputs and outputs of {}", ModelMetadata),
    "/ready": ("Ready", "Ask whether {} can answer", ModelReady),
    "/config": ("Config", "Tell how {} is configured, as Triton would", ModelConfig),
    "/stats": ("Stats", "Tell how often {} was asked, in one process", ModelStatistics),
}


def _of_model(prefix: str, what: str, suffix: str) -> dict[str, dict[str, Operation]]:
    told = {
        prefix + path: {
            "GET": Operation(
                name=f"get{name}{suffix}",
                summary=summary.format(what),
                tag=INFERENCE,
                answers=(answer,),
                errors=DESCRIBED,
            )
        }
        for path, (name, summary, answer) in _TOLD.items()
    }
    infer = Operation(
        name=f"infer{suffix}",
        summary=f"Ask {what} by tensors",
        tag=INFERENCE,
        answers=(InferAnswer,),
        errors=PREDICTED,
        bodies=(InferBody,),
        media_types=(_BINARY,),
        answer_types=(_BINARY,),
    )
    return {**told, f"{prefix}/infer": {"POST": infer}}


def _refused(name: str) -> dict[str, Operation]:
    operation = Operation(
        name=name,
        summary="Refused: models are released, not loaded by request",
        tag=CATALOG,
        answers=(),
        errors=(MethodNotAllowedError,),
        query=NoQuery,
    )
    return {"POST": operation}


_MODEL = "/v2/models/{model}"
_REPOSITORY = "/v2/repository/models/{model}"
OPERATIONS: dict[str, dict[str, Operation]] = {
    **_of_model(_MODEL, "whichever version answers", "Model"),
    **_of_model(f"{_MODEL}/versions/{{version}}", "one version", "Version"),
    "/v2": read_only("getServer", "Tell what the service can", ServerMetadata, errors=LISTED),
    "/v2/health/live": read_only(
        "getLive", "Ask whether the service runs", ServerHealth, errors=LISTED
    ),
    "/v2/health/ready": read_only(
        "getReady",
        "Ask whether requests can be answered",
        ServerHealth,
        errors=(*LISTED, NotReadyError),
    ),
    "/v2/models": read_only("getModelNames", "List the models' names", ModelNames, errors=LISTED),
    "/v2/repository/index": {
        "POST": Operation(
            name="postIndex",
            summary="List every version and whether an alias routes to it",
            tag=CATALOG,
            answers=(list[IndexEntry],),
            errors=LISTED,
            bodies=(IndexBody,),
            bodiless=True,
            query=NoQuery,
        )
    },
    f"{_REPOSITORY}/load": _refused("postLoad"),
    f"{_REPOSITORY}/unload": _refused("postUnload"),
}
"""Operations by path and method."""
