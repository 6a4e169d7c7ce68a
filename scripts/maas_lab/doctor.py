"""What a machine needs, checked one by one; every finding that fails says what to do.

Imports `maas` and the standard library.

    for finding in examine(): print(finding.subject, finding.ok, finding.detail)
"""

import os
import re
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from typing import TYPE_CHECKING

from maas.assembly import build_registry
from maas.bundle.manifest import digest16
from maas.bundle.verify import verify_bundle
from maas.errors import MaasError
from maas.settings import Settings, read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from maas.registry.registry import Registry

_EXTRA = re.compile(r"([A-Za-z0-9_.-]+).*extra == .lab.")
_FREE_BYTES = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        subject: What.
        ok: Whether it is as it should be.
        detail: What was found, and the remedy where it is not.
    """

    subject: str
    ok: bool
    detail: str


def examine() -> list[Finding]:
    """Look at Python, the packages, the settings, the disk, the registry and its bundles."""
    findings = [_python(), *map(_package, _required())]
    try:
        settings = read_settings()
    except MaasError as error:
        return [*findings, Finding("settings", ok=False, detail=str(error))]
    return [*findings, _home(settings), *_promoted(settings)]


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    ok = sys.version_info >= (3, 11)
    return Finding("Python", ok, found if ok else f"{found}; install Python 3.11 or newer")


def _required() -> list[str]:
    """What the project says that it needs, the lab included."""
    names = []
    for requirement in requires("maas") or ():
        if "extra ==" not in requirement or _EXTRA.match(requirement):
            names.append(re.split(r"[^A-Za-z0-9_.-]", requirement, maxsplit=1)[0])
    return names


def _package(name: str) -> Finding:
    try:
        return Finding(name, ok=True, detail=version(name))
    except PackageNotFoundError:
        remedy = "not installed; run scripts/quickstart, or pip install -e '.[lab]'"
        return Finding(name, ok=False, detail=remedy)


def _home(settings: Settings) -> Finding:
    """Whether state can be written, with room for it; the folder may not exist yet."""
    folder = _existing(settings.home)
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        remedy = f"{settings.home} cannot be written to; set MAAS_HOME to a folder of yours"
        return Finding("MAAS_HOME", ok=False, detail=remedy)
    free = shutil.disk_usage(folder).free
    if free < _FREE_BYTES:
        return Finding("MAAS_HOME", ok=False, detail=f"only {free / 1e9:.1f} GB free; make room")
    return Finding("MAAS_HOME", ok=True, detail=f"{settings.home}, {free / 1e9:.0f} GB free")


def _existing(folder: "Path") -> "Path":
    while not folder.exists():
        folder = folder.parent
    return folder


def _promoted(settings: Settings) -> "Iterator[Finding]":
    """Whether every version that an alias routes to could answer."""
    try:
        with build_registry(settings) as registry:
            models = registry.models(limit=1000).records
            yield Finding("registry", ok=True, detail=f"{settings.registry}, {len(models)} models")
            for model in models:
                yield from _aliases(settings, registry, model.name)
    except MaasError as error:
        yield Finding("registry", ok=False, detail=str(error))


def _aliases(settings: Settings, registry: "Registry", model: str) -> "Iterator[Finding]":
    policy = registry.policy(model)
    for alias, routes in policy.aliases.items():
        for route in routes:
            digest = policy.digests[route.version]
            subject = f"{model}@{alias} version {route.version}"
            try:
                verify_bundle(settings.bundles / model / digest16(digest), digest=digest)
            except MaasError as error:
                remedy = f"{error} Make it again with maas bundle, or maas rollback {model}."
                yield Finding(subject, ok=False, detail=remedy)
            else:
                yield Finding(subject, ok=True, detail=f"bundle whole, {digest[:23]}…")
