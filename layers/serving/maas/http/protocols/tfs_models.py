"""What TensorFlow Serving's REST API tells of a model.

May import the registry's records and `tfs_wire` beside it; it is handed what it tells.

    body = encode_json(status_of(service.model, turn, service.policy(), pinned=False))
"""

from typing import TYPE_CHECKING

from maas.http.protocols.tfs_wire import (
    ModelSpec,
    ModelStatus,
    Signature,
    SignatureMetadata,
    Signatures,
    TfsDim,
    TfsMetadata,
    TfsShape,
    TfsTensor,
    VersionState,
)
from maas.tasks.tensors import STRING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from maas.registry.records import Policy, TensorSpec
    from maas.service import Turn

_DTYPES = {"float16": "HALF", "float32": "FLOAT", "float64": "DOUBLE", STRING: "STRING"}
_SIGNATURE = "serving_default"


def status_of(model: str, turn: "Turn", policy: "Policy", *, pinned: bool) -> ModelStatus:
    """A model that can answer.

    Args:
        model: The model's name.
        turn: The version that answers.
        policy: Which versions aliases route to.
        pinned: Whether a version was asked for.
    """
    routed = {route.version for routes in policy.aliases.values() for route in routes}
    numbers = [turn.version] if pinned else sorted(routed | {turn.version}, reverse=True)
    return ModelStatus([VersionState(str(number)) for number in numbers], model)


def metadata_of(model: str, turn: "Turn") -> TfsMetadata:
    """What goes into the version that answers, and comes out of it."""
    tensors = turn.task.tensors
    signature = Signature(_tensors(tensors.inputs), _tensors(tensors.outputs))
    return TfsMetadata(
        ModelSpec(model, str(turn.version)),
        SignatureMetadata(Signatures({_SIGNATURE: signature})),
    )


def _tensors(specs: "Iterable[TensorSpec]") -> dict[str, TfsTensor]:
    return {
        spec.name: TfsTensor(
            f"DT_{_DTYPES.get(spec.dtype, spec.dtype.upper())}",
            TfsShape([_dim(size) for size in spec.shape]),
            spec.name,
        )
        for spec in specs
    }


def _dim(size: int | str) -> TfsDim:
    return TfsDim(str(size)) if isinstance(size, int) else TfsDim("-1", size)
