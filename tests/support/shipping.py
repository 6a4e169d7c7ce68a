"""A project to package into, and models beside the tiny one.

project = make_project(tmp_path / "project")         # the real template, functions and layers
outcome = package_into(project, home)                # as `maas package` does
add_model(home, "stars", seed=3)                     # registered, not promoted
"""

import hashlib
import shutil
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace
from rich.console import Console
from support.tiny import Home, TinyBundle, make_bundle, register_bundle, write_bundle

from maas.bundle.manifest import digest16
from maas.registry import layout
from maas.registry.records import VersionRecord, encode
from maas.registry.store import Item, Write
from maas.registry.stores import open_store
from maas_lab.packaging import Packaged, package
from maas_lab.packing.layer_copies import MODIFIED
from maas_lab.packing.project import Project, open_project
from maas_lab.packing.served_sets import Wishes, parse_wishes

if TYPE_CHECKING:
    from typing import Literal

    from maas.bundle.ecdsa import PublicKey

ROOT = Path(__file__).parents[2]
SOURCES = ("functions", "layers/runtime", "layers/serving")


def make_project(root: Path) -> Project:
    """Copy what is committed of the application; nothing is packaged in it."""
    root.mkdir(parents=True)
    for name in ("template.yaml", "samconfig.toml"):
        shutil.copyfile(ROOT / name, root / name)
    for name in SOURCES:
        skipped = shutil.ignore_patterns("__pycache__", "architecture")
        shutil.copytree(ROOT / name, root / name, ignore=skipped)
    return open_project(root)


def package_into(
    project: Project,
    home: Home,
    wishes: Wishes | None = None,
    *,
    architecture: str | None = None,
    key: "PublicKey | None" = None,
) -> Packaged:
    """Package as the verb does; progress goes nowhere."""
    with home.registry() as registry:
        return package(
            project,
            registry,
            home.settings.bundles,
            wishes or parse_wishes(),
            architecture=architecture,
            console=Console(file=StringIO()),
            key=key,
        )


def add_model(home: Home, name: str, *, seed: int) -> TinyBundle:
    """Register version 1 of another model; it is not promoted."""
    tiny = make_bundle(home.settings.bundles / ".other", seed=seed)
    manifest = replace(tiny.manifest, name=name)
    digest = write_bundle(tiny.folder, manifest)
    folder = home.settings.bundles / name / digest16(digest)
    folder.parent.mkdir(exist_ok=True)
    tiny.folder.rename(folder)
    shutil.rmtree(home.settings.bundles / ".other")
    bundle = TinyBundle(folder, digest, manifest, tiny.weights)
    with home.registry() as registry:
        register_bundle(registry, bundle)
    return bundle


def set_status(home: Home, number: int, status: "Literal['retired', 'blocked']") -> None:
    """Give a version a status for which no verb exists yet."""
    store = open_store(home.settings.registry)
    (item,) = store.read([layout.version_key("sentiment", number)])
    assert item is not None
    record = replace(layout.record_of(item, VersionRecord), status=status)
    store.transact(
        [Write(Item(item.key, item.revision + 1, encode(record)), expected=item.revision)]
    )
    store.close()


def tree(folder: Path) -> dict[str, tuple[int, float, str]]:
    """Mode, time and content of everything in a folder but locks, by path.

    Of folders only the fixed time counts; another one moves with every file that comes and goes.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        status, content, is_file = path.stat(), "", path.is_file()
        if is_file:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        time = status.st_mtime if is_file or status.st_mtime == MODIFIED else 0.0
        found[path.relative_to(folder).as_posix()] = (status.st_mode, time, content)
    return {name: seen for name, seen in found.items() if not name.endswith(".lock")}
