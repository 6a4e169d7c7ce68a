"""Bundles under another manifest, and a home of one such bundle.

bundle = resealed(bundle, structs.replace(bundle.manifest, labels=("yes", "no")))
home = home_of(tmp_path, max_tokens=4)
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from msgspec import structs
from support.tiny import Home, TinyBundle, make_bundle, register_bundle, write_bundle

from maas.assembly import build_registry
from maas.bundle.manifest import Manifest, ModelLimits, bundle_digest, canonical_json, digest16
from maas.registry.addresses import ByNumber
from maas.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def resealed(bundle: TinyBundle, manifest: Manifest) -> TinyBundle:
    """Give a bundle another manifest, and so another digest and folder."""
    folder = bundle.folder.with_name(digest16(bundle_digest(canonical_json(manifest))))
    bundle.folder.rename(folder)
    digest = write_bundle(folder, manifest)
    return replace(bundle, folder=folder, digest=digest, manifest=manifest)


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
