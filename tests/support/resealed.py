"""Bundles under another manifest, and a home of one such bundle.

bundle = resealed(bundle, structs.replace(bundle.manifest, labels=("yes", "no")))
bundle = resealed(bundle, manifest_of(bundle))     # after its files were changed
home = home_of(tmp_path, max_tokens=4)
"""

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from msgspec import structs
from support.tiny import (
    Home,
    TinyBundle,
    file_entry,
    make_bundle,
    register_bundle,
    write_bundle,
)

from maas.assembly import build_registry
from maas.bundle.manifest import (
    FileEntry,
    Manifest,
    ModelLimits,
    bundle_digest,
    canonical_json,
    digest16,
)
from maas.registry.addresses import ByNumber
from maas.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from support.task_bundles import TaskBundle

BundleT = TypeVar("BundleT", bound="TinyBundle | TaskBundle")


def resealed(bundle: BundleT, manifest: Manifest) -> BundleT:
    """Give a bundle another manifest, and so another digest and folder."""
    folder = bundle.folder.with_name(digest16(bundle_digest(canonical_json(manifest))))
    bundle.folder.rename(folder)
    digest = write_bundle(folder, manifest)
    return replace(bundle, folder=folder, digest=digest, manifest=manifest)


def manifest_of(bundle: "TinyBundle | TaskBundle") -> Manifest:
    """A bundle's manifest with the digests of its files as they are now."""

    def files(entries: "Sequence[FileEntry]") -> tuple[FileEntry, ...]:
        return tuple(file_entry(bundle.folder, entry.path) for entry in entries)

    said = bundle.manifest
    forms = tuple(structs.replace(form, files=files(form.files)) for form in said.forms)
    return structs.replace(said, files=files(said.files), forms=forms)


def home_of(
    path: "Path", *, labels: "Sequence[str]" = ("bad", "good"), max_tokens: int | None = None
) -> Home:
    """Make a home whose one version, which is promoted, has these labels or keeps so many tokens.

    It is registered without a look at the bundle, as an older release might have.
    """
    settings = Settings.parse({"MAAS_HOME": str(path), "MAAS_ACTOR": "tests"})
    settings.bundles.mkdir(parents=True)
    bundle = make_bundle(settings.bundles, labels=labels)
    if max_tokens is not None:
        limits = ModelLimits(max_tokens=max_tokens)
        bundle = resealed(bundle, structs.replace(bundle.manifest, limits=limits))
    with build_registry(settings) as registry:
        register_bundle(registry, bundle)
        registry.promote("sentiment", ByNumber(1))
    return Home(settings, {1: bundle})
