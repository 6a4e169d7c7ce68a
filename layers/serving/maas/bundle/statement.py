"""The format of a bundle's signature: OpenSSF Model Signing 1.0, of which we take one way.

May import `maas.bundle` and msgspec.

    wanted = statement_of(manifest, digest)              # what must be signed of a bundle
    data = signed_bytes(msgspec.json.encode(wanted))     # what a key signs of it

The file is a bundle of sigstore's: a DSSE envelope around an in-toto statement, which names the
sha256 of each file. Everything that would choose an algorithm, a key or a file to leave out has one
value here, or may not be there. Imported only where bundles are signed, or must be.
"""

import hashlib
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct

from maas.bundle.manifest import MANIFEST, Sha256, digest16

if TYPE_CHECKING:
    from maas.bundle.manifest import Manifest

_PAYLOAD = "application/vnd.in-toto+json"
_Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._/-]{1,160}$(?!\n)")]

# ---- The statement: what is signed --------------------------------------------------------------


class Digests(Struct, frozen=True, forbid_unknown_fields=True):
    """A digest by its algorithm; there is one."""

    sha256: Sha256


class Subject(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole that is signed: the folder's name, and the sha256 of all files' digests."""

    name: _Name
    digest: Digests


class Resource(Struct, frozen=True, forbid_unknown_fields=True):
    """One file."""

    name: _Name
    digest: Sha256
    algorithm: Literal["sha256"] = "sha256"


class Serialization(Struct, frozen=True, forbid_unknown_fields=True):
    """How the files were read. There may be no `ignore_paths`: every file counts."""

    method: Literal["files"] = "files"
    hash_type: Literal["sha256"] = "sha256"
    allow_symlinks: bool = False


class Predicate(Struct, frozen=True, forbid_unknown_fields=True):
    """What is stated of the subject."""

    resources: tuple[Resource, ...]
    serialization: Serialization = Serialization()


class Statement(
    Struct,
    frozen=True,
    forbid_unknown_fields=True,
    rename={"kind": "_type", "predicate_type": "predicateType"},
):
    """An in-toto statement, version 1."""

    subject: tuple[Subject]
    predicate: Predicate
    kind: Literal["https://in-toto.io/Statement/v1"] = "https://in-toto.io/Statement/v1"
    predicate_type: Literal["https://model_signing/signature/v1.0"] = (
        "https://model_signing/signature/v1.0"
    )


def statement_of(manifest: "Manifest", digest: str) -> Statement:
    """The one statement that is right for a bundle.

    It follows from the manifest alone, so a function that carries one form of several wants the
    same as a laptop that has all of them.

    Args:
        manifest: What the bundle holds.
        digest: The bundle's digest, which is that of its manifest.
    """
    files = {entry.path: entry.sha256 for entry in manifest.entries()}
    files[MANIFEST] = digest.removeprefix("sha256:")
    # By folders, as OpenSSF's tool orders them: the whole's digest depends on it.
    ordered = sorted(files.items(), key=lambda file: file[0].split("/"))
    whole = hashlib.sha256(b"".join(bytes.fromhex(sha256) for _, sha256 in ordered)).hexdigest()
    return Statement(
        (Subject(digest16(digest), Digests(whole)),),
        Predicate(tuple(Resource(path, sha256) for path, sha256 in ordered)),
    )


# ---- The envelope: who signed it ----------------------------------------------------------------


class Hint(Struct, frozen=True, forbid_unknown_fields=True):
    """Whose key it was: the sha256 of its PEM."""

    hint: Sha256


class Material(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What a signature is checked with: a key that the reader has, and nothing else."""

    public_key: Hint
    tlog_entries: Annotated[tuple[str, ...], Meta(max_length=0)] = ()


class Signed(Struct, frozen=True, forbid_unknown_fields=True):
    """A signature, in base64 of DER."""

    sig: str
    keyid: Literal[""] = ""


class Envelope(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """DSSE's envelope: a statement's bytes in base64, and exactly one signature of them."""

    payload: str
    signatures: tuple[Signed]
    payload_type: Literal["application/vnd.in-toto+json"] = "application/vnd.in-toto+json"


class SignatureFile(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The file: a bundle of sigstore's, version 0.3."""

    verification_material: Material
    dsse_envelope: Envelope
    media_type: Literal["application/vnd.dev.sigstore.bundle.v0.3+json"] = (
        "application/vnd.dev.sigstore.bundle.v0.3+json"
    )


def hint_of(pem: str) -> str:
    """How a signature names its key.

    Args:
        pem: The public key's, with a newline at its end.
    """
    return hashlib.sha256(pem.encode()).hexdigest()


def signed_bytes(payload: bytes) -> bytes:
    """What a key signs of a payload: DSSE's pre-authentication encoding."""
    return b"DSSEv1 %d %s %d %s" % (len(_PAYLOAD), _PAYLOAD.encode(), len(payload), payload)
