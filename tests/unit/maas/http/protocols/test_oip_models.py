"""What the Open Inference Protocol tells of a model: metadata, Triton's configuration, counts."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest

from maas.http.protocols.oip_models import config_of, metadata_of, statistics_of
from maas.registry.records import Policy, TensorSpec
from maas.statistics import Statistics, Tally

if TYPE_CHECKING:
    from maas.service import Turn

GRAPH = (TensorSpec("x", "float16", ("batch", 3)), TensorSpec("s", "bool", ()))
TEXT = TensorSpec("text", "string", ("batch",))
OUT = (TensorSpec("y", "uint8", ("batch", "n")),)
POLICY = Policy("m", 4, {}, {10: "sha256:a", 2: "sha256:b"})


def turn(*inputs: TensorSpec) -> "Turn":
    """One whose model reads these, and whose graph reads GRAPH."""
    manifest = SimpleNamespace(name="m", inputs=GRAPH)
    loaded = SimpleNamespace(bundle=SimpleNamespace(manifest=manifest))
    tensors = SimpleNamespace(inputs=inputs, outputs=OUT)
    found: Any = SimpleNamespace(
        version=10, digest="sha256:a", loaded=loaded, task=SimpleNamespace(tensors=tensors)
    )
    return cast("Turn", found)


def test_metadata_has_all_versions_in_their_order_and_minus_one_for_what_varies() -> None:
    assert msgspec.to_builtins(metadata_of("m", turn(TEXT, *GRAPH), POLICY)) == {
        "name": "m",
        "versions": ["2", "10"],
        "platform": "onnx_onnxv1",
        "inputs": [
            {"name": "text", "datatype": "BYTES", "shape": [-1]},
            {"name": "x", "datatype": "FP16", "shape": [-1, 3]},
            {"name": "s", "datatype": "BOOL", "shape": []},
        ],
        "outputs": [{"name": "y", "datatype": "UINT8", "shape": [-1, -1]}],
    }


@pytest.mark.parametrize("alternative", [True, False])
def test_an_input_is_optional_where_another_stands_for_it(*, alternative: bool) -> None:
    config = config_of(turn(*((TEXT,) if alternative else ()), *GRAPH))
    assert {each.optional for each in config.input} == {alternative}
    assert [each.data_type for each in config.input][-2:] == ["TYPE_FP16", "TYPE_BOOL"]
    assert not alternative or config.input[0].data_type == "TYPE_STRING"
    (output,) = config.output
    assert (output.data_type, output.dims, output.optional) == ("TYPE_UINT8", [-1, -1], False)
    assert (config.name, config.max_batch_size) == ("m", 0)


def test_a_version_that_nobody_asked_has_counted_nothing() -> None:
    (stats,) = statistics_of(turn(TEXT), Statistics().of("sha256:a")).model_stats
    assert (stats.name, stats.version) == ("m", "10")
    assert (stats.last_inference, stats.inference_count, stats.execution_count) == (0, 0, 0)
    assert stats.inference_stats.success.count == stats.inference_stats.fail.count == 0


def test_successes_and_failures_are_told_apart() -> None:
    tally = Tally(
        successes=3,
        success_ns=30,
        failures=2,
        failure_ns=5,
        errors=1,
        rows=7,
        last=9,
        latencies={8: 2, 16: 1},
    )
    (stats,) = statistics_of(turn(TEXT), tally).model_stats
    told = stats.inference_stats
    assert (stats.last_inference, stats.inference_count, stats.execution_count) == (9, 7, 3)
    assert (told.success.count, told.success.ns) == (3, 30)
    assert (told.fail.count, told.fail.ns) == (2, 5)
    assert stats.errors == 1
    assert [(bucket.ns, bucket.count) for bucket in stats.latencies] == [(8, 2), (16, 1)]
    assert told.compute_infer == told.success
    assert told.queue == told.cache_hit == told.cache_miss == msgspec.convert({}, type(told.queue))
