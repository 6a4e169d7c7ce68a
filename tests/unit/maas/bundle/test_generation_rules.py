"""What a manifest must say of a model that goes on with texts."""

from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs
from support.tiny_generator import MAX_TOKENS, make_generator
from support.tiny_writer import make_writer

from maas.bundle.generation import Generation
from maas.bundle.manifest import Manifest, ModelLimits, canonical_json, parse_manifest
from maas.errors import BundleError
from maas.limits import LIMITS
from maas.registry.records import TensorSpec

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return make_generator(tmp_path_factory.mktemp("bundles")).manifest


def parsed(manifest: Manifest, **fields: Any) -> Manifest:  # noqa: ANN401
    return parse_manifest(canonical_json(structs.replace(manifest, **fields)))


def without(specs: tuple[TensorSpec, ...], name: str) -> tuple[TensorSpec, ...]:
    return tuple(spec for spec in specs if spec.name != name)


def changed(specs: tuple[TensorSpec, ...], which: str, **fields: Any) -> tuple[TensorSpec, ...]:  # noqa: ANN401
    return tuple(structs.replace(s, **fields) if s.name == which else s for s in specs)


def test_it_is_read_as_it_was_written(manifest: Manifest) -> None:
    assert parsed(manifest) == manifest
    plain = parsed(manifest, generation=Generation(end_ids=()))
    assert plain.generation == Generation(end_ids=())
    # In whatever order the graph has its tensors, and with places where it reads them
    places = TensorSpec("position_ids", "int64", ("batch", "sequence"))
    parsed(manifest, inputs=(places, *reversed(manifest.inputs)))
    parsed(manifest, outputs=tuple(reversed(manifest.outputs)))


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"generation": None}, "generation", "must be given"),
        ({"generation": Generation(end_ids=(10**6,))}, "generation.end_ids", "logits"),
        (
            {"limits": ModelLimits(max_tokens=1, max_new_tokens=1)},
            "limits.max_tokens",
            "2 at least",
        ),
        ({"limits": ModelLimits(max_tokens=MAX_TOKENS)}, "limits.max_new_tokens", "1 to"),
        (
            {"limits": ModelLimits(max_tokens=LIMITS.context_tokens + 1, max_new_tokens=1)},
            "limits.max_tokens",
            f"1 to {LIMITS.context_tokens}",
        ),
        ({"labels": ("a", "b")}, "labels", "must be none"),
    ],
)
def test_a_field_that_does_not_fit_is_named(
    manifest: Manifest, fields: dict[str, Any], field: str, said: str
) -> None:
    with pytest.raises(BundleError, match=said) as refused:
        parsed(manifest, **fields)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "change",
    [
        lambda specs: without(specs, "attention_mask"),
        lambda specs: without(specs, "past_key_values.0.key"),
        lambda specs: without(specs, "past_key_values.0.value"),
        lambda specs: changed(specs, "past_key_values.0.key", dtype="float16"),
        lambda specs: changed(specs, "past_key_values.0.key", shape=("batch", "heads", "past", 8)),
        lambda specs: changed(specs, "past_key_values.0.key", name="past_key_values.1.key"),
        lambda specs: (*specs, TensorSpec("use_cache_branch", "bool", (1,))),
    ],
)
def test_other_inputs_are_refused(manifest: Manifest, change: Any) -> None:  # noqa: ANN401
    with pytest.raises(BundleError) as refused:
        parsed(manifest, inputs=change(manifest.inputs))
    assert refused.value.field == "inputs"


@pytest.mark.parametrize(
    "change",
    [
        lambda specs: without(specs, "logits"),
        lambda specs: without(specs, "present.0.key"),
        lambda specs: changed(specs, "logits", shape=("batch", 257)),
        lambda specs: changed(specs, "logits", shape=("batch", "last", "words")),
        lambda specs: changed(specs, "logits", dtype="float16"),
    ],
)
def test_other_outputs_are_refused(manifest: Manifest, change: Any) -> None:  # noqa: ANN401
    with pytest.raises(BundleError) as refused:
        parsed(manifest, outputs=change(manifest.outputs))
    assert refused.value.field == "outputs"


def test_no_other_task_has_it(tmp_path: "Path") -> None:
    writer = make_writer(tmp_path).manifest
    with pytest.raises(BundleError, match="must be absent") as refused:
        parsed(writer, generation=Generation(end_ids=(3,)))
    assert refused.value.field == "generation"
