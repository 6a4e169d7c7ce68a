"""What `maas keygen` and `maas sign` say, for people and for machines. Imports `maas`."""

from typing import TYPE_CHECKING

from maas.bundle.statement import hint_of
from maas_lab.output import View

if TYPE_CHECKING:
    from pathlib import Path

    from maas.bundle.ecdsa import PublicKey
    from maas_lab.signing.bundles import SignedBundle


def key_view(key: "PublicKey", private: "Path", public: "Path") -> View:
    """A new key, and where it goes."""
    lines = (
        f"private {private}  keep it secret; it signs: maas sign --key {private}",
        f"public  {public}  give it to whoever verifies: MAAS_REQUIRE_SIGNATURE={public}",
    )
    return View({"private": str(private), "public": str(public), **_key(key)}, "\n".join(lines))


def signed_view(signed: "SignedBundle") -> View:
    """A signed bundle."""
    bundle = signed.bundle
    name = bundle.manifest.name
    state = "signed" if signed.created else "the same key had signed"
    lines = (
        f"{state} {name}: {len(bundle.manifest.entries()) + 1} files",
        f"digest  {bundle.digest}",
        f"key     {signed.key.curve.name} {hint_of(signed.key.pem)[:16]}…",
        f"file    {signed.path}",
    )
    data: dict[str, object] = {
        "model": name,
        "digest": bundle.digest,
        "signature": str(signed.path),
        "created": signed.created,
    }
    return View(data | _key(signed.key), "\n".join(lines))


def _key(key: "PublicKey") -> dict[str, object]:
    return {"curve": key.curve.name, "public_key": key.line}
