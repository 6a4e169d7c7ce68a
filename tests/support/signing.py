"""Keys for tests, the same in every process, and what a hand could write instead of `maas sign`.

home.bundles[1].folder; sign_bundle(folder, KEY)     # signed as it should be
write_signature(folder, key=OTHER, payload=...)      # and as it should not
"""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from maas.bundle.ecdsa import PublicKey
from maas.bundle.signature import signature_path
from maas.bundle.statement import hint_of
from maas_lab.signing.keys import FileKey

PRIVATE = ec.derive_private_key(0xA11CE, ec.SECP256R1())
KEY = FileKey(PRIVATE)
OTHER = FileKey(ec.derive_private_key(0xB0B, ec.SECP256R1()))
WIDE = FileKey(ec.derive_private_key(0xA11CE, ec.SECP384R1()))


def pem_of(private: ec.EllipticCurvePrivateKey) -> bytes:
    """A private key as `maas sign --key` reads it."""
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def stated(folder: Path) -> dict[str, Any]:
    """The statement of a bundle's signature."""
    envelope = json.loads(signature_path(folder).read_bytes())["dsseEnvelope"]
    statement: dict[str, Any] = json.loads(base64.b64decode(envelope["payload"]))
    return statement


def write_signature(
    folder: Path,
    statement: object,
    *,
    key: FileKey = KEY,
    hint: PublicKey | None = None,
    pae: bytes = b"DSSEv1 28 application/vnd.in-toto+json ",
) -> None:
    """Sign any statement, and write it beside a bundle."""
    payload = statement if isinstance(statement, bytes) else json.dumps(statement).encode()
    signature = key.sign(pae + b"%d " % len(payload) + payload)
    write_file(folder, payload, [signature], hint=hint or key.public)


def write_file(
    folder: Path, payload: bytes, signatures: list[bytes], *, hint: PublicKey = KEY.public
) -> None:
    """Write a signature's file of these parts."""
    file = {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": hint_of(hint.pem)}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [
                {"sig": base64.b64encode(each).decode(), "keyid": ""} for each in signatures
            ],
        },
    }
    signature_path(folder).write_text(json.dumps(file))


def sign_by_another_hash(data: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
    """A signature of the right key that hashes with what the curve does not go with."""
    digest = hashlib.new(algorithm.name, data).digest()
    return PRIVATE.sign(digest, ec.ECDSA(Prehashed(algorithm)))
