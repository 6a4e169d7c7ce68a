"""A bundle of a graph as it is: what its manifest and its golden requests must say."""

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec.structs import replace
from support.tiny import file_entry, write_bundle
from support.tiny_tensor import TinyTensor, make_tensor, tensor_golden, tensor_graph, tensor_weights

from maas.bundle.golden import (
    GOLDEN,
    ROUNDED_TOLERANCE,
    TOLERANCE,
    Golden,
    GoldenTensor,
    read_golden,
    tolerance_of,
)
from maas.bundle.graph_policy import check_graph
from maas.bundle.manifest import FileEntry, Form, canonical_json, parse_manifest
from maas.bundle.verify import verify_bundle
from maas.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Body = dict[str, Any]

GOOD = tensor_golden(tensor_weights(0), seed=0)
LIST: "Body" = {"name": "both", "tensors": ["total", "same"]}
MAPS: "Body" = {"name": "scores", "tensors": ["scores"], "keys": ["a", "b", "c"]}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> TinyTensor:
    return make_tensor(tmp_path_factory.mktemp("bundles"))


def sealed(bundle: TinyTensor, change: "Callable[[Body], object]") -> bytes:
    body: Body = msgspec.json.decode(canonical_json(bundle.manifest))
    change(body)
    return msgspec.json.encode(body, order="sorted")


def _set(where: str, at: int, **fields: object) -> "Callable[[Body], object]":
    return lambda body: body[where][at].update(fields)


def _composed(*composites: "Body") -> "Callable[[Body], object]":
    return lambda body: body.update(composites=[*composites])


@pytest.mark.parametrize(
    "change",
    [
        lambda _: None,
        lambda body: body.update(labels=[]),
        _set("inputs", 0, name="images:0", shape=["?", 2]),
        _set("inputs", 0, dtype="uint8"),
        _set("inputs", 0, shape=[]),
        _set("outputs", 0, shape=["past + 1", "classes"]),
        lambda body: body.update(composites=[LIST, MAPS]),
    ],
)
def test_any_tensors_and_labels_or_none_are_read(
    bundle: TinyTensor, change: "Callable[[Body], object]"
) -> None:
    data = sealed(bundle, change)
    assert canonical_json(parse_manifest(data)) == data


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda body: body.update(labels=["a"]), "labels: must be 2 to 1000 labels"),
        (
            lambda body: body.update(labels=["a", "b"], outputs=body["outputs"][:3]),
            "labels: are 2, and no output ends",
        ),
        (lambda body: body.update(limits={"max_tokens": 1}), "max_tokens: must be 0"),
        (_composed({"name": "y", "tensors": ["absent"]}), "composites: must be of outputs"),
        (_composed({"name": "y", "tensors": ["total", "total"]}), "must be of outputs"),
        (_composed(LIST, LIST | {"name": "again"}), "must be of outputs"),
        (_composed({"name": "high", "tensors": ["total"]}), "composites: must have names"),
        (_composed(LIST, MAPS | {"name": "both"}), "composites: must have names"),
        (_composed(MAPS | {"keys": ["a", "b"]}), "composites: must name each column"),
        (_composed(MAPS | {"keys": ["a", "b", "b"]}), "composites: must name each column"),
        (_composed(MAPS | {"tensors": ["scores", "high"]}), "composites: must name each column"),
        (_composed(MAPS | {"name": "y", "tensors": ["same"]}), "composites: must name each column"),
        (_composed({"name": "y", "tensors": []}), "composites"),
        (
            lambda body: body.update(
                task="tabular-classification",
                columns=["a", "b", "c", "d"],
                inputs=body["inputs"][:1],
                composites=[LIST],
            ),
            "composites: must be none for tabular",
        ),
        (
            lambda body: body.update(image={"width": 1, "height": 1, "channels": 1}),
            "image: must be absent",
        ),
        (_set("inputs", 0, dtype="bfloat16"), "inputs: must be of bool"),
        (_set("inputs", 0, dtype="str"), "inputs: must be of bool"),
        (_set("outputs", 0, dtype="complex64"), "outputs: must be of bool"),
        (_set("inputs", 0, name=""), "inputs: must have names"),
        (_set("inputs", 0, name="a\nb"), "inputs: must have names"),
        (_set("inputs", 0, shape=["a\x1b"]), "inputs: must have names"),
        (_set("inputs", 0, name="x" * 257), "inputs: must have names"),
        (_set("inputs", 0, shape=[0]), "inputs: a fixed dimension must be at least 1"),
        (_set("inputs", 1, name="rows"), "inputs: must be at least one tensor, each named once"),
    ],
)
def test_what_cannot_be_sent_or_shown_is_refused(
    bundle: TinyTensor, change: "Callable[[Body], object]", reason: str
) -> None:
    with pytest.raises(BundleError) as refusal:
        parse_manifest(sealed(bundle, change))
    assert reason in f"{refusal.value.field}: {refusal.value}"


