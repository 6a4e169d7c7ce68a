"""A bundle becomes a version that answers only if its golden requests say so."""

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from support.graphs import classifier_graph, short_graph
from support.tiny import (
    FOREVER_WORD,
    GOLDEN_TEXTS,
    INT8,
    MAX_TOKENS,
    TinyBundle,
    describe_bundle,
    golden_lines,
    make_bundle,
    rounded_weights,
    tiny_weights,
    write_bundle,
)

from maas.bundle.golden import GOLDEN, TOLERANCE, Golden
from maas.bundle.verify import Bundle, verify_bundle
from maas.errors import BundleError, ModelError, TokenizerError
from maas.loading import choose_form, load_version, optimised_form
from maas.tasks.classify import Classifier

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt

    from maas.bundle.manifest import Manifest


@pytest.fixture
def bundle(tmp_path: "Path") -> TinyBundle:
    return make_bundle(tmp_path)


def resealed(bundle: TinyBundle, manifest: "Manifest | None" = None) -> Bundle:
    """The bundle as it lies there now, with a manifest that says so."""
    digest = write_bundle(bundle.folder, manifest or describe_bundle(bundle.folder))
    return verify_bundle(bundle.folder, digest=digest)  # as if somebody had registered it


def test_every_form_answers_as_recorded(bundle: TinyBundle) -> None:
    verified = verify_bundle(bundle.folder)
    for name in ("portable", optimised_form()):
        loaded = load_version(verified, form=name, threads=1)
        assert loaded.form == name
        assert loaded.replay.requests == len(GOLDEN_TEXTS)
        assert loaded.replay.max_difference < 1e-5


@pytest.mark.parametrize(("shift", "accepted"), [(0.04, True), (3.0, False)])
def test_a_form_of_rounded_weights_answers_as_it_did_itself(
    tmp_path: "Path", shift: float, *, accepted: bool
) -> None:
    # Given answers of its own that another processor would give, or another model
    bundle = make_bundle(tmp_path, rounded=True)
    own = golden_lines(rounded_weights(bundle.weights), shift)
    (bundle.folder / INT8 / GOLDEN).write_bytes(own)
    verified = resealed(bundle)
    if accepted:
        assert load_version(verified, form=INT8, threads=1).replay.max_difference > TOLERANCE
        assert load_version(verified, threads=1).form == optimised_form()  # it must be asked for
        return
    with pytest.raises(BundleError, match="golden request's answer differs"):
        load_version(verified, form=INT8, threads=1)


def test_a_form_of_rounded_weights_without_answers_of_its_own_is_refused(tmp_path: "Path") -> None:
    bundle = make_bundle(tmp_path, rounded=True)
    (bundle.folder / INT8 / GOLDEN).unlink()
    with pytest.raises(BundleError, match=r"differs by .* \(at most 0\.0001\)"):
        load_version(resealed(bundle), form=INT8, threads=1)


def test_a_cold_start_may_replay_fewer(bundle: TinyBundle) -> None:
    assert load_version(verify_bundle(bundle.folder), threads=1, replays=1).replay.requests == 1


