"""Bundle → signature: what `maas sign` writes beside a bundle.

Imports `maas` and the lab.

    signed = sign_bundle(folder, open_key_file(path))
    signed.path                          # <bundles>/<model>/<digest16>.sig
"""

import binascii
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from maas.bundle.signature import check_signature, require_signature, signature_path
from maas.bundle.statement import (
    Envelope,
    Hint,
    Material,
    SignatureFile,
    Signed,
    Statement,
    hint_of,
    signed_bytes,
    statement_of,
)
from maas.bundle.verify import Bundle, verify_bundle
from maas.errors import BundleError
from maas_lab.files import write_file

if TYPE_CHECKING:
    from maas.bundle.ecdsa import PublicKey
    from maas_lab.signing.keys import SigningKey


@dataclass(frozen=True, slots=True)
class SignedBundle:
    """A bundle with its signature.

    Attributes:
        bundle: Verified in full.
        key: What the signature is checked with.
        path: The signature's file.
        created: False where this key had signed the bundle already.
    """

    bundle: Bundle
    key: "PublicKey"
    path: Path
    created: bool


def sign_bundle(folder: Path, key: "SigningKey") -> SignedBundle:
    """Verify a bundle, look into it, and sign every file of it; another's signature is replaced.

    Raises:
        BundleError: The bundle is not acceptable, or the key does not sign what it should; nothing
            was written.
    """
    bundle = verify_bundle(folder)
    path = signature_path(folder)
    created = not _is_signed(bundle, key.public)
    if created:
        wanted = statement_of(bundle.manifest, bundle.digest)
        data = signature_of(wanted, key)
        check_signature(data, key.public, wanted)
        write_file(path, data)
    return SignedBundle(bundle, key.public, path, created)


def signature_of(statement: Statement, key: "SigningKey") -> bytes:
    """The file of a signature."""
    payload = msgspec.json.encode(statement)
    signature = key.sign(signed_bytes(payload))
    return msgspec.json.encode(
        SignatureFile(
            Material(Hint(hint_of(key.public.pem))),
            Envelope(_base64(payload), (Signed(_base64(signature)),)),
        )
    )


def _is_signed(bundle: Bundle, key: "PublicKey") -> bool:
    try:
        require_signature(bundle, key)
    except BundleError:
        return False
    return True


def _base64(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode()