def _first(**fields: Any) -> Golden:  # noqa: ANN401
    return replace(GOOD, tensors=(replace(GOOD.tensors[0], **fields), *GOOD.tensors[1:]))


@pytest.mark.parametrize(
    ("golden", "reason"),
    [
        (GOOD, None),
        (replace(GOOD, answers=GOOD.answers[:-1]), "does not fit the tensors"),
        (replace(GOOD, answers=()), "does not fit the tensors"),
        (replace(GOOD, tensors=GOOD.tensors[::-1]), "does not fit the tensors"),
        (replace(GOOD, tensors=()), "does not fit the tensors"),
        (replace(GOOD, texts=("a",)), "not of a model for tensor"),
        (replace(GOOD, logits=((1.0,),)), "not of a model for tensor"),
        (_first(name="row"), "does not fit the tensors"),
        (_first(dtype="float64"), "does not fit the tensors"),
        (_first(shape=(4,)), "does not fit the tensors"),
        (_first(shape=(1, 5)), "does not fit the tensors"),
        (_first(data=b"\0" * 15), "does not fit the tensors"),
        (_first(texts=("a",)), "does not fit the tensors"),
    ],
)
def test_golden_requests_hold_every_tensor_whole(
    tmp_path: "Path", golden: Golden, reason: str | None
) -> None:
    bundle = make_tensor(tmp_path)
    (bundle.folder / GOLDEN).write_bytes(golden.encode())
    digest = write_bundle(
        bundle.folder, replace(bundle.manifest, files=(file_entry(bundle.folder, GOLDEN),))
    )
    verified = verify_bundle(bundle.folder, digest=digest)
    if reason is None:
        assert read_golden(verified) == (golden,)
        return
    with pytest.raises(BundleError, match=reason):
        read_golden(verified)


@pytest.mark.parametrize(
    ("tensor", "whole"),
    [
        (GoldenTensor("x", "int64", (), b"12345678"), True),
        (GoldenTensor("x", "int64", (1, 0)), True),
        (GoldenTensor("x", "string", (2,), texts=("a", "b")), True),
        (GoldenTensor("x", "string", (2,), texts=("a",)), False),
        (GoldenTensor("x", "string", (1,), b"a", texts=("a",)), False),
        (GoldenTensor("x", "complex64", (0,)), True),
        (GoldenTensor("x", "complex64", (1,), b"12345678"), False),
    ],
)
def test_a_tensor_has_as_many_values_as_its_shape_says(tensor: GoldenTensor, whole: bool) -> None:
    assert tensor.is_whole is whole


def test_a_graph_that_rounds_has_requests_of_its_own_and_may_differ_more() -> None:
    entry = FileEntry("portable/golden.jsonl", 1, "0" * 64)
    plain = Form("portable", "portable/model.onnx", optimised=False, opset=17, files=())
    rounded = replace(plain, files=(entry,))
    assert tolerance_of(plain, (GOOD,)) == TOLERANCE
    assert tolerance_of(rounded, (GOOD,)) == ROUNDED_TOLERANCE


def test_texts_may_pass_through_a_graph() -> None:
    facts = check_graph(tensor_graph(tensor_weights(0)), {})
    assert facts.inputs == ("rows", "codes", "state", "words", "rate")
