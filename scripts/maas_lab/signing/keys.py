"""Keys that sign: what one can do, and those that lie in a file.

Imports cryptography, `maas` and the lab.

    key = make_key_file(Path("signing.pem"))     # and signing.pem.pub, for anybody to see
    key = open_key_file(Path("signing.pem"))
    key.public.verifies(key.sign(data), data)
"""

import os
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from maas.bundle.ecdsa import P256, P384, PublicKey, parse_key
from maas.errors import BadRequestError, FieldError, RefusedError
from maas_lab.files import write_file

_HASHES: dict[str, hashes.HashAlgorithm] = {
    P256.name: hashes.SHA256(),
    P384.name: hashes.SHA384(),
}
_MADE: dict[str, ec.EllipticCurve] = {P256.name: ec.SECP256R1(), P384.name: ec.SECP384R1()}
_SUFFIX = ".pub"


class SigningKey(Protocol):
    """A key that signs."""

    @property
    def public(self) -> PublicKey:
        """What its signatures are checked with."""

    def sign(self, data: bytes) -> bytes:
        """Sign data, by the hash that goes with the key's curve; DER."""


class FileKey:
    """A key that lies in memory.

    Args:
        private: On P-256 or P-384.

    Raises:
        ValueError: It is on another curve.
    """

    def __init__(self, private: ec.EllipticCurvePrivateKey) -> None:
        self._private = private
        encoded = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self._public = parse_key(encoded.decode())

    @property
    def public(self) -> PublicKey:
        """What its signatures are checked with."""
        return self._public

    def sign(self, data: bytes) -> bytes:
        """Sign data. One key makes one signature of the same, so a layer is the same, too."""
        chosen = _HASHES[self._public.curve.name]
        return self._private.sign(data, ec.ECDSA(chosen, deterministic_signing=True))


def open_key_file(path: Path) -> FileKey:
    """Read a private key.

    Raises:
        BadRequestError: The file cannot be read.
        RefusedError: It is not a key to sign with here.
    """
    try:
        private = load_pem_private_key(path.read_bytes(), password=None)
        if isinstance(private, ec.EllipticCurvePrivateKey):
            return FileKey(private)
    except OSError as error:
        raise BadRequestError(f"{path.name} cannot be read: {error.strerror}.") from error
    except TypeError as error:
        raise RefusedError(
            f"{path.name} is encrypted, and no password is asked for here. Keep the key in AWS KMS"
            " (maas sign --kms), or decrypt it for this command: openssl ec -in … -out …"
        ) from error
    except (ValueError, UnsupportedAlgorithm):
        pass  # told below
    raise RefusedError(
        f"{path.name} is not a private key of an elliptic curve P-256 or P-384 in PEM;"
        " maas keygen makes one."
    )


def make_key_file(path: Path, *, curve: str = P256.name) -> FileKey:
    """Make a key in a file that only its owner may read, and its public key beside it.

    Args:
        path: Where to.
        curve: P-256, or P-384 for who must: it takes a function three times as long to verify.

    Raises:
        FieldError: It is another curve.
        RefusedError: The file is there; a key is never overwritten.
        BadRequestError: It cannot be written there.
    """
    if curve not in _MADE:
        raise FieldError(f"must be {' or '.join(_MADE)}", field="curve")
    private = ec.generate_private_key(_MADE[curve])
    key = FileKey(private)
    encoded = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(encoded)
        write_file(public_path(path), key.public.pem.encode())
    except FileExistsError:
        raise RefusedError(f"{path.name} is there already; a key is never overwritten.") from None
    except OSError as error:
        raise BadRequestError(f"{path.name} cannot be written: {error.strerror}.") from error
    return key


def public_path(path: Path) -> Path:
    """Where `make_key_file` writes the public key of a file."""
    return path.with_name(path.name + _SUFFIX)
