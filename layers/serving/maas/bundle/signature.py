"""Whether the owner of a key signed a bundle.

May import `maas.bundle`, `maas.errors`, `maas.limits` and msgspec.

    key = open_key(settings.require_signature)           # a PEM, or the path of its file
    require_signature(verify_bundle(folder, digest=...), key)

A signature lies beside its bundle's folder, `<digest16>.sig`, outside its digest. Every refusal is
a BundleError. Imported only where a signature is required.
"""

import binascii
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from maas.bundle.ecdsa import P256, P384, PublicKey, parse_key
from maas.bundle.statement import SignatureFile, Statement, hint_of, signed_bytes, statement_of
from maas.errors import BundleError, SettingsError
from maas.limits import LIMITS, Limits

if TYPE_CHECKING:
    from maas.bundle.verify import Bundle

SUFFIX = ".sig"
_SETTING = "MAAS_REQUIRE_SIGNATURE"
_KEY_BYTES = 4096
_KEY_BEGINS = (
    "-----BEGIN",
    *(binascii.b2a_base64(curve.header, newline=False).decode() for curve in (P256, P384)),
)
_Read = TypeVar("_Read")


def open_key(setting: str) -> PublicKey:
    """Read the public key that the setting is, or whose file it names.

    Raises:
        SettingsError: It is none.
    """
    text = setting.strip()
    try:
        if not text.startswith(_KEY_BEGINS):
            with Path(text).open("rb") as file:
                text = file.read(_KEY_BYTES).decode()
        return parse_key(text)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SettingsError(
            f"{_SETTING} must be a public key in PEM, or the path of its file: {reason}.",
            field=_SETTING,
        ) from None


def signature_path(folder: Path) -> Path:
    """Where the signature of a bundle's folder lies."""
    return folder.with_name(folder.name + SUFFIX)


def require_signature(bundle: "Bundle", key: PublicKey, *, limits: Limits = LIMITS) -> bytes:
    """Check that the key's owner signed a verified bundle, as it is.

    Returns:
        The signature's file, as it was checked.

    Raises:
        BundleError: The signature is absent, malformed, by another key or of another bundle.
    """
    data = _read(signature_path(bundle.folder), limits)
    check_signature(data, key, statement_of(bundle.manifest, bundle.digest))
    return data


def check_signature(data: bytes, key: PublicKey, wanted: Statement) -> None:
    """Check a signature's file.

    Args:
        data: Its bytes.
        key: The one key that is trusted. Its curve says which hash; the file has no say in it.
        wanted: What must be stated: no file more and none less.

    Raises:
        BundleError: With the reason.
    """
    file = _decode(data, SignatureFile)
    if file.verification_material.public_key.hint != hint_of(key.pem):
        raise BundleError("The bundle was signed with another key than the one that is required.")
    payload = _decode_base64(file.dsse_envelope.payload)
    signature = _decode_base64(file.dsse_envelope.signatures[0].sig)
    if not key.verifies(signature, signed_bytes(payload)):
        raise BundleError("The signature is wrong: the required key did not sign what it holds.")
    stated = _decode(payload, Statement)
    if stated != wanted:
        raise BundleError(f"The signature is of another bundle: {_difference(stated, wanted)}.")


def _read(path: Path, limits: Limits) -> bytes:
    """A plain file's bytes, unless it is larger than any signature."""
    try:
        # A pipe must not hold us up before it is refused.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
                raise BundleError(f"{path.name} is not a plain file of one name.")
            data = file.read(limits.signature_bytes + 1)
    except FileNotFoundError:
        raise BundleError(
            f"The bundle is not signed: there is no {path.name} beside it. Sign it with maas sign."
        ) from None
    except OSError as error:
        raise BundleError(f"{path.name} cannot be read: {error.strerror}.") from None
    if len(data) > limits.signature_bytes:
        raise BundleError(f"{path.name} is larger than {limits.signature_bytes} bytes.")
    return data


def _decode(data: bytes, kind: type[_Read]) -> _Read:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        reason = str(error) if isinstance(error, msgspec.ValidationError) else "it is not JSON"
        raise BundleError(f"The signature cannot be read: {reason}.") from None


def _decode_base64(text: str) -> bytes:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        raise BundleError("The signature cannot be read: what it holds is not base64.") from None


def _difference(stated: Statement, wanted: Statement) -> str:
    """How a statement differs from the one that is wanted, with the files at fault."""
    said = {file.name: file.digest for file in stated.predicate.resources}
    must = {file.name: file.digest for file in wanted.predicate.resources}
    faults = {
        "not signed": must.keys() - said.keys(),
        "signed, and not in this one": said.keys() - must.keys(),
        "signed as another": {name for name in must if said.get(name, must[name]) != must[name]},
    }
    told = (f"{what}: {', '.join(sorted(names))}" for what, names in faults.items() if names)
    return "; ".join(told) or "its name, or the order or the kind of its files"
