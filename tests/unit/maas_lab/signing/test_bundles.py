"""`maas sign`: a signature beside the bundle, made once, and only of a bundle that is whole."""

from pathlib import Path

import pytest
from support.signing import KEY, OTHER, WIDE, stated
from support.tiny import TinyBundle, make_bundle

from maas.bundle.ecdsa import PublicKey
from maas.bundle.signature import require_signature, signature_path
from maas.bundle.verify import verify_bundle
from maas.errors import BundleError
from maas_lab.signing.bundles import sign_bundle
from maas_lab.signing.keys import FileKey


@pytest.fixture
def bundle(tmp_path: Path) -> TinyBundle:
    return make_bundle(tmp_path, rounded=True)


@pytest.mark.parametrize("key", [KEY, WIDE], ids=["P-256", "P-384"])
def test_it_lies_beside_the_bundle_and_outside_its_digest(bundle: TinyBundle, key: FileKey) -> None:
    signed = sign_bundle(bundle.folder, key)
    assert signed.path == bundle.folder.with_name(bundle.folder.name + ".sig")
    assert signed.created
    # Then the bundle is what it was, and its signature is right
    after = verify_bundle(bundle.folder)
    assert after.digest == bundle.digest
    assert require_signature(after, key.public) == signed.path.read_bytes()


def test_every_file_of_every_form_is_stated(bundle: TinyBundle) -> None:
    sign_bundle(bundle.folder, KEY)
    files = {
        path.relative_to(bundle.folder).as_posix()
        for path in bundle.folder.rglob("*")
        if path.is_file()
    }
    said = [resource["name"] for resource in stated(bundle.folder)["predicate"]["resources"]]
    assert set(said) == files
    assert said == sorted(said)


def test_a_form_that_was_packed_alone_needs_the_same_signature(
    bundle: TinyBundle, tmp_path: Path
) -> None:
    path = sign_bundle(bundle.folder, KEY).path
    for form in bundle.manifest.forms:
        if form.name != "portable":
            for entry in form.files:
                (bundle.folder / entry.path).unlink()
            (bundle.folder / form.name).rmdir()
    packed = verify_bundle(bundle.folder, digest=bundle.digest, form="portable")
    assert require_signature(packed, KEY.public) == path.read_bytes()


def test_the_same_key_signs_once_and_another_replaces_it(bundle: TinyBundle) -> None:
    first = sign_bundle(bundle.folder, KEY)
    before = first.path.stat().st_mtime_ns
    assert not sign_bundle(bundle.folder, KEY).created
    assert first.path.stat().st_mtime_ns == before
    assert sign_bundle(bundle.folder, OTHER).created
    with pytest.raises(BundleError, match="another key"):
        require_signature(verify_bundle(bundle.folder), KEY.public)


def test_a_damaged_signature_is_made_anew(bundle: TinyBundle) -> None:
    path = sign_bundle(bundle.folder, KEY).path
    right = path.read_bytes()
    path.write_bytes(right[:50])
    assert sign_bundle(bundle.folder, KEY).created
    assert path.read_bytes() == right


def test_a_bundle_that_is_not_whole_is_not_signed(bundle: TinyBundle) -> None:
    (bundle.folder / "run.py").write_text("print()")
    with pytest.raises(BundleError, match=r"run\.py"):
        sign_bundle(bundle.folder, KEY)
    assert not signature_path(bundle.folder).exists()


class Confused:
    """A key that signs with another one than it names."""

    @property
    def public(self) -> PublicKey:
        return KEY.public

    def sign(self, data: bytes) -> bytes:
        return OTHER.sign(data)


def test_a_signature_that_nobody_could_verify_is_not_written(bundle: TinyBundle) -> None:
    with pytest.raises(BundleError, match="signature is wrong"):
        sign_bundle(bundle.folder, Confused())
    assert not signature_path(bundle.folder).exists()
