"""Foreign graphs that read tokens: named as their task has them, and no answer is changed."""

import json
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from support.foreign_graphs import LABELS, node, relu, saved, text_model
from support.tiny import WORDS, tiny_logits, tiny_tokenizer

from maas.bundle.tokenizer_policy import PAD_TOKEN
from maas.bundle.verify import verify_bundle
from maas.errors import MaasError, RefusedError
from maas.loading import load_version
from maas.tasks import TOKENIZER
from maas.tasks.classify import ClassifyRequest
from maas.tasks.embed import EmbedRequest
from maas_lab.importing.importer import import_model
from maas_lab.importing.wishes import Wishes

if TYPE_CHECKING:
    from pathlib import Path

    from maas.loading import LoadedVersion
    from maas_lab.importing.imported import Imported

CLASSIFY, EMBED = "text-classification", "feature-extraction"
NAMES = ("low", "mid", "high")
TEXTS = ("a good film", "told with warmth and wit", "bad")


def weights(seed: int = 0) -> Any:  # noqa: ANN401
    return np.random.default_rng(seed).normal(size=(len(WORDS), LABELS)).astype(np.float32)


def imported(folder: "Path", model: onnx.ModelProto, **wishes: Any) -> "Imported":  # noqa: ANN401
    tokenizer = folder / "tokenizer.json"
    tokenizer.write_text(tiny_tokenizer())
    options = {"task": CLASSIFY, "tokenizer": tokenizer, "labels": NAMES, **wishes}
    return import_model(saved(folder, model), folder / "bundles", Wishes(**options))


def loaded(done: "Imported") -> "LoadedVersion":
    return load_version(verify_bundle(done.made.bundle.folder), threads=1)


def scores(done: "Imported") -> Any:  # noqa: ANN401
    request = ClassifyRequest(texts=TEXTS)
    response = loaded(done).task.predict(request, deadline=time.monotonic() + 5)
    return [{each.label: each.score for each in row} for row in response.rows]


def softmax(rows: Any) -> Any:  # noqa: ANN401
    powers = np.exp(rows - rows.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    "model",
    [
        text_model(),
        text_model(ids="codes", mask="input_mask"),
        text_model(kind=TensorProto.INT32),
        text_model(ids="ids", kind=TensorProto.INT32, types="token_type_ids"),
        text_model(types="segment_ids"),
        text_model(last="probabilities"),
    ],
    ids=["plain", "names", "int32", "types", "segments", "probabilities"],
)
def test_a_classifier_of_other_names_and_types_answers_as_it_did(
    tmp_path: "Path", model: onnx.ModelProto
) -> None:
    done = imported(tmp_path, model)
    manifest = done.made.bundle.manifest
    assert {spec.name for spec in manifest.inputs} == {"input_ids", "attention_mask"}
    assert {spec.dtype for spec in manifest.inputs} == {"int64"}
    assert manifest.labels == NAMES
    wanted = softmax(tiny_logits(weights(), TEXTS))
    for found, row in zip(scores(done), wanted, strict=True):
        assert [found[name] for name in NAMES] == pytest.approx(row.tolist(), abs=1e-5)


@pytest.mark.parametrize("opset", [11, 17])
def test_a_vector_per_token_becomes_their_mean_of_length_1(tmp_path: "Path", opset: int) -> None:
    model = text_model(last="states")
    if opset < 13:
        model.opset_import[0].version = opset
        for each in list(model.graph.node)[3:-1]:
            model.graph.node.remove(each)
    done = imported(tmp_path, model, task=EMBED, labels=())
    sums = tiny_logits(weights(), TEXTS)
    wanted = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    response = loaded(done).task.predict(EmbedRequest(TEXTS), deadline=time.monotonic() + 5)
    assert np.allclose(response.vectors, wanted, atol=1e-5)
    assert any("mean of its tokens" in note for note in done.fitted.notes)


