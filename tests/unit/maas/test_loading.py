"""A bundle becomes a version that answers only if its golden requests say so."""

from typing import TYPE_CHECKING

import numpy as np
import pytest
from msgspec.structs import replace
from support.graphs import classifier_graph
from support.tiny import (
    GOLDEN_TEXTS,
    TinyBundle,
    describe_bundle,
    make_bundle,
    tiny_weights,
    write_bundle,
)

from maas.bundle.golden import TOLERANCE
from maas.bundle.verify import Bundle, verify_bundle
from maas.errors import BundleError, ModelError, TokenizerError
from maas.loading import choose_form, load_version, optimised_form

if TYPE_CHECKING:
    from pathlib import Path

    from maas.bundle.manifest import Manifest


@pytest.fixture
def bundle(tmp_path: "Path") -> TinyBundle:
    return make_bundle(tmp_path)


def resealed(bundle: TinyBundle, manifest: "Manifest | None" = None) -> Bundle:
    """The bundle as it lies there now, with a manifest that says so."""
    write_bundle(bundle.folder, manifest or describe_bundle(bundle.folder))
    return verify_bundle(bundle.folder)


def test_every_form_answers_as_recorded(bundle: TinyBundle) -> None:
    verified = verify_bundle(bundle.folder)
    for name in ("portable", optimised_form()):
        loaded = load_version(verified, form=name, threads=1)
        assert loaded.form == name
        assert loaded.replay.requests == len(GOLDEN_TEXTS)
        assert loaded.replay.max_difference < 1e-5


def test_a_cold_start_may_replay_fewer(bundle: TinyBundle) -> None:
    assert load_version(verify_bundle(bundle.folder), threads=1, replays=1).replay.requests == 1


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
    ("field", "old", "new"),
    [
        ("inputs", "input_ids", "tokens"),
        ("inputs", "int64", "int32"),
        ("outputs", "logits", "scores"),
    ],
)
def test_a_manifest_that_describes_another_graph_is_refused(
    bundle: TinyBundle, field: str, old: str, new: str
) -> None:
    specs = tuple(
        replace(
            spec,
            name=new if spec.name == old else spec.name,
            dtype=new if spec.dtype == old else spec.dtype,
        )
        for spec in getattr(bundle.manifest, field)
    )
    verified = resealed(bundle, replace(bundle.manifest, **{field: specs}))
    with pytest.raises(BundleError, match="not those of the manifest") as refused:
        load_version(verified, threads=1)
    assert refused.value.field == field


def test_a_manifest_of_more_labels_than_the_graph_answers_is_refused(bundle: TinyBundle) -> None:
    manifest = describe_bundle(bundle.folder, labels=("a", "b", "c"))
    with pytest.raises(BundleError, match="does not fit the labels"):
        load_version(resealed(bundle, manifest), threads=1)


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
