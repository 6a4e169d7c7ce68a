"""Keys in files: made once and for their owner alone, read where they fit."""

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from support.signing import KEY, PRIVATE, pem_of

from maas.bundle.signature import open_key
from maas.errors import BadRequestError, RefusedError
from maas_lab.signing.keys import make_key_file, open_key_file, public_path


@pytest.mark.parametrize("curve", ["P-256", "P-384"])
def test_a_key_that_was_made_signs_and_its_public_file_verifies(tmp_path: Path, curve: str) -> None:
    file = tmp_path / "signing.pem"
    made = make_key_file(file, curve=curve)
    assert made.public.curve.name == curve
    # Then only its owner may read it
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    # And the file beside it is the public key, which says nothing of the other
    public = public_path(file)
    assert public.name == "signing.pem.pub"
    assert "PRIVATE" not in public.read_text()
    assert open_key(str(public)).verifies(open_key_file(file).sign(b"data"), b"data")
    assert made.public == open_key(str(public))


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "signing.pem"
    make_key_file(file)
    before = file.read_bytes(), public_path(file).read_bytes()
    with pytest.raises(RefusedError, match=r"signing.pem is there already"):
        make_key_file(file)
    assert before == (file.read_bytes(), public_path(file).read_bytes())


def test_one_key_makes_one_signature_of_the_same_data() -> None:
    assert KEY.sign(b"data") == KEY.sign(b"data") != KEY.sign(b"more")


@pytest.mark.parametrize("format_", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_both_forms_of_a_pem_are_read(tmp_path: Path, format_: PrivateFormat) -> None:
    file = tmp_path / "key"
    file.write_bytes(PRIVATE.private_bytes(Encoding.PEM, format_, NoEncryption()))
    assert open_key_file(file).public == KEY.public


def other(kind: str) -> bytes:
    if kind == "RSA":
        private = rsa.generate_private_key(65537, 2048)
        return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    if kind == "P-521":
        return pem_of(ec.generate_private_key(ec.SECP521R1()))
    return {"public": KEY.public.pem.encode(), "text": b"secret", "empty": b""}[kind]


@pytest.mark.parametrize("kind", ["RSA", "P-521", "public", "text", "empty"])
def test_what_is_no_key_to_sign_with_is_refused(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "key"
    file.write_bytes(other(kind))
    with pytest.raises(RefusedError, match=r"not a private key .*maas keygen") as refusal:
        open_key_file(file)
    assert "secret" not in str(refusal.value)


def test_an_encrypted_key_is_refused_with_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(
        PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word"))
    )
    with pytest.raises(RefusedError, match=r"encrypted.*--kms.*openssl"):
        open_key_file(file)


@pytest.mark.parametrize("name", ["absent", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadRequestError, match="cannot be read"):
        open_key_file(tmp_path / name)
