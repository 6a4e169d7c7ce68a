"""A packed bundle holds one form: its files and no other's, none missing, none changed."""

import shutil
from typing import TYPE_CHECKING

import pytest
from support.tiny import INT8, TinyBundle, make_bundle

from maas.bundle.golden import GOLDEN
from maas.bundle.verify import verify_bundle
from maas.errors import BundleError
from maas.loading import load_version

if TYPE_CHECKING:
    from pathlib import Path

FORMS = ("optimised-x86", "portable")


@pytest.fixture(autouse=True)
def _one_kind_of_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")


@pytest.fixture
def bundle(tmp_path: "Path") -> TinyBundle:
    return make_bundle(tmp_path / "bundles")


def leave(bundle: TinyBundle, form: str) -> None:
    """Take the other form's files away."""
    (other,) = set(FORMS) - {form}
    shutil.rmtree(bundle.folder / other)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("full", [True, False])
def test_one_form_alone_is_whole_and_answers(bundle: TinyBundle, form: str, *, full: bool) -> None:
    leave(bundle, form)
    verified = verify_bundle(bundle.folder, digest=bundle.digest, full=full, form=form)
    assert (verified.form, verified.digest) == (form, bundle.digest)
    assert load_version(verified, threads=1).form == form  # the one that lies there


def test_a_form_travels_with_its_own_golden_requests_and_no_other_does(tmp_path: "Path") -> None:
    bundle = make_bundle(tmp_path / "rounded", rounded=True)
    lists = {form: [each.path for each in bundle.manifest.entries(form)] for form in (*FORMS, INT8)}
    own = {form: [path for path in paths if GOLDEN in path] for form, paths in lists.items()}
    assert own == {form: [GOLDEN] for form in FORMS} | {INT8: [GOLDEN, "int8/golden.jsonl"]}
    for form in FORMS:
        shutil.rmtree(bundle.folder / form)
    verified = verify_bundle(bundle.folder, form=INT8)
    assert load_version(verified, threads=1).form == INT8


def test_the_files_of_another_form_are_too_many(bundle: TinyBundle) -> None:
    with pytest.raises(BundleError, match=r"Not named in manifest.json: portable/model.onnx"):
        verify_bundle(bundle.folder, form="optimised-x86")


def test_one_form_is_not_the_whole_bundle(bundle: TinyBundle) -> None:
    leave(bundle, "portable")
    with pytest.raises(BundleError, match="Missing from the bundle: optimised-x86"):
        verify_bundle(bundle.folder)


def test_the_form_that_was_packed_must_be_the_one_that_lies_there(bundle: TinyBundle) -> None:
    leave(bundle, "portable")
    with pytest.raises(BundleError, match="Missing from the bundle: optimised-x86"):
        verify_bundle(bundle.folder, form="optimised-x86")


def test_a_form_that_the_manifest_does_not_have_is_refused(bundle: TinyBundle) -> None:
    with pytest.raises(BundleError, match="no form 'int8'"):
        verify_bundle(bundle.folder, form="int8")


@pytest.mark.parametrize("path", ["golden.jsonl", "tokenizer.json", "portable/model.onnx"])
def test_a_changed_byte_is_found_in_shared_files_and_in_the_form(
    bundle: TinyBundle, path: str
) -> None:
    leave(bundle, "portable")
    data = bytearray((bundle.folder / path).read_bytes())
    data[-1] ^= 1
    (bundle.folder / path).write_bytes(data)
    with pytest.raises(BundleError, match=f"{path} was changed"):
        verify_bundle(bundle.folder, form="portable")
