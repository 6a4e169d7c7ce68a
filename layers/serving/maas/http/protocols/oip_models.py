"""What the Open Inference Protocol and Triton's extensions tell of a model.

May import the registry's records and `oip_*` beside it; it is handed what it tells.

    body = encode_json(metadata_of(service.model, turn, service.policy()))
"""

from typing import TYPE_CHECKING

from maas.http.protocols.oip_data import DATATYPES
from maas.http.protocols.oip_wire import (
    ConfigTensor,
    Duration,
    InferenceStatistics,
    LatencyBucket,
    ModelConfig,
    ModelMetadata,
    ModelStatistics,
    TensorMetadata,
    VersionStatistics,
)

if TYPE_CHECKING:
    from maas.registry.records import Policy, TensorSpec
    from maas.service import Turn
    from maas.statistics import Tally


def metadata_of(model: str, turn: "Turn", policy: "Policy") -> ModelMetadata:
    """A model's metadata, of the version that answers."""
    tensors = turn.task.tensors
    return ModelMetadata(
        name=model,
        versions=[str(number) for number in policy.numbers],
        platform="onnx_onnxv1",
        inputs=[_metadata(spec) for spec in tensors.inputs],
        outputs=[_metadata(spec) for spec in tensors.outputs],
    )


def _metadata(spec: "TensorSpec") -> TensorMetadata:
    return TensorMetadata(spec.name, DATATYPES[spec.dtype], _dims(spec))


def _dims(spec: "TensorSpec") -> list[int]:
    return [size if isinstance(size, int) else -1 for size in spec.shape]


def config_of(turn: "Turn") -> ModelConfig:
    """A model as Triton configures one; where one input stands for others, all are optional."""
    manifest, tensors = turn.loaded.bundle.manifest, turn.task.tensors
    alternatives = len(tensors.inputs) > len(manifest.inputs)
    return ModelConfig(
        name=manifest.name,
        platform="onnxruntime_onnx",
        backend="onnxruntime",
        max_batch_size=0,
        input=[_config(spec, optional=alternatives) for spec in tensors.inputs],
        output=[_config(spec, optional=False) for spec in tensors.outputs],
    )


def _config(spec: "TensorSpec", *, optional: bool) -> ConfigTensor:
    datatype = DATATYPES[spec.dtype]
    return ConfigTensor(
        name=spec.name,
        data_type="TYPE_STRING" if datatype == "BYTES" else f"TYPE_{datatype}",
        dims=_dims(spec),
        optional=optional,
    )


def statistics_of(turn: "Turn", tally: "Tally") -> ModelStatistics:
    """What this process counted of a version."""
    nothing, success = Duration(), Duration(tally.successes, tally.success_ns)
    return ModelStatistics(
        [
            VersionStatistics(
                name=turn.loaded.bundle.manifest.name,
                version=str(turn.version),
                last_inference=tally.last,
                inference_count=tally.rows,
                execution_count=tally.successes,
                inference_stats=InferenceStatistics(
                    success=success,
                    fail=Duration(tally.failures, tally.failure_ns),
                    queue=nothing,
                    compute_input=nothing,
                    compute_infer=success,
                    compute_output=nothing,
                    cache_hit=nothing,
                    cache_miss=nothing,
                ),
                batch_stats=[],
                errors=tally.errors,
                latencies=[LatencyBucket(ns, count) for ns, count in tally.latencies.items()],
            )
        ]
    )