def test_what_the_graph_answers_beside_is_left_out(tmp_path: "Path") -> None:
    model = text_model()
    model.graph.node.append(node("Identity", ["rows"], ["hidden"]))
    shape: list[str | int | None] = ["n", "length", LABELS]
    model.graph.output.append(onnx.helper.make_tensor_value_info("hidden", 1, shape))
    manifest = imported(tmp_path, model).made.bundle.manifest
    assert [spec.name for spec in manifest.outputs] == ["logits"]


def test_labels_that_nobody_named_are_numbered(tmp_path: "Path") -> None:
    manifest = imported(tmp_path, text_model(), labels=()).made.bundle.manifest
    assert manifest.labels == ("LABEL_0", "LABEL_1", "LABEL_2")


@pytest.mark.parametrize(("wished", "found"), [(None, 512), (9, 9), (40, 40)])
def test_texts_are_as_long_as_the_graph_takes_or_as_wished(
    tmp_path: "Path", wished: int | None, found: int
) -> None:
    manifest = imported(tmp_path, text_model(), max_tokens=wished).made.bundle.manifest
    assert manifest.limits.max_tokens == found


def test_a_table_of_positions_says_how_long_texts_are(tmp_path: "Path") -> None:
    model = text_model()
    positions = onnx.numpy_helper.from_array(np.zeros(100, dtype=np.float32), "positions")
    model.graph.initializer.append(positions)
    gathers = [
        node("Shape", ["input_ids"], ["long"], start=1, end=2),
        node("Add", ["long", "last"], ["place"]),
        node("Gather", ["positions", "place"], ["nothing"]),
        node("Add", ["sums", "nothing"], ["placed"]),
    ]
    for at, each in enumerate(gathers):
        model.graph.node.insert(6 + at, each)
    model.graph.node[-1].input[0] = "placed"
    assert imported(tmp_path, model).made.bundle.manifest.limits.max_tokens == 96
    with pytest.raises(RefusedError, match="two texts of 101 tokens"):
        imported(tmp_path, model, max_tokens=101)


def test_a_token_that_pads_is_called_as_serving_looks_for_it(tmp_path: "Path") -> None:
    # Given a tokenizer whose padding has another name
    other = tmp_path / "other.json"
    other.write_text(tiny_tokenizer().replace(PAD_TOKEN, "<pad>"))

    # When its model is imported, then the ids are the same
    done = imported(tmp_path, text_model(), tokenizer=other)
    kept = json.loads((done.made.bundle.folder / TOKENIZER).read_bytes())
    assert PAD_TOKEN in kept["model"]["vocab"]
    assert scores(done) == scores(imported(tmp_path, text_model()))


def _padding_counts() -> onnx.ModelProto:
    model = text_model()
    for each in model.graph.node:
        if each.op_type == "Mul":
            each.op_type = "Max"
    return model


@pytest.mark.parametrize(
    ("model", "wishes", "reason"),
    [
        (text_model(), {"tokenizer": None}, "is needed for a task that reads texts"),
        (text_model(), {"labels": ("a", "b")}, "must be 3"),
        (relu(), {}, "The graph reads x; a model for texts reads input_ids and"),
        (text_model(last="states"), {}, "one of them must be logits, floats of 2 dimensions"),
        (text_model(), {"task": EMBED, "labels": (), "max_tokens": 513}, None),
        (_padding_counts(), {}, "does not obey attention_mask"),
    ],
)
def test_what_does_not_fit_is_said(
    tmp_path: "Path", model: onnx.ModelProto, wishes: dict[str, Any], reason: str | None
) -> None:
    if reason is None:
        assert imported(tmp_path, model, **wishes).made.bundle.manifest.limits.max_tokens == 512
        return
    with pytest.raises(MaasError) as refusal:
        imported(tmp_path, model, **wishes)
    assert reason in refusal.value.described()


@pytest.mark.parametrize("content", ["", "{}", '{"model": {"vocab": {}}, "added_tokens": []}'])
def test_what_is_no_tokenizer_is_refused_by_its_field(tmp_path: "Path", content: str) -> None:
    other = tmp_path / "other.json"
    other.write_text(content)
    with pytest.raises(MaasError) as refusal:
        imported(tmp_path, text_model(), tokenizer=other)
    assert refusal.value.field == "tokenizer"
