"""What goes into a model's layer: its served set, and the verified bundle and form of each version.

Imports `maas` and the lab; reads the registry and the bundles, writes nothing.

    source = find_source(registry, settings.bundles, "sentiment", wishes, "x86_64")
    source.served                        # what served.json will say
    source.packs[0].bundle.folder        # what will be copied
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from maas.bundle.contents import check_contents
from maas.bundle.manifest import MANIFEST, digest16
from maas.bundle.signature import require_signature, signature_path
from maas.bundle.verify import Bundle, verify_bundle
from maas.errors import BundleError, RefusedError
from maas.served import ServedSet, ServedVersion
from maas_lab.packing.served_sets import choose_served
from maas_lab.packing.size_plan import SizedVersion

if TYPE_CHECKING:
    from maas.bundle.ecdsa import PublicKey
    from maas.bundle.manifest import Manifest
    from maas.registry.reader import Reader
    from maas_lab.packing.served_sets import Chosen, Wishes

_OPTIMISED = {"x86_64": "optimised-x86", "arm64": "optimised-arm64"}


@dataclass(frozen=True, slots=True)
class Pack:
    """One version on its way into a layer.

    Attributes:
        bundle: Verified in full, with all of its forms.
        size: Its figures, with the form that is packed.
        signature: The file of its signature; empty where none is required.
    """

    bundle: Bundle
    size: SizedVersion
    signature: bytes = b""


@dataclass(frozen=True, slots=True)
class LayerSource:
    """One model on its way into a layer.

    Attributes:
        served: What its served.json says.
        packs: Its versions, ascending by number.
        left_out: Why a version that belongs here is not, one sentence each.
    """

    served: ServedSet
    packs: tuple[Pack, ...]
    left_out: tuple[str, ...]

    @property
    def signatures(self) -> dict[str, bytes]:
        """The files of the versions' signatures by name; none where none are required."""
        return {
            signature_path(Path(digest16(pack.bundle.digest))).name: pack.signature
            for pack in self.packs
            if pack.signature
        }


def find_source(
    registry: "Reader",
    bundles: Path,
    model: str,
    wishes: "Wishes",
    architecture: str,
    *,
    key: "PublicKey | None" = None,
) -> LayerSource:
    """Choose a model's versions and verify their bundles, every byte of them.

    Args:
        registry: Where the versions are.
        bundles: The folder of all bundles.
        model: The model's name.
        wishes: What to carry.
        architecture: x86_64 or arm64; it decides the form.
        key: Whose owner must have signed every version; None where nobody must.

    Raises:
        RefusedError: A bundle that somebody relies on is absent, or one is damaged or not signed;
            or nothing would be carried.
        ConflictError: Others keep changing the model.
    """
    chosen = choose_served(registry, model, wishes)
    packs, left_out = [], list(chosen.left_out)
    for version in chosen.versions:
        folder = bundles / model / digest16(version.record.digest)
        if version.needed or folder.exists():
            packs.append(_pack(folder, version, wishes.form or _OPTIMISED[architecture], key))
        else:
            left_out.append(f"{_name(version)}: its bundle is not in {bundles}.")
    if not packs:
        raise RefusedError(f"Nothing of {model} would be carried. {' '.join(left_out)}")
    carried = tuple(
        ServedVersion(pack.size.number, pack.bundle.digest, pack.size.form) for pack in packs
    )
    served = ServedSet(format=1, model=model, versions=carried, policy=chosen.policy)
    return LayerSource(served, tuple(packs), tuple(left_out))


def _pack(folder: Path, version: "Chosen", wanted: str, key: "PublicKey | None") -> Pack:
    try:
        bundle = verify_bundle(folder, digest=version.record.digest)
        form = choose_form(bundle.manifest, wanted)
        check_contents(folder, bundle.manifest)  # it may have been registered by an older maas
    except BundleError as error:
        raise RefusedError(f"{_name(version)}: {error} {_remedy(version, folder)}") from error
    sizes = {
        each.name: sum(entry.size for entry in bundle.manifest.entries(each.name))
        + (folder / MANIFEST).stat().st_size
        for each in bundle.manifest.forms
    }
    number, reason = version.record.number, version.reason
    size = SizedVersion(number, version.roles, reason, form, sizes[form], sizes)
    return Pack(bundle, size, _signature(bundle, version, key))


def _signature(bundle: Bundle, version: "Chosen", key: "PublicKey | None") -> bytes:
    if key is None:
        return b""
    try:
        return require_signature(bundle, key)
    except BundleError as error:
        raise RefusedError(
            f"{_name(version)}: {error} Whoever has the required key can sign it:"
            f" maas sign {version.record.digest[:23]} --key FILE"
        ) from error


def choose_form(manifest: "Manifest", wanted: str) -> str:
    """The form that is wanted where the bundle has it, else the portable one.

    Raises:
        BundleError: It has neither.
    """
    names = [form.name for form in manifest.forms]
    return wanted if wanted in names else manifest.form("portable").name


def _name(version: "Chosen") -> str:
    return f"{version.record.model}@{version.record.number} ({version.reason})"


def _remedy(version: "Chosen", folder: Path) -> str:
    run = version.record.lineage.get("run", "")
    rest = "" if version.routed or not version.previous else ", or go on --without previous"
    return (
        f"Make its bundle again with maas bundle {run}, or copy it from the machine that made it"
        f" to {folder}{rest}."
    )