def test_a_cold_start_replays_what_is_asked_in_the_fewest_words(
    bundle: TinyBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    replayed: list[tuple[str, ...]] = []
    replay = Classifier.replay

    def watched(task: Classifier, golden: Golden, *, deadline: float) -> float:
        replayed.append(golden.texts)
        return replay(task, golden, deadline=deadline)

    monkeypatch.setattr(Classifier, "replay", watched)
    load_version(verify_bundle(bundle.folder), threads=1, replays=1)
    assert replayed == [min(GOLDEN_TEXTS, key=lambda texts: sum(map(len, texts)))]


@pytest.mark.parametrize(
    ("machine", "form"),
    [
        ("x86_64", "optimised-x86"),
        ("AMD64", "optimised-x86"),
        ("aarch64", "optimised-arm64"),
        ("arm64", "optimised-arm64"),
        ("riscv64", "optimised-riscv64"),
    ],
)
def test_the_form_of_this_machine_is_chosen_if_there_is_one(
    bundle: TinyBundle, monkeypatch: pytest.MonkeyPatch, machine: str, form: str
) -> None:
    made_here = optimised_form()
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert optimised_form() == form
    assert choose_form(bundle.manifest).name == (form if form == made_here else "portable")


@pytest.mark.parametrize(
    ("shift", "accepted"), [(TOLERANCE / 2, True), (TOLERANCE * 2, False), (-1.0, False)]
)
def test_a_model_that_is_not_the_recorded_one_is_refused(
    tmp_path: "Path", shift: float, *, accepted: bool
) -> None:
    verified = verify_bundle(make_bundle(tmp_path, golden_shift=shift).folder)
    if accepted:
        assert load_version(verified, threads=1).replay.max_difference <= TOLERANCE
        return
    with pytest.raises(BundleError, match="not the model that was exported"):
        load_version(verified, threads=1)


def test_another_models_graph_under_this_name_is_refused(bundle: TinyBundle) -> None:
    # Given a bundle whose graph was replaced and whose digests were made to fit
    (bundle.folder / "portable/model.onnx").write_bytes(classifier_graph(tiny_weights(99)))
    with pytest.raises(BundleError, match="golden request's answer differs"):
        load_version(resealed(bundle), form="portable", threads=1)


@pytest.mark.parametrize(
    ("graph_of", "field"),
    [
        (lambda weights: classifier_graph(weights, output="scores"), "outputs"),
        (lambda weights: renamed(classifier_graph(weights), "input_ids", "words"), "inputs"),
    ],
)
def test_a_graph_that_the_manifest_does_not_describe_is_refused(
    bundle: TinyBundle, graph_of: "Callable[[npt.NDArray[np.float32]], bytes]", field: str
) -> None:
    (bundle.folder / "portable/model.onnx").write_bytes(graph_of(bundle.weights))
    with pytest.raises(BundleError, match="not those of the manifest") as refused:
        load_version(resealed(bundle), form="portable", threads=1)
    assert refused.value.field == field


def renamed(graph: bytes, old: str, new: str) -> bytes:
    """The graph with another name for one of its inputs."""
    model = onnx.load_from_string(graph)
    for node in (*model.graph.input, *model.graph.node):
        node.name = new if node.name == old else node.name
    for node in model.graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
    data: bytes = model.SerializeToString()
    return data


def test_a_manifest_of_more_labels_than_the_graph_answers_is_refused(bundle: TinyBundle) -> None:
    manifest = describe_bundle(bundle.folder, labels=("a", "b", "c"))
    with pytest.raises(BundleError, match="logits does not have the shape"):
        load_version(resealed(bundle, manifest), threads=1)


def reshaped(graph: bytes, name: str, *sizes: int | str) -> bytes:
    """The graph with other dimensions written on one of its inputs or outputs."""
    model = onnx.load_from_string(graph)
    (node,) = (n for n in (*model.graph.input, *model.graph.output) if n.name == name)
    del node.type.tensor_type.shape.dim[:]
    for size in sizes:
        dimension = node.type.tensor_type.shape.dim.add()
        if isinstance(size, int):
            dimension.dim_value = size
        else:
            dimension.dim_param = size
    data: bytes = model.SerializeToString()
    return data


@pytest.mark.parametrize(
    ("name", "sizes", "field"),
    [
        ("input_ids", (1, "sequence"), "inputs"),
        ("attention_mask", ("batch", MAX_TOKENS), "inputs"),
        ("input_ids", ("batch", "sequence", "more"), "inputs"),
        ("logits", (1, 2), "outputs"),
    ],
)
def test_f13_a_graph_of_other_dimensions_is_refused(
    bundle: TinyBundle, name: str, sizes: tuple[int | str, ...], field: str
) -> None:
    graph = reshaped(classifier_graph(bundle.weights), name, *sizes)
    (bundle.folder / "portable/model.onnx").write_bytes(graph)
    with pytest.raises(BundleError, match=f"graph's {name} does not have the shape") as refused:
        load_version(resealed(bundle), form="portable", threads=1, replays=1)
    assert refused.value.field == field


def test_f13_a_graph_that_answers_with_words_is_refused(bundle: TinyBundle) -> None:
    # Given a graph whose output has the right name and shape, and is text
    model = onnx.load_from_string(classifier_graph(bundle.weights))
    model.graph.node[-1].CopyFrom(
        onnx.helper.make_node("Cast", ["sums"], ["logits"], to=onnx.TensorProto.STRING)
    )
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.STRING
    (bundle.folder / "portable/model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(BundleError, match="outputs are not those of the manifest"):
        load_version(resealed(bundle), form="portable", threads=1, replays=1)


def test_f13_a_graph_that_takes_fewer_tokens_than_the_manifest_says_is_refused(
    bundle: TinyBundle,
) -> None:
    # Given a graph for eight tokens, as many as the longest golden request has
    (bundle.folder / "portable/model.onnx").write_bytes(short_graph(bundle.weights, tokens=8))
    verified = resealed(bundle)
    assert load_version(verified, form="portable", threads=1, replays=1).replay.requests == 1
    # Then what says that it takes sixteen is refused where there is time to look
    with pytest.raises(BundleError, match=f"cannot take two texts of {MAX_TOKENS} tokens"):
        load_version(verified, form="portable", threads=1)


def test_f13_a_tokenizer_of_more_words_than_the_graph_knows_is_refused(tmp_path: "Path") -> None:
    # Given two words that no golden request has, and for which the graph has no weights
    bundle = make_bundle(tmp_path, rows=16)
    verified = verify_bundle(bundle.folder, digest=bundle.digest)
    with pytest.raises(BundleError, match="with ids up to 17"):
        load_version(verified, threads=1)


def test_golden_requests_that_do_not_end_are_refused_in_time(
    tmp_path: "Path", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maas.loading._REPLAY_SECONDS", 0.05)
    bundle = make_bundle(tmp_path, hazards=True)
    golden = Golden(texts=(FOREVER_WORD,), logits=((0.0, 0.0),)).encode()
    (bundle.folder / "golden.jsonl").write_bytes(golden)
    with pytest.raises(BundleError, match=r"did not end within 0\.05 s"):
        load_version(resealed(bundle), threads=1)


def test_a_graph_that_answers_nan_to_a_golden_request_is_refused(bundle: TinyBundle) -> None:
    weights = np.full_like(bundle.weights, np.nan)
    (bundle.folder / "portable/model.onnx").write_bytes(classifier_graph(weights))
    with pytest.raises(ModelError, match="not a finite number"):
        load_version(resealed(bundle), form="portable", threads=1)


@pytest.mark.parametrize("data", [b"", b"garbage", b"\x08\x08" * 100, b"{}"])
def test_a_graph_that_is_none_is_refused(bundle: TinyBundle, data: bytes) -> None:
    (bundle.folder / "portable/model.onnx").write_bytes(data)
    with pytest.raises(ModelError, match="cannot open the model"):
        load_version(resealed(bundle), form="portable", threads=1)


def test_a_graph_without_its_weights_is_refused(bundle: TinyBundle) -> None:
    # Given an optimised form whose weights are cut short, with digests made to fit
    (bundle.folder / optimised_form() / "weights.bin").write_bytes(b"\x00" * 8)
    with pytest.raises(ModelError, match="cannot open the model"):
        load_version(resealed(bundle), threads=1)


def test_a_bundle_without_a_tokenizer_is_refused(bundle: TinyBundle) -> None:
    (bundle.folder / "tokenizer.json").write_text("{}")
    with pytest.raises(TokenizerError):
        load_version(resealed(bundle), threads=1)


def test_an_absent_form_is_refused(bundle: TinyBundle) -> None:
    with pytest.raises(BundleError, match="no form 'int8'"):
        load_version(verify_bundle(bundle.folder), form="int8", threads=1)
